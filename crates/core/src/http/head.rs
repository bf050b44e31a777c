//! Request heads (RFC 9112 §2 to §6): parsed by `httparse`, then checked by stricter rules.

use alloc::vec::Vec;
use core::mem::MaybeUninit;
use core::ops::Range;

use httparse::{Error, Status as Progress};

use super::error_response::ErrorResponse;
use super::fields::{Expectation, Field, FieldSpans, Fields, Framing};
use super::method::Method;
use super::span::Span;
use super::status::Status;
use super::target::{self, Target};
use crate::limits::{self, Limits};

/// A request head, as spans of the input.
#[derive(Clone, Debug)]
pub(crate) struct RequestHead {
    pub(crate) method: Method,
    pub(crate) target: Target,
    /// Whether the version is HTTP/1.1, not 1.0.
    pub(crate) is_1_1: bool,
    /// Whether the client wants to send another request on this connection (RFC 9112 §9.3).
    pub(crate) wants_keep_alive: bool,
    pub(crate) framing: Framing,
    pub(crate) expectation: Expectation,
    /// Whether the request has a condition or a range.
    pub(crate) is_conditional: bool,
    /// Whether the request says which content codings the client accepts.
    pub(crate) has_accept_encoding: bool,
    /// Whether the body of the request has a content coding.
    pub(crate) has_content_coding: bool,
    /// The request line, without its line end.
    pub(crate) line: Span,
    /// The length of the head in bytes, with empty lines before and after it.
    pub(crate) len: usize,
    fields: FieldSpans,
}

impl RequestHead {
    /// Represents a request whose head could not be read.
    pub(crate) fn unreadable(input: &[u8], limits: &Limits) -> RequestHead {
        let nothing = Span::default();
        let max_bytes = limits.request_line_bytes;
        let start = input.iter().take_while(|byte| b"\r\n".contains(byte)).count().min(max_bytes);
        let line = &input[start..][..(input.len() - start).min(max_bytes)];
        let end = memchr::memchr2(b'\r', b'\n', line).unwrap_or(line.len());
        // A response to HEAD has no body, whatever its fields say (RFC 9112 §6.3).
        let is_head = line.starts_with(b"HEAD ");
        RequestHead {
            method: if is_head { Method::Head } else { Method::Unknown },
            target: Target { path: nothing, query: None, authority: None },
            is_1_1: true,
            wants_keep_alive: false,
            framing: Framing::None,
            expectation: Expectation::None,
            is_conditional: false,
            has_accept_encoding: false,
            has_content_coding: false,
            line: Span::new(start, end),
            len: 0,
            fields: FieldSpans::default(),
        }
    }

    /// The values of all fields of that name. The head is read again for each call, so this is for
    /// fields that few requests have.
    pub(crate) fn values<'h>(&self, head: &'h [u8], name: &str) -> impl Iterator<Item = &'h [u8]> {
        let fields = &head[self.line.start() + self.line.len()..];
        fields.split(|&byte| byte == b'\n').filter_map(move |line| {
            let at = name.len();
            let has_name = line.get(..at)?.eq_ignore_ascii_case(name.as_bytes());
            (has_name && line.get(at) == Some(&b':')).then(|| line[at + 1..].trim_ascii())
        })
    }

    /// The value of a field, if the request has it.
    pub(crate) fn field<'h>(&self, head: &'h [u8], field: Field) -> Option<&'h [u8]> {
        self.fields.get(field).map(|span| span.of(head))
    }
}

/// Reads the request head that `input` begins with; none while it is incomplete.
pub(crate) fn parse(input: &[u8], limits: &Limits) -> Result<Option<RequestHead>, ErrorResponse> {
    let skipped = empty_lines(input)?;
    let head = &input[skipped..];
    // Each field takes 32 bytes. They are on the heap if the limit is above the default, because a
    // thread's stack is small.
    let mut on_stack = [const { MaybeUninit::uninit() }; limits::FIELDS];
    let mut on_heap = Vec::new();
    let fields = if limits.fields <= limits::FIELDS {
        &mut on_stack[..limits.fields]
    } else {
        on_heap.reserve_exact(limits.fields);
        &mut on_heap.spare_capacity_mut()[..limits.fields]
    };
    let mut parsed = httparse::Request::new(&mut []);
    let whole = match parsed.parse_with_uninit_headers(head, fields) {
        Ok(Progress::Complete(len)) => Some(len),
        Ok(Progress::Partial) => None,
        Err(Error::Version) => match OtherVersion::of(head) {
            OtherVersion::Incomplete => None,
            OtherVersion::LaterMinor(digit) => return parse_as_1_1(input, skipped + digit, limits),
            OtherVersion::Unsupported => return Err(NOT_SUPPORTED),
            OtherVersion::None => return Err(NOT_A_REQUEST),
        },
        Err(Error::Token) => match query_to_mask(head) {
            Some(query) => return parse_masked(input, skipped, query, limits),
            None => return Err(NOT_A_REQUEST),
        },
        Err(error) => return Err(refusal(error)),
    };
    check_lines(&head[..whole.unwrap_or(head.len())], whole.is_some(), limits)?;
    match whole {
        None => Ok(None),
        Some(len) => request_head(&input[..skipped + len], &parsed).map(Some),
    }
}

const NOT_A_REQUEST: ErrorResponse = ErrorResponse::malformed("The request line is malformed.");
const NOT_SUPPORTED: ErrorResponse = ErrorResponse::closing(
    Status::HTTP_VERSION_NOT_SUPPORTED,
    "This server speaks HTTP/1.1 and HTTP/1.0.",
);
const TOO_LARGE: ErrorResponse = ErrorResponse::closing(
    Status::REQUEST_HEADER_FIELDS_TOO_LARGE,
    "The header section of the request is too large.",
);
const TOO_LONG: ErrorResponse =
    ErrorResponse::closing(Status::URI_TOO_LONG, "The request line is too long.");

/// The version in a request line that is neither 1.1 nor 1.0.
enum OtherVersion {
    /// The request line has not ended.
    Incomplete,
    /// 1.2 to 1.9, with the index of the last digit.
    LaterMinor(usize),
    /// Another version.
    Unsupported,
    /// No version at all.
    None,
}

impl OtherVersion {
    fn of(head: &[u8]) -> OtherVersion {
        let Some(end) = memchr::memchr(b'\n', head) else { return OtherVersion::Incomplete };
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
                    OtherVersion::LaterMinor(line.len() - 1)
                } else {
                    OtherVersion::Unsupported
                }
            }
            _ => OtherVersion::None,
        }
    }
}

/// Parses a head of a later minor version as 1.1, the highest that this server knows (RFC 9110
/// §2.5), since `httparse` accepts no later version.
fn parse_as_1_1(
    input: &[u8],
    digit: usize,
    limits: &Limits,
) -> Result<Option<RequestHead>, ErrorResponse> {
    let mut input = input.to_vec();
    input[digit] = b'1';
    parse(&input, limits)
}

/// Parses a head with an `x` in place of each byte of the query that is not ASCII, since `httparse`
/// rejects a query that is not UTF-8.
#[cold]
fn parse_masked(
    input: &[u8],
    skipped: usize,
    query: Range<usize>,
    limits: &Limits,
) -> Result<Option<RequestHead>, ErrorResponse> {
    let mut input = input.to_vec();
    for byte in &mut input[skipped..][query] {
        *byte = if byte.is_ascii() { *byte } else { b'x' };
    }
    parse(&input, limits)
}

/// The position of the query in a head, if the query has a byte that is not ASCII.
fn query_to_mask(head: &[u8]) -> Option<Range<usize>> {
    let method_end = memchr::memchr(b' ', head)?;
    let target = &head[method_end + 1..];
    let target = &target[..memchr::memchr3(b' ', b'\r', b'\n', target)?];
    let start = method_end + 1 + memchr::memchr(b'?', target)? + 1;
    let query = start..method_end + 1 + target.len();
    (!head[query.clone()].is_ascii()).then_some(query)
}

/// Whether an incomplete head is still within its limits. Valid only if no line has ended since the
/// head was last parsed.
pub(crate) fn is_within_bounds(input: &[u8], limits: &Limits) -> bool {
    let head = &input[empty_lines(input).unwrap_or(0)..];
    match memchr::memchr(b'\n', head) {
        None => head.len() <= limits.request_line_bytes,
        Some(end) => head.len() - (end + 1) <= limits.header_section_bytes,
    }
}

/// The length of the empty lines at the start; a few are accepted (RFC 9112 §2.2).
fn empty_lines(input: &[u8]) -> Result<usize, ErrorResponse> {
    let count = input.chunks(2).take_while(|pair| *pair == b"\r\n").count();
    if count > limits::EMPTY_LINES {
        return Err(ErrorResponse::malformed("Too many empty lines came before the request."));
    }
    Ok(2 * count)
}

/// Checks that every line ends in CRLF and that none is too long. `httparse` accepts a bare LF,
/// which a proxy in front may not take for a line end.
fn check_lines(head: &[u8], is_whole: bool, limits: &Limits) -> Result<(), ErrorResponse> {
    let mut first_line = None;
    for at in memchr::memchr_iter(b'\n', head) {
        if at == 0 || head[at - 1] != b'\r' {
            return Err(ErrorResponse::malformed("A line of the request ends in a bare LF."));
        }
        first_line = first_line.or(Some(at - 1));
    }
    let so_far = head.strip_suffix(b"\r").unwrap_or(head).len();
    if first_line.unwrap_or(so_far) > limits.request_line_bytes {
        // Without a space the line has no URI that could be too long.
        let has_method = head[..limits.request_line_bytes].contains(&b' ');
        return Err(if has_method { TOO_LONG } else { NOT_A_REQUEST });
    }
    // The empty line at the end of a head does not count as part of the header section.
    let end = if is_whole { head.len() - 2 } else { so_far };
    let section = first_line.map_or(0, |line| end.saturating_sub(line + 2));
    if section > limits.header_section_bytes { Err(TOO_LARGE) } else { Ok(()) }
}

fn refusal(error: Error) -> ErrorResponse {
    match error {
        Error::TooManyHeaders => {
            ErrorResponse { why: "The request has too many fields.", ..TOO_LARGE }
        }
        Error::HeaderName => ErrorResponse::malformed("A field of the request has no valid name."),
        Error::HeaderValue => {
            ErrorResponse::malformed("A field of the request has an invalid value.")
        }
        Error::NewLine => ErrorResponse::malformed("A line of the request does not end in CRLF."),
        _ => NOT_A_REQUEST,
    }
}

fn request_head(
    head: &[u8],
    parsed: &httparse::Request<'_, '_>,
) -> Result<RequestHead, ErrorResponse> {
    let name = parsed.method.unwrap_or_default();
    let path = parsed.path.unwrap_or_default();
    let method = Method::of(name);
    let span = Span::within(head, path.as_bytes());
    let target = if name == "CONNECT" {
        Target { path: span, query: None, authority: None }
    } else {
        target::parse(head, span, method == Method::Options)?
    };
    let line_start = Span::within(head, name.as_bytes()).start();
    // " HTTP/1.1" has nine characters.
    let line = Span::new(line_start, span.start() + span.len() + 9 - line_start);
    let is_1_1 = parsed.version == Some(1);
    let fields = Fields::read(head, parsed.headers)?;
    if is_1_1 && fields.kept.get(Field::Host).is_none() {
        return Err(ErrorResponse::malformed("The request has no Host field."));
    }
    let mut spans = fields.kept;
    if let Some(authority) = target.authority {
        spans.set(Field::Host, authority);
    }
    Ok(RequestHead {
        method,
        target,
        is_1_1,
        wants_keep_alive: !fields.says_close && (is_1_1 || fields.says_keep_alive),
        framing: fields.framing(is_1_1)?,
        is_conditional: fields.is_conditional,
        has_accept_encoding: fields.has_accept_encoding,
        has_content_coding: fields.has_content_coding,
        // "A server that receives a 100-continue expectation in an HTTP/1.0 request MUST ignore
        // that expectation." (RFC 9110 §10.1.1)
        expectation: if is_1_1 { fields.expectation } else { Expectation::None },
        line,
        len: head.len(),
        fields: spans,
    })
}

#[cfg(test)]
#[path = "head_tests.rs"]
mod tests;
