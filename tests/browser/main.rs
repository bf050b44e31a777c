//! A real browser, Chromium without a window: it signs the guestbook and seeks in a film, served by
//! every architecture.

#[path = "../support/mod.rs"]
mod support;

mod driver;
mod guestbook;
mod seeking;
