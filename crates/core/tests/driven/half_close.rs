//! A client that stops sending still gets an answer to each request that it sent whole.

use zerohttpd_core::{CloseReason, Completion, Operation, Want};

use crate::client::{Client, SIGNED, get};
use crate::scripts::for_each_case;
use crate::world::Store;

#[test]
fn a_client_that_stops_at_any_byte_gets_answers_to_its_whole_requests() {
    let mut client = Client::new();
    for_each_case(|case| {
        let round = &case.rounds[0];
        let last = round.send.len();
        let step = 1 + last / 700;
        for at in (0..=last).step_by(step).chain([last]) {
            client.reconnect();
            client.store = Store::default();
            client.push(&round.send[..at]);
            let (before, idle, over) =
                (client.log.clone(), client.conn.is_idle(), client.server_has_shut);
            client.stop();
            let extra = &client.log[before.len()..];
            let is_refusal = |status| (400..=505).contains(&status) && status != 408;
            // At most one more answer follows: an error for an incomplete request.
            let is_right = match extra {
                [] => true,
                [one] => !idle && !over && is_refusal(one.status),
                _ => false,
            };
            let closing = client.end;
            if !is_right || !matches!(closing, Some(CloseReason::Done | CloseReason::Left)) {
                return Err(format!("stopped after {at} bytes: {extra:?}, then {closing:?}"));
            }
        }
        Ok(())
    });
}

#[test]
fn the_last_answer_to_a_client_that_has_stopped_says_close() {
    let mut client = Client::new();
    client.conn.received(&[get("/hello.txt"), get("/empty.txt")].concat());
    client.stop();
    let out = String::from_utf8(client.take()).unwrap();
    assert_eq!(out.matches("HTTP/1.1 200 OK").count(), 2);
    assert_eq!(out.matches("Connection: close").count(), 1);
    assert!(out.find("Connection: close") > out.rfind("HTTP/1.1"), "the last one");
    assert_eq!(client.end, Some(CloseReason::Done), "no lingering without further input");
}

#[test]
fn a_client_that_stops_while_it_waits_for_its_answer_still_gets_it() {
    let mut client = Client::new();
    client.conn.received(SIGNED);
    let Want::Perform(ticket, Operation::Ask(query)) = client.poll() else { panic!("a question") };
    client.conn.received(&[]);
    assert!(matches!(client.poll(), Want::Wait));
    let reply = client.store.ask(&query);
    client.conn.completed(ticket, Completion::Answered(reply));
    client.perform_all();
    assert_eq!(client.statuses(), [303]);
    assert_eq!(client.end, Some(CloseReason::Done));
}

/// Empty lines before a request are ignored (RFC 9112 §2.2), even if no request follows.
#[test]
fn an_empty_line_after_the_last_request_is_not_answered() {
    let mut client = Client::new();
    client.push(&[&get("/hello.txt")[..], b"\r\n"].concat());
    client.stop();
    assert_eq!(client.statuses(), [200]);
    assert_eq!(client.end, Some(CloseReason::Left));
}
