//! The options that limit the number of clients.

use clap::Args;

use crate::admission::ClientLimits;
use crate::arch::{Arch, Workers};
use crate::cli::headings::LIMITS;
use crate::cli::values::whole;

/// The arguments for [`ClientLimits`].
#[derive(Args)]
pub struct ClientArgs {
    /// Serve at most N clients at a time; others wait to be accepted; 0: no limit
    #[arg(long, value_name = "N", default_value_t = 0, help_heading = LIMITS,
        value_parser = whole(0..=u32::MAX as usize))]
    max_clients: usize,
    /// Serve at most N clients per address, or per IPv6 network of 64 bits; others get 503; 0: no
    /// limit
    #[arg(long, value_name = "N", default_value_t = 0, help_heading = LIMITS,
        value_parser = whole(0..=u32::MAX as usize))]
    max_clients_per_address: usize,
}

impl ClientArgs {
    /// The limits that these arguments set.
    pub fn limits(&self) -> ClientLimits {
        let limit = |number: usize| (number > 0).then_some(number);
        ClientLimits {
            clients: limit(self.max_clients),
            per_address: limit(self.max_clients_per_address),
        }
    }

    /// Reduces the workers of a pool to the most clients: a worker serves one client at a time, so
    /// further workers would be of no use.
    pub fn limit_workers(&self, arch: &Arch, workers: usize) -> usize {
        match (arch.workers, self.limits().clients) {
            (Workers::Pool, Some(clients)) => workers.min(clients),
            _ => workers,
        }
    }
}
