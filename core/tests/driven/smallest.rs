//! The smallest driver there can be: what an architecture owes the core, on one page.

use std::io::{self, Read, Write};

use zero_core::{App, Closing, Connection, Limits, Moment, Sent, Want};

use crate::client::wire;
use crate::world::{self, Site, Store};

/// Serves one client until the end. A `Vec` of bytes is as good a socket as any, here; a real one
/// would have its time-outs set to the connection's deadline, and its hang-ups reported.
fn serve(
    app: &App,
    site: &Site,
    store: &mut Store,
    socket: &mut (impl Read + Write),
    now: impl Fn() -> Moment,
) -> io::Result<Closing> {
    let mut connection = Connection::new();
    let mut scratch = [0; 16 * 1024];
    loop {
        match connection.poll(app, now()) {
            Want::Read => {
                let count = socket.read(&mut scratch)?;
                connection.received(&scratch[..count]);
            }
            Want::Open(path, _) => connection.opened(site.open(&path)),
            Want::List(path, page) => connection.listed(site.list(&path, page)),
            Want::Ask(ticket, query) => connection.answered(ticket, store.ask(&query)),
            Want::Send(transmit) => {
                socket.write_all(&wire(&transmit))?;
                connection.sent(transmit, Sent::Whole);
            }
            Want::Shutdown => socket.flush()?,
            Want::Close(why) => return Ok(why),
            Want::Wait => unreachable!("a driver that blocks owes nothing when it polls"),
        }
    }
}

/// A client that has sent everything already, and keeps what it gets.
struct Letter {
    input: &'static [u8],
    output: Vec<u8>,
}

impl Read for Letter {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.input.read(into)
    }
}

impl Write for Letter {
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
    let mut letter = Letter {
        input: b"GET /hello.txt HTTP/1.1\r\nHost: x\r\n\r\n\
            GET /guestbook HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        output: Vec::new(),
    };
    let site = Site::of_the_scripts();
    let end = serve(&app, &site, &mut Store::default(), &mut letter, || world::START);
    assert!(matches!(end, Ok(Closing::Done)), "{end:?}");
    let text = String::from_utf8(letter.output).expect("text");
    assert_eq!(text.matches("HTTP/1.1 200 OK\r\n").count(), 2);
    assert!(text.contains("\r\n\r\nhello\n") && text.contains("visitor 1 "), "{text}");
}
