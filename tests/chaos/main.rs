//! Random faults under load, and rounds of load after which a server holds no more resources.
//!
//! Two environment variables change the runs, which otherwise are short:
//!
//! ```text
//! ZEROHTTPD_CHAOS_SECONDS=300   about how long each run takes
//! ZEROHTTPD_CHAOS_SEED=7        the seed of the random numbers; a run that fails prints its seed
//! ```

#[path = "../support/mod.rs"]
mod support;

mod faults;
mod guests;
mod journal;
mod misbehaving;
mod soak;

use std::env;
use std::str::FromStr;
use std::time::Duration;

/// The defaults of these variables.
const SECONDS: u64 = 12;
const SEED: u64 = 1;

/// About how long each run takes.
fn duration() -> Duration {
    Duration::from_secs(variable("ZEROHTTPD_CHAOS_SECONDS").unwrap_or(SECONDS))
}

fn seed() -> u64 {
    variable("ZEROHTTPD_CHAOS_SEED").unwrap_or(SEED)
}

/// A number from the environment, if the variable is set; panics if it is not a number.
fn variable<T: FromStr>(name: &str) -> Option<T> {
    let text = env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name} is {text:?}; it has to be a number")))
}
