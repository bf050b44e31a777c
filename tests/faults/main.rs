//! Faults around a server, of stores, clients, processes and the machine, and what clients still
//! get.

#[path = "../support/mod.rs"]
mod support;

mod bad_stores;
mod failover;
mod fake;
mod full_disks;
mod hangups;
mod injected;
mod kills;
mod limits;
mod load;
mod lost_forms;
mod lost_stores;
mod many_clients;
mod moved_stores;
mod pipelining;
mod reasons;
mod redis_access;
mod stale_stores;
mod stalled_errors;
mod storms;
mod timeouts;
mod workers;

fn main() -> std::process::ExitCode {
    support::cases::run(Vec::new()).exit_code()
}
