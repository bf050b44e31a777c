//! The core of ZeroHTTPd: an HTTP/1.1 server connection, and the application behind it, as pure
//! state.
//!
//! A [`Connection`] wants one thing at a time, and [`poll`](Connection::poll) names it. A driver
//! pays that want in its own way, by waiting, by coming back later, or by handing it to the kernel,
//! reports what came of it, and polls again. This is a whole one:
//!
//! ```
//! use zero_core::store::StoreDown;
//! use zero_core::{App, Asset, Closing, Connection, Facts, Moment, NoAsset, Sent, Want};
//! # use zero_core::{Body, Limits, Templates};
//! # struct File(Facts);
//! # impl Asset for File { fn facts(&self) -> &Facts { &self.0 } }
//! # fn open(_: &zero_core::SitePath) -> Result<File, NoAsset> {
//! #     Ok(File(Facts::new(6, 0, "6", "text/plain", Default::default())))
//! # }
//! # fn send(wire: &mut Vec<u8>, head: &[u8], body: &Body<File>) {
//! #     wire.extend_from_slice(head);
//! #     if let Body::File { .. } = body { wire.extend_from_slice(b"hello\n") }
//! # }
//!
//! fn serve(app: &App, now: impl Fn() -> Moment, mut input: &[u8], wire: &mut Vec<u8>) -> Closing {
//!     let mut connection = Connection::new();
//!     loop {
//!         match connection.poll(app, now()) {
//!             // No bytes mean that the client has stopped sending.
//!             Want::Read => connection.received(std::mem::take(&mut input)),
//!             Want::Open(path, _) => connection.opened(open(&path)),
//!             Want::List(..) => connection.listed(Err(NoAsset::Missing)),
//!             Want::Ask(ticket, _) => connection.answered(ticket, Err(StoreDown::Unreachable)),
//!             Want::Send(transmit) => {
//!                 send(wire, &transmit.head, &transmit.body);
//!                 connection.sent(transmit, Sent::Whole);
//!             }
//!             Want::Shutdown | Want::Wait => {}
//!             Want::Close(why) => return why,
//!         }
//!     }
//! }
//!
//! # let page = |_| Ok::<_, zero_core::app::BadTemplate>(b"$VISITOR_COUNT$$GUEST_REMARKS$\
//! #     $PROBLEMS$$GUEST_NAME$$GUEST_REMARK$$STATUS$$REASON$$EXPLANATION$$FOLDER$$ENTRIES$"
//! #     .to_vec());
//! # let templates = Templates::load(page).unwrap();
//! # let limits = Limits::default();
//! # let app = App { templates, limits, guestbook: true, listing: false };
//! let mut wire = Vec::new();
//! let why = serve(&app, Moment::default, b"GET /hello.txt HTTP/1.0\r\n\r\n", &mut wire);
//! assert!(wire.starts_with(b"HTTP/1.1 200 OK\r\n") && wire.ends_with(b"\r\n\r\nhello\n"));
//! assert_eq!(why, Closing::Done);
//! ```
//!
//! Three things make it fit every architecture: what is sent is owned, so that it may outlive the
//! connection; a [`Deadline`] may supersede what is being paid, so that nothing can be waited for
//! in vain; and time is an argument, so that a test can be an hour long and take no time at all.
//!
//! It reads no clock, no file and no socket; `no_std` holds it to that.
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

pub use app::{App, Asset, Coding, Facts, FolderEntry, Listing, NoAsset, SitePath, Templates};
pub use connection::Connection;
pub use http::date::{common_log_date, rfc_3339_date};
pub use http::encoding::{Encoding, Encodings};
pub use http::response::STATUSES;
pub use limits::Limits;
pub use moment::Moment;
pub use want::{Body, Closing, Deadline, Patience, Sent, Served, Ticket, Transmit, Want};
