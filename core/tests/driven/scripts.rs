//! Every script, driven in blocking style: what is sent at once is received at once.

use crate::client::Client;
use crate::script::{self, Case, End};
use crate::world::scripts_folder;

/// Runs a case, each round cut into the pieces that `cut` makes of it; says what came in each
/// round, and how the connection ended.
pub(crate) fn run<'c>(
    client: &mut Client,
    case: &'c Case,
    mut cut: impl FnMut(&'c [u8]) -> Vec<&'c [u8]>,
) -> Vec<Vec<u8>> {
    client.settle();
    let mut came = Vec::new();
    for round in &case.rounds {
        for piece in cut(&round.send) {
            client.push(piece);
        }
        if round.then_shut {
            client.stop();
        }
        came.push(client.take());
    }
    // A client that sees the server's side shut, shuts its own.
    if client.shut && client.end.is_none() {
        client.stop();
    }
    came
}

/// Whether a case went as it should; says why not.
pub(crate) fn judge(case: &Case, came: &[Vec<u8>], client: &Client) -> Result<(), String> {
    for (index, bytes) in came.iter().enumerate() {
        case.judge(index, bytes)?;
    }
    match (case.end, client.end) {
        (End::Open, None) | (End::Close, Some(_)) => Ok(()),
        (expected, end) => Err(format!("should end {expected:?}, ended {end:?}")),
    }
}

/// Every case that fails, with its place: a reader wants all of them at once.
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
        let came = run(&mut client, case, |bytes| vec![bytes]);
        judge(case, &came, &client)
    });
}

#[test]
fn every_case_has_a_name_of_its_own_in_its_file() {
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
        let came = run(&mut client, case, |bytes| vec![bytes]);
        if judge(case, &came, &client).is_err() {
            return Ok(()); // The test above says so.
        }
        let answers = case.rounds.iter().zip(&came).flat_map(|(round, bytes)| {
            round.read(bytes).expect("answers").expect("whole answers").0
        });
        let given: Vec<_> = answers
            .filter(|answer| answer.status >= 200)
            .map(|answer| (answer.status, answer.body.len() as u64))
            .collect();
        let logged: Vec<_> =
            client.log.iter().map(|record| (record.status, record.body_bytes)).collect();
        if given == logged { Ok(()) } else { Err(format!("given {given:?}, logged {logged:?}")) }
    });
}
