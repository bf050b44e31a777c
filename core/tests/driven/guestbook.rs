//! The guestbook: who is counted, what is shown in which order, and what is said when the store
//! is down.

use zero_core::store::{Query, StoreDown};
use zero_core::{Closing, Want};

use crate::client::{Client, SIGNED, get};

fn page(client: &mut Client, target: &str) -> String {
    client.take();
    client.get(target);
    String::from_utf8(client.take()).expect("a page")
}

#[test]
fn a_get_counts_its_visitor_and_a_head_never_does() {
    let mut client = Client::new();
    for (method, counted) in [("GET", 1), ("HEAD", 1), ("GET", 2), ("HEAD", 2), ("OPTIONS", 2)] {
        client.push(format!("{method} /guestbook HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes());
        assert_eq!(client.store.visits, counted, "after {method}");
    }
    assert_eq!(client.statuses(), [200, 200, 200, 200, 204]);
    client.conn.received(b"HEAD /guestbook?page=3 HTTP/1.1\r\nHost: x\r\n\r\n");
    let want = client.poll();
    let expected = Query::Visit { page: 3, counts: false };
    assert!(matches!(&want, Want::Ask(_, query) if *query == expected), "{want:?}");
}

#[test]
fn every_page_counts_a_visit_and_a_page_that_can_not_be_does_not() {
    let mut client = Client::new();
    for target in ["/guestbook", "/guestbook?page=2", "/guestbook?page=500"] {
        client.get(target);
    }
    assert_eq!(client.store.visits, 3);
    client.get("/guestbook?page=501");
    client.get("/guestbook/thanks");
    assert_eq!(client.store.visits, 3);
}

#[test]
fn a_visitor_has_a_number_with_commas() {
    let mut client = Client::new();
    client.store.visits = 1_234_566;
    assert!(page(&mut client, "/guestbook").contains("visitor 1,234,567 "));
}

#[test]
fn remarks_are_shown_the_newest_first_a_page_at_a_time() {
    let mut client = Client::new();
    client.store.remarks = (1..=45).map(|n| format!("remark <{n}>").into_bytes()).collect();
    let shown = |text: &str| -> Vec<u32> {
        let parts = text.split("remark &lt;").skip(1);
        parts.map(|part| part.split('&').next().unwrap_or_default().parse().unwrap()).collect()
    };
    let first = page(&mut client, "/guestbook");
    assert_eq!(shown(&first), (26..=45).rev().collect::<Vec<_>>());
    assert!(first.contains("href=\"/guestbook?page=2\"") && !first.contains("rel=\"prev\""));
    let second = page(&mut client, "/guestbook?page=2");
    assert_eq!(shown(&second), (6..=25).rev().collect::<Vec<_>>());
    assert!(second.contains("rel=\"prev\" href=\"/guestbook\""));
    assert!(second.contains("rel=\"next\" href=\"/guestbook?page=3\""));
    let third = page(&mut client, "/guestbook?page=3");
    assert_eq!(shown(&third), (1..=5).rev().collect::<Vec<_>>());
    assert!(third.contains("href=\"/guestbook?page=2\"") && !third.contains("rel=\"next\""));
    let fourth = page(&mut client, "/guestbook?page=4");
    assert_eq!(shown(&fourth), []);
    assert!(fourth.contains("rel=\"prev\""), "the way back");
}

#[test]
fn a_full_last_page_leads_nowhere() {
    let mut client = Client::new();
    client.store.remarks = vec![b"x".to_vec(); 20];
    assert!(!page(&mut client, "/guestbook").contains("<nav"));
    client.store.remarks = vec![b"x".to_vec(); 501 * 20];
    let last = page(&mut client, "/guestbook?page=500");
    assert!(!last.contains("page=501"), "no deeper than there are pages");
}

#[test]
fn remarks_that_another_program_wrote_are_shown_whatever_their_bytes() {
    let mut client = Client::new();
    client.store.remarks = vec![b"\xff<b>\0".to_vec(), Vec::new()];
    let shown = page(&mut client, "/guestbook");
    let expected =
        "<p class=\"guest-entry\"></p>\n<p class=\"guest-entry\">\u{fffd}&lt;b&gt;\0</p>";
    assert!(shown.contains(expected), "{shown}");
}

#[test]
fn a_remark_is_stored_as_the_original_program_stored_it() {
    let mut client = Client::new();
    client.push(SIGNED);
    assert_eq!(client.store.remarks, [b"Hello - Ada"]);
    assert_eq!(client.statuses(), [303]);
}

#[test]
fn whatever_ails_the_store_the_guestbook_says_so_and_files_go_on() {
    for why in [
        StoreDown::Unreachable,
        StoreDown::Broken,
        StoreDown::TimedOut,
        StoreDown::Refused,
        StoreDown::NotAdmitted,
        StoreDown::Overloaded,
    ] {
        let mut client = Client::new();
        client.store.down = Some(why);
        client.get("/guestbook");
        client.push(SIGNED);
        client.push(b"HEAD /guestbook HTTP/1.1\r\nHost: x\r\n\r\n");
        let out = String::from_utf8(client.take()).expect("pages");
        assert_eq!(out.matches("HTTP/1.1 503 ").count(), 3, "{why}");
        assert_eq!(out.matches("\r\nRetry-After: 5\r\n").count(), 3, "{why}");
        assert!(!out.contains("Connection: close"), "{why}");
        client.get("/hello.txt");
        client.get("/guestbook/thanks");
        client.push(b"OPTIONS /guestbook HTTP/1.1\r\nHost: x\r\n\r\n");
        client.store.down = None;
        client.get("/guestbook");
        assert_eq!(client.statuses(), [503, 503, 503, 200, 200, 204, 200], "{why}");
    }
}

#[test]
fn a_form_that_is_refused_never_reaches_the_store() {
    let mut client = Client::new();
    client.store.down = Some(StoreDown::Unreachable);
    client.push(
        b"POST /guestbook HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\
        Content-Type: application/x-www-form-urlencoded\r\n\r\n",
    );
    assert_eq!(client.statuses(), [400], "not 503: nobody asked the store");
}

#[test]
fn a_ticket_answers_one_question_once() {
    let mut client = Client::new();
    client.conn.received(&get("/guestbook").repeat(2));
    let Want::Ask(first, query) = client.poll() else { panic!("a question") };
    let reply = client.store.ask(&query);
    client.conn.answered(first, reply.clone());
    client.conn.answered(first, Err(StoreDown::Broken));
    let transmit = client.sending();
    client.conn.answered(first, Err(StoreDown::Broken));
    client.deliver(transmit);
    let Want::Ask(second, _) = client.poll() else { panic!("the second question") };
    client.conn.answered(first, Err(StoreDown::Broken));
    assert!(matches!(client.poll(), Want::Wait));
    client.conn.answered(second, reply);
    client.settle();
    assert_eq!((client.statuses(), client.end), (vec![200, 200], None::<Closing>));
}
