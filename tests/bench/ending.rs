//! Servers, stores and load generators that end during a run, and peers that do not end when they
//! should. No number is reported for a server that has ended, and no server outlives its run.

use serde_json::Value;

use crate::peers::{peer, peer_in_shell};
use crate::runs::{ARCH, Bench, cells, rounds, transcript};
use crate::support::process::Process;
use crate::support::wait_for;

const DIED: &str = "it ended (exit status 3) during the run";

/// The errors that left a cell without numbers; panics if the cell has a run.
#[track_caller]
fn troubles(cell: &Value) -> Vec<&str> {
    assert_eq!(cell["runs"], serde_json::json!([]), "{cell:#}");
    let troubles = cell["troubles"].as_array().expect("troubles").iter();
    troubles.map(|trouble| trouble["text"].as_str().expect("a text")).collect()
}

/// Measures these peers and one architecture for two rounds, and returns the peers' cells and the
/// transcript.
#[track_caller]
fn measure(peers: &[String]) -> (Vec<Value>, String) {
    let bench = Bench::new();
    let mut words = vec!["--arch", ARCH, "--path", "/index.html"];
    words.extend(["--clients", "2", "--rounds", "2", "--seconds", "1"]);
    peers.iter().for_each(|peer| words.extend(["--peer", peer]));
    let output = bench.run(&words);
    assert!(output.status.success(), "{}", transcript(&output));
    (cells(&bench.results())[1..].to_vec(), transcript(&output))
}

#[test]
fn a_peer_that_ends_while_it_is_measured_has_no_number() {
    let peers = [
        peer("late", "sleep_ms:10,end:40:3"),
        peer("early", "sleep_ms:10,end:5:3"),
        peer("shot", "sleep_ms:10,end:40:9"),
    ];
    let (cells, transcript) = measure(&peers);
    assert_eq!(troubles(&cells[0]), [DIED; 2], "{transcript}");
    assert_eq!(troubles(&cells[1]), [DIED; 2], "{transcript}");
    let shot = "it ended (signal 9, SIGKILL) during the run";
    assert_eq!(troubles(&cells[2]), [shot; 2], "{transcript}");
    assert!(transcript.contains("failed") && !transcript.contains("refused"), "{transcript}");
}

#[test]
fn a_peer_that_goes_into_the_background_is_reported() {
    let away = peer_in_shell("away", "sleep_ms:1", "setsid {} >/dev/null 2>&1 &");
    let (cells, transcript) = measure(&[away]);
    let trouble = "it went into the background; start it in the foreground";
    assert_eq!(troubles(&cells[0]), [trouble; 2], "{transcript}");
}

#[test]
fn no_server_outlives_its_run() {
    // The server leaves its process group, and its parent does not end it.
    let detached = peer_in_shell("detached", "sleep_ms:1", "setsid {} & exec sleep 1000");
    // The shell ignores SIGTERM, and so does the server that it starts.
    let deaf = peer_in_shell("deaf", "sleep_ms:1", "trap '' TERM; {} & wait");
    let (cells, transcript) = measure(&[detached, deaf]);
    for cell in &cells {
        assert_eq!(rounds(cell), [1, 2], "{cell:#}\n{transcript}");
    }
}

/// Starts a bench of one architecture, kills one of its processes during the run, and returns the
/// errors of the cell.
#[track_caller]
fn troubles_after_kill(is_victim: impl Fn(Process) -> bool) -> Vec<String> {
    let bench = Bench::new();
    let words = ["--arch", ARCH, "--path", "/index.html", "--clients", "2"];
    let child = bench.start(&[&words[..], &["--rounds", "1", "--seconds", "6"]].concat());
    let bench_process = Process(child.id());
    let victim = wait_for("a load generator, and the process to be killed", || {
        let all = bench_process.tree();
        all.iter().find(|process| is_load_generator(**process))?;
        all.into_iter().find(|process| is_victim(*process))
    });
    victim.kill();
    let output = child.wait_with_output().expect("a child of ours");
    bench.await_nothing_left();
    assert_eq!(output.status.code(), Some(1), "{}", transcript(&output));
    let results = bench.results();
    troubles(&cells(&results)[0]).into_iter().map(str::to_owned).collect()
}

#[test]
fn a_server_or_store_that_ends_leaves_no_number() {
    let title = format!("zerohttpd: supervisor ({ARCH} ");
    let is_server = |process: Process| process.command_line().starts_with(title.as_bytes());
    assert_eq!(troubles_after_kill(is_server), ["it ended (signal 9, SIGKILL) during the run"]);
    assert_eq!(troubles_after_kill(Process::is_store), ["its store ended during the run"]);
}

#[test]
fn a_killed_load_generator_is_not_blamed_on_the_server() {
    let expected = "the load generator reported nothing (signal 9, SIGKILL)";
    assert_eq!(troubles_after_kill(is_load_generator), [expected]);
}

fn is_load_generator(process: Process) -> bool {
    process.command_line().starts_with(b"zerohttpd\0load\0")
}
