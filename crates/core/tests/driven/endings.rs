//! The end of a connection in each of its states: closed by the driver, reset, or finished.

use zerohttpd_core::{
    App, CloseReason, Completion, Connection, Operation, Sent, Timeout, Transmit, Want,
};

use crate::client::{Client, SIGNED, get};
use crate::world::Handle;

/// A connection in a certain state, and the want that the driver has not performed yet.
struct InState {
    name: &'static str,
    client: Client,
    want: Option<Want<Handle, Operation>>,
}

const EXPECTING: &[u8] = b"POST /guestbook HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n\
    Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 34\r\n\r\n";

/// A connection after `input`. With `leaves_want`, the want that follows is not performed.
fn in_state(name: &'static str, input: &[u8], leaves_want: bool) -> InState {
    let mut client = Client::new();
    client.perform_all();
    let want = if leaves_want {
        client.conn.received(input);
        Some(client.poll())
    } else {
        client.push(input);
        None
    };
    InState { name, client, want }
}

/// Every state in which a connection can be found between two calls.
fn every_state() -> Vec<InState> {
    let half = SIGNED.len() - 10;
    let mut piece = large();
    let first = piece.poll_transmit();
    assert!(piece.conn.sent(first, Sent::Whole).is_none(), "the response is not whole");
    let second = piece.poll();
    let mut sending = in_state("sending", &get("/missing"), true);
    // First the file, then the site's own 404 page; neither exists.
    for _ in 0..2 {
        let Some(Want::Perform(ticket, Operation::Open(path, _))) = sending.want.take() else {
            panic!("a file is opened")
        };
        sending.client.conn.completed(ticket, Completion::Opened(sending.client.site.open(&path)));
        sending.want = Some(sending.client.poll());
    }
    vec![
        in_state("accepted", b"", false),
        in_state("half a head", b"GET /hello.txt HT", false),
        in_state("idle", &get("/hello.txt"), false),
        in_state("half a body", &SIGNED[..half], false),
        in_state("sending 100", EXPECTING, true),
        in_state("awaiting a file", &get("/hello.txt"), true),
        in_state("awaiting the store", &get("/guestbook"), true),
        sending,
        InState { name: "a later piece", client: piece, want: Some(second) },
        in_state("lingering", b"nonsense\r\n", false),
    ]
}

/// A client that has asked for a file of three pieces. The file is open.
fn large() -> Client {
    let mut client = Client::new();
    client.site.add("large.bin", vec![b'l'; 600 * 1024]);
    client.conn.received(&get("/large.bin"));
    client.open();
    client
}

/// Performs the want, sends the rest of the request, and performs all wants that follow.
fn finish_request(state: &mut InState) {
    let client = &mut state.client;
    match state.want.take() {
        Some(Want::Perform(ticket, Operation::Open(path, _))) => {
            client.conn.completed(ticket, Completion::Opened(client.site.open(&path)));
        }
        Some(Want::Perform(ticket, Operation::Ask(query))) => {
            let reply = client.store.ask(&query);
            client.conn.completed(ticket, Completion::Answered(reply));
        }
        Some(Want::Send(transmit)) => client.deliver(transmit),
        other => assert!(other.is_none(), "{}: {other:?}", state.name),
    }
    client.perform_all();
    match state.name {
        "half a head" => client.push(b"TP/1.1\r\nHost: x\r\n\r\n"),
        "half a body" => client.push(&SIGNED[SIGNED.len() - 10..]),
        "sending 100" => client.push(b"guest-name=Ada&guest-remarks=Hello"),
        _ => {}
    }
}

#[test]
fn a_reset_ends_every_state_at_once() {
    for InState { name, mut client, .. } in every_state() {
        client.conn.reset();
        assert_eq!(client.conn.deadline(), None, "{name}");
        assert!(matches!(client.poll(), Want::Close(CloseReason::HungUp, _)), "{name}");
        client.conn.received(&get("/"));
        client.conn.close_when_idle();
        client.advance_clock(100_000);
        assert!(
            matches!(client.poll(), Want::Close(CloseReason::HungUp, _)),
            "{name}: still closed"
        );
        assert!(!client.conn.is_idle(), "{name}");
    }
}

#[test]
fn only_a_started_response_is_cut_short() {
    for InState { name, mut client, .. } in every_state() {
        client.conn.reset();
        client.perform_all();
        let expected = match name {
            "sending" => Some((404, 0, "GET /missing HTTP/1.1")),
            "a later piece" => Some((200, 256 * 1024, "GET /large.bin HTTP/1.1")),
            _ => None,
        };
        let found = client.cut_short.as_ref().map(|r| (r.status, r.body_bytes, r.line.as_str()));
        assert_eq!(found, expected, "{name}");
    }
}

#[test]
fn a_connection_to_close_when_idle_ends_at_once_or_after_its_response() {
    for mut state in every_state() {
        let name = state.name;
        let started = matches!(name, "sending" | "a later piece");
        let logged = state.client.log.len();
        state.client.conn.close_when_idle();
        finish_request(&mut state);
        let mut client = state.client;
        let answered = client.log.len() - logged;
        let out = String::from_utf8_lossy(&client.out).into_owned();
        match name {
            "accepted" | "idle" => {
                assert_eq!((answered, client.end), (0, Some(CloseReason::ClosedWhenIdle)))
            }
            "lingering" => assert_eq!((answered, client.end), (0, None), "it is ending already"),
            _ if started => {
                assert_eq!((answered, client.end), (1, Some(CloseReason::ClosedWhenIdle)), "{name}")
            }
            _ => {
                assert!(out.contains("\r\nConnection: close\r\n"), "{name}: {out}");
                assert!(client.server_has_shut, "{name}");
                client.stop();
                assert_eq!((answered, client.end), (1, Some(CloseReason::Done)), "{name}");
            }
        }
    }
}

#[test]
fn a_draining_connection_gives_one_more_response_however_late() {
    for mut state in every_state() {
        let name = state.name;
        let started = matches!(name, "sending" | "a later piece");
        let logged = state.client.log.len();
        state.client.conn.drain();
        finish_request(&mut state);
        let mut client = state.client;
        if name == "lingering" {
            assert_eq!((client.log.len(), client.end), (logged, None), "it is ending already");
            continue;
        }
        if started || client.log.len() == logged {
            // The connection is idle: the next request is answered, and none after it.
            assert_eq!(client.end, None, "{name}");
            client.conn.received(&[get("/hello.txt"), get("/empty.txt")].concat());
            client.perform_all();
        }
        let answered = client.log.len() - logged;
        assert_eq!(answered, if started { 2 } else { 1 }, "{name}");
        let out = String::from_utf8_lossy(&client.out).into_owned();
        assert_eq!(out.matches("\r\nConnection: close\r\n").count(), 1, "{name}: {out}");
        client.stop();
        assert_eq!(client.end, Some(CloseReason::Done), "{name}");
    }
}

#[test]
fn a_connection_to_close_when_idle_answers_one_more_pipelined_request() {
    let mut client = Client::new();
    client.conn.received(&[get("/hello.txt"), get("/empty.txt"), get("/folder/")].concat());
    client.open();
    let first = client.poll_transmit();
    client.conn.close_when_idle();
    client.deliver(first);
    client.perform_all();
    assert_eq!(client.statuses(), [200, 200], "the first did not say close, the second did");
    assert!(String::from_utf8_lossy(&client.out).ends_with("Connection: close\r\n\r\n"));
    assert!(client.server_has_shut);
}

#[test]
fn a_send_that_fails_ends_the_connection_and_its_bytes_are_logged() {
    type MakeSent = fn(u64) -> Sent;
    let cuts = [
        (Sent::Failed as MakeSent, CloseReason::HungUp),
        (Sent::Short, CloseReason::Truncated),
        (Sent::Late, CloseReason::TooSlow),
    ];
    for (outcome, why) in cuts {
        for body_bytes in [None, Some(0), Some(1000)] {
            let mut client = large();
            let transmit = client.poll_transmit();
            let bytes = body_bytes.map_or(7, |bytes| transmit.head.len() as u64 + bytes);
            assert!(client.conn.sent(transmit, outcome(bytes)).is_none());
            client.perform_all();
            assert_eq!(client.end, Some(why));
            let cut_short = client.cut_short.expect("a started answer");
            assert_eq!((cut_short.status, cut_short.body_bytes), (200, body_bytes.unwrap_or(0)));
        }
    }
}

#[test]
fn the_body_of_a_combined_buffer_is_counted_without_its_head() {
    let mut client = Client::new();
    client.conn.received(&get("/guestbook/thanks"));
    let transmit = client.poll_transmit();
    let head = transmit.head.windows(4).position(|bytes| bytes == b"\r\n\r\n").expect("a head") + 4;
    client.conn.sent(transmit, Sent::Failed(head as u64 + 5));
    client.perform_all();
    assert_eq!(client.cut_short.map(|cut_short| cut_short.body_bytes), Some(5));
}

#[test]
fn a_failed_100_continue_ends_the_connection_and_is_not_logged() {
    let mut state = in_state("sending 100", EXPECTING, true);
    let Some(Want::Send(transmit)) = state.want.take() else { panic!("100 Continue is sent") };
    assert!(state.client.conn.sent(transmit, Sent::Failed(3)).is_none());
    assert!(matches!(state.client.poll(), Want::Close(CloseReason::HungUp, None)));
}

#[test]
fn a_transmit_that_is_reported_after_the_end_is_ignored() {
    let mut client = large();
    let transmit: Transmit<Handle> = client.poll_transmit();
    client.advance_clock(1_000_000);
    client.perform_all();
    assert_eq!(client.end, Some(CloseReason::TooSlow));
    assert!(client.conn.sent(transmit, Sent::Whole).is_none(), "the report comes too late");
    assert_eq!(client.cut_short.map(|cut_short| cut_short.body_bytes), Some(0));
}

#[test]
fn nothing_is_read_while_an_operation_is_under_way() {
    for mut state in every_state() {
        let has_want = state.want.is_some();
        for _ in 0..3 {
            let want = state.client.poll();
            match want {
                Want::Wait => assert!(has_want, "{}", state.name),
                Want::Read => assert!(!has_want, "{}", state.name),
                other => panic!("{}: {other:?}", state.name),
            }
            // More bytes change nothing while a want is not performed.
            if has_want {
                state.client.conn.received(b"GET / HTTP/1.1\r\n");
            }
        }
    }
}

#[test]
fn a_closed_connection_stays_closed_for_the_same_reason() {
    let ended = |end: fn(&mut Connection<App, Handle>)| {
        let mut client = Client::new();
        client.perform_all();
        end(&mut client.conn);
        client.perform_all();
        let why = client.end.expect("an end");
        client.advance_clock(1_000_000);
        assert!(matches!(client.poll(), Want::Close(again, None) if again == why), "after {why}");
        assert_eq!(client.conn.deadline(), None, "nothing is waited for after {why}");
    };
    ended(|conn| conn.reset());
    ended(|conn| conn.close_when_idle());
    ended(|conn| {
        conn.received(&[]);
    });
}

#[test]
fn an_error_response_lingers_until_the_client_has_seen_it() {
    let mut client = Client::new();
    client.push(b"POST /hello.txt HTTP/1.1\r\nHost: x\r\nContent-Length: 70000\r\n\r\nsome of it");
    assert_eq!(client.statuses(), [413]);
    assert!(client.server_has_shut, "the client sees the end although it still sends");
    assert_eq!(client.timer(), Some((Timeout::Linger, 2_000)));
    for _ in 0..100 {
        client.push(&[b'x'; 60_000]);
        assert_eq!(client.end, None, "only time limits the input that is discarded");
    }
    client.stop();
    assert_eq!(client.end, Some(CloseReason::Done));
    assert_eq!(client.statuses(), [413], "discarded input gets no answer");
}

#[test]
fn no_linger_after_connection_close_without_further_input() {
    let mut client = Client::new();
    client.push(b"GET /hello.txt HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    assert_eq!((client.server_has_shut, client.end), (false, Some(CloseReason::Done)));
    let mut client = Client::new();
    client.push(b"GET /hello.txt HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\nmore");
    assert_eq!(
        (client.server_has_shut, client.end),
        (true, None),
        "a reset could destroy the answer"
    );
}

#[test]
fn linger_after_connection_close_with_further_input() {
    let mut client = Client::new();
    client.conn.received(b"GET /hello.txt HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    client.open();
    let transmit = client.poll_transmit();
    client.deliver(transmit);
    for _ in 0..2 {
        assert!(matches!(client.poll(), Want::Peek));
    }
    client.conn.peeked(true);
    client.perform_all();
    assert_eq!((client.server_has_shut, client.end), (true, None));
    assert!(client.conn.has_unread());
    client.conn.peeked(false);
    client.stop();
    assert_eq!(client.end, Some(CloseReason::Done));
}
