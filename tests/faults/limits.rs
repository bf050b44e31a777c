//! Limits that an operator configures: every architecture enforces each of them.

use crate::support::cases::test;
use crate::support::client::{is_last, request};
use crate::support::{Server, Store};

/// A request whose request line has this many bytes.
fn head_with_line(bytes: usize) -> String {
    let query = "q".repeat(bytes - "GET /hello.txt? HTTP/1.1".len());
    request("GET", &format!("/hello.txt?{query}"))
}

/// A request whose header section has this many bytes.
fn head_with_section(bytes: usize) -> String {
    let cookie = "c".repeat(bytes - "Host: test\r\nCookie: \r\n".len());
    with_fields(&format!("Cookie: {cookie}\r\n"))
}

/// A request with this many fields.
fn head_with_fields(count: usize) -> String {
    with_fields(&"A: b\r\n".repeat(count - 1))
}

fn with_fields(fields: &str) -> String {
    format!("GET /hello.txt HTTP/1.1\r\nHost: test\r\n{fields}\r\n")
}

/// A POST with a form of this many bytes.
fn form(bytes: usize) -> String {
    let frame = "guest-name=A&guest-remarks=".len();
    format!(
        "{FORM}Content-Length: {bytes}\r\n\r\nguest-name=A&guest-remarks={}",
        "r".repeat(bytes - frame)
    )
}

/// A POST with a form of this many bytes in one chunk.
fn chunked_form(bytes: usize) -> String {
    let frame = "guest-name=A&guest-remarks=".len();
    let body = format!("guest-name=A&guest-remarks={}", "r".repeat(bytes - frame));
    format!("{FORM}Transfer-Encoding: chunked\r\n\r\n{bytes:x}\r\n{body}\r\n0\r\n\r\n")
}

const FORM: &str = "POST /guestbook HTTP/1.1\r\nHost: test\r\n\
    Content-Type: application/x-www-form-urlencoded\r\n";

test!(Architecture, each_configured_limit_on_sizes_is_exact);
fn each_configured_limit_on_sizes_is_exact(arch: &str) {
    let store = Store::embedded();
    let words = "--max-request-line 100 --max-header 200 --max-fields 4 --max-body 60";
    let server = Server::start(arch, &store.url(), &words.split(' ').collect::<Vec<_>>());
    for (name, fits, over, statuses) in [
        ("request line", head_with_line(100), head_with_line(101), [200, 414]),
        ("header section", head_with_section(200), head_with_section(201), [200, 431]),
        ("fields", head_with_fields(4), head_with_fields(5), [200, 431]),
        ("form", form(60), form(61), [303, 413]),
        ("chunk", chunked_form(60), chunked_form(61), [303, 413]),
    ] {
        let mut client = server.client();
        client.send(fits);
        assert_eq!(client.answer().status, statuses[0], "{name} at its limit");
        client.send(over);
        let refused = client.answer();
        assert_eq!((refused.status, is_last(&refused)), (statuses[1], true), "{name}");
        assert_eq!(client.read_to_end(), b"", "{name}");
    }
    assert_eq!(store.remarks().len(), 2, "refused forms are not stored");
}

test!(Architecture, the_largest_values_that_the_limits_accept_work);
fn the_largest_values_that_the_limits_accept_work(arch: &str) {
    let store = Store::embedded();
    let words = "--max-request-line 64k --max-header 256k --max-fields 1000 --max-body 16m";
    let server = Server::start(arch, &store.url(), &words.split(' ').collect::<Vec<_>>());
    let (line_bytes, section_bytes) = (64 * 1024, 256 * 1024);
    let mut client = server.client();
    for (fits, status) in [
        (head_with_line(line_bytes), 200),
        (head_with_section(section_bytes), 200),
        (head_with_fields(1000), 200),
        // The body is within its limit, but the remark in it is too long.
        (form(1024 * 1024), 400),
    ] {
        client.send(fits);
        assert_eq!(client.answer().status, status);
    }
    for (over, status) in [
        (head_with_line(line_bytes + 1), 414),
        (head_with_section(section_bytes + 1), 431),
        (head_with_fields(1001), 431),
        (format!("{FORM}Content-Length: 16777217\r\n\r\n"), 413),
    ] {
        let mut client = server.client();
        client.send(over);
        assert_eq!(client.answer().status, status);
    }
}

test!(Architecture, a_pool_that_is_short_of_descriptors_serves_with_fewer_workers);
/// The limit leaves fewer descriptors than all 24 workers need.
fn a_pool_that_is_short_of_descriptors_serves_with_fewer_workers(arch: &str) {
    let store = Store::embedded();
    let has_pool = Server::start_small(arch, &store.url(), &[]).errors().contains(" workers:");
    let workers: &[&str] = if has_pool { &["--workers", "24"] } else { &[] };
    let server = Server::start_with_descriptor_limit(36, (arch, &store.url(), workers));
    for _ in 0..2 {
        // Idle workers hold some descriptors as soon as they exist.
        server.await_steady();
        for _ in 0..40 {
            let mut client = server.client();
            assert_eq!(client.get("/hello.txt").status, 200, "{}", server.errors());
            assert_eq!(client.get("/guestbook").status, 200, "{}", server.errors());
        }
    }
}

test!(Architecture, a_connection_ends_after_the_configured_number_of_requests);
fn a_connection_ends_after_the_configured_number_of_requests(arch: &str) {
    let store = Store::embedded();
    let server = Server::start(arch, &store.url(), &["--max-requests", "3"]);
    let mut client = server.client();
    client.send(request("GET", "/hello.txt").repeat(5));
    let lasts: Vec<_> = (0..3).map(|_| is_last(&client.answer())).collect();
    assert_eq!(lasts, [false, false, true]);
    assert_eq!(client.read_to_end(), b"", "further requests are not answered");
}
