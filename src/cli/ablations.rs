//! The options that make a server do as the programs of 2019 did.

use clap::Args;

use crate::ablations::{Ablations, NO_READ_LIMIT, Sends, StoreConnection};
use crate::cli::headings;
use crate::cli::values::whole;

/// The arguments for [`Ablations`].
#[derive(Args)]
#[command(next_help_heading = headings::ABLATIONS)]
pub struct AblationArgs {
    /// Read at most N bytes of a request per call; the programs of 2019 read one
    #[arg(long, value_name = "N", default_value_t = NO_READ_LIMIT,
        value_parser = whole(1..=usize::MAX))]
    #[arg(hide_default_value = true)]
    read_bytes: usize,
    /// Send an answer in one call, or in one for each line of its head and one for its body
    #[arg(long, value_name = "CALLS", default_value = "one")]
    sends: Sends,
    /// Reuse connections to the store, or close each after its reply (a loop closes its own when
    /// no query is left unanswered)
    #[arg(long, value_name = "HOW", default_value = "reused")]
    store_connection: StoreConnection,
}

impl From<AblationArgs> for Ablations {
    fn from(typed: AblationArgs) -> Ablations {
        let AblationArgs { read_bytes, sends, store_connection } = typed;
        Ablations { read_bytes, sends, store_connection }
    }
}
