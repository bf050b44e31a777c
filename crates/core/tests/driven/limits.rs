//! Limits that no script can reach: requests on a connection, input that is not taken, and the
//! limits that an operator sets, to the byte.

use zerohttpd_core::{App, CloseReason, Completion, Connection, Limits, Operation, Want, limits};

use crate::client::{Client, SIGNED, get};
use crate::world::Handle;

/// The most bytes that a driver reads at once.
const SCRATCH_BYTES: usize = 64 * 1024;

/// Takes the answers so far. Returns whether one of them says `close`.
fn take_close(client: &mut Client) -> bool {
    String::from_utf8_lossy(&client.take()).contains("\r\nConnection: close\r\n")
}

#[test]
fn the_answer_to_the_last_allowed_request_says_close() {
    let limit = Limits { requests_per_connection: 3, ..Limits::default() };
    let mut client = Client::with(limit.clone());
    client.get("/hello.txt");
    client.get("/missing");
    assert!(!take_close(&mut client));
    client.get("/hello.txt");
    assert!(take_close(&mut client) && client.server_has_shut);
    let mut client = Client::with(limit);
    client.push(&get("/hello.txt").repeat(5));
    assert_eq!(client.statuses(), [200; 3], "pipelined requests count too");
}

#[test]
fn with_no_keep_alive_each_response_is_the_last() {
    for (head, name) in [
        ("GET /hello.txt HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1"),
        ("GET /hello.txt HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", "HTTP/1.0"),
    ] {
        let mut client = Client::with(Limits { keep_alive_timeout_ms: 0, ..Limits::default() });
        client.push(head.as_bytes());
        assert!(take_close(&mut client) && client.server_has_shut, "{name}");
        client.stop();
        assert_eq!(client.end, Some(CloseReason::Done), "{name}");
    }
}

#[test]
fn input_is_kept_up_to_a_bound_while_an_answer_is_awaited() {
    let mut client = Client::new();
    client.conn.received(&get("/guestbook"));
    let Want::Perform(ticket, Operation::Ask(query)) = client.poll() else { panic!("a question") };
    let request = get("/empty.txt");
    let fit = (limits::INPUT_BYTES - get("/guestbook").len()) / request.len();
    for _ in 0..fit {
        client.conn.received(&request);
    }
    assert!(matches!(client.poll(), Want::Wait));
    let reply = client.store.ask(&query);
    client.conn.completed(ticket, Completion::Answered(reply));
    client.perform_all();
    assert_eq!(client.statuses(), vec![200; fit + 1], "every buffered request is answered");
}

#[test]
fn a_client_that_floods_while_an_answer_is_awaited_is_paused_and_answered_in_the_end() {
    let mut client = Client::new();
    client.conn.received(&get("/guestbook"));
    let Want::Perform(ticket, Operation::Ask(query)) = client.poll() else { panic!("a question") };
    // Input that the connection did not ask for, as with io_uring: the driver keeps the bytes that
    // the connection does not take.
    let flood = get("/empty.txt").repeat(80_000);
    let mut held = &flood[..];
    held = &held[client.conn.received(held)..];
    assert_eq!(flood.len() - held.len(), limits::INPUT_BYTES - get("/guestbook").len());
    assert_eq!(client.conn.received(held), 0, "the buffer is full");
    assert!(matches!(client.poll(), Want::Wait));
    let reply = client.store.ask(&query);
    client.conn.completed(ticket, Completion::Answered(reply));
    client.perform_all();
    while !held.is_empty() {
        let piece = &held[..held.len().min(limits::READ_BYTES)];
        assert_eq!(client.conn.received(piece), piece.len(), "a wanted read is taken whole");
        held = &held[piece.len()..];
        client.perform_all();
    }
    assert_eq!(client.end, None);
    assert_eq!(client.log.len(), 80_001, "every request is answered");
}

/// Limits far below the default.
fn small() -> Limits {
    let (request_line_bytes, header_section_bytes) = (100, 200);
    Limits {
        request_line_bytes,
        header_section_bytes,
        fields: 5,
        body_bytes: 50,
        ..Limits::default()
    }
}

/// The largest limits, except that of the body: 16 MiB would take long.
fn large() -> Limits {
    Limits {
        request_line_bytes: limits::MOST_REQUEST_LINE_BYTES,
        header_section_bytes: limits::MOST_HEADER_SECTION_BYTES,
        fields: limits::MOST_FIELDS,
        body_bytes: 1024 * 1024,
        ..Limits::default()
    }
}

/// A head whose request line has this many bytes.
fn line(bytes: usize) -> Vec<u8> {
    let query = "q".repeat(bytes - "GET /? HTTP/1.1".len());
    format!("GET /?{query} HTTP/1.1\r\nHost: x\r\n\r\n").into_bytes()
}

/// A head whose header section has this many bytes.
fn section(bytes: usize) -> Vec<u8> {
    let cookie = "c".repeat(bytes - "Host: x\r\nCookie: \r\n".len());
    format!("GET / HTTP/1.1\r\nHost: x\r\nCookie: {cookie}\r\n\r\n").into_bytes()
}

/// A head with this many fields.
fn fields(count: usize) -> Vec<u8> {
    format!("GET / HTTP/1.1\r\nHost: x\r\n{}\r\n", "A: b\r\n".repeat(count - 1)).into_bytes()
}

/// A request with a body of this many bytes, which the application does not want.
fn body(bytes: usize) -> Vec<u8> {
    let head = format!("POST /missing HTTP/1.1\r\nHost: x\r\nContent-Length: {bytes}\r\n\r\n");
    [head.into_bytes(), vec![b'b'; bytes]].concat()
}

/// Like [`body`], but in two chunks.
fn chunks(bytes: usize) -> Vec<u8> {
    let head = "POST /missing HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
    let rest = format!("1\r\na\r\n{:x}\r\n{}\r\n0\r\n\r\n", bytes - 1, "b".repeat(bytes - 1));
    [head, &rest].concat().into_bytes()
}

/// Checks that `request[0]`, which is at a limit, is served, and that `request[1]`, which is one
/// beyond it, is refused. Both are sent in large reads, and in reads of `piece` bytes.
#[track_caller]
fn assert_bound(limits: &Limits, piece: usize, request: [Vec<u8>; 2], [fits, over]: [u16; 2]) {
    for size in [SCRATCH_BYTES, piece] {
        let mut client = Client::with(limits.clone());
        request[0].chunks(size).for_each(|piece| client.push(piece));
        assert_eq!((client.statuses(), client.server_has_shut), (vec![fits], false));
        client.reconnect();
        request[1].chunks(size).for_each(|piece| client.push(piece));
        assert_eq!((client.statuses(), client.server_has_shut), (vec![over], true));
    }
}

#[test]
fn each_size_that_an_operator_sets_is_kept_to_the_byte() {
    for (limits, piece) in [(small(), 1), (Limits::default(), 100), (large(), 10_000)] {
        let limit = limits.request_line_bytes;
        assert_bound(&limits, piece, [limit, limit + 1].map(line), [200, 414]);
        let limit = limits.header_section_bytes;
        assert_bound(&limits, piece, [limit, limit + 1].map(section), [200, 431]);
        let limit = limits.fields;
        assert_bound(&limits, piece, [limit, limit + 1].map(fields), [200, 431]);
        let limit = limits.body_bytes;
        assert_bound(&limits, piece, [limit, limit + 1].map(body), [404, 413]);
        assert_bound(&limits, piece, [limit, limit + 1].map(chunks), [404, 413]);
    }
}

#[test]
fn a_head_that_never_ends_is_refused_at_its_limit() {
    for (limits, piece) in [(small(), 1), (large(), 10_000)] {
        let (line, section) = (limits.request_line_bytes, limits.header_section_bytes);
        let mut client = Client::with(limits);
        let rest = line - "GET /".len();
        for (begin, limit, status) in [
            ("GET /", rest, 414),
            ("\r\n\r\nGET /", rest, 414),
            // A line without a space has no target that could be too long.
            ("", line, 400),
            ("GET / HTTP/1.1\r\n", section, 431),
        ] {
            client.reconnect();
            client.push(begin.as_bytes());
            vec![b'a'; limit].chunks(piece).for_each(|piece| client.push(piece));
            assert_eq!(client.statuses(), [], "{status}: the next byte could end the line");
            client.push(b"a");
            assert_eq!(client.statuses(), [status]);
        }
    }
}

#[test]
fn a_form_is_read_up_to_the_limit_that_is_set() {
    let head =
        SIGNED.strip_suffix(b"34\r\n\r\nguest-name=Ada&guest-remarks=Hello").expect("a form");
    let form = |bytes: usize| {
        let body = format!("guest-name=A&guest-remarks=B&x={}", "p".repeat(bytes - 31));
        [head, format!("{bytes}\r\n\r\n{body}").as_bytes()].concat()
    };
    let mut client = Client::with(small());
    client.push(&form(50));
    client.push(&form(51));
    assert_eq!(client.statuses(), [303, 413]);
    assert_eq!(client.store.remarks, [b"B - A"]);
}

#[test]
fn the_largest_allowed_request_can_come_in_reads_of_64_kib() {
    for limits in [small(), Limits::default(), large()] {
        let (line, section) = (limits.request_line_bytes, limits.header_section_bytes);
        let trailer = section.min(limits::CHUNK_OVERHEAD_BYTES);
        let first = format!("GET /{} HTTP/1.1\r\n", "a".repeat(line - 14));
        let fields = "Host: x\r\nTransfer-Encoding: chunked\r\n";
        let cookie = "c".repeat(section - fields.len() - "Cookie: \r\n".len());
        let chunk = format!("{:x}\r\n{}\r\n", limits.body_bytes, "b".repeat(limits.body_bytes));
        let largest = [
            format!("{first}{fields}Cookie: {cookie}\r\n\r\n"),
            format!("{chunk}0\r\nT: {}\r\n\r\n", "t".repeat(trailer - "T: \r\n0\r\n\r\n".len())),
        ]
        .concat();
        let mut client = Client::with(limits);
        for piece in largest.repeat(3).as_bytes().chunks(SCRATCH_BYTES) {
            client.push(piece);
        }
        assert_eq!((client.statuses(), client.end), (vec![404; 3], None));
    }
}

#[test]
fn a_form_at_its_limit_is_read_whole() {
    let name = format!("guest-name=Ada&guest-remarks=ok&padding={}", "p".repeat(65_536 - 40));
    assert_eq!(name.len(), 65_536);
    let form = [&SIGNED[..SIGNED.len() - 40], b"65536\r\n\r\n", name.as_bytes()].concat();
    let mut client = Client::new();
    client.push(&form);
    assert_eq!(client.statuses(), [303]);
    assert_eq!(client.store.remarks, [b"ok - Ada"]);
}

#[test]
fn a_connection_is_small() {
    assert!(
        size_of::<Connection<App, Handle>>() <= 160,
        "{}",
        size_of::<Connection<App, Handle>>()
    );
    assert_eq!(size_of::<Handle>(), size_of::<std::sync::Arc<()>>(), "as large as a driver's");
}
