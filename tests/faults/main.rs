//! What goes wrong around a server, and how little of it a client may notice.

#[path = "../support/mod.rs"]
mod support;

mod bad_stores;
mod crowds;
mod fake;
mod full_disks;
mod hangups;
mod injected;
mod kills;
mod limits;
mod load;
mod lost_stores;
mod redis_access;
mod timeouts;
mod workers;
