//! Every script against every architecture, on both kinds of store.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use libtest_mimic::Trial;

use crate::support::cases::{pairs, store_name, test, trial};
use crate::support::client::show;
use crate::support::script::{self, Case, End};
use crate::support::{Client, Kind, ONE_AT_A_TIME, Server, Store, package};

fn cases() -> Vec<Case> {
    script::load(&package().join("tests/scripts"))
}

/// Runs a case: the bytes that were received in each round.
fn run(client: &mut Client, case: &Case) -> Result<Vec<Vec<u8>>, String> {
    let mut received = Vec::new();
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
        received.push(std::mem::take(&mut client.input));
    }
    Ok(received)
}

/// Runs and judges a case on a connection of its own: the bytes that were received in each round.
fn run_and_judge(server: &Server, case: &Case) -> Result<Vec<Vec<u8>>, String> {
    let judged = run(&mut server.client(), case).and_then(|received| {
        received.iter().enumerate().try_for_each(|(index, bytes)| case.judge(index, bytes))?;
        Ok(received)
    });
    judged.map_err(|why| format!("{} ({}): {why}", case.place, case.name))
}

/// A server that cases share, and that many use at the same time. It is started for the first case
/// and stopped after the last.
struct SharedServer {
    arch: &'static str,
    kind: Kind,
    started: OnceLock<(Server, Store)>,
    /// Held during cases that cannot run at the same time.
    exclusive: Mutex<()>,
}

impl SharedServer {
    fn assert_passes(&self, case: &Case) {
        let (server, _) = self.started.get_or_init(|| {
            let store = Store::new(self.kind);
            (Server::start(self.arch, &store.url(), &[]), store)
        });
        // A case that signs expects its remark on the first page: other remarks must not push it
        // off. A server of one client at a time closes an idle connection when the next client
        // waits.
        let mut answers = case.rounds.iter().flat_map(|round| &round.answers);
        let is_exclusive =
            answers.any(|answer| answer.statuses.contains(&303)) || self.arch == ONE_AT_A_TIME;
        let lock =
            is_exclusive.then(|| self.exclusive.lock().unwrap_or_else(PoisonError::into_inner));
        let result = run_and_judge(server, case);
        drop(lock);
        result.unwrap_or_else(|why| panic!("{why}"));
    }
}

/// A test for each case on each pair: `scripts::ranges::a_range_of_a_file::epoll::embedded`.
pub(crate) fn trials() -> Vec<Trial> {
    let cases: Vec<_> = cases().into_iter().map(Arc::new).collect();
    let trials_of_pair = |(arch, kind)| {
        let (started, exclusive) = (OnceLock::new(), Mutex::new(()));
        let shared = Arc::new(SharedServer { arch, kind, started, exclusive });
        let trial_of_case = |case: &Arc<Case>| {
            let (case, shared) = (Arc::clone(case), Arc::clone(&shared));
            let name = format!("{}::{arch}::{}", test_name(&case), store_name(kind));
            trial(name, move || shared.assert_passes(&case))
        };
        cases.iter().map(trial_of_case).collect::<Vec<_>>()
    };
    pairs().flat_map(trials_of_pair).collect()
}

/// The name of a case as a test: its script, and the words of its own name.
fn test_name(case: &Case) -> String {
    let (script, _) = case.place.split_once('.').unwrap_or_default();
    let words = case.name.split(|c: char| !c.is_ascii_alphanumeric());
    let words: Vec<_> = words.filter(|word| !word.is_empty()).collect();
    format!("scripts::{script}::{}", words.join("_").to_lowercase())
}

/// Received bytes without the fields that differ between servers: Date and Connection.
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

/// The bytes that the first server sent for each case. All others have to send the same: each has
/// an empty store and gets the same requests in the same order, so even visitors' numbers are
/// equal.
static TRANSCRIPT: OnceLock<Vec<Vec<u8>>> = OnceLock::new();

test!(Pair, all_architectures_send_the_same_bytes);
fn all_architectures_send_the_same_bytes(arch: &str, kind: Kind) {
    let store = Store::new(kind);
    let server = Server::start(arch, &store.url(), &[]);
    let cases = cases();
    let sent = |case| run_and_judge(&server, case).map(|received| comparable(&received.concat()));
    let sent: Result<Vec<_>, _> = cases.iter().map(sent).collect();
    let sent = sent.unwrap_or_else(|why| panic!("{why}"));
    let expected = TRANSCRIPT.get_or_init(|| sent.clone());
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

test!(Architecture, all_scripts_pass_with_all_ablations);
fn all_scripts_pass_with_all_ablations(arch: &str) {
    let ablations = ["--read-bytes", "1", "--sends", "many", "--store-connection", "per-request"];
    let store = Store::embedded();
    let server = Server::start(arch, &store.url(), &ablations);
    // In these cases, a client sends further bytes after a request with `Connection: close`. A
    // server that reads single bytes closes before it has read them, so the client gets a reset.
    let is_run = |case: &&Case| !case.name.starts_with("nothing is answered after");
    let cases = cases();
    let failed = cases.iter().filter(is_run).filter_map(|case| run_and_judge(&server, case).err());
    let failed: Vec<_> = failed.collect();
    assert!(failed.is_empty(), "{} cases failed:\n{}", failed.len(), failed.join("\n"));
}
