//! The dialogue against a store that is played by hand: what goes out, and who gets which reply.

use super::*;
use std::{format, string::String, vec};

/// Commands as words, so that a test can be read.
fn sent(dialogue: &mut Dialogue<u32>) -> Vec<String> {
    let mut wire = dialogue.outgoing().to_vec();
    dialogue.wrote(wire.len());
    let mut commands = Vec::new();
    while !wire.is_empty() {
        let (value, used) = resp::decode(&wire).expect("RESP").expect("a whole command");
        let Value::Array(Some(words)) = value else { panic!("not a command") };
        let words = words.iter().map(|word| match word {
            Value::Bulk(Some(text)) => format!("{}", text.escape_ascii()),
            other => panic!("not a word: {other:?}"),
        });
        commands.push(words.collect::<Vec<_>>().join(" "));
        wire.drain(..used);
    }
    commands
}

/// A dialogue that was let in without a password.
fn admitted() -> Dialogue<u32> {
    let mut dialogue = Dialogue::new(&Credentials::default());
    assert_eq!(sent(&mut dialogue), ["PING"]);
    dialogue.received(b"+PONG\r\n").expect("a greeting");
    dialogue
}

const fn visit(page: u32) -> Query {
    Query::Visit { page, counts: true }
}

const fn look(page: u32) -> Query {
    Query::Visit { page, counts: false }
}

fn sign(item: &[u8]) -> Query {
    Query::Sign(item.to_vec())
}

type Told = (u32, Result<Reply, StoreDown>);

fn replies(dialogue: &mut Dialogue<u32>) -> Vec<Told> {
    let mut all: Vec<Told> = core::iter::from_fn(|| dialogue.reply()).collect();
    all.sort_by_key(|(key, _)| *key);
    all
}

fn visited(number: u64, remarks: &[&[u8]]) -> Result<Reply, StoreDown> {
    Ok(Reply::Visited { number, remarks: Arc::new(Remarks::new(1, remarks)) })
}

fn none_on(page: u32, number: u64) -> Result<Reply, StoreDown> {
    Ok(Reply::Visited { number, remarks: Arc::new(Remarks::new(page, &[])) })
}

#[test]
fn the_greeting_says_what_the_store_has_to_know() {
    for (user, password, database, expected) in [
        (None, None, 0, vec!["PING"]),
        (None, Some("pw"), 0, vec!["AUTH pw", "PING"]),
        (Some("me"), Some("pw"), 0, vec!["AUTH me pw", "PING"]),
        (None, None, 7, vec!["SELECT 7", "PING"]),
        (Some("me"), Some("pw"), 15, vec!["AUTH me pw", "SELECT 15", "PING"]),
    ] {
        let bytes = |text: Option<&str>| text.map(|text| text.as_bytes().to_vec());
        let credentials = Credentials { user: bytes(user), password: bytes(password), database };
        let mut dialogue = Dialogue::new(&credentials);
        assert_eq!(sent(&mut dialogue), expected);
        for _ in 1..expected.len() {
            dialogue.received(b"+OK\r\n").expect("a greeting");
            assert!(!dialogue.is_admitted(), "not before the last word");
        }
        dialogue.received(b"+PONG\r\n").expect("a greeting");
        assert!(dialogue.is_admitted());
        assert!(!dialogue.owes());
    }
}

#[test]
fn a_store_that_does_not_let_us_in_ends_the_dialogue() {
    let credentials = Credentials { user: None, password: Some(b"pw".to_vec()), database: 3 };
    for refusal in [
        &b"-WRONGPASS invalid username-password pair\r\n"[..],
        b"+OK\r\n-ERR DB index is out of range\r\n",
        b"+OK\r\n+OK\r\n-NOPERM no permission\r\n",
        b"-DENIED Redis is running in protected mode\r\n",
    ] {
        let mut dialogue = Dialogue::new(&credentials);
        dialogue.ask(1, visit(1));
        sent(&mut dialogue);
        assert_eq!(dialogue.received(refusal), Err(StoreDown::NotAdmitted));
        assert!(!dialogue.is_admitted());
        dialogue.fail(StoreDown::NotAdmitted);
        assert_eq!(replies(&mut dialogue), [(1, Err(StoreDown::NotAdmitted))]);
    }
    let mut dialogue = Dialogue::<u32>::new(&Credentials::default());
    let refused = dialogue.received(b"-NOAUTH Authentication required.\r\n");
    assert_eq!(refused, Err(StoreDown::NotAdmitted), "a password is needed");
}

#[test]
fn a_store_that_has_reasons_of_its_own_does_not_blame_our_password() {
    for (reply, why) in [
        (&b"-LOADING Redis is loading the dataset in memory\r\n"[..], StoreDown::Refused),
        (b"-ERR max number of clients reached\r\n", StoreDown::Refused),
        (b":1\r\n", StoreDown::Broken),
    ] {
        let mut dialogue = Dialogue::<u32>::new(&Credentials::default());
        assert_eq!(dialogue.received(reply), Err(why));
        assert!(!dialogue.is_admitted());
    }
}

#[test]
fn a_connection_that_was_used_before_needs_no_greeting() {
    let mut dialogue = Dialogue::greeted();
    assert!(dialogue.is_admitted());
    dialogue.ask(1, sign(b"x"));
    assert_eq!(sent(&mut dialogue), ["RPUSH guestbook_remarks x"]);
    dialogue.received(b":1\r\n").expect("a reply");
    assert_eq!(replies(&mut dialogue), [(1, Ok(Reply::Signed))]);
}

/// Where SELECT fails, whatever follows it would be done in another database.
#[test]
fn nothing_is_asked_before_the_store_has_let_us_in() {
    let mut dialogue = Dialogue::new(&Credentials { database: 3, ..Credentials::default() });
    dialogue.ask(1, sign(b"a remark"));
    assert_eq!(sent(&mut dialogue), ["SELECT 3", "PING"]);
    dialogue.received(b"+OK\r\n+PONG\r\n").expect("a greeting");
    assert_eq!(sent(&mut dialogue), ["RPUSH guestbook_remarks a remark"]);
}

#[test]
fn a_visit_is_one_round_trip() {
    let mut dialogue = admitted();
    dialogue.ask(7, visit(1));
    assert!(dialogue.owes());
    assert_eq!(sent(&mut dialogue), ["INCRBY visitor_count 1", "LRANGE guestbook_remarks -21 -1"]);
    assert!(dialogue.outgoing().is_empty(), "nothing is sent twice");
    dialogue.received(b":42\r\n").expect("a number");
    assert_eq!(dialogue.reply(), None, "half an answer is none");
    dialogue.received(b"*2\r\n$1\r\na\r\n$2\r\n\xff\n\r\n").expect("a page");
    assert_eq!(replies(&mut dialogue), [(7, visited(42, &[b"a", b"\xff\n"]))]);
    assert!(!dialogue.owes());
}

#[test]
fn a_page_is_counted_from_the_end_of_the_list() {
    for (page, range) in [(1, "-21 -1"), (2, "-41 -21"), (3, "-61 -41"), (500, "-10001 -9981")] {
        let mut dialogue = admitted();
        dialogue.ask(1, visit(page));
        let expected = format!("LRANGE guestbook_remarks {range}");
        assert_eq!(sent(&mut dialogue)[1], expected);
    }
}

#[test]
fn who_is_not_counted_sees_the_last_number_given() {
    let mut dialogue = admitted();
    dialogue.ask(1, look(1));
    assert_eq!(sent(&mut dialogue)[0], "GET visitor_count");
    dialogue.received(b"$2\r\n41\r\n*0\r\n").expect("a page");
    assert_eq!(replies(&mut dialogue), [(1, visited(41, &[]))]);
    dialogue.ask(2, look(1));
    sent(&mut dialogue);
    dialogue.received(b"$-1\r\n*0\r\n").expect("a page");
    assert_eq!(replies(&mut dialogue), [(2, visited(0, &[]))], "nobody was counted yet");
}

#[test]
fn visitors_of_one_turn_are_counted_at_once_and_have_numbers_of_their_own() {
    let mut dialogue = admitted();
    for key in 1..=5 {
        dialogue.ask(key, if key == 3 { look(1) } else { visit(1) });
    }
    assert_eq!(sent(&mut dialogue), ["INCRBY visitor_count 4", "LRANGE guestbook_remarks -21 -1"]);
    dialogue.received(b":104\r\n*1\r\n$1\r\na\r\n").expect("a page");
    let numbers: Vec<(u32, u64)> = replies(&mut dialogue)
        .iter()
        .map(|(key, reply)| match reply {
            Ok(Reply::Visited { number, remarks }) => {
                assert_eq!(**remarks, Remarks::new(1, &[b"a"]));
                (*key, *number)
            }
            other => panic!("{other:?}"),
        })
        .collect();
    // In the order of asking; who only looks sees the last of them.
    assert_eq!(numbers, [(1, 101), (2, 102), (3, 104), (4, 103), (5, 104)]);
    assert!(!dialogue.owes());
}

#[test]
fn visitors_of_different_pages_are_counted_apart() {
    let mut dialogue = admitted();
    dialogue.ask(1, visit(2));
    dialogue.ask(2, visit(1));
    dialogue.ask(3, visit(2));
    assert_eq!(
        sent(&mut dialogue),
        [
            "INCRBY visitor_count 2",
            "LRANGE guestbook_remarks -41 -21",
            "INCRBY visitor_count 1",
            "LRANGE guestbook_remarks -21 -1"
        ]
    );
    dialogue.received(b":2\r\n*1\r\n$3\r\nold\r\n:3\r\n*1\r\n$3\r\nnew\r\n").expect("pages");
    let told = replies(&mut dialogue);
    let old = |number| {
        let remarks = Arc::new(Remarks::new(2, &[b"old"]));
        Ok(Reply::Visited { number, remarks })
    };
    assert_eq!(told, [(1, old(1)), (2, visited(3, &[b"new"])), (3, old(2))]);
}

#[test]
fn remarks_of_one_turn_go_first_so_that_its_visitors_see_them() {
    let mut dialogue = admitted();
    dialogue.ask(1, visit(1));
    dialogue.ask(2, sign(b"first - A"));
    dialogue.ask(3, sign(b"\r\n\0 - B"));
    assert_eq!(
        sent(&mut dialogue),
        [
            "RPUSH guestbook_remarks first - A",
            "RPUSH guestbook_remarks \\r\\n\\x00 - B",
            "INCRBY visitor_count 1",
            "LRANGE guestbook_remarks -21 -1"
        ]
    );
    dialogue.received(b":1\r\n:2\r\n:9\r\n*0\r\n").expect("replies");
    let told = replies(&mut dialogue);
    assert_eq!(told, [(1, visited(9, &[])), (2, Ok(Reply::Signed)), (3, Ok(Reply::Signed))]);
}

#[test]
fn what_is_asked_while_the_store_has_to_answer_goes_out_together_afterwards() {
    let mut dialogue = admitted();
    dialogue.ask(1, visit(1));
    assert_eq!(sent(&mut dialogue).len(), 2);
    dialogue.ask(2, sign(b"x"));
    dialogue.ask(3, visit(1));
    assert!(dialogue.outgoing().is_empty());
    dialogue.received(b":1\r\n").expect("half of the answer");
    dialogue.ask(4, visit(1));
    assert!(dialogue.outgoing().is_empty());
    dialogue.received(b"*0\r\n").expect("the other half");
    assert_eq!(sent(&mut dialogue).len(), 3, "one RPUSH, one count and one page for two visits");
    dialogue.received(b":1\r\n:3\r\n*1\r\n$1\r\nx\r\n").expect("replies");
    let order: Vec<u32> = core::iter::from_fn(|| dialogue.reply()).map(|(key, _)| key).collect();
    assert_eq!(order, [1, 2, 3, 4]);
}

#[test]
fn replies_may_be_split_at_any_byte() {
    let wire = b":1\r\n:7\r\n*2\r\n$4\r\n\r\n:1\r\n$0\r\n\r\n$1\r\n7\r\n*0\r\n";
    let asked = || {
        let mut dialogue = admitted();
        dialogue.ask(1, sign(b"x"));
        dialogue.ask(2, visit(1));
        dialogue.ask(3, look(2));
        sent(&mut dialogue);
        dialogue
    };
    let expected = [(1, Ok(Reply::Signed)), (2, visited(7, &[b"\r\n:1", b""])), (3, none_on(2, 7))];
    for cut in 0..=wire.len() {
        let mut dialogue = asked();
        dialogue.received(&wire[..cut]).expect("the first piece");
        dialogue.received(&wire[cut..]).expect("the second piece");
        assert_eq!(replies(&mut dialogue), expected, "cut at {cut}");
    }
    let mut dialogue = asked();
    for byte in wire {
        dialogue.received(&[*byte]).expect("a byte");
    }
    assert_eq!(replies(&mut dialogue), expected, "byte by byte");
}

#[test]
fn an_error_answers_the_one_command_that_met_it() {
    let down = || Err(StoreDown::Refused);
    for (wire, first, second, third) in [
        (&b"-OOM no\r\n:5\r\n*0\r\n:6\r\n*0\r\n"[..], down(), none_on(1, 5), none_on(2, 6)),
        (b":1\r\n-WRONGTYPE\r\n*0\r\n:6\r\n*0\r\n", Ok(Reply::Signed), down(), none_on(2, 6)),
        (b":1\r\n:5\r\n-WRONGTYPE\r\n:6\r\n*0\r\n", Ok(Reply::Signed), down(), none_on(2, 6)),
        (b":1\r\n:5\r\n*0\r\n:-6\r\n*0\r\n", Ok(Reply::Signed), none_on(1, 5), down()),
        (b":1\r\n:5\r\n*1\r\n:1\r\n:6\r\n*-1\r\n", Ok(Reply::Signed), down(), down()),
        (b"+OK\r\n+5\r\n*0\r\n:6\r\n*1\r\n$-1\r\n", down(), down(), down()),
    ] {
        let mut dialogue = admitted();
        dialogue.ask(1, sign(b"x"));
        dialogue.ask(2, visit(1));
        dialogue.ask(3, visit(2));
        sent(&mut dialogue);
        assert_eq!(dialogue.received(wire), Ok(()), "the dialogue goes on");
        let expected = [(1, first), (2, second), (3, third)];
        assert_eq!(replies(&mut dialogue), expected, "{}", wire.escape_ascii());
        assert!(!dialogue.owes());
    }
}

#[test]
fn a_reply_that_nobody_asked_for_ends_the_dialogue() {
    let mut dialogue = admitted();
    let farewell = dialogue.received(b"-ERR max number of clients reached\r\n");
    assert_eq!(farewell, Err(StoreDown::Broken));
    let mut dialogue = admitted();
    dialogue.ask(1, sign(b"x"));
    sent(&mut dialogue);
    assert_eq!(dialogue.received(b":1\r\n:2\r\n"), Err(StoreDown::Broken));
    assert_eq!(replies(&mut dialogue), [(1, Ok(Reply::Signed))], "what was answered, was");
}

#[test]
fn what_is_not_resp_ends_the_dialogue() {
    let mut dialogue = admitted();
    dialogue.ask(1, visit(1));
    sent(&mut dialogue);
    assert_eq!(dialogue.received(b":1\r\nHTTP/1.1 400\r\n"), Err(StoreDown::Broken));
    dialogue.fail(StoreDown::Broken);
    assert_eq!(replies(&mut dialogue), [(1, Err(StoreDown::Broken))]);
}

#[test]
fn a_dialogue_that_fails_answers_everybody_exactly_once() {
    let mut dialogue = admitted();
    dialogue.ask(1, sign(b"x"));
    dialogue.ask(2, visit(1));
    dialogue.ask(3, visit(1));
    dialogue.ask(4, look(2));
    sent(&mut dialogue);
    dialogue.ask(5, visit(1));
    dialogue.ask(6, sign(b"y"));
    // The first is answered, the second and third in half.
    dialogue.received(b":1\r\n:9\r\n*1\r\n$").expect("a part");
    dialogue.fail(StoreDown::Broken);
    let told = replies(&mut dialogue);
    let keys: Vec<u32> = told.iter().map(|(key, _)| *key).collect();
    assert_eq!(keys, [1, 2, 3, 4, 5, 6]);
    assert_eq!(told[0].1, Ok(Reply::Signed));
    assert!(told[1..].iter().all(|(_, reply)| *reply == Err(StoreDown::Broken)));
    assert!(!dialogue.owes());
    dialogue.fail(StoreDown::Broken);
    assert_eq!(dialogue.reply(), None, "once");
}

#[test]
fn too_many_questions_are_turned_away_and_the_others_served() {
    let mut dialogue = admitted();
    for key in 0..STORE_QUESTIONS as u32 {
        dialogue.ask(key, visit(1));
    }
    assert_eq!(dialogue.reply(), None, "the bound itself is within it");
    let beyond = STORE_QUESTIONS as u32;
    dialogue.ask(beyond, visit(1));
    assert_eq!(dialogue.reply(), Some((beyond, Err(StoreDown::Overloaded))));
    assert_eq!(sent(&mut dialogue)[0], format!("INCRBY visitor_count {STORE_QUESTIONS}"));
    let reply = format!(":{STORE_QUESTIONS}\r\n*0\r\n");
    dialogue.received(reply.as_bytes()).expect("a page");
    let mut numbers: Vec<u64> = replies(&mut dialogue)
        .into_iter()
        .map(|(_, reply)| match reply {
            Ok(Reply::Visited { number, .. }) => number,
            other => panic!("{other:?}"),
        })
        .collect();
    numbers.sort_unstable();
    assert!(numbers.iter().copied().eq(1..=STORE_QUESTIONS as u64), "each number once");
    dialogue.ask(beyond, visit(1));
    assert_eq!(dialogue.reply(), None, "there is room again");
}

#[test]
fn what_was_written_in_part_goes_on_where_it_stopped() {
    let mut dialogue = admitted();
    dialogue.ask(1, sign(b"first"));
    let mut wire = Vec::new();
    while !dialogue.outgoing().is_empty() {
        let count = dialogue.outgoing().len().min(7);
        wire.extend_from_slice(&dialogue.outgoing()[..count]);
        dialogue.wrote(count);
        dialogue.ask(2, sign(b"second"));
    }
    let mut expected = Vec::new();
    resp::command(&mut expected, &[b"RPUSH", b"guestbook_remarks", b"first"]);
    assert_eq!(wire, expected);
    dialogue.wrote(0);
    assert!(dialogue.outgoing().is_empty());
}
