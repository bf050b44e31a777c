//! Tests of the language of the scripts, and of the reader of answers: a reader that accepts
//! everything would hide faults.

use crate::script::{Case, End, parse, read_answer, unescape};

fn one(text: &str) -> Case {
    let mut cases = parse("t.http", text).expect("a script");
    assert_eq!(cases.len(), 1);
    cases.remove(0)
}

#[test]
fn a_case_is_read() {
    let case = one("== a name\n# a comment\n> GET / HTTP/1.1\n>\n>| a\\n\n< 200|304\n< open\n");
    assert_eq!((case.name.as_str(), case.place.as_str()), ("a name", "t.http:1"));
    assert_eq!(case.rounds[0].send, b"GET / HTTP/1.1\r\n\r\na\n");
    assert_eq!(case.rounds[0].answers[0].statuses, [200, 304]);
    assert_eq!((case.end, case.rounds.len()), (End::Open, 2), "the probe is a round");
}

#[test]
fn lines_to_send_after_an_answer_begin_another_round() {
    let case = one("== n\n> a\n< 200 head\n< 100\n> b\n>.\n< 200\n< close\n");
    let rounds: Vec<_> =
        case.rounds.iter().map(|r| (&r.send[..], r.then_shut, r.answers.len())).collect();
    assert_eq!(rounds, [(&b"a\r\n"[..], false, 2), (b"b\r\n", true, 1)]);
    assert!(case.rounds[0].answers[0].to_head && !case.rounds[0].answers[1].to_head);
}

#[test]
fn escapes_stand_for_bytes() {
    assert_eq!(unescape(r"a\r\n\t\0\\\xfFé").unwrap(), b"a\r\n\t\0\\\xff\xc3\xa9");
    assert_eq!(unescape(r"{repeat 3 a\n}{b}").unwrap(), b"a\na\na\n{b}");
    for wrong in [r"\q", r"\", r"\x1", r"\xzz", "{repeat 3}", "{repeat x y}", "{repeat 3 y"] {
        assert!(unescape(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn malformed_scripts_are_refused() {
    for (text, place) in [
        ("> GET\n", "t.http:1"),
        ("== n\n> a\n< 200\n", "t.http:1"),
        ("== n\n< close\n", "t.http:1"),
        ("== n\n> a\nwhat\n", "t.http:3"),
        ("== n\n> a\n< 20x\n< close\n", "t.http:3"),
        ("== n\n> a\n< Name: b\n< close\n", "t.http:3"),
        ("== n\n> a\n< 200\n< nonsense\n< close\n", "t.http:4"),
        ("== n\n> a\n< close\n> b\n", "t.http:4"),
        ("== n\n>.\n< 200\n> b\n< close\n", "t.http:4"),
        ("== n\n> \\q\n< close\n", "t.http:2"),
    ] {
        let why = parse("t.http", text).err().unwrap_or_default();
        assert!(why.starts_with(place), "{text:?}: {why:?}");
    }
}

const ANSWER: &str = "HTTP/1.1 200 OK\r\nDate: today\r\nContent-Length: 5\r\nX: y\r\n\r\nhello";

#[test]
fn an_answer_is_read_whole_or_not_at_all() {
    for cut in 0..ANSWER.len() {
        assert_eq!(read_answer(&ANSWER.as_bytes()[..cut], false), Ok(None), "{cut}");
    }
    let more = format!("{ANSWER}HTTP");
    let (answer, used) = read_answer(more.as_bytes(), false).unwrap().expect("an answer");
    assert_eq!((answer.status, &answer.body[..], used), (200, &b"hello"[..], ANSWER.len()));
    assert_eq!(answer.field("x"), Ok(Some(&b"y"[..])));
    let (answer, used) = read_answer(ANSWER.as_bytes(), true).unwrap().expect("a head");
    assert_eq!((&answer.body[..], used), (&b""[..], ANSWER.len() - 5));
}

#[test]
fn malformed_answers_are_refused() {
    for wrong in [
        "HTTP/1.0 200 OK\r\n\r\n",
        "HTTP/1.1 200\r\n\r\n",
        "HTTP/1.1 2000 OK\r\n\r\n",
        "200 OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\nDate: x\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 100 Continue\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nA : b\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nA:b\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nA: \x01\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nA: b\nContent-Length: 0\r\n\r\n",
    ] {
        assert!(read_answer(wrong.as_bytes(), false).is_err(), "{wrong:?}");
    }
}

#[test]
fn a_case_is_judged_by_its_rules_and_by_those_of_all_cases() {
    let case_with = |rules: &str| one(&format!("== n\n> a\n< 200\n{rules}\n< open\n"));
    for (rules, kept) in [
        ("", true),
        ("< X: y", true),
        ("< X: *", true),
        ("< X: z", false),
        ("< Y: *", false),
        ("< !X", false),
        ("< !Y", true),
        ("<~ ell", true),
        ("<~ Ell", false),
        ("<! ell", false),
        ("<! Ell", true),
        ("<= hello", true),
        ("<= hell", false),
    ] {
        assert_eq!(case_with(rules).judge(0, ANSWER.as_bytes()).is_ok(), kept, "{rules}");
    }
    let judge = |answer: &str| case_with("").judge(0, answer.as_bytes());
    for wrong in [
        &ANSWER[..ANSWER.len() - 1],
        &format!("{ANSWER}x"),
        &ANSWER.replace("200 OK", "201 Created"),
        &ANSWER.replace("Date: today\r\n", ""),
        &ANSWER.replace("X: y", "Connection: close"),
    ] {
        assert!(judge(wrong).is_err(), "{wrong}");
    }
    let closing = one("== n\n> a\n< 200\n< close\n");
    assert!(closing.judge(0, ANSWER.as_bytes()).is_err(), "the answer must say close");
    let with_close = ANSWER.replace("X: y", "Connection: close");
    assert!(closing.judge(0, with_close.as_bytes()).is_ok());
    let refused = one("== n\n> a\n< 405\n< open\n");
    let without_allow = ANSWER.replace("200 OK", "405 Method Not Allowed");
    assert!(refused.judge(0, without_allow.as_bytes()).is_err(), "405 needs Allow");
}
