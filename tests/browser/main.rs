//! Chromium without a window signs the guestbook and seeks in a film on every architecture, and
//! shows the report of a bench.

#[path = "../support/mod.rs"]
mod support;

mod driver;
mod guestbook;
mod report;
mod seeking;
