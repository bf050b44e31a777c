//! Runs every script with a blocking driver. The bytes that a client sends in a round are received
//! at once.

use crate::client::Client;
use crate::script::{self, Case, End};
use crate::world::scripts_folder;

/// Runs a case, and returns what the client received in each round. `cut` divides the bytes of a
/// round into the pieces that are sent.
pub(crate) fn run<'c>(
    client: &mut Client,
    case: &'c Case,
    mut cut: impl FnMut(&'c [u8]) -> Vec<&'c [u8]>,
) -> Vec<Vec<u8>> {
    client.perform_all();
    let mut received = Vec::new();
    for round in &case.rounds {
        for piece in cut(&round.send) {
            client.push(piece);
        }
        if round.then_shut {
            client.stop();
        }
        received.push(client.take());
    }
    // A client that sees the end of the server's output stops sending.
    if client.server_has_shut && client.end.is_none() {
        client.stop();
    }
    received
}

/// Checks what was received, and how the connection ended, against the case.
pub(crate) fn judge(case: &Case, received: &[Vec<u8>], client: &Client) -> Result<(), String> {
    for (index, bytes) in received.iter().enumerate() {
        case.judge(index, bytes)?;
    }
    match (case.end, client.end) {
        (End::Open, None) | (End::Close, Some(_)) => Ok(()),
        (expected, end) => Err(format!("should end {expected:?}, ended {end:?}")),
    }
}

/// Tests every case, and then reports all that failed, each with its place.
pub(crate) fn for_each_case(mut test: impl FnMut(&Case) -> Result<(), String>) {
    let cases = script::load(&scripts_folder());
    let failures: Vec<String> = cases
        .iter()
        .filter_map(|case| {
            let why = test(case).err()?;
            Some(format!("{} ({}): {why}", case.place, case.name))
        })
        .collect();
    assert!(failures.is_empty(), "{} failed:\n{}", failures.len(), failures.join("\n"));
}

#[test]
fn every_script_passes() {
    for_each_case(|case| {
        let mut client = Client::new();
        let received = run(&mut client, case, |bytes| vec![bytes]);
        judge(case, &received, &client)
    });
}

#[test]
fn case_names_are_unique_in_each_file() {
    let cases = script::load(&scripts_folder());
    let file = |case: &Case| case.place.split(':').next().map(str::to_string);
    let mut names: Vec<_> = cases.iter().map(|case| (file(case), &case.name)).collect();
    names.sort();
    for pair in names.windows(2) {
        assert_ne!(pair[0], pair[1], "two cases of one name in one file");
    }
}

#[test]
fn every_answer_is_logged_once_with_its_status_and_the_length_of_its_body() {
    for_each_case(|case| {
        let mut client = Client::new();
        let received = run(&mut client, case, |bytes| vec![bytes]);
        if judge(case, &received, &client).is_err() {
            return Ok(()); // `every_script_passes` reports this.
        }
        let answers = case.rounds.iter().zip(&received).flat_map(|(round, bytes)| {
            round.read(bytes).expect("answers").expect("whole answers").0
        });
        let sent: Vec<_> = answers
            .filter(|answer| answer.status >= 200)
            .map(|answer| (answer.status, answer.body.len() as u64))
            .collect();
        let logged: Vec<_> =
            client.log.iter().map(|record| (record.status, record.body_bytes)).collect();
        if sent == logged { Ok(()) } else { Err(format!("sent {sent:?}, logged {logged:?}")) }
    });
}
