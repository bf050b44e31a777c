//! Files: sent in pieces, changed while they are sent, and missing.

use zerohttpd_core::{
    AssetError, Body, CloseReason, Completion, Operation, Sent, Ticket, Timeout, Want, limits,
};

use crate::client::{Client, get};
use crate::script::read_answer;
use crate::world::Handle;

const PIECE: usize = limits::PIECE_BYTES as usize;

/// The content of a file, in which bytes at different places differ.
fn bytes(len: usize) -> Vec<u8> {
    (0..len).map(|at| (at / 7 + at / 1009) as u8).collect()
}

/// Polls, and returns the ticket of the file that is to be opened.
fn ticket(client: &mut Client) -> Ticket {
    let Want::Perform(ticket, Operation::Open(..)) = client.poll() else {
        panic!("a file is opened")
    };
    ticket
}

/// A client that has asked for a file of `len` bytes. The file is open.
fn asked_for(len: usize) -> Client {
    let mut client = Client::new();
    client.conn.received(&get("/large.bin"));
    let ticket = ticket(&mut client);
    client.conn.completed(
        ticket,
        Completion::Opened(Ok(Handle::new(bytes(len), "application/octet-stream"))),
    );
    client
}

#[test]
fn a_large_file_is_sent_in_bounded_pieces() {
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
            assert_eq!(transmit.rest, (len - to) as u64, "the rest of the file");
            assert_eq!(transmit.head.is_empty(), pieces > 1, "only the first piece has a head");
            client.deliver(transmit);
            assert_eq!(client.log.len(), usize::from(to == len), "logged when it is whole");
        }
        assert_eq!(pieces, len.div_ceil(PIECE).max(1));
        let (answer, used) = read_answer(&client.out, false).unwrap().expect("an answer");
        assert_eq!(used, client.out.len());
        assert!(answer.body == bytes(len), "{len} bytes, in order");
        assert_eq!(client.log[0].body_bytes, len as u64);
        client.get("/hello.txt");
        assert_eq!(client.statuses(), [200, 200], "the connection stays open");
    }
}

#[test]
fn a_head_request_for_a_large_file_gets_none_of_it() {
    let mut client = Client::new();
    client.site.add("large.bin", bytes(3 * PIECE));
    client.push(b"HEAD /large.bin HTTP/1.1\r\nHost: x\r\n\r\n");
    let (answer, used) = read_answer(&client.out, true).unwrap().expect("an answer");
    assert_eq!(used, client.out.len());
    assert_eq!(answer.field("Content-Length"), Ok(Some(&b"786432"[..])));
    assert_eq!(client.log[0].body_bytes, 0);
}

#[test]
fn a_file_that_shrinks_while_it_is_sent_ends_the_connection() {
    let mut client = asked_for(2 * PIECE);
    let first = client.poll_transmit();
    assert!(client.conn.sent(first, Sent::Whole).is_none());
    let second = client.poll_transmit();
    assert!(client.conn.sent(second, Sent::Short(500)).is_none(), "the response is not whole");
    client.perform_all();
    assert_eq!(client.end, Some(CloseReason::Truncated));
    let cut_short = client.cut_short.expect("a response that was cut short");
    assert_eq!((cut_short.status, cut_short.body_bytes), (200, PIECE as u64 + 500));
}

#[test]
fn a_file_that_can_not_be_opened_has_a_status_for_each_reason() {
    for (why, status, retry) in [
        (AssetError::Missing, 404, false),
        (AssetError::Folder, 301, false),
        (AssetError::Busy, 503, true),
        (AssetError::Unreadable, 500, false),
    ] {
        let mut client = Client::new();
        client.conn.received(&get("/file"));
        let ticket = ticket(&mut client);
        client.conn.completed(ticket, Completion::Opened(Err(why)));
        client.perform_all();
        let (answer, _) = read_answer(&client.out, false).unwrap().expect("an answer");
        assert_eq!(answer.status, status, "{why:?}");
        assert_eq!(answer.field("Retry-After").unwrap().is_some(), retry, "{why:?}");
    }
}

#[test]
fn an_internal_error_ends_the_connection() {
    let mut client = Client::new();
    client.conn.received(&get("/file"));
    let ticket = ticket(&mut client);
    client.conn.completed(ticket, Completion::Opened(Err(AssetError::Unreadable)));
    client.perform_all();
    let (answer, _) = read_answer(&client.out, false).unwrap().expect("an answer");
    assert_eq!(answer.field("Connection"), Ok(Some(&b"close"[..])));
    assert!(client.server_has_shut);
}

/// A driver on io_uring or with a pool of threads can open a file after its request has timed out.
#[test]
fn a_file_that_comes_too_late_is_not_taken_for_the_next_one() {
    let mut client = Client::new();
    client.conn.received(&get("/slow.txt").repeat(2));
    let first = ticket(&mut client);
    assert_eq!(client.timer(), Some((Timeout::File, limits::FILE_TIMEOUT_MS)));
    client.advance_clock(limits::FILE_TIMEOUT_MS);
    let second = loop {
        match client.poll() {
            Want::Perform(ticket, Operation::Open(..)) => break ticket,
            Want::Send(transmit) => client.deliver(transmit),
            other => panic!("{other:?}"),
        }
    };
    client
        .conn
        .completed(first, Completion::Opened(Ok(Handle::new(b"late".to_vec(), "text/plain"))));
    assert!(matches!(client.poll(), Want::Wait), "the file of the first request is ignored");
    client
        .conn
        .completed(second, Completion::Opened(Ok(Handle::new(b"mine".to_vec(), "text/plain"))));
    client.perform_all();
    assert_eq!(client.statuses(), [503, 200]);
    assert!(client.out.ends_with(b"mine"));
}

#[test]
fn a_file_opened_for_a_client_that_left_is_closed() {
    let mut client = Client::new();
    client.conn.received(&get("/hello.txt"));
    let ticket = ticket(&mut client);
    client.conn.reset();
    client.conn.completed(ticket, Completion::Opened(Ok(Handle::new(bytes(5), "text/plain"))));
    assert!(matches!(client.poll(), Want::Close(CloseReason::HungUp, None)));
}
