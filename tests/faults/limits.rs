//! Sizes and numbers that an operator has set: every architecture keeps each of them.

use crate::support::client::{is_last, request};
use crate::support::{Server, Store, for_each_architecture};

/// A request line of so many bytes, and the rest of a head.
fn line(bytes: usize) -> String {
    let query = "q".repeat(bytes - "GET /hello.txt? HTTP/1.1".len());
    request("GET", &format!("/hello.txt?{query}"))
}

/// A header section of so many bytes.
fn section(bytes: usize) -> String {
    let cookie = "c".repeat(bytes - "Host: test\r\nCookie: \r\n".len());
    with_fields(&format!("Cookie: {cookie}\r\n"))
}

/// So many fields.
fn fields(count: usize) -> String {
    with_fields(&"A: b\r\n".repeat(count - 1))
}

fn with_fields(fields: &str) -> String {
    format!("GET /hello.txt HTTP/1.1\r\nHost: test\r\n{fields}\r\n")
}

/// A form of so many bytes.
fn form(bytes: usize) -> String {
    let frame = "guest-name=A&guest-remarks=".len();
    format!(
        "{FORM}Content-Length: {bytes}\r\n\r\nguest-name=A&guest-remarks={}",
        "r".repeat(bytes - frame)
    )
}

/// The same in one chunk.
fn chunk(bytes: usize) -> String {
    let frame = "guest-name=A&guest-remarks=".len();
    let body = format!("guest-name=A&guest-remarks={}", "r".repeat(bytes - frame));
    format!("{FORM}Transfer-Encoding: chunked\r\n\r\n{bytes:x}\r\n{body}\r\n0\r\n\r\n")
}

const FORM: &str = "POST /guestbook HTTP/1.1\r\nHost: test\r\n\
    Content-Type: application/x-www-form-urlencoded\r\n";

#[test]
fn each_size_that_is_set_is_kept_to_the_byte() {
    for_each_architecture(|arch| {
        let store = Store::embedded();
        let words = "--max-request-line 100 --max-header 200 --max-fields 4 --max-body 60";
        let server = Server::start(arch, &store.url(), &words.split(' ').collect::<Vec<_>>());
        for (name, fits, over, statuses) in [
            ("request line", line(100), line(101), [200, 414]),
            ("header section", section(200), section(201), [200, 431]),
            ("fields", fields(4), fields(5), [200, 431]),
            ("form", form(60), form(61), [303, 413]),
            ("chunk", chunk(60), chunk(61), [303, 413]),
        ] {
            let mut client = server.client();
            client.send(fits);
            assert_eq!(client.answer().status, statuses[0], "{name} at its limit");
            client.send(over);
            let refused = client.answer();
            assert_eq!((refused.status, is_last(&refused)), (statuses[1], true), "{name}");
            assert_eq!(client.rest(), b"", "{name}");
        }
        assert_eq!(store.remarks().len(), 2, "what was refused was not kept");
    });
}

#[test]
fn limits_may_be_as_large_as_they_may_be_set() {
    for_each_architecture(|arch| {
        let store = Store::embedded();
        let words = "--max-request-line 64k --max-header 256k --max-fields 1000 --max-body 16m";
        let server = Server::start(arch, &store.url(), &words.split(' ').collect::<Vec<_>>());
        let (line_bytes, section_bytes) = (64 * 1024, 256 * 1024);
        let mut client = server.client();
        for (fits, status) in [
            (line(line_bytes), 200),
            (section(section_bytes), 200),
            (fields(1000), 200),
            // The remark is too long, and the body is not.
            (form(1024 * 1024), 400),
        ] {
            client.send(fits);
            assert_eq!(client.answer().status, status);
        }
        for (over, status) in [
            (line(line_bytes + 1), 414),
            (section(section_bytes + 1), 431),
            (fields(1001), 431),
            (format!("{FORM}Content-Length: 16777217\r\n\r\n"), 413),
        ] {
            let mut client = server.client();
            client.send(over);
            assert_eq!(client.answer().status, status);
        }
    });
}

#[test]
fn the_last_request_to_a_connection_is_the_one_that_is_set() {
    for_each_architecture(|arch| {
        let store = Store::embedded();
        let server = Server::start(arch, &store.url(), &["--max-requests", "3"]);
        let mut client = server.client();
        client.send(request("GET", "/hello.txt").repeat(5));
        let lasts: Vec<_> = (0..3).map(|_| is_last(&client.answer())).collect();
        assert_eq!(lasts, [false, false, true]);
        assert_eq!(client.rest(), b"", "the other two are not answered");
    });
}
