//! Verdicts on servers whose bottleneck is known.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStdout, Command, Stdio};

use crate::fake::{Behaviour, FakeStore};
use crate::peers::{Neighbour, cores, free_port, keep_to, peer};
use crate::runs::{ARCH, Bench, cells, limits, transcript};
use crate::support::server::PROGRAM;
use crate::support::{Store, wait_until};

/// Repeats a bench until `is_found` accepts the limits that it names. On a busy machine, other
/// processes limit some runs, and the verdict says so; a wrong verdict is wrong in each run.
#[track_caller]
fn await_limit(words: &[&str], expected: &str, is_found: impl Fn(&[String]) -> bool) {
    wait_until(&format!("a run that is limited by {expected}"), || {
        let limits = run_limits(words);
        eprintln!("{limits:?}");
        is_found(&limits)
    });
}

/// Runs a bench, and returns the limits that it finds in all its cells.
#[track_caller]
fn run_limits(words: &[&str]) -> Vec<String> {
    let bench = Bench::new();
    let common = ["--rounds", "1", "--arch", ARCH];
    let output = bench.run(&[words, &common].concat());
    assert!(output.status.success(), "{}", transcript(&output));
    let results = bench.results();
    let all = cells(&results).iter().flat_map(limits);
    all.map(str::to_owned).collect()
}

#[test]
fn a_full_pool_of_two_workers_is_the_limit() {
    let words = ["--arch", "prethreaded", "--knob", "pool=2", "--clients", "60", "--rounds", "1"];
    wait_until("a run that is limited by its pool", || {
        let bench = Bench::new();
        let output = bench.run(&[&words[..], &["--seconds", "2"]].concat());
        let results = bench.results();
        let is_found = limits(&cells(&results)[0]).contains(&"pool");
        if !is_found {
            eprintln!("{}\n{results:#}", transcript(&output));
        }
        is_found
    });
}

#[test]
fn an_accept_queue_of_ten_that_overflows_is_a_limit() {
    let words = ["--knob", "queue=10", "--clients", "400", "--no-keep-alive", "--seconds", "0.5"];
    await_limit(&words, "accept_queue", |found| found.iter().any(|it| it == "accept_queue"));
}

/// A slow store in a process of its own. In this process, the work of other tests would be counted
/// as the store's.
struct SlowStore {
    process: Child,
    _output: BufReader<ChildStdout>,
    url: String,
}

impl SlowStore {
    fn start() -> SlowStore {
        let program = std::env::current_exe().expect("this program");
        let mut command = Command::new(program);
        command.args(["--ignored", "--exact", "verdicts::keeps_a_slow_store", "--nocapture"]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = command.spawn().expect("this program");
        let mut output = BufReader::new(process.stdout.take().expect("its output"));
        let mut lines = output.by_ref().lines().map_while(Result::ok);
        let url = lines.find_map(|line| Some(line[line.find("redis+unix:")?..].to_owned()));
        SlowStore { process, _output: output, url: url.expect("its URL") }
    }
}

impl Drop for SlowStore {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        let _ = self.process.wait();
    }
}

/// Not a test: a [`SlowStore`], which runs until its standard input ends.
#[test]
#[ignore = "a store for another test, which executes it"]
fn keeps_a_slow_store() {
    let store = FakeStore::start();
    store.behave(Behaviour::Slow);
    println!("{}", store.url());
    std::io::stdin().read_to_end(&mut Vec::new()).expect("standard input");
}

#[test]
fn a_slow_store_is_the_limit() {
    let store = SlowStore::start();
    let words = ["--store", &store.url, "--clients", "3", "--seconds", "3"];
    await_limit(&words, "store", |found| found[0] == "store");
}

#[test]
fn a_peer_that_is_short_of_descriptors_is_limited_by_them() {
    let store = Store::embedded();
    wait_until("a peer that is limited by its descriptors", || {
        let [ours, short] = limits_beside_short_peer(&store);
        assert!(!ours.iter().any(|limit| limit == "server_descriptors"), "{ours:?}");
        eprintln!("{short:?}");
        short.first().is_some_and(|limit| limit == "server_descriptors")
    });
}

/// The limits of an architecture with 100 clients, and of a peer, the same one with 40 descriptors.
#[track_caller]
fn limits_beside_short_peer(store: &Store) -> [Vec<String>; 2] {
    let port = free_port();
    let peer = format!(
        "short=ulimit -n 40; exec {PROGRAM} {ARCH} {port} --bind 127.0.0.1 --store {} \
         @ http://127.0.0.1:{port}/guestbook",
        store.url()
    );
    let bench = Bench::new();
    let words = ["--arch", ARCH, "--peer", &peer, "--clients", "100", "--rounds", "1"];
    let output = bench.run(&[&words[..], &["--seconds", "0.5"]].concat());
    let results = bench.results();
    let [ours, short] = cells(&results) else { panic!("{}\n{results:#}", transcript(&output)) };
    assert_eq!(short["contestant"], "short");
    [ours, short].map(|cell| limits(cell).into_iter().map(str::to_owned).collect())
}

#[test]
fn the_results_say_why_a_peer_did_not_start() {
    let bench = Bench::new();
    let peer = format!("broken=echo no such luck; exit 3 @ http://127.0.0.1:{}/", free_port());
    let words = ["--arch", ARCH, "--peer", &peer, "--clients", "2", "--rounds", "1"];
    let output = bench.run(&[&words[..], &["--seconds", "0.1"]].concat());
    assert!(output.status.success(), "{}", transcript(&output));
    let results = bench.results();
    let trouble = &cells(&results)[1]["troubles"][0]["text"];
    assert_eq!(trouble, "it ended at once: no such luck");
    assert!(
        transcript(&output).contains("broken: it ended at once: no such luck"),
        "{}",
        transcript(&output)
    );
}

/// Repeats a bench of a peer until the first finding of its verdict is one of these; see
/// [`await_limit`].
#[track_caller]
fn await_first(behaviour: &str, clients: &str, expected: &[&str]) {
    wait_until(&format!("a peer with {behaviour} that is limited by {expected:?}"), || {
        first_finding(behaviour, clients).is_some_and(|(first, _)| expected.contains(&&*first))
    });
}

/// As [`await_first`], but gives up after three runs in which the verdict names the neighbours, and
/// these used half a core or more: then the machine is too busy, and the verdicts are right.
#[track_caller]
fn await_first_or_neighbours(behaviour: &str, clients: &str, expected: &str) {
    const RUNS: u32 = 3;
    let mut disturbed = 0;
    wait_until(&format!("a peer with {behaviour} that is limited by {expected}"), || {
        let Some((first, others)) = first_finding(behaviour, clients) else { return false };
        disturbed += u32::from(first == "neighbours" && others >= 0.5);
        if disturbed == RUNS {
            eprintln!("skipped: other processes used the cores");
        }
        first == expected || disturbed == RUNS
    });
}

/// Measures a peer: the first finding of its verdict, and how many of its cores other processes
/// used.
#[track_caller]
fn first_finding(behaviour: &str, clients: &str) -> Option<(String, f64)> {
    let bench = Bench::new();
    let peer = peer("known", behaviour);
    let words = ["--arch", ARCH, "--peer", &peer, "--path", "/index.html"];
    let more = ["--clients", clients, "--rounds", "1", "--seconds", "1.5"];
    let output = bench.run(&[&words[..], &more].concat());
    let results = bench.results();
    let first = limits(&cells(&results)[1]).first().map(ToString::to_string);
    eprintln!("{behaviour}: {}\n{}", results["cells"][1], transcript(&output));
    let others = &results["cells"][1]["runs"][0]["cost"]["others_on_server_cores"];
    Some((first?, others.as_f64().unwrap_or(0.0)))
}

#[test]
fn a_sleeping_server_is_limited_by_waiting_even_beside_busy_neighbours() {
    await_first("sleep_ms:40", "5", &["waiting"]);
    let _neighbours: Vec<_> = cores().into_iter().map(Neighbour::on).collect();
    await_first("sleep_ms:40", "5", &["waiting"]);
}

#[test]
fn a_server_that_keeps_its_core_busy_is_limited_by_its_core() {
    // On a busy machine, other processes take the core from it.
    await_first("burn_us:2000", "8", &["server_cpu", "neighbours"]);
}

#[test]
fn a_server_that_a_neighbour_starves_is_limited_by_neighbours() {
    let all = cores();
    if all.len() < 2 {
        return eprintln!("skipped: there is only one core");
    }
    let _neighbours: Vec<_> = (0..2).map(|_| Neighbour::on(all[0])).collect();
    await_first("burn_us:5000", "1", &["neighbours"]);
}

#[test]
fn on_a_single_core_a_busy_server_is_limited_by_it_and_a_sleeping_one_by_waiting() {
    let all = cores();
    keep_to(&all[..1]);
    await_first("burn_us:200", "8", &["shared_cpu", "server_cpu", "neighbours"]);
    await_first_or_neighbours("sleep_ms:40", "5", "waiting");
}
