//! The answers do not depend on how the bytes of a client are cut into pieces on their way.

#![no_main]

#[path = "../../crates/core/tests/driven/client.rs"]
#[allow(dead_code)]
mod client;
#[path = "../../tests/support/script.rs"]
#[allow(dead_code)]
mod script;
#[path = "../../crates/core/tests/driven/world.rs"]
#[allow(dead_code)]
mod world;

use std::cell::RefCell;

use libfuzzer_sys::fuzz_target;

use client::{Client, Record};
use script::read_answer;
use world::{Dice, Store};

thread_local! {
    static CLIENT: RefCell<Client> = RefCell::new(Client::new());
}

/// The record of an answer, and its bytes.
type LoggedAnswer = (Record, Vec<u8>);

// The first byte seeds the random numbers that cut the rest.
fuzz_target!(|input: &[u8]| {
    let Some((&seed, input)) = input.split_first() else { return };
    // With `Expect`, the answers depend on whether the body comes with the head.
    if input.windows(6).any(|word| word.eq_ignore_ascii_case(b"expect")) {
        return;
    }
    CLIENT.with_borrow_mut(|client| {
        let whole = answers(client, [input]);
        let mut dice = Dice(u64::from(seed));
        let max_len = 1 + dice.below(100);
        let mut rest = input;
        let pieces = std::iter::from_fn(|| {
            let (piece, after) = rest.split_at(rest.len().min(1 + dice.below(max_len) as usize));
            rest = after;
            (!piece.is_empty()).then_some(piece)
        });
        compare(&whole, &answers(client, pieces), "in pieces");
        compare(&whole, &answers(client, input.chunks(1)), "byte by byte");
    });
});

/// The answers to these bytes and to their end.
fn answers<'i>(
    client: &mut Client,
    pieces: impl IntoIterator<Item = &'i [u8]>,
) -> Vec<LoggedAnswer> {
    client.reconnect();
    client.store = Store::default();
    for piece in pieces {
        client.push(piece);
    }
    client.stop();
    assert!(client.end.is_some(), "not closed at the end");
    let out = client.take();
    let mut rest = &out[..];
    let mut logged = Vec::new();
    for record in &client.log {
        let to_head = record.line.starts_with("HEAD ");
        let read = read_answer(rest, to_head).expect("an answer");
        let (answer, used) = read.expect("a whole answer");
        assert_eq!(answer.status, record.status);
        assert_eq!(answer.body.len() as u64, record.body_bytes);
        logged.push((record.clone(), rest[..used].to_vec()));
        rest = &rest[used..];
    }
    assert!(rest.is_empty(), "more than was logged: {}", rest.escape_ascii());
    logged
}

/// Compares answers. A request with several faults can be refused for any of them.
fn compare(whole: &[LoggedAnswer], cut: &[LoggedAnswer], how: &str) {
    let refused = |logged: &[LoggedAnswer]| {
        logged.last().is_some_and(|(record, bytes)| {
            let closes = b"\r\nConnection: close\r\n";
            record.status >= 400 && bytes.windows(closes.len()).any(|part| part == closes)
        })
    };
    let same = whole == cut
        || (refused(whole)
            && refused(cut)
            && whole.len() == cut.len()
            && whole[..whole.len() - 1] == cut[..cut.len() - 1]);
    assert!(same, "{how}:\n  whole: {}\n  cut:   {}", show(whole), show(cut));
}

fn show(logged: &[LoggedAnswer]) -> String {
    logged.iter().map(|(record, bytes)| format!("{record:?} {}\n", bytes.escape_ascii())).collect()
}
