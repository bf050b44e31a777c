//! A client that sends any bytes, and reads answers as strictly as the scripts do.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use rustix::net::sockopt::{set_socket_linger, set_socket_recv_buffer_size};
use rustix::net::{AddressFamily, SocketFlags, SocketType, connect, socket_with};

use super::TIMEOUT;
use super::script::{Answer, read_answer};

/// A connection to a server. Reading or writing fails after [`TIMEOUT`].
pub(crate) struct Client {
    pub(crate) stream: TcpStream,
    /// Bytes that were received and not yet read as an answer.
    pub(crate) input: Vec<u8>,
}

/// How a client leaves.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Leave {
    /// Closes its socket: FIN.
    Fin,
    /// Resets the connection: RST.
    Reset,
}

impl Client {
    #[track_caller]
    pub(crate) fn connect(port: u16) -> Client {
        Client::try_connect((Ipv4Addr::LOCALHOST, port).into()).expect("a server that accepts")
    }

    /// A client with a small receive buffer: if it reads slowly, the server soon has to wait.
    #[track_caller]
    pub(crate) fn with_small_buffer(port: u16) -> Client {
        let address = (Ipv4Addr::LOCALHOST, port).into();
        Client::with_buffer(address, Some(4096)).expect("a server that accepts")
    }

    /// Connects to a server that may not be there.
    pub(crate) fn try_connect(address: SocketAddr) -> io::Result<Client> {
        Client::with_buffer(address, None)
    }

    fn with_buffer(address: SocketAddr, bytes: Option<usize>) -> io::Result<Client> {
        let (family, kind) = (AddressFamily::INET, SocketType::STREAM);
        let socket = socket_with(family, kind, SocketFlags::CLOEXEC, None)?;
        if let Some(bytes) = bytes {
            set_socket_recv_buffer_size(&socket, bytes)?;
        }
        connect(&socket, &address)?;
        let stream = TcpStream::from(socket);
        stream.set_read_timeout(Some(TIMEOUT))?;
        stream.set_write_timeout(Some(TIMEOUT))?;
        stream.set_nodelay(true)?;
        Ok(Client { stream, input: Vec::new() })
    }

    /// Sends, and ignores errors: if the server has closed the connection, reading the answer
    /// fails.
    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        let _ = self.stream.write_all(bytes.as_ref());
    }

    /// Shuts the sending side; the client can still read.
    pub(crate) fn stop_sending(&self) {
        let _ = self.stream.shutdown(Shutdown::Write);
    }

    /// Reads once, at most `limit` bytes; returns how many came, 0 at the end.
    pub(crate) fn read_some(&mut self, limit: usize) -> io::Result<usize> {
        let old = self.input.len();
        self.input.resize(old + limit, 0);
        let read = loop {
            match self.stream.read(&mut self.input[old..]) {
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                read => break read,
            }
        };
        self.input.truncate(old + read.as_ref().map_or(0, |count| *count));
        read
    }

    /// Reads an answer, to a HEAD or to another method; the error says why it is not complete.
    pub(crate) fn try_answer(&mut self, to_head: bool) -> Result<Answer, String> {
        loop {
            if let Some((answer, used)) = read_answer(&self.input, to_head)? {
                self.input.drain(..used);
                return Ok(answer);
            }
            match self.read_some(64 * 1024) {
                Ok(0) => return Err(format!("the connection ended after {:?}", show(&self.input))),
                Ok(_) => {}
                Err(e) => return Err(format!("{e} after {:?}", show(&self.input))),
            }
        }
    }

    #[track_caller]
    pub(crate) fn answer(&mut self) -> Answer {
        self.try_answer(false).unwrap_or_else(|why| panic!("no answer: {why}"))
    }

    /// Sends a GET on this connection, and reads the answer.
    #[track_caller]
    pub(crate) fn get(&mut self, target: &str) -> Answer {
        self.send(request("GET", target));
        self.answer()
    }

    /// Sends a HEAD, and reads the answer.
    #[track_caller]
    pub(crate) fn head(&mut self, target: &str) -> Answer {
        self.send(request("HEAD", target));
        self.try_answer(true).unwrap_or_else(|why| panic!("no answer: {why}"))
    }

    /// Signs the guestbook.
    #[track_caller]
    pub(crate) fn sign(&mut self, name: &str, remark: &str) -> Answer {
        self.send(signature(name, remark));
        self.answer()
    }

    /// Visits the guestbook, and returns the visitor's number.
    #[track_caller]
    pub(crate) fn visit(&mut self) -> u64 {
        let answer = self.get("/guestbook");
        assert_eq!(answer.status, 200, "{}", show(&answer.body));
        visitor(&answer).expect("a number for the visitor")
    }

    /// Reads until the server closes the connection; panics if the server resets it. Returns the
    /// bytes that were not yet read as answers.
    #[track_caller]
    pub(crate) fn read_to_end(&mut self) -> Vec<u8> {
        loop {
            match self.read_some(64 * 1024) {
                Ok(0) => return std::mem::take(&mut self.input),
                Ok(_) => {}
                Err(e) => panic!("waiting for the end: {e} after {:?}", show(&self.input)),
            }
        }
    }

    /// Reads until the server closes or resets the connection. Returns the bytes that were not yet
    /// read as answers.
    #[track_caller]
    pub(crate) fn read_until_closed(&mut self) -> Vec<u8> {
        loop {
            match self.read_some(64 * 1024) {
                Ok(0) => return std::mem::take(&mut self.input),
                Err(e) if is_reset(&e) => return std::mem::take(&mut self.input),
                Ok(_) => {}
                Err(e) => panic!("waiting for the end: {e} after {:?}", show(&self.input)),
            }
        }
    }

    /// Whether the server has ended the connection by now.
    pub(crate) fn is_closed(&self) -> bool {
        match self.peek() {
            Ok(count) => count == 0,
            Err(e) => e.kind() != ErrorKind::WouldBlock,
        }
    }

    /// Whether the server has sent anything, or ended the connection, by now.
    pub(crate) fn has_input_or_end(&self) -> bool {
        !self.peek().is_err_and(|e| e.kind() == ErrorKind::WouldBlock)
    }

    fn peek(&self) -> io::Result<usize> {
        self.stream.set_nonblocking(true).expect("a socket");
        let peeked = self.stream.peek(&mut [0]);
        self.stream.set_nonblocking(false).expect("a socket");
        peeked
    }

    /// Ends the connection.
    pub(crate) fn leave(self, how: Leave) {
        if matches!(how, Leave::Reset) {
            set_socket_linger(&self.stream, Some(Duration::ZERO)).expect("a socket");
        }
    }
}

fn is_reset(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe)
}

/// The last bytes of what was received, escaped, for a message.
pub(crate) fn show(bytes: &[u8]) -> String {
    bytes[bytes.len().saturating_sub(400)..].escape_ascii().to_string()
}

/// A request without a body.
pub(crate) fn request(method: &str, target: &str) -> String {
    format!("{method} {target} HTTP/1.1\r\nHost: test\r\n\r\n")
}

/// A request that asks the server to close the connection afterwards.
pub(crate) fn last_request(target: &str) -> String {
    format!("GET {target} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n")
}

/// A POST that signs the guestbook.
pub(crate) fn signature(name: &str, remark: &str) -> String {
    let form = format!("guest-name={}&guest-remarks={}", encoded(name), encoded(remark));
    format!(
        "POST /guestbook HTTP/1.1\r\nHost: test\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{form}",
        form.len()
    )
}

fn encoded(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    let encode = |byte| {
        if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }
    };
    text.bytes().map(encode).collect()
}

/// The number that a page of the guestbook gives its visitor.
pub(crate) fn visitor(answer: &Answer) -> Option<u64> {
    let page = String::from_utf8_lossy(&answer.body);
    let (_, rest) = page.split_once("You are visitor number ")?;
    let number = rest.split(|c: char| !c.is_ascii_digit() && c != ',').next()?;
    number.replace(',', "").parse().ok()
}

/// The entries on a page of the guestbook, in the page's order, each `remark - name` as HTML
/// without the tags around remark and name.
pub(crate) fn entries(answer: &Answer) -> Vec<String> {
    let page = String::from_utf8_lossy(&answer.body);
    let items = page.split("<p class=\"guest-entry\">").skip(1);
    let tags = ["<bdi>", "</bdi>", "<span class=\"guest-name\">", "</span>"];
    let bare = |item: &str| tags.iter().fold(item.to_string(), |item, tag| item.replace(tag, ""));
    items.filter_map(|item| Some(bare(item.split_once("</p>")?.0))).collect()
}

/// Whether an answer says that the server closes the connection.
pub(crate) fn is_last(answer: &Answer) -> bool {
    answer.field("Connection") == Ok(Some(b"close"))
}
