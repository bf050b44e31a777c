//! The pipeline against a scripted store: what it sends, and which query gets which reply.

use std::{format, string::String, vec};

use super::*;

#[path = "pipeline_failing_tests.rs"]
mod failing;

/// Writes all that the pipeline has to send. Returns the commands, each as words with spaces
/// between.
fn write_commands(pipeline: &mut Pipeline<u32>) -> Vec<String> {
    let mut wire = pipeline.outgoing().to_vec();
    pipeline.wrote(wire.len());
    let mut commands = Vec::new();
    while !wire.is_empty() {
        let (value, used) = resp::decode(&wire).expect("RESP").expect("a whole command");
        let RespValue::Array(Some(words)) = value else { panic!("not a command") };
        let words = words.iter().map(|word| match word {
            RespValue::Bulk(Some(text)) => format!("{}", text.escape_ascii()),
            other => panic!("not a word: {other:?}"),
        });
        commands.push(words.collect::<Vec<_>>().join(" "));
        wire.drain(..used);
    }
    commands
}

/// A pipeline whose greeting the store has accepted.
fn accepted_pipeline() -> Pipeline<u32> {
    let mut pipeline = Pipeline::new(&Credentials::default());
    assert_eq!(write_commands(&mut pipeline), ["PING"]);
    pipeline.received(b"+PONG\r\n").expect("a greeting");
    pipeline
}

const fn visit(page: u32) -> Query {
    Query::Visit { page, is_counted: true }
}

const fn look(page: u32) -> Query {
    Query::Visit { page, is_counted: false }
}

fn sign(item: &[u8]) -> Query {
    Query::Sign(item.to_vec())
}

type KeyedReply = (u32, Result<Reply, StoreDown>);

/// All replies that are ready, in the order of their keys.
fn replies(pipeline: &mut Pipeline<u32>) -> Vec<KeyedReply> {
    let ready = core::iter::from_fn(|| pipeline.reply());
    let mut all: Vec<KeyedReply> =
        ready.map(|(key, reply)| (key, reply.map_err(|failure| failure.why))).collect();
    all.sort_by_key(|(key, _)| *key);
    all
}

fn visited(number: u64, remarks: &[&[u8]]) -> Result<Reply, StoreDown> {
    Ok(Reply::Visited { number, remarks: Arc::new(Remarks::new(1, remarks)) })
}

fn empty_page(page: u32, number: u64) -> Result<Reply, StoreDown> {
    Ok(Reply::Visited { number, remarks: Arc::new(Remarks::new(page, &[])) })
}

#[test]
fn the_greeting_authenticates_selects_a_database_and_pings() {
    for (user, password, database, expected) in [
        (None, None, 0, vec!["PING"]),
        (None, Some("pw"), 0, vec!["AUTH pw", "PING"]),
        (Some("me"), Some("pw"), 0, vec!["AUTH me pw", "PING"]),
        (None, None, 7, vec!["SELECT 7", "PING"]),
        (Some("me"), Some("pw"), 15, vec!["AUTH me pw", "SELECT 15", "PING"]),
    ] {
        let bytes = |text: Option<&str>| text.map(|text| text.as_bytes().to_vec());
        let credentials = Credentials { user: bytes(user), password: bytes(password), database };
        let mut pipeline = Pipeline::new(&credentials);
        assert_eq!(write_commands(&mut pipeline), expected);
        for _ in 1..expected.len() {
            pipeline.received(b"+OK\r\n").expect("a greeting");
            assert!(!pipeline.is_greeting_accepted(), "not before the last reply");
        }
        pipeline.received(b"+PONG\r\n").expect("a greeting");
        assert!(pipeline.is_greeting_accepted());
        assert!(!pipeline.has_pending());
    }
}

#[test]
fn a_connection_that_was_used_before_needs_no_greeting() {
    let mut pipeline = Pipeline::greeted();
    assert!(pipeline.is_greeting_accepted());
    pipeline.ask(1, sign(b"x"));
    assert_eq!(write_commands(&mut pipeline), ["RPUSH guestbook_remarks x"]);
    pipeline.received(b":1\r\n").expect("a reply");
    assert_eq!(replies(&mut pipeline), [(1, Ok(Reply::Signed))]);
}

/// If SELECT fails, later commands would use another database.
#[test]
fn no_query_is_sent_before_the_store_has_accepted_the_greeting() {
    let mut pipeline = Pipeline::new(&Credentials { database: 3, ..Credentials::default() });
    pipeline.ask(1, sign(b"a remark"));
    assert_eq!(write_commands(&mut pipeline), ["SELECT 3", "PING"]);
    pipeline.received(b"+OK\r\n+PONG\r\n").expect("a greeting");
    assert_eq!(write_commands(&mut pipeline), ["RPUSH guestbook_remarks a remark"]);
}

#[test]
fn a_visit_is_one_round_trip() {
    let mut pipeline = accepted_pipeline();
    pipeline.ask(7, visit(1));
    assert!(pipeline.has_pending());
    assert_eq!(
        write_commands(&mut pipeline),
        ["INCRBY visitor_count 1", "LRANGE guestbook_remarks -21 -1"]
    );
    assert!(pipeline.outgoing().is_empty(), "nothing is sent twice");
    pipeline.received(b":42\r\n").expect("a number");
    assert_eq!(pipeline.reply(), None, "a visit needs both replies");
    pipeline.received(b"*2\r\n$1\r\na\r\n$2\r\n\xff\n\r\n").expect("a page");
    assert_eq!(replies(&mut pipeline), [(7, visited(42, &[b"a", b"\xff\n"]))]);
    assert!(!pipeline.has_pending());
}

#[test]
fn a_page_is_counted_from_the_end_of_the_list() {
    for (page, range) in [(1, "-21 -1"), (2, "-41 -21"), (3, "-61 -41"), (500, "-10001 -9981")] {
        let mut pipeline = accepted_pipeline();
        pipeline.ask(1, visit(page));
        let expected = format!("LRANGE guestbook_remarks {range}");
        assert_eq!(write_commands(&mut pipeline)[1], expected);
    }
}

#[test]
fn an_uncounted_visitor_sees_the_last_number_given() {
    let mut pipeline = accepted_pipeline();
    pipeline.ask(1, look(1));
    assert_eq!(write_commands(&mut pipeline)[0], "GET visitor_count");
    pipeline.received(b"$2\r\n41\r\n*0\r\n").expect("a page");
    assert_eq!(replies(&mut pipeline), [(1, visited(41, &[]))]);
    pipeline.ask(2, look(1));
    write_commands(&mut pipeline);
    pipeline.received(b"$-1\r\n*0\r\n").expect("a page");
    assert_eq!(replies(&mut pipeline), [(2, visited(0, &[]))], "no visitor was counted yet");
}

#[test]
fn visitors_of_one_batch_are_counted_together_and_get_different_numbers() {
    let mut pipeline = accepted_pipeline();
    for key in 1..=5 {
        pipeline.ask(key, if key == 3 { look(1) } else { visit(1) });
    }
    assert_eq!(
        write_commands(&mut pipeline),
        ["INCRBY visitor_count 4", "LRANGE guestbook_remarks -21 -1"]
    );
    pipeline.received(b":104\r\n*1\r\n$1\r\na\r\n").expect("a page");
    let numbers: Vec<(u32, u64)> = replies(&mut pipeline)
        .iter()
        .map(|(key, reply)| match reply {
            Ok(Reply::Visited { number, remarks }) => {
                assert_eq!(**remarks, Remarks::new(1, &[b"a"]));
                (*key, *number)
            }
            other => panic!("{other:?}"),
        })
        .collect();
    // In the order of the queries; an uncounted visitor sees the last number.
    assert_eq!(numbers, [(1, 101), (2, 102), (3, 104), (4, 103), (5, 104)]);
    assert!(!pipeline.has_pending());
}

#[test]
fn visitors_of_different_pages_are_counted_separately() {
    let mut pipeline = accepted_pipeline();
    pipeline.ask(1, visit(2));
    pipeline.ask(2, visit(1));
    pipeline.ask(3, visit(2));
    assert_eq!(
        write_commands(&mut pipeline),
        [
            "INCRBY visitor_count 2",
            "LRANGE guestbook_remarks -41 -21",
            "INCRBY visitor_count 1",
            "LRANGE guestbook_remarks -21 -1"
        ]
    );
    pipeline.received(b":2\r\n*1\r\n$3\r\nold\r\n:3\r\n*1\r\n$3\r\nnew\r\n").expect("pages");
    let replies = replies(&mut pipeline);
    let old = |number| {
        let remarks = Arc::new(Remarks::new(2, &[b"old"]));
        Ok(Reply::Visited { number, remarks })
    };
    assert_eq!(replies, [(1, old(1)), (2, visited(3, &[b"new"])), (3, old(2))]);
}

#[test]
fn remarks_of_a_batch_go_first_so_that_its_visitors_see_them() {
    let mut pipeline = accepted_pipeline();
    pipeline.ask(1, visit(1));
    pipeline.ask(2, sign(b"first - A"));
    pipeline.ask(3, sign(b"\r\n\0 - B"));
    assert_eq!(
        write_commands(&mut pipeline),
        [
            "RPUSH guestbook_remarks first - A",
            "RPUSH guestbook_remarks \\r\\n\\x00 - B",
            "INCRBY visitor_count 1",
            "LRANGE guestbook_remarks -21 -1"
        ]
    );
    pipeline.received(b":1\r\n:2\r\n:9\r\n*0\r\n").expect("replies");
    let replies = replies(&mut pipeline);
    assert_eq!(replies, [(1, visited(9, &[])), (2, Ok(Reply::Signed)), (3, Ok(Reply::Signed))]);
}

#[test]
fn queries_that_arrive_while_a_reply_is_outstanding_go_out_together_after_it() {
    let mut pipeline = accepted_pipeline();
    pipeline.ask(1, visit(1));
    assert_eq!(write_commands(&mut pipeline).len(), 2);
    pipeline.ask(2, sign(b"x"));
    pipeline.ask(3, visit(1));
    assert!(pipeline.outgoing().is_empty());
    pipeline.received(b":1\r\n").expect("half of the answer");
    pipeline.ask(4, visit(1));
    assert!(pipeline.outgoing().is_empty());
    pipeline.received(b"*0\r\n").expect("the other half");
    assert_eq!(
        write_commands(&mut pipeline).len(),
        3,
        "one RPUSH, one count and one page for two visits"
    );
    pipeline.received(b":1\r\n:3\r\n*1\r\n$1\r\nx\r\n").expect("replies");
    let order: Vec<u32> = core::iter::from_fn(|| pipeline.reply()).map(|(key, _)| key).collect();
    assert_eq!(order, [1, 2, 3, 4]);
}

#[test]
fn replies_can_be_split_at_any_byte() {
    let wire = b":1\r\n:7\r\n*2\r\n$4\r\n\r\n:1\r\n$0\r\n\r\n$1\r\n7\r\n*0\r\n";
    let asked = || {
        let mut pipeline = accepted_pipeline();
        pipeline.ask(1, sign(b"x"));
        pipeline.ask(2, visit(1));
        pipeline.ask(3, look(2));
        write_commands(&mut pipeline);
        pipeline
    };
    let expected =
        [(1, Ok(Reply::Signed)), (2, visited(7, &[b"\r\n:1", b""])), (3, empty_page(2, 7))];
    for cut in 0..=wire.len() {
        let mut pipeline = asked();
        pipeline.received(&wire[..cut]).expect("the first piece");
        pipeline.received(&wire[cut..]).expect("the second piece");
        assert_eq!(replies(&mut pipeline), expected, "cut at {cut}");
    }
    let mut pipeline = asked();
    for byte in wire {
        pipeline.received(&[*byte]).expect("a byte");
    }
    assert_eq!(replies(&mut pipeline), expected, "byte by byte");
}

#[test]
fn queries_beyond_the_limit_fail_and_the_others_are_served() {
    let mut pipeline = accepted_pipeline();
    for key in 0..STORE_QUERIES as u32 {
        pipeline.ask(key, visit(1));
    }
    assert_eq!(pipeline.reply(), None, "as many queries as the limit allows");
    let beyond = STORE_QUERIES as u32;
    pipeline.ask(beyond, visit(1));
    assert_eq!(pipeline.reply(), Some((beyond, Err(StoreDown::Overloaded.into()))));
    assert_eq!(write_commands(&mut pipeline)[0], format!("INCRBY visitor_count {STORE_QUERIES}"));
    let reply = format!(":{STORE_QUERIES}\r\n*0\r\n");
    pipeline.received(reply.as_bytes()).expect("a page");
    let mut numbers: Vec<u64> = replies(&mut pipeline)
        .into_iter()
        .map(|(_, reply)| match reply {
            Ok(Reply::Visited { number, .. }) => number,
            other => panic!("{other:?}"),
        })
        .collect();
    numbers.sort_unstable();
    assert!(numbers.iter().copied().eq(1..=STORE_QUERIES as u64), "each number once");
    pipeline.ask(beyond, visit(1));
    assert_eq!(pipeline.reply(), None, "there is room again");
}

#[test]
fn a_partial_write_continues_where_it_stopped() {
    let mut pipeline = accepted_pipeline();
    pipeline.ask(1, sign(b"first"));
    let mut wire = Vec::new();
    while !pipeline.outgoing().is_empty() {
        let count = pipeline.outgoing().len().min(7);
        wire.extend_from_slice(&pipeline.outgoing()[..count]);
        pipeline.wrote(count);
        pipeline.ask(2, sign(b"second"));
    }
    let mut expected = Vec::new();
    resp::command(&mut expected, &[b"RPUSH", b"guestbook_remarks", b"first"]);
    assert_eq!(wire, expected);
    pipeline.wrote(0);
    assert!(pipeline.outgoing().is_empty());
}
