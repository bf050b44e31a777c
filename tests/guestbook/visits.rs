//! Counting and signing, on every architecture and both kinds of store.

use std::thread;

use crate::support::cases::test;
use crate::support::client::{entries, last_request, visitor};
use crate::support::{Kind, ONE_AT_A_TIME, Server, Store};

const VISITORS: u64 = 50;
const VISITS: u64 = 4;

/// The numbers of some visits, on one connection, or on a connection each if the server serves one
/// client at a time.
fn numbers(server: &Server, arch: &str) -> Vec<u64> {
    if arch != ONE_AT_A_TIME {
        let mut client = server.client();
        return (0..VISITS).map(|_| client.visit()).collect();
    }
    let visit = |_| {
        let mut client = server.client();
        client.send(last_request("/guestbook"));
        visitor(&client.answer()).expect("a number for the visitor")
    };
    (0..VISITS).map(visit).collect()
}

test!(Pair, concurrent_visitors_get_distinct_consecutive_numbers);
fn concurrent_visitors_get_distinct_consecutive_numbers(arch: &str, kind: Kind) {
    let store = Store::new(kind);
    let server = Server::start(arch, &store.url(), &[]);
    let mut all: Vec<u64> = thread::scope(|scope| {
        let visitors: Vec<_> =
            (0..VISITORS).map(|_| scope.spawn(|| numbers(&server, arch))).collect();
        visitors.into_iter().flat_map(|visitor| visitor.join().expect("a visitor")).collect()
    });
    all.sort_unstable();
    let expected: Vec<_> = (1..=VISITORS * VISITS).collect();
    assert_eq!(all, expected);
    assert_eq!(store.visitor_count(), VISITORS * VISITS);
}

test!(Pair, a_remark_is_stored_as_in_the_c_original_and_shown_escaped_and_first);
fn a_remark_is_stored_as_in_the_c_original_and_shown_escaped_and_first(arch: &str, kind: Kind) {
    let store = Store::new(kind);
    let server = Server::start(arch, &store.url(), &[]);
    let mut client = server.client();
    for (name, remark) in [("Ada", "first"), ("<i>Eve</i>", "<script>\"x\" & 'y'</script> é")] {
        let answer = client.sign(name, remark);
        assert_eq!(answer.status, 303);
        assert_eq!(answer.field("Location"), Ok(Some(&b"/guestbook/thanks"[..])));
    }
    let answer = client.get("/guestbook");
    let shown = entries(&answer);
    assert_eq!(shown.len(), 2, "{shown:?}");
    assert!(shown[0].starts_with("&lt;script&gt;") && shown[0].contains(" &amp; "), "{shown:?}");
    assert!(shown[0].ends_with("é - &lt;i&gt;Eve&lt;/i&gt;"), "{shown:?}");
    assert_eq!(shown[1], "first - Ada");
    assert!(!String::from_utf8_lossy(&answer.body).contains("<script>\"x\""));
    drop(client);
    let kept = store.remarks();
    assert_eq!(kept, ["first - Ada", "<script>\"x\" & 'y'</script> é - <i>Eve</i>"]);
}

test!(Pair, only_a_get_of_the_page_counts_and_redis_cli_can_change_the_count);
fn only_a_get_of_the_page_counts_and_redis_cli_can_change_the_count(arch: &str, kind: Kind) {
    let store = Store::new(kind);
    let server = Server::start(arch, &store.url(), &[]);
    let mut client = server.client();
    assert_eq!(client.visit(), 1);
    assert_eq!(client.head("/guestbook").status, 200);
    assert_eq!(client.get("/guestbook/thanks").status, 200);
    assert_eq!(client.get("/hello.txt").status, 200);
    assert_eq!(client.get("/guestbook?page=0").status, 404);
    assert_eq!(client.sign("", "nobody").status, 400);
    assert_eq!(store.visitor_count(), 1);
    assert_eq!(store.cli(&["incrby", "visitor_count", "1233998"]), "1233999");
    let answer = client.get("/guestbook");
    let page = String::from_utf8_lossy(&answer.body);
    assert!(page.contains("You are visitor number 1,234,000<"), "{page}");
    assert_eq!(store.cli(&["rpush", "guestbook_remarks", "Hi - Bob"]), "1");
    assert_eq!(entries(&client.get("/guestbook")), ["Hi - Bob"]);
}

test!(Pair, a_long_guestbook_is_read_a_page_at_a_time);
fn a_long_guestbook_is_read_a_page_at_a_time(arch: &str, kind: Kind) {
    let store = Store::new(kind);
    let server = Server::start(arch, &store.url(), &[]);
    let mut client = server.client();
    for number in 1..=45 {
        assert_eq!(client.sign("Ada", &format!("remark {number}")).status, 303);
    }
    let mut page = |number, newest: usize, oldest: usize| {
        let target = format!("/guestbook?page={number}");
        let shown = entries(&client.get(&target));
        let expected: Vec<_> =
            (oldest..=newest).rev().map(|at| format!("remark {at} - Ada")).collect();
        assert_eq!(shown, expected, "page {number}");
    };
    page(1, 45, 26);
    page(2, 25, 6);
    page(3, 5, 1);
    page(4, 0, 1);
}

test!(Pair, of_concurrent_remarks_each_is_stored_exactly_once);
fn of_concurrent_remarks_each_is_stored_exactly_once(arch: &str, kind: Kind) {
    let store = Store::new(kind);
    let server = Server::start(arch, &store.url(), &[]);
    let sign = |guest: usize| {
        for count in 0..4 {
            let answer = server.client().sign(&format!("n{guest:02}"), &format!("r{count}"));
            assert_eq!(answer.status, 303);
        }
    };
    thread::scope(|scope| (0..25).for_each(|guest| drop(scope.spawn(move || sign(guest)))));
    let mut kept = store.remarks();
    kept.sort();
    let pairs = (0..4).flat_map(|count| (0..25).map(move |guest| (count, guest)));
    let expected: Vec<_> = pairs.map(|(count, guest)| format!("r{count} - n{guest:02}")).collect();
    assert_eq!(kept, expected);
}
