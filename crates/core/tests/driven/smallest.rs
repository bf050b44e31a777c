//! The smallest driver: all that an architecture has to do for the core, on one page.

use std::io::{self, Read, Write};

use zerohttpd_core::{App, CloseReason, Connection, Limits, Now, Sent, Want};

use crate::client::wire;
use crate::world::{self, Site, Store};

/// Serves one client until the end. A driver of a real socket would also set the socket's time-outs
/// to the connection's deadline, and report a reset.
fn serve(
    app: &App,
    site: &Site,
    store: &mut Store,
    socket: &mut (impl Read + Write),
    now: impl Fn() -> Now,
) -> io::Result<CloseReason> {
    let mut connection = Connection::new();
    let mut scratch = [0; 16 * 1024];
    loop {
        match connection.poll(app, now()) {
            Want::Read => {
                let count = socket.read(&mut scratch)?;
                connection.received(&scratch[..count]);
            }
            Want::Perform(ticket, operation) => {
                connection.completed(ticket, world::perform(site, store, operation));
            }
            Want::Send(transmit) => {
                socket.write_all(&wire(&transmit))?;
                connection.sent(transmit, Sent::Whole);
            }
            Want::Shutdown => socket.flush()?,
            Want::Peek => connection.peeked(false),
            Want::Close(why, _) => return Ok(why),
            Want::Wait => unreachable!("each want was performed before the next poll"),
        }
    }
}

/// A socket whose client has already sent everything.
struct FakeSocket {
    input: &'static [u8],
    output: Vec<u8>,
}

impl Read for FakeSocket {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.input.read(into)
    }
}

impl Write for FakeSocket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.output.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn twenty_lines_serve_files_and_the_guestbook() {
    let app = world::app(Limits::default());
    let mut socket = FakeSocket {
        input: b"GET /hello.txt HTTP/1.1\r\nHost: x\r\n\r\n\
            GET /guestbook HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        output: Vec::new(),
    };
    let site = Site::of_the_scripts();
    let end = serve(&app, &site, &mut Store::default(), &mut socket, || world::START);
    assert!(matches!(end, Ok(CloseReason::Done)), "{end:?}");
    let text = String::from_utf8(socket.output).expect("text");
    assert_eq!(text.matches("HTTP/1.1 200 OK\r\n").count(), 2);
    assert!(text.contains("\r\n\r\nhello\n") && text.contains("visitor 1 "), "{text}");
}
