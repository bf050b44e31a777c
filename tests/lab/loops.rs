//! Open and closed loops, before a server that is slow, or stalls.

use std::time::Duration;

use crate::account::load;
use crate::fake::{Fake, Manner};

const STALL: Duration = Duration::from_secs(1);
const STALL_US: u64 = 1_000_000;

#[test]
fn a_stall_shows_in_an_open_loop_and_not_in_a_closed_one() {
    // 400 requests in two seconds: half of them are due while nobody is answered.
    let fake = Fake::start(Manner::Stalls(100, STALL));
    let open = load(fake.port, "/", "-n 400 -c 4 --rate 200");
    open.assert_good(400);
    assert_eq!((&open.json["mode"], &open.json["latency_from"]), (&"open".into(), &"due".into()));
    assert!(open.count("latency_p99_us") > STALL_US * 9 / 10, "{:#}", open.json);
    // A quarter of all were due in the first half of the stall.
    assert!(open.count("latency_p75_us") > STALL_US * 4 / 10, "{:#}", open.json);
    assert!(open.count("late") > 100, "{:#}", open.json);

    // As many as would be made in that time at the least: four of them meet the stall.
    let fake = Fake::start(Manner::Stalls(100, STALL));
    let closed = load(fake.port, "/", "-n 2000 -c 4");
    closed.assert_good(2000);
    assert_eq!(closed.json["mode"], "closed");
    assert!(closed.count("latency_max_us") > STALL_US * 9 / 10, "{:#}", closed.json);
    assert!(closed.count("latency_p99_us") < STALL_US / 2, "{:#}", closed.json);
    assert_eq!(closed.count("late"), 0);
}

#[test]
fn an_open_loop_makes_as_many_requests_as_are_due() {
    let fake = Fake::start(Manner::Good);
    let account = load(fake.port, "/", "-d 1 -c 8 --rate 100 --threads 2");
    assert_eq!(account.code, Some(0), "{:#}", account.json);
    assert_eq!(account.count("requests") + account.count("unsent"), 100);
    // Each client was let in with one before.
    assert_eq!(fake.requests(), account.count("requests") + 8);
}

#[test]
fn a_rate_that_is_too_high_is_not_kept_up_and_that_is_said() {
    let fake = Fake::start(Manner::Slow(Duration::from_millis(50)));
    let account = load(fake.port, "/", "-d 1 -c 2 --rate 500");
    assert_eq!(account.count("requests") + account.count("unsent"), 500);
    // No more than 20 a second can be answered, and those that were begun by the end.
    assert!(account.count("unsent") > 400, "{:#}", account.json);
    assert_eq!(account.findings()[0], "fell_behind");
}

#[test]
fn clients_that_think_take_their_time() {
    let fake = Fake::start(Manner::Good);
    let account = load(fake.port, "/", "-n 5 -c 1 --think 60");
    account.assert_good(5);
    assert!(account.number("elapsed_s") > 4.0 * 0.06, "{:#}", account.json);
    // To think is not to wait for an answer.
    assert!(account.count("latency_min_us") < 60_000, "{:#}", account.json);
}

#[test]
fn latency_is_that_of_the_server() {
    let fake = Fake::start(Manner::Slow(Duration::from_millis(30)));
    let account = load(fake.port, "/", "-n 10 -c 1");
    account.assert_good(10);
    assert!(account.count("latency_min_us") >= 30_000, "{:#}", account.json);
    // One after the other, none overlaps another.
    let all = account.number("latency_mean_us") * 10.0 / 1e6;
    assert!(account.number("elapsed_s") >= all * 0.99, "{:#}", account.json);
}
