//! Tests of heads: parts and their spans, the meaning of fields, and limits to the byte.

use std::{format, string::String, vec, vec::Vec};

use super::*;

fn parse(input: &[u8]) -> Result<Option<RequestHead>, ErrorResponse> {
    super::parse(input, &Limits::default())
}

fn is_within_bounds(input: &[u8]) -> bool {
    super::is_within_bounds(input, &Limits::default())
}

fn read(head: &str) -> RequestHead {
    parse(head.as_bytes()).expect("no refusal").expect("a whole head")
}

fn refused(head: &[u8]) -> Status {
    let refusal = parse(head).expect_err("a refusal");
    assert!(refusal.closes, "the connection must end: {}", refusal.why);
    refusal.status
}

fn with(fields: &str) -> RequestHead {
    read(&format!("GET / HTTP/1.1\r\nHost: x\r\n{fields}\r\n"))
}

#[test]
fn each_part_of_a_head_is_at_its_span() {
    let head = "\r\n\r\nPOST /a%20b?c=d HTTP/1.1\r\nHost:  x.y:80 \r\nOrigin: http://x.y\r\n\
        CONTENT-TYPE: text/plain;a=b\r\nsec-fetch-site: none\r\n\r\n";
    let more = format!("{head}GET /another");
    let request = parse(more.as_bytes()).unwrap().unwrap();
    let part = |span: Span| std::str::from_utf8(span.of(more.as_bytes())).unwrap();
    assert_eq!(request.len, head.len(), "with its empty lines, and without the next request");
    assert_eq!(request.method, Method::Post);
    assert_eq!(part(request.line), "POST /a%20b?c=d HTTP/1.1");
    assert_eq!(part(request.target.path), "/a%20b");
    assert_eq!(request.target.query.map(part), Some("c=d"));
    assert_eq!(request.target.authority.map(part), None);
    for (field, value) in [
        (Field::Host, "x.y:80"),
        (Field::Origin, "http://x.y"),
        (Field::ContentType, "text/plain;a=b"),
        (Field::SecFetchSite, "none"),
    ] {
        let found = request.field(&more.as_bytes()[..request.len], field);
        assert_eq!(found, Some(value.as_bytes()), "{field:?}");
    }
}

#[test]
fn a_missing_field_has_no_value_and_an_empty_field_an_empty_one() {
    let head = b"GET / HTTP/1.0\r\nOrigin: \t \r\nContent-Type:\r\n\r\n";
    let request = parse(head).unwrap().unwrap();
    assert_eq!(request.field(head, Field::Host), None);
    assert_eq!(request.field(head, Field::Origin), Some(&b""[..]));
    assert_eq!(request.field(head, Field::ContentType), Some(&b""[..]));
}

#[test]
fn the_authority_of_an_absolute_target_replaces_host() {
    let head = "GET http://a.b:1/c?d HTTP/1.1\r\nHost: x\r\n\r\n";
    let request = read(head);
    assert_eq!(request.field(head.as_bytes(), Field::Host), Some(&b"a.b:1"[..]));
    assert_eq!(request.target.path.of(head.as_bytes()), b"/c");
    assert_eq!(refused(b"GET http://a.b/ HTTP/1.1\r\n\r\n"), Status::BAD_REQUEST);
}

#[test]
fn a_method_in_another_case_is_unknown() {
    for (name, method) in [
        ("GET", Method::Get),
        ("HEAD", Method::Head),
        ("POST", Method::Post),
        ("OPTIONS", Method::Options),
        ("PUT", Method::NotAllowed),
        ("DELETE", Method::NotAllowed),
        ("PATCH", Method::NotAllowed),
        ("TRACE", Method::Unknown),
        ("get", Method::Unknown),
        ("GETS", Method::Unknown),
        ("POSTAL", Method::Unknown),
        ("!", Method::Unknown),
    ] {
        assert_eq!(read(&format!("{name} / HTTP/1.1\r\nHost: x\r\n\r\n")).method, method);
    }
    let connect = read("CONNECT x:443 HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_eq!(connect.method, Method::Unknown);
}

#[test]
fn a_connection_is_kept_as_version_and_options_say() {
    for (version, options, kept) in [
        ("1.1", "", true),
        ("1.1", "Connection: keep-alive\r\n", true),
        ("1.1", "Connection: close\r\n", false),
        ("1.1", "Connection: keep-alive\r\nConnection: close\r\n", false),
        ("1.1", "Connection: a,\tCLOSE ,b\r\n", false),
        ("1.1", "Connection: close-ish, clos\r\n", true),
        ("1.0", "", false),
        ("1.0", "Connection: Keep-Alive\r\n", true),
        ("1.0", "Connection: close, keep-alive\r\n", false),
        ("1.0", "Connection: upgrade\r\n", false),
    ] {
        let request = read(&format!("GET / HTTP/{version}\r\nHost: x\r\n{options}\r\n"));
        assert_eq!(request.wants_keep_alive, kept, "HTTP/{version} {options}");
        assert_eq!(request.is_1_1, version == "1.1");
    }
}

#[test]
fn a_control_byte_is_refused_wherever_it_stands() {
    let head = b"GET / HTTP/1.1\r\nHost: x\r\nA: b c\r\n\r\n";
    // An LF after the last CR would end the head, and the LF of the head would follow it.
    for at in 0..head.len() - 1 {
        let line = head[..at].rsplit(|&byte| byte == b'\n').next().unwrap();
        let in_value = line.contains(&b':') && !line.ends_with(b"\r");
        for control in (0..0x20).chain([0x7f]) {
            let mut input = head.to_vec();
            input.insert(at, control);
            if control == b'\t' && in_value {
                assert!(matches!(parse(&input), Ok(Some(_))), "{}", input.escape_ascii());
            } else {
                assert_eq!(refused(&input), Status::BAD_REQUEST, "{}", input.escape_ascii());
            }
        }
    }
}

#[test]
fn exactly_one_field_gives_the_length_of_a_body() {
    for (fields, framing) in [
        ("", Framing::None),
        ("Content-Length: 0\r\n", Framing::None),
        ("Content-Length: 5\r\n", Framing::Length(5)),
        ("content-length:7\r\n", Framing::Length(7)),
        ("Content-Length: 18446744073709551615\r\n", Framing::Length(u64::MAX)),
        ("Transfer-Encoding: chunked\r\n", Framing::Chunked),
        ("TRANSFER-ENCODING: Chunked\r\n", Framing::Chunked),
    ] {
        assert_eq!(with(fields).framing, framing, "{fields}");
    }
    for fields in [
        "Content-Length: 18446744073709551616\r\n",
        "Content-Length: 5\r\nContent-Length: 6\r\n",
        "Content-Length: 5\r\nA: b\r\nContent-Length: 0\r\n",
        "Content-Length: 5,5\r\n",
        "Content-Length: \r\n",
        "Content-Length: 00\r\n",
        "Content-Length: 07\r\n",
        "Content-Length:  7\r\n",
        "Content-Length:\t7\r\n",
        "Content-Length: 7 \r\n",
        "Content-Length: 7\t\r\n",
        "Content-Length: 7\r\nContent_Length: 7\r\n",
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 0\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: identity\r\n",
        "Transfer-Encoding: \r\n",
        "Transfer-Encoding:\tchunked\r\n",
        "Transfer-Encoding: chunked \r\n",
        "transfer_encoding: chunked\r\n",
    ] {
        let head = format!("POST / HTTP/1.1\r\nHost: x\r\n{fields}\r\n");
        assert_eq!(refused(head.as_bytes()), Status::BAD_REQUEST, "{fields}");
    }
    let old = b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n";
    assert_eq!(refused(old), Status::BAD_REQUEST);
}

#[test]
fn an_expectation_is_known_or_unknown_and_none_in_http_1_0() {
    for (fields, expectation) in [
        ("", Expectation::None),
        ("Expect: 100-continue\r\n", Expectation::Continue),
        ("expect: 100-CONTINUE\r\nExpect: 100-continue\r\n", Expectation::Continue),
        ("Expect: 100-continue\r\nExpect: x\r\n", Expectation::Unknown),
        ("Expect: x\r\nExpect: 100-continue\r\n", Expectation::Unknown),
        ("Expect: 100-continue, x\r\n", Expectation::Unknown),
    ] {
        assert_eq!(with(fields).expectation, expectation, "{fields}");
    }
    let old = read("GET / HTTP/1.0\r\nExpect: 100-continue\r\n\r\n");
    assert_eq!(old.expectation, Expectation::None);
}

#[test]
fn a_head_is_incomplete_up_to_its_last_byte() {
    let head = b"\r\nGET /a?b HTTP/1.1\r\nHost: x\r\nA: b\r\n\r\n";
    for cut in 0..head.len() {
        assert!(matches!(parse(&head[..cut]), Ok(None)), "{cut}");
    }
    assert!(matches!(parse(head), Ok(Some(_))));
}

/// The head of a request whose line has this many bytes.
fn line_of(bytes: usize) -> Vec<u8> {
    let target = "a".repeat(bytes - "GET / HTTP/1.1".len());
    format!("GET /{target} HTTP/1.1\r\nHost: x\r\n\r\n").into_bytes()
}

#[test]
fn a_request_line_has_its_bound_to_the_byte() {
    let longest = limits::REQUEST_LINE_BYTES;
    for before in ["", "\r\n", "\r\n\r\n"] {
        let fits = [before.as_bytes(), &line_of(longest)].concat();
        assert!(matches!(parse(&fits), Ok(Some(_))));
        for cut in [longest - 1, longest, longest + 1, longest + 2, longest + 3] {
            let part = &fits[..before.len() + cut];
            assert!(matches!(parse(part), Ok(None)), "{cut} bytes of a line that fits");
        }
        let longer = [before.as_bytes(), &line_of(longest + 1)].concat();
        assert_eq!(refused(&longer), Status::URI_TOO_LONG);
    }
    let endless = &line_of(longest + 100)[..longest + 50];
    assert_eq!(refused(endless), Status::URI_TOO_LONG, "a line that has not ended");
    let word = "q".repeat(longest + 2);
    assert_eq!(refused(word.as_bytes()), Status::BAD_REQUEST, "a line without a space");
    let spaced = format!("{} / HTTP/1.1\r\n", &word[..longest]);
    assert_eq!(refused(spaced.as_bytes()), Status::BAD_REQUEST, "the method alone is too long");
}

/// A head of this many bytes, most of them in one field.
fn head_of(bytes: usize) -> Vec<u8> {
    let frame = "GET / HTTP/1.1\r\nHost: x\r\nCookie: \r\n\r\n".len();
    let cookie = "c".repeat(bytes - frame);
    format!("GET / HTTP/1.1\r\nHost: x\r\nCookie: {cookie}\r\n\r\n").into_bytes()
}

#[test]
fn a_header_section_has_its_bound_to_the_byte() {
    let longest = "GET / HTTP/1.1\r\n".len() + limits::HEADER_SECTION_BYTES + "\r\n".len();
    let fits = head_of(longest);
    assert_eq!(fits.len(), longest);
    assert!(matches!(parse(&fits), Ok(Some(_))));
    assert!(matches!(parse(&fits[..longest - 1]), Ok(None)));
    let followed = [&fits[..], b"GET / HTTP/1.1\r\n"].concat();
    assert!(matches!(parse(&followed), Ok(Some(_))), "the next request does not count");
    let after_lines = [b"\r\n\r\n", &fits[..]].concat();
    assert!(matches!(parse(&after_lines), Ok(Some(_))), "empty lines before it do not count");
    let longer = head_of(longest + 1);
    assert_eq!(refused(&longer), Status::REQUEST_HEADER_FIELDS_TOO_LARGE);
    let endless = &head_of(2 * longest)[..longest + 1];
    assert_eq!(refused(endless), Status::REQUEST_HEADER_FIELDS_TOO_LARGE);
}

#[test]
fn the_number_of_fields_has_an_exact_bound() {
    let head = |fields: usize| {
        let others: String = "A: b\r\n".repeat(fields - 1);
        format!("GET / HTTP/1.1\r\nHost: x\r\n{others}\r\n").into_bytes()
    };
    assert!(matches!(parse(&head(limits::FIELDS)), Ok(Some(_))));
    let refusal = refused(&head(limits::FIELDS + 1));
    assert_eq!(refusal, Status::REQUEST_HEADER_FIELDS_TOO_LARGE);
}

#[test]
fn a_limited_number_of_empty_lines_is_accepted() {
    let after = |lines: usize| format!("{}GET / HTTP/1.1\r\nHost: x\r\n\r\n", "\r\n".repeat(lines));
    for lines in 0..=limits::EMPTY_LINES {
        assert!(matches!(parse(after(lines).as_bytes()), Ok(Some(_))), "{lines}");
    }
    assert_eq!(refused(after(limits::EMPTY_LINES + 1).as_bytes()), Status::BAD_REQUEST);
}

#[test]
fn an_incomplete_head_can_be_beyond_its_limits() {
    let line = limits::REQUEST_LINE_BYTES;
    assert!(is_within_bounds(&vec![b'a'; line]));
    assert!(!is_within_bounds(&vec![b'a'; line + 1]), "a line without an end");
    let mut head = b"\r\n\r\nGET / HTTP/1.1\r\n".to_vec();
    head.resize(head.len() + limits::HEADER_SECTION_BYTES, b'a');
    assert!(is_within_bounds(&head));
    head.push(b'a');
    assert!(!is_within_bounds(&head), "a section that may be too long");
    assert!(!is_within_bounds(&vec![b'\r'; line + 1]), "no line ends in CR alone");
}

#[test]
fn an_unsupported_version_differs_from_a_malformed_line() {
    for (line, status) in [
        ("GET / HTTP/2.0", Status::HTTP_VERSION_NOT_SUPPORTED),
        ("GET / HTTP/0.9", Status::HTTP_VERSION_NOT_SUPPORTED),
        ("GET / HTTP/9.9", Status::HTTP_VERSION_NOT_SUPPORTED),
        ("GET / HTTP/x.1", Status::BAD_REQUEST),
        ("GET / http/1.1", Status::BAD_REQUEST),
        ("GET / HTTP/1.11", Status::BAD_REQUEST),
        ("GET /", Status::BAD_REQUEST),
        ("GET /a b HTTP/1.1", Status::BAD_REQUEST),
        ("GET /  HTTP/1.1", Status::BAD_REQUEST),
    ] {
        let head = format!("{line}\r\nHost: x\r\n\r\n");
        assert_eq!(refused(head.as_bytes()), status, "{line}");
    }
}

#[test]
fn a_head_that_can_not_be_read_leaves_its_first_line_for_the_log() {
    let line = |input: &[u8]| {
        let request = RequestHead::unreadable(input, &Limits::default());
        assert_eq!(request.len, 0);
        request.line.of(input).to_vec()
    };
    assert_eq!(line(b"GET /x\r\nHost: y\r\n"), b"GET /x");
    assert_eq!(line(b"GET /x\nHost"), b"GET /x");
    assert_eq!(line(b"GET /x"), b"GET /x");
    assert_eq!(line(b""), b"");
    assert_eq!(line(&[b'x'; 70_000]).len(), limits::REQUEST_LINE_BYTES);
}
