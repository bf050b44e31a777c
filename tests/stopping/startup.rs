//! The start of a server: one that cannot start says why in one line, and leaves no process behind.

use std::net::TcpListener;
use std::process::Stdio;
use std::thread;

use rustix::process::Signal;

use crate::support::cases::test;
use crate::support::server::{run, takes_workers};
use crate::support::{Redis, Server, Store, TempDir, architectures, strace, wait_until};

/// Checks that the exit status is 1, and that standard error is one line that contains all parts.
#[track_caller]
fn assert_says(ended: &(std::process::ExitStatus, String), parts: &[&str]) {
    let (status, said) = ended;
    assert_eq!(status.code(), Some(1), "{said}");
    assert_eq!(said.lines().count(), 1, "not one line: {said:?}");
    assert!(said.starts_with("zerohttpd: "), "{said}");
    for part in parts {
        assert!(said.contains(part), "no {part:?} in {said:?}");
    }
}

test!(Architecture, a_port_that_is_in_use_is_named_in_the_error);
fn a_port_that_is_in_use_is_named_in_the_error(arch: &str) {
    let taken = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let port = taken.local_addr().expect("its address").port().to_string();
    let store = Store::embedded();
    let ended = Server::failed_start(arch, &store.url(), &["--port", &port]);
    assert_says(&ended, &["can't listen on 127.0.0.1", &port]);
}

test!(Architecture, an_address_that_is_not_of_this_machine_is_named_in_the_error);
fn an_address_that_is_not_of_this_machine_is_named_in_the_error(arch: &str) {
    let store = Store::embedded();
    let ended = Server::failed_start(arch, &store.url(), &["--bind", "192.0.2.1"]);
    assert_says(&ended, &["can't listen on 192.0.2.1", "no such address"]);
}

test!(Architecture, a_missing_folder_is_named_in_the_error);
fn a_missing_folder_is_named_in_the_error(arch: &str) {
    let store = Store::embedded();
    let ended = Server::failed_start(arch, &store.url(), &["--root", "/nowhere/at/all"]);
    assert_says(&ended, &["site", "/nowhere/at/all"]);
    let ended = Server::failed_start(arch, &store.url(), &["--templates", "/nowhere/at/all"]);
    assert_says(&ended, &["templates", "/nowhere/at/all"]);
    let ended = Server::failed_start(arch, &store.url(), &["--log-file", "/nowhere/at/all"]);
    assert_says(&ended, &["log", "/nowhere/at/all"]);
}

test!(Architecture, a_template_without_its_placeholder_is_named_in_the_error);
fn a_template_without_its_placeholder_is_named_in_the_error(arch: &str) {
    let (store, templates) = (Store::embedded(), TempDir::new());
    std::fs::create_dir(templates.join("guestbook")).expect("a folder");
    templates.write("guestbook/index.html", "no gap at all");
    let folder = templates.path().display().to_string();
    let ended = Server::failed_start(arch, &store.url(), &["--templates", &folder]);
    assert_says(&ended, &["guestbook/index.html", &folder]);
}

test!(Architecture, an_embedded_store_that_cannot_be_opened_is_named_in_the_error);
fn an_embedded_store_that_cannot_be_opened_is_named_in_the_error(arch: &str) {
    let folder = TempDir::new();
    let ended = Server::failed_start(arch, "embedded:/proc/nowhere/g.db", &[]);
    assert_says(&ended, &["/proc/nowhere"]);
    folder.write("other.db", "this is no database, and long enough to be sure of that");
    let file = folder.join("other.db").display().to_string();
    let ended = Server::failed_start(arch, &format!("embedded:{file}"), &[]);
    assert_says(&ended, &[&file]);
    let kept = std::fs::read(&file).expect("the file");
    assert!(kept.starts_with(b"this is no database"), "the file was changed");
}

test!(Once, invalid_arguments_are_named_in_the_error_and_no_server_starts);
fn invalid_arguments_are_named_in_the_error_and_no_server_starts() {
    let redis = Redis::start(&[]);
    let url = redis.url();
    for arch in architectures() {
        let mut lines = vec![
            vec![arch, "0", "--store", "nonsense://x"],
            vec![arch, "0", "--store", "embedded:"],
            vec![arch, "0", "--store", &url, "--bind", "nonsense"],
            vec![arch, "0", "--store", &url, "--workers", "0"],
            vec![arch, "0", "--store", &url, "--backlog", "0"],
            vec![arch, "0", "--store", &url, "--header-timeout", "0"],
            vec![arch, "0", "--store", &url, "--max-body", "17m"],
            vec![arch, "0", "--store", &url, "--access-log", "nonsense"],
            vec![arch, "0", "localhost", "--store", &url],
            vec!["--store", &url, arch, "70000"],
            vec![arch, "0", "--store", &url, "--nonsense"],
        ];
        if !takes_workers(arch) {
            lines.push(vec![arch, "0", "--store", &url, "--workers", "3"]);
        }
        for words in lines {
            let ended = run(&words);
            assert_eq!(ended.status.code(), Some(2), "{words:?}: {ended:?}");
            let said = String::from_utf8_lossy(&ended.stderr).into_owned();
            assert!(said.starts_with("error: "), "{words:?}: {said}");
            // The message contains the value, or the option that is unknown.
            let culprits = words.iter().rev().take(2);
            assert!(culprits.into_iter().any(|word| said.contains(word)), "{words:?}: {said}");
        }
    }
}

test!(Once, the_error_for_an_unknown_architecture_lists_those_that_exist);
fn the_error_for_an_unknown_architecture_lists_those_that_exist() {
    let ended = run(&["quantum", "0"]);
    assert_eq!(ended.status.code(), Some(2));
    let said = String::from_utf8_lossy(&ended.stderr);
    for name in architectures().iter().map(String::as_str).chain(["quantum"]) {
        assert!(said.contains(name), "no {name} in {said}");
    }
}

test!(Once, the_options_backlog_version_and_help_work);
fn the_options_backlog_version_and_help_work() {
    let store = Store::embedded();
    let server = Server::start("iterative", &store.url(), &["--backlog", "1"]);
    assert_eq!(server.client().get("/hello.txt").status, 200);
    let version = run(&["--version"]);
    assert_eq!(version.stdout, format!("zerohttpd {}\n", env!("CARGO_PKG_VERSION")).into_bytes());
    let help = run(&["--help"]);
    assert!(help.status.success());
    for name in architectures() {
        assert!(String::from_utf8_lossy(&help.stdout).contains(name.as_str()), "{name}");
    }
}

test!(Architecture, a_server_with_several_processes_does_not_share_the_port_of_another_server);
/// Its sockets, which have SO_REUSEPORT, could share the port with those of the older server.
fn a_server_with_several_processes_does_not_share_the_port_of_another_server(arch: &str) {
    if !takes_workers(arch) {
        return;
    }
    let (store, other) = (Store::embedded(), Store::embedded());
    let server = Server::start(arch, &store.url(), &["--workers", "2"]);
    let port = server.port.to_string();
    let ended = Server::failed_start(arch, &other.url(), &["--port", &port, "--workers", "2"]);
    assert_says(&ended, &["can't listen on 127.0.0.1", &port]);
}

test!(Architecture, two_servers_that_start_at_once_do_not_share_a_port);
/// The first server is delayed after it has found the port free, before its processes share it.
fn two_servers_that_start_at_once_do_not_share_a_port(arch: &str) {
    if !strace::is_allowed() {
        return;
    }
    if !takes_workers(arch) {
        return;
    }
    let (stores, folder) = ([Store::embedded(), Store::embedded()], TempDir::new());
    let calls = folder.join("calls").display().to_string();
    // A port that is free now.
    let free = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let port = free.local_addr().expect("its address").port().to_string();
    drop(free);
    let words = ["--port", &port, "--workers", "2"];
    let delayed = format!(
        "exec strace -D -f -o {calls} -e trace=bind -e inject=bind:delay_enter=1s:when=2+ \
         \"$0\" \"$@\""
    );
    let start = |script: &str, store: &Store| {
        let words = (arch, &*store.url(), &words[..]);
        Server::start_in_shell(script, Stdio::null(), words)
    };
    thread::scope(|scope| {
        let first = scope.spawn(|| start(&delayed, &stores[0]));
        wait_until("a port that was found free", || {
            let calls = std::fs::read_to_string(&calls).unwrap_or_default();
            calls.contains(&format!("sin_port=htons({port})")) && calls.contains(" = 0")
        });
        let second = scope.spawn(|| start("exec \"$0\" \"$@\"", &stores[1]));
        // The thread of the server that can't start panics.
        let started = [first.join(), second.join()];
        assert_eq!(started.iter().filter(|started| started.is_ok()).count(), 1);
    });
}

test!(Architecture, a_server_starts_and_stops_in_its_own_namespace);
/// In a PID namespace, as in a container, the supervisor's parent and session leader have no
/// number.
fn a_server_starts_and_stops_in_its_own_namespace(arch: &str) {
    let user = if rustix::process::geteuid().is_root() { "" } else { "--user --map-root-user" };
    let script = format!(r#"exec unshare {user} --pid --fork "$0" "$@""#);
    let store = Store::embedded();
    let words = (arch, &*store.url(), &[][..]);
    let mut unshare = Server::start_in_shell(&script, Stdio::null(), words);
    assert_eq!(unshare.client().get("/hello.txt").status, 200);
    assert_eq!(unshare.client().get("/guestbook").status, 200);
    let [supervisor] = unshare.supervisor().children()[..] else { panic!("one child") };
    supervisor.signal(Signal::TERM);
    assert_eq!(unshare.wait().code(), Some(0));
    unshare.await_nothing_left();
}
