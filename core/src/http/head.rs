//! Request heads (RFC 9112 §2 to §6): parsed by `httparse`, then held to our stricter rules.

use core::mem::MaybeUninit;

use httparse::{Error, Header, Status as Progress};

use super::refusal::Refusal;
use super::response::Status;
use super::target::{self, Target};
use crate::limits;

/// A place in the head of a request. A head has less than 64 KiB ([`limits::HEAD_BYTES`]).
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Span {
    start: u16,
    len: u16,
}

const _: () = assert!(limits::HEAD_BYTES <= u16::MAX as usize);

impl Span {
    pub(crate) fn new(start: usize, len: usize) -> Span {
        Span { start: start as u16, len: len as u16 }
    }

    /// Where `part`, a slice of `whole`, stands in it.
    fn within(whole: &[u8], part: &[u8]) -> Span {
        Span::new(part.as_ptr().addr() - whole.as_ptr().addr(), part.len())
    }

    pub(crate) fn of(self, head: &[u8]) -> &[u8] {
        &head[self.start()..][..self.len()]
    }

    pub(crate) fn start(self) -> usize {
        usize::from(self.start)
    }

    pub(crate) fn len(self) -> usize {
        usize::from(self.len)
    }
}

/// What a request asks to be done (RFC 9110 §9).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Method {
    Get,
    Head,
    Post,
    Options,
    /// A method that everybody knows and nothing here answers: PUT, DELETE, PATCH.
    Other,
    /// A method that is served nowhere, CONNECT and TRACE among them.
    Unknown,
}

impl Method {
    fn of(name: &str) -> Method {
        match name {
            "GET" => Method::Get,
            "HEAD" => Method::Head,
            "POST" => Method::Post,
            "OPTIONS" => Method::Options,
            "PUT" | "DELETE" | "PATCH" => Method::Other,
            _ => Method::Unknown,
        }
    }
}

/// How long the body is said to be (RFC 9112 §6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    None,
    Length(u64),
    Chunked,
}

/// What a client expects before it sends its body (RFC 9110 §10.1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Expectation {
    None,
    Continue,
    Unknown,
}

/// The fields whose values are looked at after the head is parsed.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Field {
    Host,
    ContentType,
    Origin,
    SecFetchSite,
}

const KEPT_FIELDS: usize = 4;

/// A request head. Its text stays where it was received; this says where each part stands.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) method: Method,
    pub(crate) target: Target,
    /// HTTP/1.1, not 1.0.
    pub(crate) is_1_1: bool,
    /// The client wants to send another request on this connection (RFC 9112 §9.3).
    pub(crate) keep_alive: bool,
    pub(crate) framing: Framing,
    pub(crate) expectation: Expectation,
    /// The request line, without its line end.
    pub(crate) line: Span,
    /// Bytes of the head, empty lines before and after it included.
    pub(crate) len: usize,
    fields: [Option<Span>; KEPT_FIELDS],
}

impl Request {
    /// Stands in for a request whose head could not be read.
    pub(crate) fn unreadable(input: &[u8]) -> Request {
        let nothing = Span::default();
        let line = memchr::memchr2(b'\r', b'\n', input).unwrap_or(input.len());
        Request {
            method: Method::Unknown,
            target: Target { path: nothing, query: None, authority: None },
            is_1_1: true,
            keep_alive: false,
            framing: Framing::None,
            expectation: Expectation::None,
            line: Span::new(0, line.min(limits::REQUEST_LINE_BYTES)),
            len: 0,
            fields: [None; KEPT_FIELDS],
        }
    }

    /// The value of a field, where the request has it.
    pub(crate) fn field<'h>(&self, head: &'h [u8], field: Field) -> Option<&'h [u8]> {
        self.fields[field as usize].map(|span| span.of(head))
    }
}

/// Reads the request head that `input` begins with; none while it is incomplete.
pub(crate) fn parse(input: &[u8]) -> Result<Option<Request>, Refusal> {
    let skipped = empty_lines(input)?;
    let head = &input[skipped..];
    // Only what is in memory already is looked at, but each header costs 32 bytes of stack.
    let mut fields = [const { MaybeUninit::uninit() }; limits::FIELDS];
    let mut parsed = httparse::Request::new(&mut []);
    let whole = match parsed.parse_with_uninit_headers(head, &mut fields) {
        Ok(Progress::Complete(len)) => Some(len),
        Ok(Progress::Partial) => None,
        Err(Error::Version) => match Version::of(head) {
            Version::Incomplete => None,
            Version::Later1(digit) => return parse_as_1_1(input, skipped + digit),
            Version::Unsupported => return Err(NOT_SUPPORTED),
            Version::None => return Err(NOT_A_REQUEST),
        },
        Err(error) => return Err(refusal(error)),
    };
    check_lines(&head[..whole.unwrap_or(head.len())], whole.is_some())?;
    match whole {
        None => Ok(None),
        Some(len) => accept(&input[..skipped + len], &parsed).map(Some),
    }
}

const NOT_A_REQUEST: Refusal = Refusal::malformed("The request line is not one of HTTP.");
const NOT_SUPPORTED: Refusal = Refusal::closing(
    Status::HTTP_VERSION_NOT_SUPPORTED,
    "This server speaks HTTP/1.1 and HTTP/1.0.",
);
const TOO_LARGE: Refusal = Refusal::closing(
    Status::REQUEST_HEADER_FIELDS_TOO_LARGE,
    "The header section of the request is too large.",
);
const TOO_LONG: Refusal = Refusal::closing(Status::URI_TOO_LONG, "The request line is too long.");

/// What a request line says of its version, where that is not 1.1 or 1.0.
enum Version {
    /// It has not ended.
    Incomplete,
    /// 1.2 or later, with its last digit there.
    Later1(usize),
    /// Another one.
    Unsupported,
    /// It is no version, or not where it should be.
    None,
}

impl Version {
    fn of(head: &[u8]) -> Version {
        let Some(end) = memchr::memchr(b'\n', head) else { return Version::Incomplete };
        let line = head[..end].strip_suffix(b"\r").unwrap_or(&head[..end]);
        let mut words = line.split(|&byte| byte == b' ');
        match [words.next(), words.next(), words.next(), words.next()] {
            [
                Some(_),
                Some([_, ..]),
                Some(&[b'H', b'T', b'T', b'P', b'/', major, b'.', minor]),
                None,
            ] if major.is_ascii_digit() && minor.is_ascii_digit() => {
                if major == b'1' {
                    Version::Later1(line.len() - 1)
                } else {
                    Version::Unsupported
                }
            }
            _ => Version::None,
        }
    }
}

/// A later minor version is read as the highest that we know (RFC 9110 §2.5), which `httparse`
/// must be told.
fn parse_as_1_1(input: &[u8], digit: usize) -> Result<Option<Request>, Refusal> {
    let mut input = input.to_vec();
    input[digit] = b'1';
    parse(&input)
}

/// Whether a head of which more has arrived is still within its bounds, although no line ended.
pub(crate) fn within_bounds(input: &[u8]) -> bool {
    let line = &input[..input.len().min(limits::REQUEST_LINE_BYTES)];
    input.len() <= limits::HEADER_SECTION_BYTES
        && (line.len() == input.len() || line.contains(&b'\n'))
}

/// How many bytes of empty lines come first: a few are forgiven (RFC 9112 §2.2).
fn empty_lines(input: &[u8]) -> Result<usize, Refusal> {
    let count = input.chunks(2).take_while(|pair| *pair == b"\r\n").count();
    if count > limits::EMPTY_LINES {
        return Err(Refusal::malformed("Too many empty lines came before the request."));
    }
    Ok(2 * count)
}

/// Every line ends in CRLF, and there is not too much of any. `httparse` lets a bare LF pass, which
/// other parsers on the way may not take for a line end.
fn check_lines(head: &[u8], whole: bool) -> Result<(), Refusal> {
    let mut first_line = None;
    for at in memchr::memchr_iter(b'\n', head) {
        if at == 0 || head[at - 1] != b'\r' {
            return Err(Refusal::malformed("A line of the request ends in a bare LF."));
        }
        first_line = first_line.or(Some(at - 1));
    }
    let so_far = head.strip_suffix(b"\r").unwrap_or(head).len();
    if first_line.unwrap_or(so_far) > limits::REQUEST_LINE_BYTES {
        return Err(TOO_LONG);
    }
    // The empty line at the end of a head is none of its fields.
    let end = if whole { head.len() - 2 } else { so_far };
    let section = first_line.map_or(0, |line| end.saturating_sub(line + 2));
    if section > limits::HEADER_SECTION_BYTES { Err(TOO_LARGE) } else { Ok(()) }
}

fn refusal(error: Error) -> Refusal {
    match error {
        Error::TooManyHeaders => Refusal { why: "The request has too many fields.", ..TOO_LARGE },
        Error::HeaderName => Refusal::malformed("A field of the request has no valid name."),
        Error::HeaderValue => Refusal::malformed("A field of the request has an invalid value."),
        Error::NewLine => Refusal::malformed("A line of the request does not end in CRLF."),
        _ => NOT_A_REQUEST,
    }
}

fn accept(head: &[u8], parsed: &httparse::Request<'_, '_>) -> Result<Request, Refusal> {
    let name = parsed.method.unwrap_or_default();
    let path = parsed.path.unwrap_or_default();
    let method = Method::of(name);
    let span = Span::within(head, path.as_bytes());
    let target = if name == "CONNECT" {
        Target { path: span, query: None, authority: None }
    } else {
        target::parse(head, span, method == Method::Options)?
    };
    let first = Span::within(head, name.as_bytes()).start();
    // " HTTP/1.1" has nine characters.
    let line = Span::new(first, span.start() + span.len() + 9 - first);
    let is_1_1 = parsed.version == Some(1);
    let facts = Facts::gather(head, parsed.headers)?;
    if is_1_1 && facts.fields[Field::Host as usize].is_none() {
        return Err(Refusal::malformed("The request has no Host field."));
    }
    let mut fields = facts.fields;
    if target.authority.is_some() {
        fields[Field::Host as usize] = target.authority;
    }
    Ok(Request {
        method,
        target,
        is_1_1,
        keep_alive: !facts.close && (is_1_1 || facts.keep_alive),
        framing: facts.framing(is_1_1)?,
        // "A server that receives a 100-continue expectation in an HTTP/1.0 request MUST ignore
        // that expectation." (RFC 9110 §10.1.1)
        expectation: if is_1_1 { facts.expectation } else { Expectation::None },
        line,
        len: head.len(),
        fields,
    })
}

/// What the fields of a request say, as they are met.
struct Facts {
    length: Option<u64>,
    encoded: bool,
    close: bool,
    keep_alive: bool,
    expectation: Expectation,
    fields: [Option<Span>; KEPT_FIELDS],
}

impl Facts {
    fn gather(head: &[u8], headers: &[Header<'_>]) -> Result<Facts, Refusal> {
        let mut facts = Facts {
            length: None,
            encoded: false,
            close: false,
            keep_alive: false,
            expectation: Expectation::None,
            fields: [None; KEPT_FIELDS],
        };
        for header in headers {
            facts.meet(head, header)?;
        }
        Ok(facts)
    }

    fn meet(&mut self, head: &[u8], header: &Header<'_>) -> Result<(), Refusal> {
        let value = header.value;
        let is = |name: &str| header.name.eq_ignore_ascii_case(name);
        // The length of a name tells most fields apart before any letter is compared.
        match header.name.len() {
            4 if is("Host") => {
                if !target::valid_host(value) {
                    return Err(Refusal::malformed("The Host field is not a host."));
                }
                if self.keep(head, Field::Host, value).is_some() {
                    return Err(Refusal::malformed("The request has two Host fields."));
                }
            }
            6 if is("Expect") => self.expect(value),
            6 if is("Origin") => drop(self.keep(head, Field::Origin, value)),
            10 if is("Connection") => self.connection(value),
            12 if is("Content-Type") => drop(self.keep(head, Field::ContentType, value)),
            14 if is("Content-Length") => self.content_length(value)?,
            14 if is("Sec-Fetch-Site") => drop(self.keep(head, Field::SecFetchSite, value)),
            17 if is("Transfer-Encoding") => {
                if self.encoded || !value.eq_ignore_ascii_case(b"chunked") {
                    return Err(Refusal::malformed("The only transfer encoding here is chunked."));
                }
                self.encoded = true;
            }
            _ => {}
        }
        Ok(())
    }

    /// Remembers where a value stands; returns an earlier one.
    fn keep(&mut self, head: &[u8], field: Field, value: &[u8]) -> Option<Span> {
        self.fields[field as usize].replace(Span::within(head, value))
    }

    fn expect(&mut self, value: &[u8]) {
        let known = value.eq_ignore_ascii_case(b"100-continue");
        self.expectation = match self.expectation {
            Expectation::Unknown => Expectation::Unknown,
            _ if known => Expectation::Continue,
            _ => Expectation::Unknown,
        };
    }

    fn connection(&mut self, value: &[u8]) {
        for option in value.split(|&byte| byte == b',').map(<[u8]>::trim_ascii) {
            self.close |= option.eq_ignore_ascii_case(b"close");
            self.keep_alive |= option.eq_ignore_ascii_case(b"keep-alive");
        }
    }

    /// Digits alone. Two fields may agree; a list in one is refused (RFC 9110 §8.6 allows either).
    fn content_length(&mut self, value: &[u8]) -> Result<(), Refusal> {
        let digits = !value.is_empty() && value.iter().all(u8::is_ascii_digit);
        let length = core::str::from_utf8(value).ok().and_then(|text| text.parse().ok());
        match (digits, length) {
            (true, Some(length)) if self.length.is_none_or(|earlier| earlier == length) => {
                self.length = Some(length);
                Ok(())
            }
            _ => Err(Refusal::malformed("The Content-Length is not one number.")),
        }
    }

    /// Where the body ends: nothing that two parsers could read differently (RFC 9112 §6.1, §6.3).
    fn framing(&self, is_1_1: bool) -> Result<Framing, Refusal> {
        match (self.encoded, self.length) {
            (true, Some(_)) => {
                Err(Refusal::malformed("Content-Length and Transfer-Encoding exclude each other."))
            }
            (true, None) if !is_1_1 => {
                Err(Refusal::malformed("HTTP/1.0 knows no Transfer-Encoding."))
            }
            (true, None) => Ok(Framing::Chunked),
            (false, None | Some(0)) => Ok(Framing::None),
            (false, Some(length)) => Ok(Framing::Length(length)),
        }
    }
}

#[cfg(test)]
#[path = "head_tests.rs"]
mod tests;
