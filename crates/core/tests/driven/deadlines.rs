//! Deadlines, to the millisecond: what a connection waits for, for how long, and what it does then.

use zerohttpd_core::{CloseReason, Completion, Limits, Operation, Sent, Timeout, Want};

use crate::client::{Client, SIGNED, get, wire};

/// Lets the deadline pass. Checks that nothing happens a millisecond before it.
fn run_out(client: &mut Client) {
    let (on, left) = client.timer().expect("a deadline");
    client.advance_clock(left - 1);
    let (end, answers) = (client.end, client.log.len());
    client.expect_no_change();
    assert_eq!((client.end, client.log.len()), (end, answers), "{on:?} a millisecond early");
    client.advance_clock(1);
    client.perform_all();
}

impl Client {
    /// Polls, and checks that the connection still waits.
    fn expect_no_change(&mut self) {
        match self.poll() {
            Want::Wait | Want::Read => {}
            other => panic!("{other:?} before the deadline"),
        }
    }
}

fn status_line(client: &Client) -> &str {
    let end = client.out.iter().position(|&byte| byte == b'\r').unwrap_or(0);
    std::str::from_utf8(&client.out[..end]).expect("a status line")
}

#[test]
fn the_time_for_the_first_head_starts_with_the_accept() {
    let mut client = Client::new();
    client.perform_all();
    assert_eq!(client.timer(), Some((Timeout::FirstByte, 10_000)));
    assert!(client.conn.is_idle());
    client.advance_clock(9_000);
    client.push(b"GET /hello.txt HTTP/1.1\r\n");
    assert_eq!(client.timer(), Some((Timeout::Head, 1_000)), "a line adds no time");
    run_out(&mut client);
    assert_eq!(status_line(&client), "HTTP/1.1 408 Request Timeout");
    assert!(client.server_has_shut, "the answer ends the connection");
    assert_eq!(client.log[0].line, "GET /hello.txt HTTP/1.1");
}

#[test]
fn a_client_that_sends_nothing_gets_a_408() {
    let mut client = Client::new();
    client.perform_all();
    run_out(&mut client);
    assert_eq!(client.statuses(), [408]);
    assert_eq!(client.log[0].line, "");
}

#[test]
fn the_first_byte_can_be_due_before_the_head() {
    let limits = Limits { first_byte_timeout_ms: 3_000, ..Limits::default() };
    let mut silent = Client::with(limits.clone());
    silent.perform_all();
    assert_eq!(silent.timer(), Some((Timeout::FirstByte, 3_000)));
    silent.advance_clock(1_000);
    silent.push(b"\r\n");
    assert_eq!(silent.timer(), Some((Timeout::FirstByte, 2_000)), "an empty line is silence");
    run_out(&mut silent);
    assert_eq!(silent.statuses(), [408]);
    let mut client = Client::with(limits);
    client.perform_all();
    client.advance_clock(2_999);
    client.push(b"G");
    assert_eq!(client.timer(), Some((Timeout::Head, 7_001)), "10 s from the accept");
    run_out(&mut client);
    assert_eq!((client.statuses(), client.log[0].line.as_str()), (vec![408], "G"));
    // After the first request, the time between requests counts.
    client.reconnect();
    client.get("/hello.txt");
    assert_eq!(client.timer(), Some((Timeout::KeepAlive, 15_000)));
}

#[test]
fn silence_earns_no_time_for_the_first_head() {
    let mut client = Client::with(Limits { first_byte_timeout_ms: 60_000, ..Limits::default() });
    client.perform_all();
    assert_eq!(client.timer(), Some((Timeout::FirstByte, 10_000)), "the shorter time-out");
    client.advance_clock(4_000);
    client.push(b"G");
    assert_eq!(client.timer(), Some((Timeout::Head, 6_000)));
}

#[test]
fn a_client_that_sends_a_byte_at_a_time_gets_no_more_time() {
    let mut client = Client::new();
    client.perform_all();
    let mut sent = 0;
    for byte in get("/hello.txt").chunks(1).cycle().take(36) {
        client.advance_clock(400);
        client.push(byte);
        sent += 1;
        if client.server_has_shut {
            break;
        }
    }
    assert_eq!((client.statuses(), sent), (vec![408], 25), "10 s are 25 times 400 ms");
}

#[test]
fn the_time_for_a_later_head_starts_with_its_first_byte() {
    let mut client = Client::new();
    client.get("/hello.txt");
    assert_eq!(client.timer(), Some((Timeout::KeepAlive, 15_000)));
    client.advance_clock(14_999);
    client.push(b"G");
    assert_eq!(client.timer(), Some((Timeout::Head, 10_000)));
    client.advance_clock(5_000);
    client.push(b"ET /hello.txt ");
    assert_eq!(client.timer(), Some((Timeout::Head, 5_000)));
    run_out(&mut client);
    assert_eq!(client.statuses(), [200, 408]);
}

#[test]
fn the_time_for_a_partly_pipelined_head_starts_with_the_answer_before_it() {
    let mut client = Client::new();
    client.push(&[&get("/hello.txt")[..], b"GET /he"].concat());
    assert_eq!(client.timer(), Some((Timeout::Head, 10_000)));
    assert!(!client.conn.is_idle());
    run_out(&mut client);
    assert_eq!(client.statuses(), [200, 408]);
}

#[test]
fn an_idle_connection_is_closed_without_a_response() {
    let mut client = Client::new();
    client.get("/hello.txt");
    assert!(client.conn.is_idle());
    assert_eq!(client.timer(), Some((Timeout::KeepAlive, 15_000)));
    let answered = client.out.len();
    run_out(&mut client);
    assert_eq!(client.end, Some(CloseReason::Idle));
    assert_eq!(client.out.len(), answered);
}

#[test]
fn idle_time_begins_anew_with_each_answer() {
    let mut client = Client::new();
    for _ in 0..5 {
        client.get("/hello.txt");
        assert_eq!(client.timer(), Some((Timeout::KeepAlive, 15_000)));
        client.advance_clock(14_000);
    }
    assert_eq!(client.statuses(), [200; 5]);
}

#[test]
fn a_body_that_stops_coming_is_refused() {
    let mut client = Client::new();
    client.push(&SIGNED[..SIGNED.len() - 1]);
    assert_eq!(client.timer(), Some((Timeout::Body, 15_000 + 33 * 2)));
    run_out(&mut client);
    assert_eq!(client.statuses(), [408]);
    assert!(client.server_has_shut);
    assert_eq!(client.store.remarks.len(), 0, "an incomplete form is not stored");
}

#[test]
fn a_body_earns_time_by_its_least_rate() {
    let head = b"POST /missing HTTP/1.1\r\nHost: x\r\nContent-Length: 60000\r\n\r\n";
    let default = Limits::default().body_bytes_per_second;
    for (least, rate, expected) in [
        (default, 500, vec![404]),
        (default, 400, vec![408]),
        (2_000, 2_000, vec![404]),
        (2_000, 1_250, vec![408]),
    ] {
        let limits = Limits { body_bytes_per_second: least, ..Limits::default() };
        let mut client = Client::with(limits);
        client.push(head);
        for _ in 0..60_000 / rate {
            client.advance_clock(1_000);
            client.push(&vec![b'x'; rate]);
        }
        assert_eq!(client.statuses(), expected, "{rate} bytes a second, of {least}");
    }
}

#[test]
fn a_store_that_does_not_reply_affects_the_guestbook_only() {
    for request in [&get("/guestbook")[..], SIGNED] {
        let mut client = Client::new();
        client.conn.received(request);
        let Want::Perform(ticket, Operation::Ask(query)) = client.poll() else {
            panic!("a question")
        };
        assert_eq!(client.timer(), Some((Timeout::Store, 5_000)));
        run_out(&mut client);
        let out = String::from_utf8(client.take()).expect("a page");
        assert!(out.starts_with("HTTP/1.1 503 Service Unavailable\r\n"), "{out}");
        assert!(out.contains("\r\nRetry-After: 5\r\n"), "{out}");
        assert!(!out.contains("Connection: close"), "{out}");
        client.get("/hello.txt");
        // The late reply comes while the next query waits for its own reply.
        client.conn.received(&get("/guestbook"));
        let Want::Perform(next, Operation::Ask(_)) = client.poll() else {
            panic!("another question")
        };
        assert_ne!(ticket, next);
        let stale = client.store.ask(&query);
        client.conn.completed(ticket, Completion::Answered(stale));
        assert!(matches!(client.poll(), Want::Wait), "a report with an old ticket is ignored");
        let reply = client.store.ask(&query);
        client.conn.completed(next, Completion::Answered(reply));
        client.perform_all();
        assert_eq!(client.statuses(), [503, 200, 200], "the next query succeeds");
    }
}

#[test]
fn a_client_that_does_not_take_its_page_is_closed() {
    let mut client = Client::new();
    client.conn.received(&get("/guestbook/thanks"));
    let transmit = client.poll_transmit();
    let earned_ms = wire(&transmit).len() as u64 * 1000 / 65_536;
    assert_eq!(client.timer(), Some((Timeout::Delivery, 15_000 + earned_ms)));
    run_out(&mut client);
    assert_eq!(client.end, Some(CloseReason::TooSlow));
    assert!(client.conn.sent(transmit, Sent::Whole).is_none());
}

#[test]
fn an_answer_earns_time_by_its_least_rate() {
    for bytes_per_second in [1, 100, 1024 * 1024] {
        let limits = Limits { send_bytes_per_second: bytes_per_second, ..Limits::default() };
        let mut client = Client::with(limits);
        client.conn.received(&get("/guestbook/thanks"));
        let transmit = client.poll_transmit();
        assert!(transmit.head.ends_with(b"back</a>"), "head and page are one buffer");
        let earned_ms = wire(&transmit).len() as u64 * 1000 / bytes_per_second;
        assert_eq!(client.timer(), Some((Timeout::Delivery, 15_000 + earned_ms)));
        client.advance_clock(15_000 + earned_ms - 1);
        assert!(matches!(client.poll(), Want::Wait));
        client.deliver(transmit);
        assert_eq!(client.statuses(), [200]);
    }
}

#[test]
fn a_100_continue_that_the_client_does_not_take_ends_the_connection() {
    let mut client = Client::new();
    client.conn.received(
        b"POST /guestbook HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 9\r\n\
        Content-Type: application/x-www-form-urlencoded\r\n\r\n",
    );
    let transmit = client.poll_transmit();
    assert_eq!(transmit.head, b"HTTP/1.1 100 Continue\r\n\r\n");
    assert_eq!(client.timer(), Some((Timeout::Delivery, 15_000)));
    run_out(&mut client);
    assert_eq!(client.end, Some(CloseReason::TooSlow));
}

/// A client that has asked for a file of 600 KiB.
fn asked_for_three_pieces() -> Client {
    let mut client = Client::new();
    client.site.add("large.bin", vec![0; 600 * 1024]);
    client.conn.received(&get("/large.bin"));
    client.open();
    client
}

#[test]
fn each_piece_of_a_file_has_its_own_deadline() {
    let mut client = asked_for_three_pieces();
    for _ in 0..2 {
        let piece = client.poll_transmit();
        let earned_ms = wire(&piece).len() as u64 * 1000 / 65_536;
        assert!(
            (4_000..4_010).contains(&earned_ms),
            "256 KiB, with or without a head: {earned_ms}"
        );
        assert_eq!(client.timer(), Some((Timeout::Delivery, 15_000 + earned_ms)));
        client.advance_clock(15_000 + earned_ms - 1);
        assert!(matches!(client.poll(), Want::Wait));
        client.deliver(piece);
    }
    let _last = client.poll_transmit();
    run_out(&mut client);
    assert_eq!(client.end, Some(CloseReason::TooSlow));
    assert_eq!(client.cut_short.map(|cut_short| cut_short.body_bytes), Some(512 * 1024));
}

#[test]
fn a_file_that_a_blocking_driver_opens_late_is_served() {
    let mut client = Client::new();
    client.conn.received(&get("/hello.txt"));
    let Want::Perform(ticket, Operation::Open(path, _)) = client.poll() else {
        panic!("a file is opened")
    };
    client.advance_clock(3_600_000);
    client.conn.completed(ticket, Completion::Opened(client.site.open(&path)));
    client.perform_all();
    assert_eq!(client.statuses(), [200], "the file was reported before the next poll");
}

#[test]
fn lingering_ends_by_itself() {
    let mut client = Client::new();
    client.push(b"nonsense\r\n");
    assert_eq!(client.timer(), Some((Timeout::Linger, 2_000)));
    client.advance_clock(1_000);
    client.push(b"and more of it");
    assert_eq!(client.timer(), Some((Timeout::Linger, 1_000)), "input adds no time");
    run_out(&mut client);
    assert_eq!(client.end, Some(CloseReason::Done));
}

#[test]
fn an_operator_can_set_every_deadline() {
    let mut client = Client::with(Limits {
        first_byte_timeout_ms: 7,
        keep_alive_timeout_ms: 1,
        header_timeout_ms: 8,
        body_timeout_ms: 3,
        send_timeout_ms: 4,
        store_timeout_ms: 5,
        linger_timeout_ms: 6,
        // Rates at which a few bytes add less than a millisecond.
        body_bytes_per_second: 1_000_000,
        send_bytes_per_second: 100_000_000,
        ..Limits::default()
    });
    client.perform_all();
    assert_eq!(client.timer(), Some((Timeout::FirstByte, 7)));
    client.push(b"\r\nG");
    assert_eq!(client.timer(), Some((Timeout::Head, 8)));
    client.reconnect();
    client.get("/hello.txt");
    assert_eq!(client.timer(), Some((Timeout::KeepAlive, 1)));
    client.push(&SIGNED[..SIGNED.len() - 34]);
    assert_eq!(client.timer(), Some((Timeout::Body, 3)));
    client.conn.received(&SIGNED[SIGNED.len() - 34..]);
    let Want::Perform(ticket, Operation::Ask(query)) = client.poll() else { panic!("a question") };
    assert_eq!(client.timer(), Some((Timeout::Store, 5)));
    let reply = client.store.ask(&query);
    client.conn.completed(ticket, Completion::Answered(reply));
    let transmit = client.poll_transmit();
    assert_eq!(client.timer(), Some((Timeout::Delivery, 4)));
    client.deliver(transmit);
    client.push(b"nonsense\r\n");
    assert_eq!(client.timer(), Some((Timeout::Linger, 6)));
}

#[test]
fn without_time_to_linger_a_refused_client_is_closed_at_once() {
    let mut client = Client::with(Limits { linger_timeout_ms: 0, ..Limits::default() });
    client.push(b"nonsense\r\n");
    assert_eq!((client.statuses(), client.server_has_shut), (vec![400], true));
    assert_eq!(client.end, Some(CloseReason::Done));
}
