//! The pipeline with a failing store: which query gets which failure, and whether the pipeline can
//! still be used.

use std::string::ToString;

use super::*;

fn why(result: Result<(), StoreFailure>) -> Result<(), StoreDown> {
    result.map_err(|failure| failure.why)
}

#[test]
fn a_store_that_refuses_authentication_fails_the_pipeline() {
    let credentials = Credentials { user: None, password: Some(b"pw".to_vec()), database: 3 };
    for refusal in [
        &b"-WRONGPASS invalid username-password pair\r\n"[..],
        b"+OK\r\n-ERR DB index is out of range\r\n",
        b"+OK\r\n-NOPERM no permissions to run the 'select' command\r\n",
        b"+OK\r\n+OK\r\n-NOAUTH Authentication required.\r\n",
        b"-DENIED Redis is running in protected mode\r\n",
    ] {
        let mut pipeline = Pipeline::new(&credentials);
        pipeline.ask(1, visit(1));
        write_commands(&mut pipeline);
        assert_eq!(why(pipeline.received(refusal)), Err(StoreDown::NotAdmitted));
        assert!(!pipeline.is_greeting_accepted());
        pipeline.fail(StoreDown::NotAdmitted.into());
        assert_eq!(replies(&mut pipeline), [(1, Err(StoreDown::NotAdmitted))]);
    }
    let mut pipeline = Pipeline::<u32>::new(&Credentials::default());
    let refused = why(pipeline.received(b"-NOAUTH Authentication required.\r\n"));
    assert_eq!(refused, Err(StoreDown::NotAdmitted), "a password is needed");
}

#[test]
fn a_store_that_is_loading_or_full_does_not_count_as_one_that_refuses_the_password() {
    for (reply, why) in [
        (&b"-LOADING Redis is loading the dataset in memory\r\n"[..], StoreDown::NotServing),
        (b"-MISCONF Errors writing to the AOF file\r\n", StoreDown::NotServing),
        (b"-ERR max number of clients reached\r\n", StoreDown::NotServing),
        (b":1\r\n", StoreDown::Broken),
    ] {
        let mut pipeline = Pipeline::<u32>::new(&Credentials::default());
        assert_eq!(pipeline.received(reply).unwrap_err().why, why);
        assert!(!pipeline.is_greeting_accepted());
    }
}

#[test]
fn a_user_without_the_right_to_ping_is_accepted() {
    let credentials = Credentials { user: None, password: Some(b"pw".to_vec()), database: 0 };
    let mut pipeline = Pipeline::<u32>::new(&credentials);
    write_commands(&mut pipeline);
    let noperm = b"+OK\r\n-NOPERM this user has no permissions to run the 'ping' command\r\n";
    assert_eq!(pipeline.received(noperm), Ok(()));
    assert!(pipeline.is_greeting_accepted());
}

/// A replica answers reads. The pipeline ends after the outstanding replies, so that none is lost.
#[test]
fn a_pipeline_to_a_store_that_can_not_serve_ends_after_the_outstanding_replies() {
    let mut pipeline = accepted_pipeline();
    pipeline.ask(1, sign(b"x"));
    pipeline.ask(2, look(1));
    write_commands(&mut pipeline);
    pipeline.ask(3, sign(b"y"));
    let readonly = b"-READONLY You can't write against a read only replica.\r\n";
    assert_eq!(pipeline.received(readonly), Ok(()), "a page is awaited");
    let failure = pipeline.received(b"$1\r\n7\r\n*0\r\n").unwrap_err();
    assert_eq!(
        failure.to_string(),
        "does not serve: READONLY You can't write against a read only replica."
    );
    assert!(pipeline.outgoing().is_empty(), "nothing more is sent");
    pipeline.fail(failure);
    let down = || Err(StoreDown::NotServing);
    assert_eq!(replies(&mut pipeline), [(1, down()), (2, empty_page(1, 7)), (3, down())]);
}

#[test]
fn each_query_gets_the_message_of_its_own_error() {
    let mut pipeline = accepted_pipeline();
    pipeline.ask(1, sign(b"x"));
    pipeline.ask(2, visit(1));
    write_commands(&mut pipeline);
    let wire = b"-OOM no memory\r\n:1\r\n-WRONGTYPE no list\r\n";
    assert_eq!(pipeline.received(wire), Ok(()));
    let messages: Vec<_> = core::iter::from_fn(|| pipeline.reply())
        .map(|(key, reply)| (key, reply.unwrap_err().to_string()))
        .collect();
    let expected = ["OOM no memory", "WRONGTYPE no list"];
    let expected = expected.map(|text| format!("answered with an error: {text}"));
    assert_eq!(messages, [1, 2].into_iter().zip(expected).collect::<Vec<_>>());
}

#[test]
fn an_error_answers_only_the_queries_of_its_command() {
    let down = || Err(StoreDown::Refused);
    for (wire, first, second, third) in [
        (&b"-OOM no\r\n:5\r\n*0\r\n:6\r\n*0\r\n"[..], down(), empty_page(1, 5), empty_page(2, 6)),
        (b":1\r\n-WRONGTYPE\r\n*0\r\n:6\r\n*0\r\n", Ok(Reply::Signed), down(), empty_page(2, 6)),
        (b":1\r\n:5\r\n-WRONGTYPE\r\n:6\r\n*0\r\n", Ok(Reply::Signed), down(), empty_page(2, 6)),
        (b":1\r\n:5\r\n*0\r\n:-6\r\n*0\r\n", Ok(Reply::Signed), empty_page(1, 5), down()),
        (b":1\r\n:5\r\n*1\r\n:1\r\n:6\r\n*-1\r\n", Ok(Reply::Signed), down(), down()),
        (b"+OK\r\n+5\r\n*0\r\n:6\r\n*1\r\n$-1\r\n", down(), down(), down()),
    ] {
        let mut pipeline = accepted_pipeline();
        pipeline.ask(1, sign(b"x"));
        pipeline.ask(2, visit(1));
        pipeline.ask(3, visit(2));
        write_commands(&mut pipeline);
        assert_eq!(pipeline.received(wire), Ok(()), "the pipeline can still be used");
        let expected = [(1, first), (2, second), (3, third)];
        assert_eq!(replies(&mut pipeline), expected, "{}", wire.escape_ascii());
        assert!(!pipeline.has_pending());
    }
}

#[test]
fn an_unasked_reply_fails_the_pipeline() {
    let mut pipeline = accepted_pipeline();
    let message = pipeline.received(b"-ERR max number of clients reached\r\n").unwrap_err();
    assert_eq!(message.to_string(), "broke the connection: ERR max number of clients reached");
    let mut pipeline = accepted_pipeline();
    pipeline.ask(1, sign(b"x"));
    write_commands(&mut pipeline);
    assert_eq!(why(pipeline.received(b":1\r\n:2\r\n")), Err(StoreDown::Broken));
    assert_eq!(replies(&mut pipeline), [(1, Ok(Reply::Signed))], "the reply before it counts");
}

#[test]
fn input_that_is_not_resp_fails_the_pipeline() {
    let mut pipeline = accepted_pipeline();
    pipeline.ask(1, visit(1));
    write_commands(&mut pipeline);
    assert_eq!(why(pipeline.received(b":1\r\nHTTP/1.1 400\r\n")), Err(StoreDown::Broken));
    pipeline.fail(StoreDown::Broken.into());
    assert_eq!(replies(&mut pipeline), [(1, Err(StoreDown::Broken))]);
}

#[test]
fn a_failed_pipeline_answers_each_client_exactly_once() {
    let mut pipeline = accepted_pipeline();
    pipeline.ask(1, sign(b"x"));
    pipeline.ask(2, visit(1));
    pipeline.ask(3, visit(1));
    pipeline.ask(4, look(2));
    write_commands(&mut pipeline);
    pipeline.ask(5, visit(1));
    pipeline.ask(6, sign(b"y"));
    // The first query has its reply; the replies to the second and third have begun.
    pipeline.received(b":1\r\n:9\r\n*1\r\n$").expect("a part");
    pipeline.fail(StoreDown::Broken.into());
    let replies = replies(&mut pipeline);
    let keys: Vec<u32> = replies.iter().map(|(key, _)| *key).collect();
    assert_eq!(keys, [1, 2, 3, 4, 5, 6]);
    assert_eq!(replies[0].1, Ok(Reply::Signed));
    assert!(replies[1..].iter().all(|(_, reply)| *reply == Err(StoreDown::Broken)));
    assert!(!pipeline.has_pending());
    pipeline.fail(StoreDown::Broken.into());
    assert_eq!(pipeline.reply(), None, "a second answer");
}
