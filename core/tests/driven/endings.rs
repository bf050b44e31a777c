//! How a connection ends: retired, hung up or finished, in each of its states.

use zero_core::{Closing, Connection, Patience, Sent, Transmit, Want};

use crate::client::{Client, Record, SIGNED, get};
use crate::world::Handle;

/// A connection in a certain state, and what it is owed there.
struct At {
    name: &'static str,
    client: Client,
    owed: Option<Want<Handle>>,
}

const EXPECTING: &[u8] = b"POST /guestbook HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n\
    Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 34\r\n\r\n";

fn at(name: &'static str, input: &[u8], owes: bool) -> At {
    let mut client = Client::new();
    client.settle();
    let owed = if owes {
        client.conn.received(input);
        Some(client.poll())
    } else {
        client.push(input);
        None
    };
    At { name, client, owed }
}

/// Every state in which a connection can be found between two calls.
fn every_state() -> Vec<At> {
    let half = SIGNED.len() - 10;
    let mut piece = large();
    let first = piece.sending();
    assert!(piece.conn.sent(first, Sent::Whole).is_none(), "more is to come");
    let second = piece.poll();
    let mut sending = at("sending", &get("/missing"), true);
    // The file first, then the site's own page for what is not there.
    for _ in 0..2 {
        let Some(Want::Open(path, _)) = sending.owed.take() else { panic!("a file is opened") };
        sending.client.conn.opened(sending.client.site.open(&path));
        sending.owed = Some(sending.client.poll());
    }
    vec![
        at("accepted", b"", false),
        at("half a head", b"GET /hello.txt HT", false),
        at("idle", &get("/hello.txt"), false),
        at("half a body", &SIGNED[..half], false),
        at("encouraging", EXPECTING, true),
        at("opening", &get("/hello.txt"), true),
        at("asking", &get("/guestbook"), true),
        sending,
        At { name: "a later piece", client: piece, owed: Some(second) },
        at("lingering", b"nonsense\r\n", false),
    ]
}

/// A client that asked for a file of three pieces, which is open.
fn large() -> Client {
    let mut client = Client::new();
    client.site.add("large.bin", vec![b'l'; 600 * 1024]);
    client.conn.received(&get("/large.bin"));
    let Want::Open(path, _) = client.poll() else { panic!("a file is opened") };
    client.conn.opened(client.site.open(&path));
    client
}

/// Pays what is owed, sends what is missing of the request, and whatever comes of that.
fn carry_on(at: &mut At) {
    let client = &mut at.client;
    match at.owed.take() {
        Some(Want::Open(path, _)) => client.conn.opened(client.site.open(&path)),
        Some(Want::Ask(ticket, query)) => {
            let reply = client.store.ask(&query);
            client.conn.answered(ticket, reply);
        }
        Some(Want::Send(transmit)) => client.deliver(transmit),
        other => assert!(other.is_none(), "{}: {other:?}", at.name),
    }
    client.settle();
    match at.name {
        "half a head" => client.push(b"TP/1.1\r\nHost: x\r\n\r\n"),
        "half a body" => client.push(&SIGNED[SIGNED.len() - 10..]),
        "encouraging" => client.push(b"guest-name=Ada&guest-remarks=Hello"),
        _ => {}
    }
}

#[test]
fn a_hang_up_ends_every_state_at_once() {
    for At { name, mut client, .. } in every_state() {
        client.conn.hung_up();
        assert_eq!(client.conn.deadline(), None, "{name}");
        assert!(matches!(client.poll(), Want::Close(Closing::HungUp)), "{name}");
        client.conn.received(&get("/"));
        client.conn.retire();
        client.later(100_000);
        assert!(matches!(client.poll(), Want::Close(Closing::HungUp)), "{name}: for good");
        assert!(!client.conn.is_idle(), "{name}");
    }
}

#[test]
fn only_an_answer_that_was_begun_is_unfinished_business() {
    for At { name, mut client, .. } in every_state() {
        assert!(client.conn.unfinished().is_none(), "{name}: it still goes on");
        client.conn.hung_up();
        let unfinished = client.conn.unfinished().map(|served| Record::of(&served));
        let expected = match name {
            "sending" => Some((404, 0, "GET /missing HTTP/1.1")),
            "a later piece" => Some((200, 256 * 1024, "GET /large.bin HTTP/1.1")),
            _ => None,
        };
        let found = unfinished.as_ref().map(|r| (r.status, r.body_bytes, r.line.as_str()));
        assert_eq!(found, expected, "{name}");
    }
}

#[test]
fn a_retired_connection_ends_at_once_if_idle_else_after_its_answer() {
    for mut state in every_state() {
        let name = state.name;
        let begun = matches!(name, "sending" | "a later piece");
        let logged = state.client.log.len();
        state.client.conn.retire();
        carry_on(&mut state);
        let mut client = state.client;
        let given = client.log.len() - logged;
        let out = String::from_utf8_lossy(&client.out).into_owned();
        match name {
            "accepted" | "idle" => assert_eq!((given, client.end), (0, Some(Closing::Retired))),
            "lingering" => assert_eq!((given, client.end), (0, None), "it is ending already"),
            _ if begun => assert_eq!((given, client.end), (1, Some(Closing::Retired)), "{name}"),
            _ => {
                assert!(out.contains("\r\nConnection: close\r\n"), "{name}: {out}");
                assert!(client.shut, "{name}");
                client.stop();
                assert_eq!((given, client.end), (1, Some(Closing::Done)), "{name}");
            }
        }
    }
}

#[test]
fn a_connection_that_winds_down_gives_one_answer_more_however_late() {
    for mut state in every_state() {
        let name = state.name;
        let begun = matches!(name, "sending" | "a later piece");
        let logged = state.client.log.len();
        state.client.conn.wind_down();
        carry_on(&mut state);
        let mut client = state.client;
        if name == "lingering" {
            assert_eq!((client.log.len(), client.end), (logged, None), "it is ending already");
            continue;
        }
        if begun || client.log.len() == logged {
            // It is idle, as ever: what comes now is answered, and nothing after it.
            assert_eq!(client.end, None, "{name}");
            client.conn.received(&[get("/hello.txt"), get("/empty.txt")].concat());
            client.settle();
        }
        let given = client.log.len() - logged;
        assert_eq!(given, if begun { 2 } else { 1 }, "{name}");
        let out = String::from_utf8_lossy(&client.out).into_owned();
        assert_eq!(out.matches("\r\nConnection: close\r\n").count(), 1, "{name}: {out}");
        client.stop();
        assert_eq!(client.end, Some(Closing::Done), "{name}");
    }
}

#[test]
fn a_retired_connection_answers_one_pipelined_request_more_and_says_close() {
    let mut client = Client::new();
    client.conn.received(&[get("/hello.txt"), get("/empty.txt"), get("/folder/")].concat());
    let Want::Open(path, _) = client.poll() else { panic!("a file is opened") };
    client.conn.opened(client.site.open(&path));
    let first = client.sending();
    client.conn.retire();
    client.deliver(first);
    client.settle();
    assert_eq!(client.statuses(), [200, 200], "the first did not say close, the second did");
    assert!(String::from_utf8_lossy(&client.out).ends_with("Connection: close\r\n\r\n"));
    assert!(client.shut);
}

#[test]
fn a_send_that_fails_ends_the_connection_and_is_unfinished() {
    for (outcome, why) in [(Sent::Failed, Closing::HungUp), (Sent::Short, Closing::Truncated)] {
        let mut client = large();
        let transmit = client.sending();
        assert!(client.conn.sent(transmit, outcome).is_none());
        assert!(matches!(client.poll(), Want::Close(end) if end == why));
        let unfinished = client.conn.unfinished().expect("a begun answer");
        assert_eq!((unfinished.status, unfinished.body_bytes), (200, 0));
    }
}

#[test]
fn an_encouragement_that_fails_ends_the_connection_and_is_no_answer() {
    let mut state = at("encouraging", EXPECTING, true);
    let Some(Want::Send(transmit)) = state.owed.take() else { panic!("100 Continue is sent") };
    assert!(state.client.conn.sent(transmit, Sent::Failed).is_none());
    assert!(matches!(state.client.poll(), Want::Close(Closing::HungUp)));
    assert!(state.client.conn.unfinished().is_none());
}

#[test]
fn a_transmit_outlives_its_connection_and_is_ignored_then() {
    let mut client = large();
    let transmit: Transmit<Handle> = client.sending();
    client.later(1_000_000);
    assert!(matches!(client.poll(), Want::Close(Closing::TooSlow)));
    let Client { conn, .. } = &mut client;
    assert!(conn.sent(transmit, Sent::Whole).is_none(), "it was given up");
    assert_eq!(conn.unfinished().map(|served| served.body_bytes), Some(0));
}

#[test]
fn what_is_owed_is_waited_for_and_nothing_is_read_meanwhile() {
    for mut state in every_state() {
        let owes = state.owed.is_some();
        for _ in 0..3 {
            let want = state.client.poll();
            match want {
                Want::Wait => assert!(owes, "{}", state.name),
                Want::Read => assert!(!owes, "{}", state.name),
                other => panic!("{}: {other:?}", state.name),
            }
            // More bytes change nothing while an answer is owed.
            if owes {
                state.client.conn.received(b"GET / HTTP/1.1\r\n");
            }
        }
    }
}

#[test]
fn a_closed_connection_stays_closed_for_the_same_reason() {
    let ended = |end: fn(&mut Connection<Handle>)| {
        let mut client = Client::new();
        client.settle();
        end(&mut client.conn);
        client.settle();
        let why = client.end.expect("an end");
        client.later(1_000_000);
        assert!(matches!(client.poll(), Want::Close(again) if again == why), "after {why}");
        assert_eq!(client.conn.deadline(), None, "nothing is waited for after {why}");
    };
    ended(|conn| conn.hung_up());
    ended(|conn| conn.retire());
    ended(|conn| conn.received(&[]));
}

#[test]
fn a_refusal_lingers_until_the_client_has_seen_it() {
    let mut client = Client::new();
    client.push(b"POST /hello.txt HTTP/1.1\r\nHost: x\r\nContent-Length: 70000\r\n\r\nsome of it");
    assert_eq!(client.statuses(), [413]);
    assert!(client.shut, "the client sees the end although it still sends");
    assert_eq!(client.patience(), Some((Patience::Goodbye, 2_000)));
    for _ in 0..100 {
        client.push(&[b'x'; 60_000]);
        assert_eq!(client.end, None, "what is unread is drained, and bounded by time alone");
    }
    client.stop();
    assert_eq!(client.end, Some(Closing::Done));
    assert_eq!(client.statuses(), [413], "nothing of what was drained is answered");
}

#[test]
fn a_client_that_said_close_and_sent_no_more_is_not_lingered_for() {
    let mut client = Client::new();
    client.push(b"GET /hello.txt HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    assert_eq!((client.shut, client.end), (false, Some(Closing::Done)));
    let mut client = Client::new();
    client.push(b"GET /hello.txt HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\nmore");
    assert_eq!((client.shut, client.end), (true, None), "a reset would take the answer back");
}
