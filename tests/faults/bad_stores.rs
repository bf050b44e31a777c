//! Stores that answer badly: the guestbook says 503, and nobody else notices.

use crate::fake::{Fake, Manner};
use crate::support::client::signature;
use crate::support::script::Answer;
use crate::support::{ONE_AT_A_TIME, Server, for_each_architecture, wait_until};

const ANSWERS: &[Manner] = &[
    Manner::Breaks(""),
    Manner::Breaks(":"),
    Manner::Breaks("*1\r\n$5\r\nhel"),
    Manner::Stops(""),
    Manner::Stops("*2\r\n$1"),
    Manner::Says("HTTP/1.1 400 Bad Request\r\n\r\n"),
    Manner::Says("\0\0\0\0\0\0\0\0\r\n"),
    Manner::Says("$99999999999999999999\r\n"),
    Manner::Says("$4294967296\r\n"),
    Manner::Says("*2147483647\r\n"),
    Manner::Says("$-2\r\n\r\n"),
    Manner::Says("*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n:1\r\n"),
    Manner::Says("$3\r\nabcde\r\n"),
    Manner::Says("$-1\r\n"),
    Manner::Says("+OK\r\n"),
    Manner::Says("-ERR what\r\n"),
    Manner::Says("-NOAUTH Authentication required.\r\n"),
    Manner::Says("-LOADING Redis is loading the dataset in memory\r\n"),
    Manner::Says("-MISCONF Redis is configured to save RDB snapshots\r\n"),
    Manner::Says("-OOM command not allowed when used memory > 'maxmemory'.\r\n"),
    Manner::Says("-READONLY You can't write against a read only replica.\r\n"),
    Manner::Says("-WRONGTYPE Operation against a key\r\n"),
];

fn assert_refused(answer: &Answer, manner: Manner) {
    assert_eq!(answer.status, 503, "{manner:?}");
    assert!(answer.field("Retry-After").expect("one of it").is_some(), "{manner:?}");
}

/// A store that behaves again is used again.
fn heal(server: &Server, fake: &Fake, visits: &mut u64) {
    fake.behave(Manner::Good);
    wait_until("a guestbook that heals", || {
        *visits += 1;
        server.client().get("/guestbook").status == 200
    });
}

#[test]
fn a_store_that_answers_badly_costs_the_guestbook_alone_and_is_not_asked_twice() {
    for_each_architecture(|arch| {
        let fake = Fake::start();
        let server = Server::start(arch, &fake.url(), &[]);
        let mut visits = 0;
        for (number, &manner) in ANSWERS.iter().enumerate() {
            heal(&server, &fake, &mut visits);
            fake.behave(manner);
            let mut client = server.client();
            assert_refused(&client.sign("fake", &format!("r{number}")), manner);
            assert_eq!(client.get("/hello.txt").body, b"hello\n");
            visits += 1;
            assert_refused(&client.get("/guestbook"), manner);
            let asked = fake.asked_to_keep(&format!("r{number} - fake"));
            assert_eq!(asked, 1, "how often it was asked; {manner:?}");
        }
        heal(&server, &fake, &mut visits);
        assert_eq!(server.client().sign("fake", "well").status, 303);
        assert!(fake.visitors() <= visits, "{} of {visits}", fake.visitors());
    });
}

#[test]
fn a_store_that_receives_badly_is_asked_nothing_more() {
    for_each_architecture(|arch| {
        let fake = Fake::start();
        let server = Server::start(arch, &fake.url(), &[]);
        let mut visits = 0;
        for (number, &manner) in ANSWERS.iter().enumerate() {
            // That is how one is received.
            if matches!(manner, Manner::Says("+OK\r\n")) {
                continue;
            }
            heal(&server, &fake, &mut visits);
            fake.behave_at_the_door(manner);
            let mut client = server.client();
            assert_refused(&client.sign("fake", &format!("r{number}")), manner);
            assert_refused(&client.sign("fake", &format!("r{number}")), manner);
            assert_eq!(client.get("/hello.txt").body, b"hello\n");
            // Once, if a connection was left on which it had been well received.
            let asked = fake.asked_to_keep(&format!("r{number} - fake"));
            assert!(asked <= 2, "it was asked {asked} times; {manner:?}");
        }
        heal(&server, &fake, &mut visits);
        assert!(fake.visitors() <= visits, "{} of {visits}", fake.visitors());
    });
}

/// A store whose answer never comes: the one who asked is told so, and then it behaves again.
fn is_given_up(arch: &str, manner: Manner) {
    let fake = Fake::start();
    let server = Server::start(arch, &fake.url(), &[]);
    let mut visits = 0;
    heal(&server, &fake, &mut visits);
    fake.behave(manner);
    let mut waiting = server.client();
    waiting.send(signature("fake", "r"));
    wait_until("a store that is asked", || fake.asked_to_keep("r - fake") > 0);
    if arch != ONE_AT_A_TIME {
        assert_eq!(server.client().get("/hello.txt").body, b"hello\n");
        assert_eq!(server.client().get("/guestbook/thanks").status, 200);
    }
    assert_refused(&waiting.answer(), manner);
    assert_eq!(fake.asked_to_keep("r - fake"), 1);
    assert_eq!(waiting.get("/hello.txt").status, 200, "and the client goes on");
    drop(waiting);
    heal(&server, &fake, &mut visits);
}

#[test]
fn a_store_that_never_answers_is_given_up_and_others_are_served_meanwhile() {
    for_each_architecture(|arch| is_given_up(arch, Manner::Silent));
}

#[test]
fn a_store_whose_answer_never_ends_is_given_up_and_others_are_served_meanwhile() {
    for_each_architecture(|arch| is_given_up(arch, Manner::Endless));
}

#[test]
fn a_store_that_is_slow_is_waited_for() {
    for_each_architecture(|arch| {
        let fake = Fake::start();
        let server = Server::start(arch, &fake.url(), &[]);
        fake.behave(Manner::Slow);
        let mut client = server.client();
        assert_eq!(client.sign("fake", "slow").status, 303);
        assert_eq!((client.visit(), client.visit()), (1, 2));
        assert_eq!(fake.asked_to_keep("slow - fake"), 1);
    });
}
