//! SIGTERM, SIGINT and SIGHUP: how a server stops.

use std::fs::File;
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt;

use rustix::fs::{Mode, OFlags};
use rustix::process::Signal;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use crate::support::cases::test;
use crate::support::client::request;
use crate::support::{
    Client, ONE_AT_A_TIME, Server, Store, TempDir, for_each_architecture, pattern, wait_until,
};

/// A timeout in seconds that is longer than any test waits: a server that ends in a test has not
/// waited for this timeout.
const FOR_EVER: &str = "3600";

/// A root with a file that is longer than the buffers of the kernel, and the root's path.
fn root_with_endless_file() -> (TempDir, String) {
    let root = TempDir::new();
    let file = File::create(root.join("endless.bin")).expect("a file");
    file.set_len(256 * 1024 * 1024).expect("a sparse file");
    let folder = root.path().display().to_string();
    (root, folder)
}

/// A client that has requested that file and reads only its first bytes.
fn stuck_client(server: &Server) -> Client {
    let mut client = Client::with_small_buffer(server.port);
    client.send(request("GET", "/endless.bin"));
    assert!(client.read_some(1000).expect("the first bytes") > 0);
    client
}

test!(Once, sigterm_lets_an_answer_in_flight_finish);
fn sigterm_lets_an_answer_in_flight_finish() {
    assert_finished_after(|server| server.supervisor().signal(Signal::TERM));
}

test!(Once, sigterm_to_every_process_lets_an_answer_in_flight_finish);
/// `timeout`, the job control of a shell and systemd send signals in this way.
fn sigterm_to_every_process_lets_an_answer_in_flight_finish() {
    assert_finished_after(|server| {
        server.processes().into_iter().for_each(|process| process.signal(Signal::TERM));
    });
}

/// Checks that a client gets all of an answer during which `stop` is called.
fn assert_finished_after(stop: impl Fn(&Server) + Sync) {
    let root = TempDir::new();
    let big = pattern(12 * 1024 * 1024);
    root.write("big.bin", &big);
    let folder = root.path().display().to_string();
    for_each_architecture(|arch| {
        let store = Store::embedded();
        let words = ["--root", &folder, "--grace", FOR_EVER, "--send-timeout", FOR_EVER];
        let mut server = Server::start(arch, &store.url(), &words);
        let mut client = Client::with_small_buffer(server.port);
        client.send(request("GET", "/big.bin"));
        assert!(client.read_some(1000).expect("the first bytes") > 0);
        stop(&server);
        let answer = client.answer();
        assert!(answer.body == big, "{} of {} bytes", answer.body.len(), big.len());
        assert_eq!(client.read_to_end(), b"", "nothing follows the last answer");
        assert_eq!(server.wait().code(), Some(0));
        server.await_nothing_left();
    });
}

test!(Architecture, sigterm_closes_idle_clients_and_ends_the_server_with_0);
fn sigterm_closes_idle_clients_and_ends_the_server_with_0(arch: &str) {
    let store = Store::embedded();
    let words = ["--grace", FOR_EVER, "--keep-alive-timeout", FOR_EVER];
    let mut server = Server::start(arch, &store.url(), &words);
    let count = if arch == ONE_AT_A_TIME { 1 } else { 20 };
    let mut idle: Vec<_> = (0..count).map(|_| server.client()).collect();
    for client in &mut idle {
        assert_eq!(client.get("/hello.txt").status, 200);
    }
    server.supervisor().signal(Signal::TERM);
    for client in &mut idle {
        assert_eq!(client.read_to_end(), b"");
    }
    drop(idle);
    assert_eq!(server.wait().code(), Some(0));
    server.await_nothing_left();
    TcpListener::bind(("127.0.0.1", server.port)).expect("a port that is free again");
}

test!(Architecture, sigterm_ends_a_server_without_clients);
fn sigterm_ends_a_server_without_clients(arch: &str) {
    let store = Store::embedded();
    let mut server = Server::start(arch, &store.url(), &["--grace", FOR_EVER]);
    assert_eq!(server.stop().code(), Some(0));
}

test!(Architecture, after_the_grace_time_the_remaining_clients_are_closed);
fn after_the_grace_time_the_remaining_clients_are_closed(arch: &str) {
    let (_root, folder) = root_with_endless_file();
    let store = Store::embedded();
    let words = ["--root", &folder, "--grace", "0.3", "--send-timeout", FOR_EVER];
    let mut server = Server::start(arch, &store.url(), &words);
    let mut client = stuck_client(&server);
    assert_eq!(server.stop().code(), Some(0));
    client.read_until_closed();
}

test!(Architecture, sigint_ends_a_server_at_once_with_a_summary);
fn sigint_ends_a_server_at_once_with_a_summary(arch: &str) {
    let (_root, folder) = root_with_endless_file();
    let store = Store::embedded();
    let words = ["--root", &folder, "--grace", FOR_EVER, "--send-timeout", FOR_EVER];
    let mut server = Server::start(arch, &store.url(), &words);
    for _ in 0..3 {
        assert_eq!(server.client().get("/guestbook").status, 200);
    }
    let _client = stuck_client(&server);
    server.supervisor().signal(Signal::INT);
    assert_eq!(server.wait().code(), Some(0));
    server.await_nothing_left();
    let stderr = server.errors();
    let (_, account) = stderr.split_once("Ctrl-C stops it\n").expect("how to stop it");
    let requests = format!("zerohttpd: {arch}: 3 requests served");
    assert!(account.contains(&requests), "{account}");
    for part in ["CPU time", " s user, ", " s system", "memory", " MiB"] {
        assert!(account.contains(part), "no {part:?} in {account}");
    }
}

test!(Architecture, a_second_signal_ends_a_server_at_once);
fn a_second_signal_ends_a_server_at_once(arch: &str) {
    let (_root, folder) = root_with_endless_file();
    for second in [Signal::TERM, Signal::INT] {
        let store = Store::embedded();
        let words = ["--root", &folder, "--grace", FOR_EVER, "--send-timeout", FOR_EVER];
        let mut server = Server::start(arch, &store.url(), &words);
        let mut client = stuck_client(&server);
        let processes = server.processes().len();
        server.supervisor().signal(Signal::TERM);
        // Until then, another SIGTERM is a part of the first.
        wait_until("a server that stops", || server.errors().contains("stopping; answers"));
        server.supervisor().signal(second);
        let ended = server.wait();
        assert!(ended.code().is_some() || ended.signal().is_some(), "{ended}");
        server.await_nothing_left();
        assert!(processes >= 3);
        client.read_until_closed();
    }
}

test!(Architecture, only_the_supervisor_obeys_sigint);
/// Ctrl-C sends SIGINT to all processes of the terminal's foreground group.
fn only_the_supervisor_obeys_sigint(arch: &str) {
    let store = Store::embedded();
    let mut server = Server::start_small(arch, &store.url(), &[]);
    assert_eq!(server.client().visit(), 1);
    // A child that was forked for that client ends first.
    server.await_idle();
    let mut children = server.processes();
    children.retain(|process| *process != server.supervisor());
    children.iter().for_each(|process| process.signal(Signal::INT));
    assert_eq!(server.client().visit(), 2);
    assert!(children.iter().all(|process| process.lives()), "one of them ended");
    server.supervisor().signal(Signal::INT);
    assert_eq!(server.wait().code(), Some(0));
    server.await_nothing_left();
}

/// A pseudoterminal: its master, and its slave, which programs have as their terminal.
fn terminal() -> (OwnedFd, OwnedFd) {
    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
    let master = openpt(flags).expect("a terminal");
    grantpt(&master).and_then(|()| unlockpt(&master)).expect("a terminal of ours");
    let name = ptsname(&master, []).expect("its name");
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
    let slave = rustix::fs::open(&name, flags, Mode::empty()).expect("its other end");
    (master, slave)
}

test!(Architecture, a_server_stops_when_its_terminal_is_closed);
fn a_server_stops_when_its_terminal_is_closed(arch: &str) {
    let (store, (master, slave)) = (Store::embedded(), terminal());
    let words = (arch, &*store.url(), &[][..]);
    let mut server = Server::start_in_shell(r#"exec setsid -c "$0" "$@""#, slave, words);
    server.supervisor().signal(Signal::HUP);
    wait_until("a message about the reload", || server.errors().contains("opened anew"));
    drop(master);
    assert_eq!(server.wait().code(), Some(0));
    server.await_nothing_left();
}

test!(Architecture, a_server_started_with_sighup_ignored_goes_on_when_its_terminal_is_closed);
/// nohup(1) starts programs in this way.
fn a_server_started_with_sighup_ignored_goes_on_when_its_terminal_is_closed(arch: &str) {
    let (store, (master, slave)) = (Store::embedded(), terminal());
    let words = (arch, &*store.url(), &[][..]);
    let script = r#"trap "" HUP; exec setsid -c "$0" "$@""#;
    let mut server = Server::start_in_shell(script, slave, words);
    drop(master);
    // When the process has no controlling terminal any more, the kernel has already sent SIGHUP.
    let stat = || std::fs::read_to_string(format!("/proc/{}/stat", server.supervisor().0));
    let has_no_terminal = || Some(stat().ok()?.rsplit_once(") ")?.1.split(' ').nth(4)? == "0");
    wait_until("the end of a terminal", || has_no_terminal() == Some(true));
    // A later SIGHUP is a reload. It is repeated: one that comes while another is pending is lost.
    wait_until("a message about a reload", || {
        server.supervisor().signal(Signal::HUP);
        server.errors().contains("opened anew")
    });
    assert_eq!(server.client().get("/hello.txt").status, 200);
    assert_eq!(server.stop().code(), Some(0));
}
