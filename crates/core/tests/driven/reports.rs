//! Reports, which are generated for each request; and the answer to a client beyond the limit of
//! connections.

use zerohttpd_core::app::too_many_connections;
use zerohttpd_core::{Completion, Metadata, Operation, Want};

use crate::client::Client;
use crate::script::{Answer, read_answer};
use crate::world::Handle;

/// The answer to a request for a report.
fn report(request: &str, is_healthy: bool) -> Answer {
    let mut client = Client::new();
    client.app.guestbook = false;
    client.conn.received(request.as_bytes());
    match client.poll() {
        Want::Perform(ticket, Operation::Open(..)) => {
            let text = b"how it is\n".to_vec();
            let metadata = Metadata::of_report(text.len() as u64, "text/plain", is_healthy);
            client.conn.completed(ticket, Completion::Opened(Ok(Handle::with(metadata, text))));
        }
        Want::Send(transmit) => client.deliver(transmit),
        other => panic!("{other:?}"),
    }
    client.perform_all();
    let (answer, used) = read_answer(&client.out, false).expect("HTTP").expect("an answer");
    assert_eq!(used, client.out.len());
    answer
}

fn get(fields: &str) -> String {
    format!("GET /report HTTP/1.1\r\nHost: x\r\n{fields}\r\n")
}

#[test]
fn a_report_is_not_cacheable_and_ignores_ranges() {
    for fields in ["", "Range: bytes=0-1\r\n", "If-None-Match: \"1\"\r\n", "If-Match: *\r\n"] {
        let answer = report(&get(fields), true);
        assert_eq!((answer.status, &answer.body[..]), (200, &b"how it is\n"[..]), "{fields}");
        assert_eq!(answer.field("Cache-Control"), Ok(Some(&b"no-store"[..])));
        for name in ["ETag", "Last-Modified", "Accept-Ranges", "Retry-After"] {
            assert_eq!(answer.field(name), Ok(None), "{name}");
        }
    }
    assert_eq!(report(&get("If-Match: \"1\"\r\n"), true).status, 412);
    let unmodified = report(&get("If-None-Match: *\r\n"), true);
    assert_eq!(unmodified.status, 304);
    assert_eq!(unmodified.field("Cache-Control"), Ok(Some(&b"no-store"[..])));
}

#[test]
fn a_report_of_an_unhealthy_server_is_503() {
    let answer = report(&get(""), false);
    assert_eq!((answer.status, &answer.body[..]), (503, &b"how it is\n"[..]));
    assert_eq!(answer.field("Retry-After"), Ok(Some(&b"5"[..])));
    // Conditions are ignored if the status would not be 2xx (RFC 9110 §13.2.1).
    for fields in ["If-Match: \"1\"\r\n", "If-None-Match: *\r\n"] {
        assert_eq!(report(&get(fields), false).status, 503, "{fields}");
    }
}

#[test]
fn without_a_guestbook_its_path_is_that_of_a_file() {
    let request = |method| format!("{method} /guestbook HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_eq!(report(&request("GET"), true).status, 200);
    let options = report(&request("OPTIONS"), true);
    assert_eq!(options.field("Allow"), Ok(Some(&b"GET, HEAD, OPTIONS"[..])));
    let all = report("OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", true);
    assert_eq!(all.field("Allow"), Ok(Some(&b"GET, HEAD, OPTIONS"[..])));
}

#[test]
fn a_client_beyond_the_limit_gets_a_whole_answer() {
    let client = Client::new();
    let bytes = too_many_connections(&client.app, client.now);
    let (answer, used) = read_answer(&bytes, false).expect("HTTP").expect("an answer");
    assert_eq!((answer.status, used), (503, bytes.len()));
    assert_eq!(answer.field("Connection"), Ok(Some(&b"close"[..])));
    assert_eq!(answer.field("Retry-After"), Ok(Some(&b"5"[..])));
    assert!(answer.field("Date").is_ok_and(|date| date.is_some()));
    assert!(!answer.body.is_empty());
}
