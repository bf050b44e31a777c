//! The guestbook, as visitors, those who sign it, and redis-cli see it.

#[path = "../support/mod.rs"]
mod support;

mod shared;
mod visits;
