//! Tests that set the wall clock back, or forward by years. The monotonic clock goes on.

use zerohttpd_core::Timeout;

use crate::client::{Client, get};
use crate::world::START;

/// Times to which the clock is set, each with its `Date`, which is never later than 9999-12-31.
const SETTINGS: [(u64, &str); 7] = [
    (START.unix_s, "Sun, 06 Nov 1994 08:49:37 GMT"),
    (START.unix_s - 3600, "Sun, 06 Nov 1994 07:49:37 GMT"),
    (0, "Thu, 01 Jan 1970 00:00:00 GMT"),
    (4_102_444_800, "Fri, 01 Jan 2100 00:00:00 GMT"),
    (253_402_300_799, "Fri, 31 Dec 9999 23:59:59 GMT"),
    (i64::MAX as u64, "Fri, 31 Dec 9999 23:59:59 GMT"),
    (START.unix_s, "Sun, 06 Nov 1994 08:49:37 GMT"),
];

/// A second before the file was changed.
const BEFORE: &str = "Sun, 06 Nov 1994 08:49:36 GMT";

fn with(field: &str) -> Vec<u8> {
    format!("GET /hello.txt HTTP/1.1\r\nHost: x\r\n{field}\r\n\r\n").into_bytes()
}

/// Asks, and returns the answer as text.
fn ask(client: &mut Client, request: &[u8]) -> String {
    client.push(request);
    String::from_utf8(client.take()).expect("an answer in UTF-8")
}

/// The value of a field.
fn field<'a>(answer: &'a str, name: &str) -> &'a str {
    let line = answer.lines().find_map(|line| line.strip_prefix(name));
    line.and_then(|rest| rest.strip_prefix(": ")).unwrap_or_else(|| panic!("{name}: {answer}"))
}

#[test]
fn only_dates_follow_a_clock_that_is_set() {
    let mut client = Client::new();
    for (unix_s, date) in SETTINGS {
        client.now.unix_s = unix_s;
        let answer = ask(&mut client, &get("/hello.txt"));
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        assert_eq!(field(&answer, "Date"), date);
        // Last-Modified must not be later than Date (RFC 9110 §8.8.2.1).
        assert_eq!(answer.contains("\r\nLast-Modified: "), unix_s >= START.unix_s, "{answer}");
        assert!(answer.contains("\r\nETag: "), "{answer}");
        assert_eq!(client.timer(), Some((Timeout::KeepAlive, 15_000)));
        let answer = ask(&mut client, &get("/guestbook"));
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    }
    assert_eq!(client.store.visits, SETTINGS.len() as u64);
}

#[test]
fn conditions_are_right_at_every_setting_of_the_clock() {
    let mut client = Client::new();
    let fresh = ask(&mut client, &get("/hello.txt"));
    let (tag, modified) = (field(&fresh, "ETag"), field(&fresh, "Last-Modified"));
    for (unix_s, _) in SETTINGS {
        client.now.unix_s = unix_s;
        // The year of two digits can be in another century, depending on the clock.
        let cases = [
            (format!("If-None-Match: {tag}"), &["304"][..]),
            ("If-None-Match: \"other\"".into(), &["200"]),
            (format!("If-Match: {tag}"), &["200"]),
            (format!("If-Modified-Since: {modified}"), &["304"]),
            (format!("If-Unmodified-Since: {modified}"), &["200"]),
            ("If-Modified-Since: Thursday, 01-Jan-70 00:00:00 GMT".into(), &["200", "304"]),
            (format!("If-Unmodified-Since: {BEFORE}"), &["412"]),
            (format!("If-Modified-Since: {BEFORE}"), &["200"]),
            (format!("Range: bytes=0-1\r\nIf-Range: {tag}"), &["206"]),
            ("Range: bytes=0-1".into(), &["206"]),
        ];
        for (line, statuses) in cases {
            let answer = ask(&mut client, &with(&line));
            let status = &answer["HTTP/1.1 ".len()..][..3];
            assert!(statuses.contains(&status), "{line} at {unix_s}: {answer}");
            let is_dated = answer.contains("\r\nLast-Modified: ");
            assert!(!is_dated || unix_s >= START.unix_s, "{line} at {unix_s}: {answer}");
        }
        // With a date in If-Range, a part is sent only if the file is older than now: a file that
        // changed in this second can change again in the same second.
        let line = format!("Range: bytes=0-1\r\nIf-Range: {modified}");
        let answer = ask(&mut client, &with(&line));
        let is_part = answer.starts_with("HTTP/1.1 206 ");
        assert_eq!(is_part, unix_s > START.unix_s, "{line} at {unix_s}: {answer}");
    }
}

#[test]
fn setting_the_clock_during_a_request_does_not_move_its_deadline() {
    for (unix_s, date) in SETTINGS {
        let mut client = Client::new();
        client.push(b"GET /hello.txt HTTP/1.1\r\n");
        client.advance_clock(4_000);
        client.now.unix_s = unix_s;
        client.push(b"Host: x\r\n");
        assert_eq!(client.timer(), Some((Timeout::Head, 6_000)));
        let answer = ask(&mut client, b"\r\n");
        assert!(answer.starts_with("HTTP/1.1 200 ") && field(&answer, "Date") == date, "{answer}");
        let mut late = Client::new();
        late.push(b"GET /hello.txt HTTP/1.1\r\n");
        late.now.unix_s = unix_s;
        late.now.ms += 10_000;
        late.perform_all();
        assert_eq!(late.statuses(), [408]);
    }
}
