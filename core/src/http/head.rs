//! Request heads (RFC 9112 §2 to §6): parsed by `httparse`, then held to our stricter rules.

use alloc::vec::Vec;
use core::mem::MaybeUninit;

use httparse::{Error, Status as Progress};

use super::fields::{Expectation, Field, Fields, Framing, Kept};
use super::refusal::Refusal;
use super::response::Status;
use super::target::{self, Target};
use crate::limits::{self, Limits};

/// A place in the head of a request. A head has less than 4 GiB ([`limits::HEAD_BYTES`]).
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Span {
    start: u32,
    len: u32,
}

const _: () = assert!(limits::HEAD_BYTES <= u32::MAX as usize);

impl Span {
    pub(crate) fn new(start: usize, len: usize) -> Span {
        Span { start: start as u32, len: len as u32 }
    }

    /// Where `part`, a slice of `whole`, stands in it.
    pub(super) fn within(whole: &[u8], part: &[u8]) -> Span {
        Span::new(part.as_ptr().addr() - whole.as_ptr().addr(), part.len())
    }

    pub(crate) fn of(self, head: &[u8]) -> &[u8] {
        &head[self.start()..][..self.len()]
    }

    pub(crate) fn start(self) -> usize {
        self.start as usize
    }

    pub(crate) fn len(self) -> usize {
        self.len as usize
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
    /// It has a condition or asks for a part.
    pub(crate) is_conditional: bool,
    /// It says which codings the client takes.
    pub(crate) names_encodings: bool,
    /// Its body is in a content coding.
    pub(crate) is_coded: bool,
    /// The request line, without its line end.
    pub(crate) line: Span,
    /// Bytes of the head, empty lines before and after it included.
    pub(crate) len: usize,
    fields: Kept,
}

impl Request {
    /// Stands in for a request whose head could not be read.
    pub(crate) fn unreadable(input: &[u8], limits: &Limits) -> Request {
        let nothing = Span::default();
        let most = limits.request_line_bytes;
        let start = input.iter().take_while(|byte| b"\r\n".contains(byte)).count().min(most);
        let line = &input[start..][..(input.len() - start).min(most)];
        let end = memchr::memchr2(b'\r', b'\n', line).unwrap_or(line.len());
        // Of all methods, this one changes how the answer is read (RFC 9112 §6.3).
        let is_head = line.starts_with(b"HEAD ");
        Request {
            method: if is_head { Method::Head } else { Method::Unknown },
            target: Target { path: nothing, query: None, authority: None },
            is_1_1: true,
            keep_alive: false,
            framing: Framing::None,
            expectation: Expectation::None,
            is_conditional: false,
            names_encodings: false,
            is_coded: false,
            line: Span::new(start, end),
            len: 0,
            fields: Kept::default(),
        }
    }

    /// The values of all fields of that name, found by reading the head again: for fields that few
    /// requests have.
    pub(crate) fn values<'h>(&self, head: &'h [u8], name: &str) -> impl Iterator<Item = &'h [u8]> {
        let fields = &head[self.line.start() + self.line.len()..];
        fields.split(|&byte| byte == b'\n').filter_map(move |line| {
            let at = name.len();
            let named = line.get(..at)?.eq_ignore_ascii_case(name.as_bytes());
            (named && line.get(at) == Some(&b':')).then(|| line[at + 1..].trim_ascii())
        })
    }

    /// The value of a field, where the request has it.
    pub(crate) fn field<'h>(&self, head: &'h [u8], field: Field) -> Option<&'h [u8]> {
        self.fields.get(field).map(|span| span.of(head))
    }
}

/// Reads the request head that `input` begins with; none while it is incomplete.
pub(crate) fn parse(input: &[u8], limits: &Limits) -> Result<Option<Request>, Refusal> {
    let skipped = empty_lines(input)?;
    let head = &input[skipped..];
    // Only what is in memory already is looked at, but each field costs 32 bytes: of stack, unless
    // more are allowed than a thread's has room for.
    let mut few = [const { MaybeUninit::uninit() }; limits::FIELDS];
    let mut many = Vec::new();
    let fields = if limits.fields <= limits::FIELDS {
        &mut few[..limits.fields]
    } else {
        many.reserve_exact(limits.fields);
        &mut many.spare_capacity_mut()[..limits.fields]
    };
    let mut parsed = httparse::Request::new(&mut []);
    let whole = match parsed.parse_with_uninit_headers(head, fields) {
        Ok(Progress::Complete(len)) => Some(len),
        Ok(Progress::Partial) => None,
        Err(Error::Version) => match Version::of(head) {
            Version::Incomplete => None,
            Version::Later1(digit) => return parse_as_1_1(input, skipped + digit, limits),
            Version::Unsupported => return Err(NOT_SUPPORTED),
            Version::None => return Err(NOT_A_REQUEST),
        },
        Err(error) => return Err(refusal(error)),
    };
    check_lines(&head[..whole.unwrap_or(head.len())], whole.is_some(), limits)?;
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
fn parse_as_1_1(input: &[u8], digit: usize, limits: &Limits) -> Result<Option<Request>, Refusal> {
    let mut input = input.to_vec();
    input[digit] = b'1';
    parse(&input, limits)
}

/// Whether a head of which more has arrived is still within its bounds, although no line ended.
pub(crate) fn within_bounds(input: &[u8], limits: &Limits) -> bool {
    let head = &input[empty_lines(input).unwrap_or(0)..];
    match memchr::memchr(b'\n', head) {
        None => head.len() <= limits.request_line_bytes,
        Some(end) => head.len() - (end + 1) <= limits.header_section_bytes,
    }
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
fn check_lines(head: &[u8], whole: bool, limits: &Limits) -> Result<(), Refusal> {
    let mut first_line = None;
    for at in memchr::memchr_iter(b'\n', head) {
        if at == 0 || head[at - 1] != b'\r' {
            return Err(Refusal::malformed("A line of the request ends in a bare LF."));
        }
        first_line = first_line.or(Some(at - 1));
    }
    let so_far = head.strip_suffix(b"\r").unwrap_or(head).len();
    if first_line.unwrap_or(so_far) > limits.request_line_bytes {
        // What is all method has no URI that could be too long.
        let has_method = head[..limits.request_line_bytes].contains(&b' ');
        return Err(if has_method { TOO_LONG } else { NOT_A_REQUEST });
    }
    // The empty line at the end of a head is none of its fields.
    let end = if whole { head.len() - 2 } else { so_far };
    let section = first_line.map_or(0, |line| end.saturating_sub(line + 2));
    if section > limits.header_section_bytes { Err(TOO_LARGE) } else { Ok(()) }
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
    let said = Fields::read(head, parsed.headers)?;
    if is_1_1 && said.kept.get(Field::Host).is_none() {
        return Err(Refusal::malformed("The request has no Host field."));
    }
    let mut fields = said.kept;
    if let Some(authority) = target.authority {
        fields.set(Field::Host, authority);
    }
    Ok(Request {
        method,
        target,
        is_1_1,
        keep_alive: !said.close && (is_1_1 || said.keep_alive),
        framing: said.framing(is_1_1)?,
        // "A server that receives a 100-continue expectation in an HTTP/1.0 request MUST ignore
        // that expectation." (RFC 9110 §10.1.1)
        is_conditional: said.is_conditional,
        names_encodings: said.names_encodings,
        is_coded: said.is_coded,
        expectation: if is_1_1 { said.expectation } else { Expectation::None },
        line,
        len: head.len(),
        fields,
    })
}

#[cfg(test)]
#[path = "head_tests.rs"]
mod tests;
