//! Reports, which are made anew each time, and what is said to a client who is one too many.

use zero_core::app::crowded;
use zero_core::{Facts, Want};

use crate::client::Client;
use crate::script::{Answer, read_answer};
use crate::world::Handle;

/// What a request for a report gets.
fn report(request: &str, is_well: bool) -> Answer {
    let mut client = Client::new();
    client.app.guestbook = false;
    client.conn.received(request.as_bytes());
    match client.poll() {
        Want::Open(..) => {
            let text = b"how it is\n".to_vec();
            let facts = Facts::report(text.len() as u64, "text/plain", is_well);
            client.conn.opened(Ok(Handle::with(facts, text)));
        }
        Want::Send(transmit) => client.deliver(transmit),
        other => panic!("{other:?}"),
    }
    client.settle();
    let (answer, used) = read_answer(&client.out, false).expect("HTTP").expect("an answer");
    assert_eq!(used, client.out.len());
    answer
}

fn get(fields: &str) -> String {
    format!("GET /report HTTP/1.1\r\nHost: x\r\n{fields}\r\n")
}

#[test]
fn a_report_is_nobody_s_to_keep_and_has_no_parts() {
    for fields in ["", "Range: bytes=0-1\r\n", "If-None-Match: \"1\"\r\n", "If-Match: *\r\n"] {
        let answer = report(&get(fields), true);
        assert_eq!((answer.status, &answer.body[..]), (200, &b"how it is\n"[..]), "{fields}");
        assert_eq!(answer.field("Cache-Control"), Ok(Some(&b"no-store"[..])));
        for name in ["ETag", "Last-Modified", "Accept-Ranges", "Retry-After"] {
            assert_eq!(answer.field(name), Ok(None), "{name}");
        }
    }
    for fields in ["If-Match: \"1\"\r\n", "If-None-Match: *\r\n"] {
        assert_eq!(report(&get(fields), true).status, 412, "{fields}");
    }
}

#[test]
fn a_report_of_trouble_is_503() {
    let answer = report(&get(""), false);
    assert_eq!((answer.status, &answer.body[..]), (503, &b"how it is\n"[..]));
    assert_eq!(answer.field("Retry-After"), Ok(Some(&b"5"[..])));
}

#[test]
fn where_there_is_no_guestbook_there_are_files_of_that_name() {
    let request = |method| format!("{method} /guestbook HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_eq!(report(&request("GET"), true).status, 200);
    let options = report(&request("OPTIONS"), true);
    assert_eq!(options.field("Allow"), Ok(Some(&b"GET, HEAD, OPTIONS"[..])));
    let all = report("OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", true);
    assert_eq!(all.field("Allow"), Ok(Some(&b"GET, HEAD, OPTIONS"[..])));
}

#[test]
fn a_client_who_is_one_too_many_gets_a_whole_answer() {
    let client = Client::new();
    let bytes = crowded(&client.app, client.now);
    let (answer, used) = read_answer(&bytes, false).expect("HTTP").expect("an answer");
    assert_eq!((answer.status, used), (503, bytes.len()));
    assert_eq!(answer.field("Connection"), Ok(Some(&b"close"[..])));
    assert_eq!(answer.field("Retry-After"), Ok(Some(&b"5"[..])));
    assert!(answer.field("Date").is_ok_and(|date| date.is_some()));
    assert!(!answer.body.is_empty());
}
