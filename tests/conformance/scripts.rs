//! Every script against every architecture, on both kinds of store.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread;

use crate::support::client::show;
use crate::support::script::{self, Case, End};
use crate::support::{
    Client, ONE_AT_A_TIME, Server, Store, for_each_architecture, for_each_pair, package,
};

/// Clients of one server at a time.
const CLIENTS: usize = 6;

fn cases() -> Vec<Case> {
    script::load(&package().join("tests/scripts"))
}

/// Runs a case; what came in each round.
fn run(client: &mut Client, case: &Case) -> Result<Vec<Vec<u8>>, String> {
    let mut came = Vec::new();
    for (index, round) in case.rounds.iter().enumerate() {
        client.send(&round.send);
        if round.then_shut {
            client.stop_sending();
        }
        let to_the_end = index + 1 == case.rounds.len() && case.end == End::Close;
        while to_the_end || round.read(&client.input)?.is_none() {
            match client.read_some(64 * 1024) {
                Ok(0) => break,
                Ok(_) => {}
                Err(e) => return Err(format!("{e} after {:?}", show(&client.input))),
            }
        }
        came.push(std::mem::take(&mut client.input));
    }
    Ok(came)
}

/// Runs and judges a case on a connection of its own.
fn pass(server: &Server, case: &Case) -> Result<Vec<Vec<u8>>, String> {
    let judged = run(&mut server.client(), case).and_then(|came| {
        came.iter().enumerate().try_for_each(|(index, bytes)| case.judge(index, bytes))?;
        Ok(came)
    });
    judged.map_err(|why| format!("{} ({}): {why}", case.place, case.name))
}

fn report(failures: &[String]) {
    assert!(failures.is_empty(), "{} cases failed:\n{}", failures.len(), failures.join("\n"));
}

/// An answer without what may differ: the date, and whether the connection goes on.
fn comparable(bytes: &[u8]) -> Vec<u8> {
    let may_differ =
        |line: &&[u8]| line.starts_with(b"Date: ") || line.starts_with(b"Connection: ");
    bytes
        .split_inclusive(|&byte| byte == b'\n')
        .filter(|line| !may_differ(line))
        .flatten()
        .copied()
        .collect()
}

/// What the first server sent for each case, which all others have to send too. Each has a new
/// store and the same visitors in the same order, so that even the visitors' numbers are the same.
#[derive(Default)]
struct Transcript(Mutex<Option<Vec<Vec<u8>>>>);

impl Transcript {
    fn compare(&self, cases: &[Case], sent: Vec<Vec<u8>>) {
        let mut first = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let expected = first.get_or_insert_with(|| sent.clone());
        for ((case, sent), expected) in cases.iter().zip(&sent).zip(expected) {
            assert!(
                sent == expected,
                "{} ({}): sent\n{}\nwhere another architecture sent\n{}",
                case.place,
                case.name,
                sent.escape_ascii(),
                expected.escape_ascii()
            );
        }
    }
}

#[test]
fn every_script_passes_and_all_architectures_send_the_same_bytes() {
    let cases = cases();
    let transcript = Transcript::default();
    for_each_pair(|arch, kind| {
        let store = Store::new(kind);
        let server = Server::start(arch, &store.url(), &[]);
        let mut failures = Vec::new();
        let mut sent = Vec::new();
        for case in &cases {
            match pass(&server, case) {
                Ok(came) => sent.push(comparable(&came.concat())),
                Err(why) => failures.push(why),
            }
        }
        report(&failures);
        transcript.compare(&cases, sent);
    });
}

#[test]
fn the_habits_of_2019_change_nothing_that_a_client_gets() {
    let mut cases = cases();
    // A client that said "close" is believed. One that sends more nevertheless is reset if that was
    // not read, as it is where bytes are read one by one.
    cases.retain(|case| !case.name.starts_with("nothing is answered after"));
    let habits = ["--read-bytes", "1", "--sends", "many", "--store-connection", "per-request"];
    for_each_architecture(|arch| {
        let store = Store::embedded();
        let server = Server::start(arch, &store.url(), &habits);
        let failures: Vec<_> = cases.iter().filter_map(|case| pass(&server, case).err()).collect();
        report(&failures);
    });
}

#[test]
fn every_script_passes_beside_others() {
    let mut cases = cases();
    // A case that signs looks for its remark among the newest: others must not push it away.
    cases.retain(|case| {
        let answers = case.rounds.iter().flat_map(|round| &round.answers);
        !answers.into_iter().any(|answer| answer.statuses.contains(&303))
    });
    for_each_pair(|arch, kind| {
        // An idle client makes room for the next one there, and is told so: no script can pass.
        if arch == ONE_AT_A_TIME {
            return;
        }
        let store = Store::new(kind);
        let server = Server::start(arch, &store.url(), &[]);
        let next = AtomicUsize::new(0);
        let failures = Mutex::new(Vec::new());
        let work = || {
            while let Some(case) = cases.get(next.fetch_add(1, Relaxed)) {
                if let Err(why) = pass(&server, case) {
                    failures.lock().expect("a list").push(why);
                }
            }
        };
        thread::scope(|scope| (0..CLIENTS).for_each(|_| drop(scope.spawn(work))));
        report(&failures.into_inner().expect("a list"));
    });
}
