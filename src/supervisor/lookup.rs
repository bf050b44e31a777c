//! The lookup of a Redis: a child of the supervisor resolves its name and tries each address.
//!
//! Both can block, so the supervisor does neither, and kills a child that takes too long. The child
//! writes the address that it finds to shared memory, where all servers see it. A lookup runs at
//! the start, each second while connections to the store fail, and at each reload. So a server
//! can start before its store, and finds a store whose address has changed.

use std::net::SocketAddr;
use std::sync::atomic::Ordering::Relaxed;

use zerohttpd_core::store::{StoreDown, StoreFailure};
use zerohttpd_sys::say;

use crate::clock;
use crate::shared::store_condition::{NOT_YET_UP, StoreCondition};
use crate::store::address::{self, Address, StoreChoice};
use crate::store::backoff::Backoff;
use crate::store::blocking_connection::BlockingConnection;

/// All addresses together have this long to answer.
const ANSWER_MS: u64 = 5000;

/// The exit code for a store that refuses the credentials.
pub const EXIT_NOT_ADMITTED: i32 = 3;

/// When to look up the store, and whether the last lookup was refused.
#[derive(Default)]
pub struct StoreLookup {
    /// Whether a lookup is to run even if connections to the store succeed.
    pub is_due: bool,
    /// The next lookup starts no earlier than this.
    pub not_before_ms: u64,
    /// When the running lookup is to be killed.
    pub deadline_ms: u64,
    /// Whether the store refused the credentials of the last lookup.
    pub is_refused: bool,
}

/// Looks up the store, in a child of the supervisor. Returns the child's exit code. The first
/// lookup prints its failure with advice; later lookups report failures as servers do.
pub fn run(choice: &StoreChoice, current: &Address, backoff: Backoff, is_first: bool) -> i32 {
    let Err(failure) = find(choice, current, backoff) else { return 0 };
    match is_first {
        true => report_at_start(choice, &failure, backoff),
        false => backoff.note_failure(&failure, clock::now().ms),
    }
    if failure.why == StoreDown::NotAdmitted { EXIT_NOT_ADMITTED } else { 1 }
}

/// Tries all addresses and notes the first that answers, or the first of all if none answers.
fn find(choice: &StoreChoice, current: &Address, backoff: Backoff) -> Result<(), StoreFailure> {
    let found = match choice.tcp() {
        None => BlockingConnection::open(current, 0, clock::now().ms + ANSWER_MS).map(drop),
        Some(_) => find_by_tcp(choice, current, backoff),
    };
    found.inspect(|()| backoff.note_reached())
}

fn find_by_tcp(
    choice: &StoreChoice,
    current: &Address,
    backoff: Backoff,
) -> Result<(), StoreFailure> {
    let unreachable = |reason: &str| StoreFailure::of_connection(StoreDown::Unreachable, reason);
    let mut addresses = choice
        .resolve()
        .map_err(|error| unreachable(&format!("its name can't be resolved: {error}")))?;
    let old = current.tcp();
    // The present address comes first, if the name still has it.
    addresses.sort_by_key(|address| Some(*address) != old);
    let mut failure = unreachable("its name has no address");
    for &address in &addresses {
        let until_ms = clock::now().ms + ANSWER_MS / addresses.len() as u64;
        let socket = address::connect(address);
        match BlockingConnection::log_in(socket, current.credentials(), 0, until_ms) {
            Ok(_) => {
                note_address(choice, address, old, backoff);
                return Ok(());
            }
            // A refused password says more than an unreachable address.
            Err(_) if failure.why == StoreDown::NotAdmitted => {}
            Err(error) => failure = error,
        }
    }
    if let Some(&first) = addresses.first() {
        note_address(choice, first, old, backoff);
    }
    Err(failure)
}

/// Notes the store's address for all servers, if it has changed.
fn note_address(
    choice: &StoreChoice,
    address: SocketAddr,
    old: Option<SocketAddr>,
    backoff: Backoff,
) {
    if old != Some(address) {
        backoff.store.set_address(address);
        if old.is_some() {
            say!("zerohttpd: the store {choice} is at {address} now");
        }
    }
}

/// Prints at the start why the store does not serve, and what to do.
fn report_at_start(choice: &StoreChoice, failure: &StoreFailure, backoff: Backoff) {
    note_outage_at_start(backoff.store, failure);
    if failure.why == StoreDown::NotAdmitted {
        let advice = "give --store redis://user:password@host/database";
        return say!("zerohttpd: the store {choice} {failure}; {advice}");
    }
    say!("zerohttpd: the store {choice} {failure}; serving files until it is there");
}

/// Notes that the store does not answer at the start. The caller prints a message.
pub fn note_outage_at_start(store: StoreCondition, failure: &StoreFailure) {
    let now_ms = clock::now().ms;
    store.connections.begin_for_connections(failure, now_ms);
    store.connections.note_if_due(failure, now_ms);
    store.reported_down.store(NOT_YET_UP, Relaxed);
}
