//! The fields of a request that concern the connection and the body (RFC 9110 §7 to §10, RFC 9112
//! §6 and §9), and the checks on them.

use httparse::Header;

use super::authority::Authority;
use super::error_response::ErrorResponse;
use super::span::Span;

/// The length of the body, as the fields give it (RFC 9112 §6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    None,
    Length(u64),
    Chunked,
}

/// The client's expectation before it sends its body (RFC 9110 §10.1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Expectation {
    None,
    Continue,
    Unknown,
}

/// Fields whose values are used after the head was parsed.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Field {
    Host,
    ContentType,
    Origin,
    SecFetchSite,
}

/// The spans of the values of each [`Field`].
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct FieldSpans([Option<Span>; 4]);

impl FieldSpans {
    /// The value of a field, if the request has it.
    pub(crate) fn get(self, field: Field) -> Option<Span> {
        self.0[field as usize]
    }

    /// Sets the value of a field, for instance that of `Host` from the request target.
    pub(super) fn set(&mut self, field: Field, value: Span) {
        self.0[field as usize] = Some(value);
    }
}

/// The information in the fields of a request, collected in one pass.
pub(super) struct Fields {
    length: Option<u64>,
    is_chunked: bool,
    pub(super) says_close: bool,
    pub(super) says_keep_alive: bool,
    pub(super) is_conditional: bool,
    pub(super) has_accept_encoding: bool,
    pub(super) has_content_coding: bool,
    pub(super) expectation: Expectation,
    pub(super) kept: FieldSpans,
}

impl Fields {
    pub(super) fn read(head: &[u8], headers: &[Header<'_>]) -> Result<Fields, ErrorResponse> {
        let mut fields = Fields {
            length: None,
            is_chunked: false,
            says_close: false,
            says_keep_alive: false,
            is_conditional: false,
            has_accept_encoding: false,
            has_content_coding: false,
            expectation: Expectation::None,
            kept: FieldSpans::default(),
        };
        for header in headers {
            fields.read_field(head, header)?;
        }
        Ok(fields)
    }

    fn read_field(&mut self, head: &[u8], header: &Header<'_>) -> Result<(), ErrorResponse> {
        let value = header.value;
        let is = |name: &str| header.name.eq_ignore_ascii_case(name);
        // The length of a name distinguishes most fields before any letter is compared.
        match header.name.len() {
            4 if is("Host") => {
                if Authority::parse(value).is_none() {
                    return Err(ErrorResponse::malformed("The Host field is not a host."));
                }
                self.keep_only(head, Field::Host, value, "The request has two Host fields.")?;
            }
            5 if is("Range") => self.is_conditional = true,
            6 if is("Expect") => self.expect(value),
            6 if is("Origin") => self.keep_single(head, Field::Origin, value),
            10 if is("Connection") => self.connection(value),
            12 if is("Content-Type") => {
                let why = "The request has two Content-Type fields.";
                self.keep_only(head, Field::ContentType, value, why)?;
            }
            14 if is("Content-Length") => self.content_length(head, value)?,
            14 if is("Content_Length") => return Err(LOOKALIKE),
            14 if is("Sec-Fetch-Site") => self.keep_single(head, Field::SecFetchSite, value),
            15 if is("Accept-Encoding") => self.has_accept_encoding = true,
            16 if is("Content-Encoding") => self.has_content_coding |= names_a_coding(value),
            17 if is("Transfer-Encoding") => {
                let is_chunked =
                    value.eq_ignore_ascii_case(b"chunked") && is_plainly_spaced(head, value);
                if self.is_chunked || !is_chunked {
                    return Err(ErrorResponse::malformed(
                        "The only transfer encoding here is chunked.",
                    ));
                }
                self.is_chunked = true;
            }
            17 if is("Transfer_Encoding") => return Err(LOOKALIKE),
            8..=19 if header.name.as_bytes()[..3].eq_ignore_ascii_case(b"If-") => {
                self.is_conditional = true;
            }
            _ => {}
        }
        Ok(())
    }

    /// Keeps the span of a value. Returns that of an earlier field of the same name.
    fn keep(&mut self, head: &[u8], field: Field, value: &[u8]) -> Option<Span> {
        self.kept.0[field as usize].replace(Span::within(head, value))
    }

    /// Keeps the span of a value. Several fields of this name count as a single empty one.
    fn keep_single(&mut self, head: &[u8], field: Field, value: &[u8]) {
        if self.keep(head, field, value).is_some() {
            self.kept.set(field, Span::default());
        }
    }

    /// Keeps the span of a value, and refuses a second field of this name.
    fn keep_only(
        &mut self,
        head: &[u8],
        field: Field,
        value: &[u8],
        why: &'static str,
    ) -> Result<(), ErrorResponse> {
        match self.keep(head, field, value) {
            None => Ok(()),
            Some(_) => Err(ErrorResponse::malformed(why)),
        }
    }

    fn expect(&mut self, value: &[u8]) {
        let items = value.split(|&byte| byte == b',').map(<[u8]>::trim_ascii);
        for item in items.filter(|item| !item.is_empty()) {
            self.expectation = match self.expectation {
                Expectation::Unknown => Expectation::Unknown,
                _ if item.eq_ignore_ascii_case(b"100-continue") => Expectation::Continue,
                _ => Expectation::Unknown,
            };
        }
    }

    fn connection(&mut self, value: &[u8]) {
        for option in value.split(|&byte| byte == b',').map(<[u8]>::trim_ascii) {
            self.says_close |= option.eq_ignore_ascii_case(b"close");
            self.says_keep_alive |= option.eq_ignore_ascii_case(b"keep-alive");
        }
    }

    /// Reads `Content-Length`. Accepts digits only, without leading zeros: a parser that reads
    /// octal numbers would end the body elsewhere. Two equal fields are accepted, and a list in one
    /// field is refused; RFC 9110 §8.6 allows both.
    fn content_length(&mut self, head: &[u8], value: &[u8]) -> Result<(), ErrorResponse> {
        let is_decimal = match value {
            [b'0'] => true,
            [b'1'..=b'9', rest @ ..] => rest.iter().all(u8::is_ascii_digit),
            _ => false,
        };
        let is_valid = is_decimal && is_plainly_spaced(head, value);
        let length = core::str::from_utf8(value).ok().and_then(|text| text.parse().ok());
        match (is_valid, length) {
            (true, Some(length)) if self.length.is_none_or(|earlier| earlier == length) => {
                self.length = Some(length);
                Ok(())
            }
            _ => Err(ErrorResponse::malformed("The Content-Length is not one number.")),
        }
    }

    /// The framing of the body. Refuses fields that two parsers could read differently (RFC 9112
    /// §6.1, §6.3).
    pub(super) fn framing(&self, is_1_1: bool) -> Result<Framing, ErrorResponse> {
        match (self.is_chunked, self.length) {
            (true, Some(_)) => Err(ErrorResponse::malformed(
                "Content-Length and Transfer-Encoding exclude each other.",
            )),
            (true, None) if !is_1_1 => {
                Err(ErrorResponse::malformed("HTTP/1.0 knows no Transfer-Encoding."))
            }
            (true, None) => Ok(Framing::Chunked),
            (false, None | Some(0)) => Ok(Framing::None),
            (false, Some(length)) => Ok(Framing::Length(length)),
        }
    }
}

const LOOKALIKE: ErrorResponse = ErrorResponse::malformed(
    "A field has the name of one that says where the body ends, but for an underscore.",
);

/// Whether a value has no white space around it, except one space after the colon.
///
/// Parsers differ over what they trim. That must not matter in a field that says where the body
/// ends.
fn is_plainly_spaced(head: &[u8], value: &[u8]) -> bool {
    let span = Span::within(head, value);
    let before = &head[..span.start()];
    let after = &head[span.start() + span.len()..];
    before.strip_suffix(b" ").unwrap_or(before).ends_with(b":") && after.starts_with(b"\r\n")
}

/// Whether a list names a content coding; `identity` is none (RFC 9110 §8.4.1).
fn names_a_coding(list: &[u8]) -> bool {
    let mut codings = list.split(|&byte| byte == b',').map(<[u8]>::trim_ascii);
    codings.any(|coding| !coding.is_empty() && !coding.eq_ignore_ascii_case(b"identity"))
}
