//! Stores that answer wrongly: the guestbook answers 503, and other requests are served.

use crate::fake::{Behaviour, FakeStore};
use crate::support::cases::test;
use crate::support::client::signature;
use crate::support::script::Answer;
use crate::support::{ONE_AT_A_TIME, Server, wait_until};

const ANSWERS: &[Behaviour] = &[
    Behaviour::SendsAndCloses(""),
    Behaviour::SendsAndCloses(":"),
    Behaviour::SendsAndCloses("*1\r\n$5\r\nhel"),
    Behaviour::SendsAndHalfCloses(""),
    Behaviour::SendsAndHalfCloses("*2\r\n$1"),
    Behaviour::Sends("HTTP/1.1 400 Bad Request\r\n\r\n"),
    Behaviour::Sends("\0\0\0\0\0\0\0\0\r\n"),
    Behaviour::Sends("$99999999999999999999\r\n"),
    Behaviour::Sends("$4294967296\r\n"),
    Behaviour::Sends("*2147483647\r\n"),
    Behaviour::Sends("$-2\r\n\r\n"),
    Behaviour::Sends("*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n:1\r\n"),
    Behaviour::Sends("$3\r\nabcde\r\n"),
    Behaviour::Sends("$-1\r\n"),
    Behaviour::Sends("+OK\r\n"),
    Behaviour::Sends("-ERR what\r\n"),
    Behaviour::Sends("-NOAUTH Authentication required.\r\n"),
    Behaviour::Sends("-LOADING Redis is loading the dataset in memory\r\n"),
    Behaviour::Sends("-MISCONF Redis is configured to save RDB snapshots\r\n"),
    Behaviour::Sends("-OOM command not allowed when used memory > 'maxmemory'.\r\n"),
    Behaviour::Sends("-READONLY You can't write against a read only replica.\r\n"),
    Behaviour::Sends("-WRONGTYPE Operation against a key\r\n"),
];

fn assert_refused(answer: &Answer, behaviour: Behaviour) {
    assert_eq!(answer.status, 503, "{behaviour:?}");
    assert!(answer.field("Retry-After").expect("at most one").is_some(), "{behaviour:?}");
}

/// Has the store answer well, and waits until the guestbook works; counts its visits.
fn await_recovery(server: &Server, fake: &FakeStore, visits: &mut u64) {
    fake.behave(Behaviour::Good);
    wait_until("a guestbook that works again", || {
        *visits += 1;
        server.client().get("/guestbook").status == 200
    });
}

test!(Architecture, a_wrong_answer_of_the_store_makes_only_the_guestbook_fail_without_a_retry);
fn a_wrong_answer_of_the_store_makes_only_the_guestbook_fail_without_a_retry(arch: &str) {
    let fake = FakeStore::start();
    let server = Server::start(arch, &fake.url(), &[]);
    let mut visits = 0;
    for (number, &behaviour) in ANSWERS.iter().enumerate() {
        await_recovery(&server, &fake, &mut visits);
        fake.behave(behaviour);
        let mut client = server.client();
        assert_refused(&client.sign("fake", &format!("r{number}")), behaviour);
        assert_eq!(client.get("/hello.txt").body, b"hello\n");
        visits += 1;
        assert_refused(&client.get("/guestbook"), behaviour);
        let asked = fake.times_asked_to_keep(&format!("r{number} - fake"));
        assert_eq!(asked, 1, "times that the store was asked; {behaviour:?}");
    }
    await_recovery(&server, &fake, &mut visits);
    assert_eq!(server.client().sign("fake", "well").status, 303);
    assert!(fake.visitors() <= visits, "{} of {visits}", fake.visitors());
}

test!(Architecture, no_query_is_sent_on_a_connection_whose_greeting_was_answered_wrongly);
fn no_query_is_sent_on_a_connection_whose_greeting_was_answered_wrongly(arch: &str) {
    let fake = FakeStore::start();
    let server = Server::start(arch, &fake.url(), &[]);
    let mut visits = 0;
    for (number, &behaviour) in ANSWERS.iter().enumerate() {
        // This is a right answer to the greeting.
        if matches!(behaviour, Behaviour::Sends("+OK\r\n")) {
            continue;
        }
        await_recovery(&server, &fake, &mut visits);
        fake.behave_from_the_greeting(behaviour);
        let mut client = server.client();
        assert_refused(&client.sign("fake", &format!("r{number}")), behaviour);
        assert_refused(&client.sign("fake", &format!("r{number}")), behaviour);
        assert_eq!(client.get("/hello.txt").body, b"hello\n");
        // A connection of before, whose greeting was answered well, can be used for a query.
        let asked = fake.times_asked_to_keep(&format!("r{number} - fake"));
        assert!(asked <= 2, "the store was asked {asked} times; {behaviour:?}");
    }
    await_recovery(&server, &fake, &mut visits);
    assert!(fake.visitors() <= visits, "{} of {visits}", fake.visitors());
}

/// Checks that a client gets 503 if the store's answer never comes, and that the guestbook works
/// again afterwards.
fn assert_times_out(arch: &str, behaviour: Behaviour) {
    let fake = FakeStore::start();
    let server = Server::start(arch, &fake.url(), &[]);
    let mut visits = 0;
    await_recovery(&server, &fake, &mut visits);
    fake.behave(behaviour);
    let mut waiting = server.client();
    waiting.send(signature("fake", "r"));
    wait_until("a store that is asked", || fake.times_asked_to_keep("r - fake") > 0);
    if arch != ONE_AT_A_TIME {
        assert_eq!(server.client().get("/hello.txt").body, b"hello\n");
        assert_eq!(server.client().get("/guestbook/thanks").status, 200);
    }
    assert_refused(&waiting.answer(), behaviour);
    assert_eq!(fake.times_asked_to_keep("r - fake"), 1);
    assert_eq!(waiting.get("/hello.txt").status, 200, "the connection stays open");
    drop(waiting);
    await_recovery(&server, &fake, &mut visits);
}

test!(Architecture, a_silent_store_times_out_while_others_are_served);
fn a_silent_store_times_out_while_others_are_served(arch: &str) {
    assert_times_out(arch, Behaviour::Silent);
}

test!(Architecture, an_endless_answer_of_the_store_times_out_while_others_are_served);
fn an_endless_answer_of_the_store_times_out_while_others_are_served(arch: &str) {
    assert_times_out(arch, Behaviour::Endless);
}

test!(Architecture, the_answer_of_a_slow_store_is_awaited);
fn the_answer_of_a_slow_store_is_awaited(arch: &str) {
    let fake = FakeStore::start();
    let server = Server::start(arch, &fake.url(), &[]);
    fake.behave(Behaviour::Slow);
    let mut client = server.client();
    assert_eq!(client.sign("fake", "slow").status, 303);
    assert_eq!((client.visit(), client.visit()), (1, 2));
    assert_eq!(fake.times_asked_to_keep("slow - fake"), 1);
}
