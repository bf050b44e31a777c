//! How many clients there may be, as it is typed.

use clap::Args;

use super::LIMITS;
use crate::arch::{Arch, Workers};
use crate::crowd::Bounds;

/// The options about that.
#[derive(Args)]
pub struct Clients {
    /// Serve at most N clients at a time; others wait to be accepted; 0: as many as come
    #[arg(long, value_name = "N", default_value_t = 0, help_heading = LIMITS)]
    max_clients: usize,
    /// Serve at most N clients of an address, or of an IPv6 network of 64 bits; others get 503; 0:
    /// as many as come
    #[arg(long, value_name = "N", default_value_t = 0, help_heading = LIMITS)]
    max_clients_per_address: usize,
}

impl Clients {
    /// What they mean.
    pub fn bounds(&self) -> Bounds {
        let bound = |number: usize| (number > 0).then_some(number);
        Bounds {
            clients: bound(self.max_clients),
            per_address: bound(self.max_clients_per_address),
        }
    }

    /// Each worker of a pool has a client: there need not be more of them.
    pub fn bound_workers(&self, arch: &Arch, workers: usize) -> usize {
        match (arch.workers, self.bounds().clients) {
            (Workers::Pool, Some(most)) => workers.min(most),
            _ => workers,
        }
    }
}
