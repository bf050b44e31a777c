//! However the bytes of a client are cut on their way, they get the same answers.

#![no_main]

#[path = "../../core/tests/driven/client.rs"]
#[allow(dead_code)]
mod client;
#[path = "../../tests/support/script.rs"]
#[allow(dead_code)]
mod script;
#[path = "../../core/tests/driven/world.rs"]
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

/// An answer as it was logged, and its bytes.
type Given = (Record, Vec<u8>);

// The first byte seeds the dice that cut the rest.
fuzz_target!(|input: &[u8]| {
    let Some((&seed, input)) = input.split_first() else { return };
    // A client that holds its body back is answered otherwise than one that does not.
    if input.windows(6).any(|word| word.eq_ignore_ascii_case(b"expect")) {
        return;
    }
    CLIENT.with_borrow_mut(|client| {
        let whole = answers(client, [input]);
        let mut dice = Dice(u64::from(seed));
        let most = 1 + dice.below(100);
        let mut rest = input;
        let pieces = std::iter::from_fn(|| {
            let (piece, after) = rest.split_at(rest.len().min(1 + dice.below(most) as usize));
            rest = after;
            (!piece.is_empty()).then_some(piece)
        });
        compare(&whole, &answers(client, pieces), "in pieces");
        compare(&whole, &answers(client, input.chunks(1)), "byte by byte");
    });
});

/// All that is answered to these bytes and to their end.
fn answers<'i>(client: &mut Client, pieces: impl IntoIterator<Item = &'i [u8]>) -> Vec<Given> {
    client.reconnect();
    client.store = Store::default();
    for piece in pieces {
        client.push(piece);
    }
    client.stop();
    assert!(client.end.is_some(), "not closed at the end");
    let out = client.take();
    let mut rest = &out[..];
    let mut given = Vec::new();
    for record in &client.log {
        let to_head = record.line.starts_with("HEAD ");
        let read = read_answer(rest, to_head).expect("an answer");
        let (answer, used) = read.expect("a whole answer");
        assert_eq!(answer.status, record.status);
        assert_eq!(answer.body.len() as u64, record.body_bytes);
        given.push((record.clone(), rest[..used].to_vec()));
        rest = &rest[used..];
    }
    assert!(rest.is_empty(), "more than was logged: {}", rest.escape_ascii());
    given
}

/// Of several faults in one request, any may be the one that is told.
fn compare(whole: &[Given], cut: &[Given], how: &str) {
    let refused = |given: &[Given]| {
        given.last().is_some_and(|(record, bytes)| {
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

fn show(given: &[Given]) -> String {
    given.iter().map(|(record, bytes)| format!("{record:?} {}\n", bytes.escape_ascii())).collect()
}
