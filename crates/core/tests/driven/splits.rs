//! The answers do not depend on how the bytes of a script are cut into pieces on their way.

use crate::client::Client;
use crate::script::Case;
use crate::scripts::{for_each_case, run};
use crate::world::{Dice, Store};

/// The results that must not depend on where bytes are cut.
#[derive(PartialEq)]
struct Outcome {
    received: Vec<Vec<u8>>,
    log: Vec<(u16, u64)>,
    has_ended: bool,
}

fn outcome<'c>(
    client: &mut Client,
    case: &'c Case,
    cut: impl FnMut(&'c [u8]) -> Vec<&'c [u8]>,
) -> Outcome {
    client.reconnect();
    client.store = Store::default();
    let received = run(client, case, cut);
    let log = client.log.iter().map(|record| (record.status, record.body_bytes)).collect();
    Outcome { received, log, has_ended: client.end.is_some() }
}

fn compare(whole: &Outcome, cut: &Outcome, how: &str) -> Result<(), String> {
    if whole == cut {
        return Ok(());
    }
    let received = |outcome: &Outcome| outcome.received.concat();
    let at = received(whole).iter().zip(received(cut)).take_while(|(a, b)| **a == *b).count();
    let show = |outcome: &Outcome| {
        let end: Vec<u8> = received(outcome).into_iter().skip(at).take(40).collect();
        format!("{:?}, ended: {}, ...{}", outcome.log, outcome.has_ended, end.escape_ascii())
    };
    Err(format!("{how}:\n  whole: {}\n  cut:   {}", show(whole), show(cut)))
}

/// The places at which to cut `len` bytes. Long scripts repeat one byte, so a few cuts in their
/// middle are enough.
fn cuts(len: usize) -> Vec<usize> {
    let near = 300;
    let edges = [8192, 16384, 24576, 65536];
    let matters = |at: usize| {
        at < near || len - at < near || edges.iter().any(|edge| at.abs_diff(*edge) < 40)
    };
    (1..len).filter(|&at| matters(at) || at % 509 == 0).collect()
}

#[test]
fn a_cut_at_any_place_changes_nothing() {
    let mut client = Client::new();
    for_each_case(|case| {
        let whole = outcome(&mut client, case, |bytes| vec![bytes]);
        for (index, round) in case.rounds.iter().enumerate() {
            for at in cuts(round.send.len()) {
                let mut rounds = 0..;
                let cut = outcome(&mut client, case, |bytes| match rounds.next() {
                    Some(number) if number == index => vec![&bytes[..at], &bytes[at..]],
                    _ => vec![bytes],
                });
                compare(&whole, &cut, &format!("round {} cut after {at} bytes", index + 1))?;
            }
        }
        Ok(())
    });
}

#[test]
fn bytes_that_come_one_by_one_change_nothing() {
    let mut client = Client::new();
    for_each_case(|case| {
        let whole = outcome(&mut client, case, |bytes| vec![bytes]);
        let cut = outcome(&mut client, case, |bytes| bytes.chunks(1).collect());
        compare(&whole, &cut, "byte by byte")
    });
}

#[test]
fn pieces_of_any_size_change_nothing() {
    let mut client = Client::new();
    for_each_case(|case| {
        let whole = outcome(&mut client, case, |bytes| vec![bytes]);
        for seed in 0..20 {
            let mut dice = Dice(seed);
            let max_len = 1 + dice.below(200);
            let cut = outcome(&mut client, case, |bytes| {
                let mut pieces = Vec::new();
                let mut rest = bytes;
                while !rest.is_empty() {
                    let len = (1 + dice.below(max_len) as usize).min(rest.len());
                    pieces.push(&rest[..len]);
                    rest = &rest[len..];
                }
                pieces
            });
            compare(&whole, &cut, &format!("seed {seed}"))?;
        }
        Ok(())
    });
}
