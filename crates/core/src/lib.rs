//! The core of ZeroHTTPd: an HTTP/1.1 server connection, and the application behind it, as state
//! machines that perform no I/O (sans-I/O).
//!
//! [`http`] is the protocol: requests, responses and the state machine of a connection. [`app`] is
//! the application: a site of files and a guestbook. The protocol knows only the trait
//! [`Application`](http::Application), so it can serve any other application. [`store`] has the
//! queries of the guestbook and the pipeline that carries them to a Redis.
//!
//! A [`Connection`] wants one thing at a time: [`poll`](Connection::poll) returns it. A driver
//! performs that want in its own way: it waits, comes back later, or hands the work to the kernel.
//! Then it reports the result and polls again. [`Connection`] lists the twelve methods that a
//! driver calls. HTTP/2 is not a goal: a multiplexed connection has a want for each stream.
//!
//! This is a whole driver:
//!
//! ```
//! use zerohttpd_core::store::StoreDown;
//! use zerohttpd_core::{App, AssetError, CloseReason, Completion, Connection, Now, Operation};
//! use zerohttpd_core::{Sent, Want};
//! # use zerohttpd_core::{Body, Limits, Metadata, Representation, Templates};
//! # struct File(Metadata);
//! # impl Representation for File { fn metadata(&self) -> &Metadata { &self.0 } }
//! # fn open(_: &zerohttpd_core::SitePath) -> Result<File, AssetError> {
//! #     Ok(File(Metadata::new(6, 0, "6", "text/plain", Default::default())))
//! # }
//! # fn send(wire: &mut Vec<u8>, head: &[u8], body: &Body<File>) {
//! #     wire.extend_from_slice(head);
//! #     if let Body::File { .. } = body { wire.extend_from_slice(b"hello\n") }
//! # }
//!
//! fn serve(
//!     app: &App,
//!     now: impl Fn() -> Now,
//!     mut input: &[u8],
//!     wire: &mut Vec<u8>,
//! ) -> CloseReason {
//!     let mut connection = Connection::new();
//!     loop {
//!         match connection.poll(app, now()) {
//!             // An empty slice says that the client has stopped sending.
//!             Want::Read => drop(connection.received(std::mem::take(&mut input))),
//!             Want::Perform(ticket, operation) => connection.completed(ticket, match operation {
//!                 Operation::Open(path, _) => Completion::Opened(open(&path)),
//!                 Operation::List(..) => Completion::Listed(Err(AssetError::Missing)),
//!                 Operation::Ask(_) => Completion::Answered(Err(StoreDown::Unreachable)),
//!             }),
//!             Want::Send(transmit) => {
//!                 send(wire, &transmit.head, &transmit.body);
//!                 connection.sent(transmit, Sent::Whole);
//!             }
//!             Want::Peek => connection.peeked(false),
//!             Want::Shutdown | Want::Wait => {}
//!             Want::Close(why, _) => return why,
//!         }
//!     }
//! }
//!
//! # let page = |name| Ok::<_, zerohttpd_core::app::BadTemplate>(match name {
//! #     Templates::GUESTBOOK => b"$VISITOR_COUNT$$GUEST_REMARKS$".to_vec(),
//! #     Templates::REFUSED => b"$PROBLEMS$$GUEST_NAME$$GUEST_REMARK$".to_vec(),
//! #     Templates::ERROR => b"$STATUS$$REASON$$EXPLANATION$".to_vec(),
//! #     Templates::LISTING => b"$FOLDER$$ENTRIES$".to_vec(),
//! #     _ => Vec::new(),
//! # });
//! # let templates = Templates::load(page).unwrap();
//! # let limits = Limits::default();
//! # let app = App { templates, limits, guestbook: true, listing: false };
//! let mut wire = Vec::new();
//! let why = serve(&app, Now::default, b"GET /hello.txt HTTP/1.0\r\n\r\n", &mut wire);
//! assert!(wire.starts_with(b"HTTP/1.1 200 OK\r\n") && wire.ends_with(b"\r\n\r\nhello\n"));
//! assert_eq!(why, CloseReason::Done);
//! ```
//!
//! Three properties make the core fit every architecture. A [`Transmit`] owns its bytes, so it can
//! outlive the connection. A [`Deadline`] bounds every wait for a client or an operation. Time is
//! an argument, so a test can let an hour pass at once.
//!
//! The core reads no clock, no file and no socket: `no_std` has none of them.
#![no_std]
#![forbid(unsafe_code)]
#![warn(unreachable_pub)]

extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod app;
pub mod http;
pub mod limits;
pub mod loops;
mod now;
pub mod store;
mod text;

pub use app::{App, AssetError, Completion, FolderEntry, Listing, Operation, SitePath, Templates};
pub use http::{
    AccessRecord, Body, CloseReason, Coding, Connection, CutShort, Deadline, Encoding, Encodings,
    Metadata, Representation, STATUSES, Sent, Ticket, Timeout, Transmit, Want, common_log_date,
    rfc_3339_date,
};
pub use limits::Limits;
pub use now::Now;
