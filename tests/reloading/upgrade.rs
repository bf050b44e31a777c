//! SIGUSR2: the file that the program's path now leads to takes over.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::thread;

use rustix::process::Signal;

use crate::reload::{Content, await_successors, words};
use crate::support::cases::test;
use crate::support::client::is_last;
use crate::support::program::shell;
use crate::support::server::{PROGRAM, Server};
use crate::support::{ONE_AT_A_TIME, Store, TempDir, wait_until, ways_to_accept};

/// The program in a folder of a test, where another file can replace it.
struct Installed {
    folder: TempDir,
}

impl Installed {
    fn new() -> Installed {
        let installed = Installed { folder: TempDir::beside_program() };
        installed.install_again();
        installed
    }

    fn file(&self) -> PathBuf {
        self.folder.join("program")
    }

    /// Installs the program again. It is a hard link, because a file that was just written can't
    /// be executed while another test's fork has it open for writing (ETXTBSY).
    fn install_again(&self) {
        let new = self.folder.join("new");
        fs::hard_link(PROGRAM, &new).expect("a link");
        // If both names are links to the same file, rename(2) does nothing.
        let _ = fs::remove_file(self.file());
        fs::rename(&new, self.file()).expect("a file of ours");
    }

    /// Replaces the program by a file with this content.
    fn replace_by(&self, bytes: &[u8]) {
        let new = self.folder.join("new");
        fs::write(&new, bytes).expect("a file");
        fs::set_permissions(&new, fs::Permissions::from_mode(0o755)).expect("a file of ours");
        fs::rename(&new, self.file()).expect("a file of ours");
    }
}

test!(Architecture, an_upgrade_refuses_no_client);
fn an_upgrade_refuses_no_client(arch: &str) {
    let (store, content) = (Store::embedded(), Content::new());
    let (program, options) = (Installed::new(), content.options());
    let options = words(&options);
    let mut server = Server::start_from(&program.file(), arch, &store.url(), &options);
    let (before, store_process) = (server.servers(), server.store());
    assert_eq!(server.client().visit(), 1);
    let mut kept = server.client();
    assert_eq!(kept.get("/").status, 200);
    program.install_again();
    server.supervisor().signal(Signal::USR2);
    wait_until("a successor", || server.errors().contains("took over"));
    let executed = fs::read_link(format!("/proc/{}/exe", server.supervisor().0));
    assert_eq!(executed.expect("a process"), program.file(), "the new file is executed");
    if arch != ONE_AT_A_TIME {
        assert_eq!(server.client().visit(), 2);
    }
    let last = kept.get("/");
    assert!(last.status == 200 && is_last(&last), "{last:?}");
    await_successors(&server, &before);
    assert_eq!(server.store(), store_process, "the store's process stays");
    assert!(server.client().visit() > 1);
    assert_eq!(server.stop().code(), Some(0));
}

test!(Architecture, an_upgrade_that_fails_changes_nothing);
fn an_upgrade_that_fails_changes_nothing(arch: &str) {
    let (store, content) = (Store::embedded(), Content::new());
    let (program, options) = (Installed::new(), content.options());
    let options = words(&options);
    let mut server = Server::start_from(&program.file(), arch, &store.url(), &options);
    let before = server.servers();
    for (round, broken) in
        [&b"#!/bin/sh\nexit 3\n"[..], b"\x7fELF, but not really"].iter().enumerate()
    {
        program.replace_by(broken);
        server.supervisor().signal(Signal::USR2);
        let count = || server.errors().matches("going on as before").count();
        wait_until("a message about the failure", || count() == round + 1);
    }
    assert_eq!(server.servers(), before);
    assert_eq!(server.client().get("/").body, b"before");
    assert_eq!(server.stop().code(), Some(0));
}

test!(Once, a_successor_can_start_while_the_store_is_down);
fn a_successor_can_start_while_the_store_is_down() {
    let (store, content) = (Store::embedded(), Content::new());
    let (program, options) = (Installed::new(), content.options());
    let options = words(&options);
    let mut server = Server::start_from(&program.file(), "epoll", &store.url(), &options);
    let before = server.servers();
    let file = store.socket().with_extension("");
    fs::remove_file(&file).expect("a database");
    fs::create_dir(&file).expect("a folder in place of the database");
    server.store().kill();
    let failures = || server.errors().matches("store's process exited").count();
    wait_until("a store that can't start", || failures() > 1);
    program.install_again();
    server.supervisor().signal(Signal::USR2);
    wait_until("a successor", || server.errors().contains("took over"));
    await_successors(&server, &before);
    assert_eq!(server.client().get("/").status, 200);
    assert_eq!(server.client().get("/guestbook").status, 503);
    fs::remove_dir(&file).expect("an empty folder");
    wait_until("a store that works", || server.client().get("/guestbook").status == 200);
    assert_eq!(server.stop().code(), Some(0));
}

test!(Architecture, no_connection_is_lost_during_repeated_upgrades);
fn no_connection_is_lost_during_repeated_upgrades(arch: &str) {
    let (store, content) = (Store::embedded(), Content::new());
    let (program, options) = (Installed::new(), content.options());
    let options = words(&options);
    let mut server = Server::start_from(&program.file(), arch, &store.url(), &options);
    let (is_over, answers) = (AtomicBool::new(false), AtomicUsize::new(0));
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while !is_over.load(Relaxed) {
                    let mut client = server.client();
                    assert_eq!(client.get("/").status, 200);
                    // The server can have closed the connection after the first answer.
                    client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
                    if let Ok(answer) = client.try_answer(false) {
                        assert_eq!(answer.status, 200);
                    }
                    answers.fetch_add(1, Relaxed);
                }
            });
        }
        for round in 1..=5 {
            let goal = answers.load(Relaxed) + 20;
            wait_until("answers", || answers.load(Relaxed) > goal);
            let signal = if round % 2 == 0 { Signal::HUP } else { Signal::USR2 };
            let count = || {
                let errors = server.errors();
                errors.matches("took over").count() + errors.matches("opened anew").count()
            };
            server.supervisor().signal(signal);
            wait_until("a successor", || count() == round);
        }
        is_over.store(true, Relaxed);
    });
    assert_eq!(server.stop().code(), Some(0));
}

test!(Architecture, reloads_and_upgrades_keep_the_port_with_every_way_to_accept);
fn reloads_and_upgrades_keep_the_port_with_every_way_to_accept(arch: &str) {
    for way in ways_to_accept(arch) {
        let (store, content, program) = (Store::embedded(), Content::new(), Installed::new());
        let options = content.options();
        let options = [words(&options), vec!["--workers", "3", "--accept", way]].concat();
        let mut server = Server::start_from(&program.file(), arch, &store.url(), &options);
        for (signal, message) in [
            (Signal::HUP, "opened anew"),
            (Signal::USR2, "took over"),
            (Signal::HUP, "opened anew"),
        ] {
            let before = server.servers();
            assert_eq!(before.len(), 3);
            let count = || server.errors().matches(message).count();
            let earlier = count();
            server.supervisor().signal(signal);
            wait_until("successors", || count() > earlier);
            await_successors(&server, &before);
            for _ in 0..10 {
                assert_eq!(server.client().get("/").status, 200);
            }
        }
        assert_eq!(server.stop().code(), Some(0));
    }
}

test!(Once, a_server_that_was_started_with_the_word_serve_is_upgraded);
fn a_server_that_was_started_with_the_word_serve_is_upgraded() {
    let program = Installed::new();
    // The words are `serve 0`: the default architecture, on a port that the kernel chooses.
    let options = ["--no-guestbook"];
    let server = Server::start_from(&program.file(), "serve", "", &options);
    let before = server.servers();
    program.install_again();
    server.supervisor().signal(Signal::USR2);
    await_successors(&server, &before);
    assert_eq!(server.client().get("/hello.txt").status, 200);
    assert!(server.errors().contains(" took over: "), "{}", server.errors());
}

test!(Once, a_successor_resolves_no_name_to_listen_at);
/// The resolver could be slow or fail, and a successor that exits ends the service.
fn a_successor_resolves_no_name_to_listen_at() {
    let check = |variable: &str| {
        let words = "--check --no-guestbook --bind nowhere.invalid --admin nowhere.invalid:9100";
        let script = format!("{variable} exec \"$0\" {words}");
        shell(&script, Stdio::null()).output().expect("a shell").status.code()
    };
    assert_eq!(check(""), Some(2));
    assert_eq!(check("ZEROHTTPD_HANDOVER=1"), Some(2), "the variable is for another process");
    assert_eq!(check("ZEROHTTPD_HANDOVER=$$"), Some(0));
}
