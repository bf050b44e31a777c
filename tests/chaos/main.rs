//! Long runs: random faults under load, and rounds of load that have to leave nothing behind.
//!
//! Short unless the environment says otherwise:
//!
//! ```text
//! ZEROHTTPD_CHAOS_SECONDS=300   how long each of them goes on, about
//! ZEROHTTPD_CHAOS_SEED=7        what the faults are drawn from; a run that fails says its own
//! ```

#[path = "../support/mod.rs"]
mod support;

mod faults;
mod guests;
mod journal;
mod nuisances;
mod soak;

use std::env;
use std::str::FromStr;
use std::time::Duration;

/// How long a run takes unless told otherwise, and what it is drawn from.
const SECONDS: u64 = 12;
const SEED: u64 = 1;

/// How long each run goes on.
fn duration() -> Duration {
    Duration::from_secs(variable("ZEROHTTPD_CHAOS_SECONDS").unwrap_or(SECONDS))
}

fn seed() -> u64 {
    variable("ZEROHTTPD_CHAOS_SEED").unwrap_or(SEED)
}

/// A setting from the environment. One that can't be read is a mistake, not a default.
fn variable<T: FromStr>(name: &str) -> Option<T> {
    let text = env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name} is {text:?}; it has to be a number")))
}
