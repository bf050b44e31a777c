//! Every bound in the program: a named constant, its unit last, its reason beside it.
//!
//! What an operator may set is gathered in [`Limits`], whose default is made of the constants. A
//! constant that begins with `MOST` is how far one may be raised.

/// Request line. Browsers and proxies send up to 8 KiB; RFC 9112 §3 asks for 8,000 bytes at least.
pub const REQUEST_LINE_BYTES: usize = 8 * 1024;

/// No browser shows a longer address, and no program that is well makes one.
pub const MOST_REQUEST_LINE_BYTES: usize = 64 * 1024;

/// Header section: room for large cookies, as nginx and Apache give.
pub const HEADER_SECTION_BYTES: usize = 16 * 1024;

/// Tickets of single sign-on may take 100 KiB. A connection holds this before anything is known of
/// its client.
pub const MOST_HEADER_SECTION_BYTES: usize = 256 * 1024;

/// The largest head that can be allowed: request line and header section, their line ends and a few
/// empty lines.
pub const HEAD_BYTES: usize = MOST_REQUEST_LINE_BYTES + MOST_HEADER_SECTION_BYTES + 16;

/// Header fields in one request, Apache's default.
pub const FIELDS: usize = 100;

/// A head that comes line by line is read again with each of them.
pub const MOST_FIELDS: usize = 1000;

/// Empty lines before a request, left over from an earlier body (RFC 9112 §2.2).
pub const EMPTY_LINES: usize = 2;

/// The body of a form: a long remark takes three bytes for each of its own when it is encoded.
pub const BODY_BYTES: usize = 64 * 1024;

/// The body of a form is held in memory, and one that is refused is shown again.
pub const MOST_BODY_BYTES: usize = 16 * 1024 * 1024;

/// The line that starts a chunk: sixteen digits and an extension that nobody uses.
pub const CHUNK_LINE_BYTES: usize = 256;

/// Chunk lines and trailers of one body, in all: what a client may add to the body itself. Where a
/// larger body is allowed, as much as that.
pub const CHUNK_OVERHEAD_BYTES: usize = 64 * 1024;

/// Unread input that a connection holds while an answer is owed (pipelining): a driver may have
/// to push this much before it can stop reading. That is the largest head, a trailer that is not
/// whole yet, and what one read brings; a body is taken out of the input as it comes.
pub const INPUT_BYTES: usize = HEAD_BYTES + CHUNK_OVERHEAD_BYTES + 64 * 1024;

/// Requests to one connection, so that a balancer in front can move its clients now and then.
pub const REQUESTS_PER_CONNECTION: u32 = 100_000;

/// A name in the guestbook.
pub const NAME_CHARS: usize = 80;

/// A remark in the guestbook: a paragraph, not a novel.
pub const REMARK_CHARS: usize = 1000;

/// Remarks on a page of the guestbook.
pub const REMARKS_PER_PAGE: u32 = 20;

/// How far back the guestbook can be read, in pages: Redis walks a list to reach its middle.
pub const PAGES: u32 = 500;

/// One piece of a file. Each has its own delivery deadline, so this over the send time-out and what
/// its own bytes add to that is the least rate of a download: 256 KiB in 19 s is 13 KiB/s, a bad
/// telephone line.
pub const PIECE_BYTES: u64 = 256 * 1024;

/// An answer of which no more than this is on its way when the last of it is sent: the windows of
/// most clients take it at once.
pub const SHORT_ANSWER_BYTES: u64 = 16 * 1024;

/// Parts of a file in one request: a viewer of documents asks for a handful.
pub const RANGES: usize = 32;

/// The least rate of a body: a client may take the body time-out, and a second for each of these.
pub const BODY_BYTES_PER_SECOND: u64 = 500;

/// The least rate of an answer: a client may take the send time-out, and a second for each of these
/// that a page, or a [piece](PIECE_BYTES) of a file, has. A page is one piece, however long it is.
pub const SEND_BYTES_PER_SECOND: u64 = 64 * 1024;

/// One value in a reply of the store: a page of the longest remarks that another program wrote.
pub const STORE_VALUE_BYTES: usize = 4 * 1024 * 1024;

/// Questions to the store that wait in one dialogue: as many as a process has descriptors here.
pub const STORE_QUESTIONS: usize = 32 * 1024;

/// Silence on a connection between requests: longer than a reader takes for most links, short
/// enough that the silent do not add up.
pub const KEEP_ALIVE_TIMEOUT_MS: u64 = 15_000;

/// Silence after the accept: as the head that is due, so that nobody is given up who would make it.
pub const FIRST_BYTE_TIMEOUT_MS: u64 = 10_000;

/// A request head, from its first byte; from the accept for the first one.
pub const HEADER_TIMEOUT_MS: u64 = 10_000;

/// A request body, beside what [`BODY_BYTES_PER_SECOND`] adds.
pub const BODY_TIMEOUT_MS: u64 = 15_000;

/// A page or a [piece](PIECE_BYTES) of a file, beside what [`SEND_BYTES_PER_SECOND`] adds.
pub const SEND_TIMEOUT_MS: u64 = 15_000;

/// An answer of the store: a person waits no longer before trying again.
pub const STORE_TIMEOUT_MS: u64 = 5_000;

/// Draining input after a refusal, so that a reset does not overtake the answer (RFC 9112 §9.6).
pub const LINGER_TIMEOUT_MS: u64 = 2_000;

/// What a client is told to wait when the store is down (`Retry-After`).
pub const RETRY_AFTER_S: u64 = 5;

/// The bounds that an operator may set.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Silence after the accept, in milliseconds.
    pub first_byte_timeout_ms: u64,
    /// A request head, in milliseconds from its first byte, or from the accept.
    pub header_timeout_ms: u64,
    /// A request body, in milliseconds, beside what its least rate adds.
    pub body_timeout_ms: u64,
    /// The least rate of a body.
    pub body_bytes_per_second: u64,
    /// A page or a piece of a file, in milliseconds, beside what its least rate adds.
    pub send_timeout_ms: u64,
    /// The least rate of an answer.
    pub send_bytes_per_second: u64,
    /// Silence between requests, in milliseconds; 0 allows one request to a connection.
    pub keep_alive_timeout_ms: u64,
    /// An answer of the store, in milliseconds.
    pub store_timeout_ms: u64,
    /// Draining input after the last answer, in milliseconds.
    pub linger_timeout_ms: u64,
    /// Requests to one connection.
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
    /// What a client may take for so many bytes of an answer, in milliseconds.
    pub(crate) fn delivery_timeout_ms(&self, bytes: u64) -> u64 {
        self.send_timeout_ms + bytes * 1000 / self.send_bytes_per_second
    }

    /// What a client may take for the largest [piece](PIECE_BYTES) of a file, in milliseconds.
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
