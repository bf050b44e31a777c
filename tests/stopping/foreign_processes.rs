//! Children that the supervisor has not started: children of the shell that executed the server,
//! and orphans that the first process of a container adopts.

use std::process::Stdio;

use rustix::process::{Signal, geteuid};

use crate::support::cases::test;
use crate::support::process::Process;
use crate::support::{Server, Store, wait_until};

/// The processes among these that run `sleep 3600`.
fn sleepers(processes: &[Process]) -> Vec<Process> {
    let sleeps = |process: &Process| process.command_line() == b"sleep\x003600\0";
    processes.iter().copied().filter(sleeps).collect()
}

test!(Architecture, a_server_stops_without_waiting_for_inherited_children_or_ending_them);
fn a_server_stops_without_waiting_for_inherited_children_or_ending_them(arch: &str) {
    let store = Store::embedded();
    let script = r#"sleep 3600 & exec "$0" "$@""#;
    let words = (arch, &*store.url(), &[][..]);
    let mut server = Server::start_in_shell(script, Stdio::null(), words);
    assert_eq!(server.client().visit(), 1);
    let strangers = sleepers(&server.processes());
    assert_eq!(strangers.len(), 1);
    for signal in [Signal::HUP, Signal::TERM] {
        server.supervisor().signal(signal);
    }
    assert_eq!(server.wait().code(), Some(0));
    assert!(strangers[0].lives(), "the inherited child was ended");
    strangers[0].kill();
    server.await_nothing_left();
}

test!(Architecture, a_child_that_ends_at_the_start_is_not_taken_for_the_store);
/// One of these children ends while the supervisor waits for the embedded store.
fn a_child_that_ends_at_the_start_is_not_taken_for_the_store(arch: &str) {
    let store = Store::embedded();
    let script = "for t in 001 002 003 004 006 008 012 016 024 032 048 064; do sleep 0.$t & \
                  done; exec \"$0\" \"$@\"";
    let words = (arch, &*store.url(), &[][..]);
    let mut server = Server::start_in_shell(script, Stdio::null(), words);
    assert_eq!(server.client().visit(), 1);
    assert_eq!(server.stop().code(), Some(0));
}

test!(Architecture, a_server_that_is_the_first_process_of_a_container_stops_despite_orphans);
fn a_server_that_is_the_first_process_of_a_container_stops_despite_orphans(arch: &str) {
    let user = if geteuid().is_root() { "" } else { "--user --map-root-user" };
    let orphans = r#"(sleep 3600 &); (sh -c "sleep 3600 & sleep 0.3" &); exec "$0" "$@""#;
    let script = format!(r#"exec unshare {user} --pid --fork sh -c '{orphans}' "$0" "$@""#);
    let store = Store::embedded();
    let words = (arch, &*store.url(), &[][..]);
    let mut unshare = Server::start_in_shell(&script, Stdio::null(), words);
    assert_eq!(unshare.client().visit(), 1);
    let [first] = unshare.supervisor().children()[..] else { panic!("one child") };
    wait_until("two adopted orphans", || sleepers(&first.children()).len() == 2);
    first.signal(Signal::TERM);
    assert_eq!(unshare.wait().code(), Some(0));
    unshare.await_nothing_left();
}

test!(Architecture, no_server_has_an_end_of_a_pipe_that_controls_others);
/// The supervisor controls servers by pipes: a process that can write to one could stop others.
fn no_server_has_an_end_of_a_pipe_that_controls_others(arch: &str) {
    // Pipes of the test program, which every process inherits.
    let inherited = Process(std::process::id()).descriptors();
    let store = Store::embedded();
    let server = Server::start_small(arch, &store.url(), &["--admin", "127.0.0.1:0"]);
    for round in 0..2 {
        assert_eq!(server.client().visit(), round + 1);
        for process in server.servers().into_iter().chain(server.admins()) {
            let ends = process.tree().into_iter().flat_map(Process::writable_pipes);
            let ends: Vec<_> = ends.filter(|end| !inherited.contains(end)).collect();
            assert!(ends.is_empty(), "{process:?} has {ends:?}");
        }
        let before = server.servers();
        server.supervisor().signal(Signal::HUP);
        wait_until("new servers in place of all earlier ones", || {
            !server.servers().iter().any(|process| before.contains(process))
                && !server.servers().is_empty()
        });
    }
}
