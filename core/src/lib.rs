//! The core of ZeroHTTPd: an HTTP/1.1 server connection, and the application behind it, as pure
//! state. It reads no clock, no file and no socket; `no_std` holds it to that.
#![no_std]
#![forbid(unsafe_code)]
#![warn(unreachable_pub)]

extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod app;
mod connection;
mod http;
pub mod limits;
mod moment;
pub mod store;
mod text;
mod want;

pub use app::{App, Asset, Facts, NoAsset, SitePath, Templates};
pub use connection::Connection;
pub use http::date::common_log_date;
pub use limits::Limits;
pub use moment::Moment;
pub use want::{Body, Closing, Deadline, Patience, Sent, Served, Ticket, Transmit, Want};
