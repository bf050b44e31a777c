//! What the programs of 2019 did otherwise, each habit on its own: for the laboratory, which shows
//! what a habit costs. None of them changes what a client gets.

use clap::{Args, ValueEnum};

/// How a server goes about its work.
#[derive(Args, Clone, Copy, Debug, PartialEq, Eq)]
#[command(next_help_heading = "Habits of 2019, for measuring them")]
pub struct Habits {
    /// Read at most so many bytes of a request at once; the programs of 2019 read one
    #[arg(long, value_name = "N", default_value_t = AS_MANY_AS_COME,
        value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..))]
    #[arg(hide_default_value = true)]
    pub read_bytes: usize,
    /// Send an answer in one call, or each line of its head in one and its body in another
    #[arg(long, value_name = "CALLS", default_value = "one")]
    pub sends: Sends,
    /// Keep connections to the store, or close each after its answer (a loop's, once all who have
    /// asked are answered)
    #[arg(long, value_name = "HOW", default_value = "reused")]
    pub store_connection: StoreConnection,
}

/// As many bytes as there are, and as a buffer holds.
const AS_MANY_AS_COME: usize = usize::MAX;

/// In how many calls an answer is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Sends {
    /// In one, if the kernel takes it
    One,
    /// In one for each line of the head, and one for the body
    Many,
}

/// What becomes of a connection to the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum StoreConnection {
    /// It is used again
    Reused,
    /// It is closed after its answer
    PerRequest,
}

impl Default for Habits {
    fn default() -> Habits {
        Habits {
            read_bytes: AS_MANY_AS_COME,
            sends: Sends::One,
            store_connection: StoreConnection::Reused,
        }
    }
}

impl Habits {
    /// The part of a buffer that is read into at once.
    pub fn of<'b, T>(&self, buffer: &'b mut [T]) -> &'b mut [T] {
        let len = buffer.len().min(self.read_bytes);
        &mut buffer[..len]
    }
}
