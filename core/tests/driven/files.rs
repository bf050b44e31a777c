//! Files: in pieces, changed under way, and not to be had.

use zero_core::{Body, Closing, NoAsset, Sent, Want, limits};

use crate::client::{Client, get};
use crate::script::read_answer;
use crate::world::Handle;

const PIECE: usize = limits::PIECE_BYTES as usize;

/// A file whose bytes say where they stand.
fn bytes(len: usize) -> Vec<u8> {
    (0..len).map(|at| (at / 7 + at / 1009) as u8).collect()
}

fn asked_for(len: usize) -> Client {
    let mut client = Client::new();
    client.conn.received(&get("/large.bin"));
    assert!(matches!(client.poll(), Want::Open(..)));
    client.conn.opened(Ok(Handle::new(bytes(len), "application/octet-stream")));
    client
}

#[test]
fn a_large_file_leaves_in_bounded_pieces() {
    let sizes = [0, 1, PIECE - 1, PIECE, PIECE + 1, 2 * PIECE, 3 * PIECE + 17];
    for len in sizes {
        let mut client = asked_for(len);
        let mut pieces = 0;
        while let Want::Send(transmit) = client.poll() {
            pieces += 1;
            let (from, to) = match &transmit.body {
                Body::File { from, to, .. } => (*from as usize, *to as usize),
                Body::None if len == 0 => (0, 0),
                other => panic!("{other:?}"),
            };
            assert_eq!(from, (pieces - 1) * PIECE, "pieces follow each other");
            assert!(to - from <= PIECE, "of {len}");
            assert_eq!(transmit.rest, (len - to) as u64, "what will follow");
            assert_eq!(transmit.head.is_empty(), pieces > 1, "one head");
            client.deliver(transmit);
            assert_eq!(client.log.len(), usize::from(to == len), "logged when it is whole");
        }
        assert_eq!(pieces, len.div_ceil(PIECE).max(1));
        let (answer, used) = read_answer(&client.out, false).unwrap().expect("an answer");
        assert_eq!(used, client.out.len());
        assert!(answer.body == bytes(len), "{len} bytes, in order");
        assert_eq!(client.log[0].body_bytes, len as u64);
        client.get("/hello.txt");
        assert_eq!(client.statuses(), [200, 200], "the connection goes on");
    }
}

#[test]
fn a_head_of_a_large_file_sends_none_of_it() {
    let mut client = Client::new();
    client.site.add("large.bin", bytes(3 * PIECE));
    client.push(b"HEAD /large.bin HTTP/1.1\r\nHost: x\r\n\r\n");
    let (answer, used) = read_answer(&client.out, true).unwrap().expect("an answer");
    assert_eq!(used, client.out.len());
    assert_eq!(answer.field("Content-Length"), Ok(Some(&b"786432"[..])));
    assert_eq!(client.log[0].body_bytes, 0);
}

#[test]
fn a_file_that_shrinks_under_way_ends_the_connection_and_never_pads() {
    let mut client = asked_for(2 * PIECE);
    let first = client.sending();
    assert!(client.conn.sent(first, Sent::Whole).is_none());
    let second = client.sending();
    assert!(client.conn.sent(second, Sent::Short).is_none(), "it is not complete");
    assert!(matches!(client.poll(), Want::Close(Closing::Truncated)));
    let unfinished = client.conn.unfinished().expect("it was begun");
    assert_eq!((unfinished.status, unfinished.body_bytes), (200, PIECE as u64));
}

#[test]
fn a_file_that_can_not_be_had_says_why_by_its_status() {
    for (why, status, retry) in [
        (NoAsset::Missing, 404, false),
        (NoAsset::Folder, 301, false),
        (NoAsset::Busy, 503, true),
        (NoAsset::Unreadable, 500, false),
    ] {
        let mut client = Client::new();
        client.conn.received(&get("/file"));
        assert!(matches!(client.poll(), Want::Open(..)));
        client.conn.opened(Err(why));
        client.settle();
        let (answer, _) = read_answer(&client.out, false).unwrap().expect("an answer");
        assert_eq!(answer.status, status, "{why:?}");
        assert_eq!(answer.field("Retry-After").unwrap().is_some(), retry, "{why:?}");
    }
}

#[test]
fn an_internal_error_ends_the_connection() {
    let mut client = Client::new();
    client.conn.received(&get("/file"));
    assert!(matches!(client.poll(), Want::Open(..)));
    client.conn.opened(Err(NoAsset::Unreadable));
    client.settle();
    let (answer, _) = read_answer(&client.out, false).unwrap().expect("an answer");
    assert_eq!(answer.field("Connection"), Ok(Some(&b"close"[..])));
    assert!(client.shut);
}

#[test]
fn a_file_that_was_opened_for_nobody_is_let_go() {
    let mut client = Client::new();
    client.conn.received(&get("/hello.txt"));
    assert!(matches!(client.poll(), Want::Open(..)));
    client.conn.hung_up();
    client.conn.opened(Ok(Handle::new(bytes(5), "text/plain")));
    assert!(matches!(client.poll(), Want::Close(Closing::HungUp)));
}
