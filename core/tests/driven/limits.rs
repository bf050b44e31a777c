//! Bounds that no script can reach: requests to a connection, and input that is not worked off.

use zero_core::{Closing, Connection, Limits, Want, limits};

use crate::client::{Client, SIGNED, get};
use crate::world::Handle;

fn says_close(client: &mut Client) -> bool {
    String::from_utf8_lossy(&client.take()).contains("\r\nConnection: close\r\n")
}

#[test]
fn the_last_request_that_a_connection_may_make_is_told_so() {
    let most = Limits { requests_per_connection: 3, ..Limits::default() };
    let mut client = Client::with(most.clone());
    client.get("/hello.txt");
    client.get("/missing");
    assert!(!says_close(&mut client));
    client.get("/hello.txt");
    assert!(says_close(&mut client) && client.shut);
    let mut client = Client::with(most);
    client.push(&get("/hello.txt").repeat(5));
    assert_eq!(client.statuses(), [200; 3], "pipelined ones count too");
}

#[test]
fn without_patience_for_another_request_each_answer_is_the_last() {
    for (head, name) in [
        ("GET /hello.txt HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1"),
        ("GET /hello.txt HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", "HTTP/1.0"),
    ] {
        let mut client = Client::with(Limits { keep_alive_timeout_ms: 0, ..Limits::default() });
        client.push(head.as_bytes());
        assert!(says_close(&mut client) && client.shut, "{name}");
        client.stop();
        assert_eq!(client.end, Some(Closing::Done), "{name}");
    }
}

#[test]
fn input_is_kept_while_an_answer_is_owed_up_to_a_bound() {
    let mut client = Client::new();
    client.conn.received(&get("/guestbook"));
    let Want::Ask(ticket, query) = client.poll() else { panic!("a question") };
    let request = get("/empty.txt");
    let fit = (limits::INPUT_BYTES - get("/guestbook").len()) / request.len();
    for _ in 0..fit {
        client.conn.received(&request);
    }
    assert!(matches!(client.poll(), Want::Wait));
    let reply = client.store.ask(&query);
    client.conn.answered(ticket, reply);
    client.settle();
    assert_eq!(client.statuses(), vec![200; fit + 1], "all that was kept is answered");
}

#[test]
fn a_client_that_floods_while_an_answer_is_owed_is_dropped() {
    let mut client = Client::new();
    client.conn.received(&get("/guestbook"));
    assert!(matches!(client.poll(), Want::Ask(..)));
    let left = limits::INPUT_BYTES - get("/guestbook").len();
    client.conn.received(&vec![b'x'; left]);
    assert!(matches!(client.poll(), Want::Wait), "the bound itself is within it");
    client.conn.received(b"x");
    assert!(matches!(client.poll(), Want::Close(Closing::Flood)));
}

#[test]
fn everything_legal_fits_beside_a_scratch_buffer_of_64_kib() {
    let largest = [
        format!("GET /{} HTTP/1.1\r\nHost: x\r\n", "a".repeat(8_000)),
        format!("Cookie: {}\r\nContent-Length: 65536\r\n\r\n", "c".repeat(16_000)),
        "b".repeat(65_536),
    ]
    .concat()
    .into_bytes();
    let mut client = Client::new();
    let scratch = 64 * 1024;
    for piece in largest.repeat(5).chunks(scratch) {
        client.push(piece);
    }
    assert_eq!((client.statuses(), client.end), (vec![404; 5], None));
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
    assert!(size_of::<Connection<Handle>>() <= 160, "{}", size_of::<Connection<Handle>>());
    assert_eq!(size_of::<Handle>(), size_of::<std::sync::Arc<()>>(), "as with a driver's handle");
}
