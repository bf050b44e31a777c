//! The limits of the core. Each is a constant with its unit at the end of its name and its reason
//! in its comment.
//!
//! [`Limits`] has those that an operator can set; their defaults are the constants. A constant that
//! begins with `MOST` is the largest value that an operator can set.

/// The longest request line. Browsers and proxies send up to 8 KiB; RFC 9112 §3 asks for 8,000
/// bytes at least.
pub const REQUEST_LINE_BYTES: usize = 8 * 1024;

/// The largest limit of a request line: no browser shows a longer address.
pub const MOST_REQUEST_LINE_BYTES: usize = 64 * 1024;

/// The largest header section: enough for large cookies, as in nginx and Apache.
pub const HEADER_SECTION_BYTES: usize = 16 * 1024;

/// The largest limit of a header section. Tickets of single sign-on take up to 100 KiB. A larger
/// limit would let unknown clients fill the memory.
pub const MOST_HEADER_SECTION_BYTES: usize = 256 * 1024;

/// The largest head that limits can allow: request line, header section, their line ends and a few
/// empty lines.
pub const HEAD_BYTES: usize = MOST_REQUEST_LINE_BYTES + MOST_HEADER_SECTION_BYTES + 16;

/// Header fields in one request: Apache's default.
pub const FIELDS: usize = 100;

/// The largest limit of header fields: a head that arrives line by line is parsed again after each
/// line.
pub const MOST_FIELDS: usize = 1000;

/// Empty lines before a request, left over from an earlier body (RFC 9112 §2.2).
pub const EMPTY_LINES: usize = 2;

/// The largest body of a form. Percent-encoding can make three bytes of each byte of a remark.
pub const BODY_BYTES: usize = 64 * 1024;

/// The largest limit of a body: a form is held in memory, and a refused one is sent back as a page.
pub const MOST_BODY_BYTES: usize = 16 * 1024 * 1024;

/// The line that starts a chunk: at most sixteen digits and extensions, which hardly any client
/// sends.
pub const CHUNK_LINE_BYTES: usize = 256;

/// All chunk lines and trailers of one body together. If the limit of the body is larger, that
/// limit applies to them instead.
pub const CHUNK_OVERHEAD_BYTES: usize = 64 * 1024;

/// The most bytes that one read takes from a client: enough for many pipelined requests.
pub const READ_BYTES: usize = 64 * 1024;

/// Input that a connection buffers while it does not ask for input, for instance pipelined
/// requests. The driver keeps the rest. The largest head, an incomplete trailer section and one
/// read fit into the buffer; the bytes of a body leave it as they arrive.
pub const INPUT_BYTES: usize = HEAD_BYTES + CHUNK_OVERHEAD_BYTES + READ_BYTES;

/// Requests on one connection, so that a load balancer in front can move its clients now and then.
pub const REQUESTS_PER_CONNECTION: u32 = 100_000;

/// A name in the guestbook.
pub const NAME_CHARS: usize = 80;

/// A remark in the guestbook: a paragraph, not a novel.
pub const REMARK_CHARS: usize = 1000;

/// Remarks on a page of the guestbook.
pub const REMARKS_PER_PAGE: u32 = 20;

/// Pages of the guestbook that are shown: Redis walks a list from its end, so older pages cost
/// more.
pub const PAGES: u32 = 500;

/// A piece of a file. Each piece has its own delivery deadline: the send time-out, plus the time
/// that [`SEND_BYTES_PER_SECOND`] gives it. So the slowest download that succeeds takes 19 s for
/// 256 KiB, which is 13 KiB/s.
pub const PIECE_BYTES: u64 = 256 * 1024;

/// A listing is rendered in pieces of about this length, some 400 rows. That bounds the memory of a
/// connection and the time that a loop spends in one turn.
pub const LISTING_PIECE_BYTES: usize = 64 * 1024;

/// A response is short if its body has at most this many bytes: most clients' windows take it at
/// once.
pub const SHORT_ANSWER_BYTES: u64 = 16 * 1024;

/// Ranges of a file in one request: a document viewer asks for a handful.
pub const RANGES: usize = 32;

/// The least rate of a request body: a client has the body time-out, plus one second for each of
/// this many bytes.
pub const BODY_BYTES_PER_SECOND: u64 = 500;

/// The least rate of a response: a client has the send time-out, plus one second for each of this
/// many bytes of a page, or of a [piece](PIECE_BYTES) of a file or listing.
pub const SEND_BYTES_PER_SECOND: u64 = 64 * 1024;

/// One reply of the store: room for a page of long remarks that another program wrote.
pub const STORE_VALUE_BYTES: usize = 4 * 1024 * 1024;

/// The part of a store's error message that is logged. Most messages are shorter, unless they
/// contain long file names.
pub const STORE_REASON_BYTES: usize = 200;

/// Queries that wait in one pipeline. A client has at most one, so this is a number of clients.
pub const STORE_QUERIES: usize = 32 * 1024;

/// Silence between requests: longer than most readers take to follow a link, and short enough to
/// keep idle connections few.
pub const KEEP_ALIVE_TIMEOUT_MS: u64 = 15_000;

/// Silence after the accept: equal to [`HEADER_TIMEOUT_MS`], so this time-out closes no client
/// whose head would still be in time.
pub const FIRST_BYTE_TIMEOUT_MS: u64 = 10_000;

/// A request head, from its first byte. For the first request the time starts with the accept.
pub const HEADER_TIMEOUT_MS: u64 = 10_000;

/// A request body, plus the time that [`BODY_BYTES_PER_SECOND`] adds.
pub const BODY_TIMEOUT_MS: u64 = 15_000;

/// A page or a [piece](PIECE_BYTES) of a file, plus the time that [`SEND_BYTES_PER_SECOND`] adds.
pub const SEND_TIMEOUT_MS: u64 = 15_000;

/// A reply of the store: a person waits no longer before trying again.
pub const STORE_TIMEOUT_MS: u64 = 5_000;

/// Opening a file or reading a folder, for a driver that serves other clients meanwhile. A disk
/// that takes longer counts as busy.
pub const FILE_TIMEOUT_MS: u64 = 10_000;

/// Lingering after the last answer, so that a reset does not overtake the answer (RFC 9112 §9.6).
pub const LINGER_TIMEOUT_MS: u64 = 2_000;

/// How long a client that got a 503 should wait before it tries again (`Retry-After`).
pub const RETRY_AFTER_S: u64 = 5;

/// The bounds that an operator can set.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Silence after the accept, in milliseconds.
    pub first_byte_timeout_ms: u64,
    /// A request head, in milliseconds from its first byte, or from the accept.
    pub header_timeout_ms: u64,
    /// A request body, in milliseconds, plus the time that its least rate adds.
    pub body_timeout_ms: u64,
    /// The least rate of a body.
    pub body_bytes_per_second: u64,
    /// A page or a piece of a file, in milliseconds, plus the time that its least rate adds.
    pub send_timeout_ms: u64,
    /// The least rate of an answer.
    pub send_bytes_per_second: u64,
    /// Silence between requests, in milliseconds; 0 allows one request on a connection.
    pub keep_alive_timeout_ms: u64,
    /// A reply of the store, in milliseconds.
    pub store_timeout_ms: u64,
    /// Lingering after the last answer, in milliseconds.
    pub linger_timeout_ms: u64,
    /// Requests on one connection.
    pub requests_per_connection: u32,
    /// A request line, without its line end; up to [`MOST_REQUEST_LINE_BYTES`].
    pub request_line_bytes: usize,
    /// All fields of a request with their line ends; up to [`MOST_HEADER_SECTION_BYTES`].
    pub header_section_bytes: usize,
    /// The fields of a request; up to [`MOST_FIELDS`].
    pub fields: usize,
    /// The body of a request; up to [`MOST_BODY_BYTES`].
    pub body_bytes: usize,
}

impl Limits {
    /// How long a client can take for `bytes` of a response, in milliseconds.
    pub(crate) fn delivery_timeout_ms(&self, bytes: u64) -> u64 {
        self.send_timeout_ms + bytes * 1000 / self.send_bytes_per_second
    }

    /// How long a client can take for the largest [piece](PIECE_BYTES) of a file, in milliseconds.
    pub fn piece_timeout_ms(&self) -> u64 {
        self.delivery_timeout_ms(PIECE_BYTES)
    }
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            first_byte_timeout_ms: FIRST_BYTE_TIMEOUT_MS,
            header_timeout_ms: HEADER_TIMEOUT_MS,
            body_timeout_ms: BODY_TIMEOUT_MS,
            body_bytes_per_second: BODY_BYTES_PER_SECOND,
            send_timeout_ms: SEND_TIMEOUT_MS,
            send_bytes_per_second: SEND_BYTES_PER_SECOND,
            keep_alive_timeout_ms: KEEP_ALIVE_TIMEOUT_MS,
            store_timeout_ms: STORE_TIMEOUT_MS,
            linger_timeout_ms: LINGER_TIMEOUT_MS,
            requests_per_connection: REQUESTS_PER_CONNECTION,
            request_line_bytes: REQUEST_LINE_BYTES,
            header_section_bytes: HEADER_SECTION_BYTES,
            fields: FIELDS,
            body_bytes: BODY_BYTES,
        }
    }
}
