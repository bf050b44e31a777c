//! SIGUSR2 if the program's path leads through a link, or if the successor can't reopen its files.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use rustix::fs::{CWD, FileType, Mode, mknodat};
use rustix::process::Signal;

use crate::reload::{Content, await_successors, words};
use crate::support::cases::test;
use crate::support::client::is_last;
use crate::support::server::{PROGRAM, Server};
use crate::support::{Client, Store, TempDir, wait_until};

/// Two releases of the program, and a link to one of them.
struct Releases(TempDir);

impl Releases {
    fn new() -> Releases {
        let releases = Releases(TempDir::beside_program());
        for name in ["rel1", "rel2"] {
            fs::create_dir(releases.0.join(name)).expect("a folder");
            // A hard link, because a file that was just written can't be executed while another
            // test's fork has it open for writing (ETXTBSY).
            fs::hard_link(PROGRAM, releases.file(name)).expect("a link");
        }
        releases.switch_to("rel1");
        releases
    }

    fn file(&self, release: &str) -> PathBuf {
        self.0.join(release).join("program")
    }

    fn switch_to(&self, release: &str) {
        symlink(release, self.0.join("new")).expect("a link");
        fs::rename(self.0.join("new"), self.0.join("current")).expect("a link of ours");
    }
}

/// The file that the supervisor executes.
fn executed(server: &Server) -> PathBuf {
    fs::read_link(format!("/proc/{}/exe", server.supervisor().0)).expect("a process")
}

/// Sends SIGUSR2, and waits until the successor has taken over and the old servers have ended.
fn take_over(server: &Server) {
    let count = || server.errors().matches("took over").count();
    let (before, earlier) = (server.servers(), count());
    server.supervisor().signal(Signal::USR2);
    wait_until("a successor", || count() > earlier);
    await_successors(server, &before);
}

test!(Once, the_release_that_a_link_leads_to_takes_over_however_the_path_was_typed);
fn the_release_that_a_link_leads_to_takes_over_however_the_path_was_typed() {
    for script in [
        "exec FOLDER/current/program \"$@\"",
        "export PWD; cd FOLDER/current && exec ./program \"$@\"",
        "export PWD; cd FOLDER && exec current/program \"$@\"",
        "export PATH=/nowhere:FOLDER/current:$PATH; exec program \"$@\"",
        "export PATH=FOLDER/current:$PATH; exec /usr/bin/env program \"$@\"",
    ] {
        let (store, releases) = (Store::embedded(), Releases::new());
        let script = script.replace("FOLDER", &releases.0.path().display().to_string());
        let words = ("epoll", &*store.url(), &[][..]);
        let mut server = Server::start_in_shell(&script, Stdio::null(), words);
        assert_eq!(executed(&server), releases.file("rel1"), "{script}");
        for release in ["rel2", "rel1", "rel2"] {
            releases.switch_to(release);
            take_over(&server);
            assert_eq!(executed(&server), releases.file(release), "{script}");
            let line = format!(
                "program    {}, version {}\n",
                releases.file(release).display(),
                env!("CARGO_PKG_VERSION")
            );
            assert!(server.errors().contains(&line), "no {line} in {}", server.errors());
            assert_eq!(server.client().get("/hello.txt").status, 200);
        }
        assert_eq!(server.stop().code(), Some(0));
    }
}

/// Starts a server that logs to `log/log`, which `prepare` can make, then calls `change` and makes
/// two successors take over. Returns what the servers wrote on standard error.
fn upgrade_twice_with_log(
    arch: &str,
    prepare: impl Fn(&TempDir),
    change: impl Fn(&TempDir),
) -> String {
    let (store, folder) = (Store::embedded(), TempDir::new());
    fs::create_dir(folder.join("log")).expect("a folder");
    prepare(&folder);
    let log = folder.join("log/log").display().to_string();
    let mut server = Server::start(arch, &store.url(), &["--log-file", &log]);
    assert_eq!(server.client().get("/hello.txt").status, 200);
    change(&folder);
    for _ in 0..2 {
        take_over(&server);
        assert_eq!(server.client().visit() % 2, 1);
        assert_eq!(server.client().get("/guestbook").status, 200);
    }
    let stderr = server.errors();
    assert_eq!(server.stop().code(), Some(0));
    stderr
}

test!(Architecture, a_log_that_cannot_be_reopened_is_inherited);
fn a_log_that_cannot_be_reopened_is_inherited(arch: &str) {
    let make_link = |folder: &TempDir| {
        fs::create_dir(folder.join("far")).expect("a folder");
        symlink("../far/log", folder.join("log/log")).expect("a link");
    };
    let remove_target = |folder: &TempDir| {
        fs::remove_dir_all(folder.join("far")).expect("a folder");
    };
    let stderr = upgrade_twice_with_log(arch, make_link, remove_target);
    assert!(stderr.contains("going on with the log that is open"), "{stderr}");
    let replace_by_folder = |folder: &TempDir| {
        fs::remove_file(folder.join("log/log")).expect("a log");
        fs::create_dir(folder.join("log/log")).expect("a folder");
    };
    let stderr = upgrade_twice_with_log(arch, |_| {}, replace_by_folder);
    assert!(stderr.contains("going on with the log that is open"), "{stderr}");
}

test!(Architecture, a_successor_can_log_to_a_pipe_without_a_reader);
fn a_successor_can_log_to_a_pipe_without_a_reader(arch: &str) {
    let make_pipe = |folder: &TempDir| {
        let mode = Mode::from_raw_mode(0o600);
        mknodat(CWD, folder.join("log/log"), FileType::Fifo, mode, 0).expect("a pipe");
    };
    upgrade_twice_with_log(arch, make_pipe, |_| {});
}

test!(Architecture, old_servers_go_on_until_a_successor_can_start_its_own);
/// The successor is a script whose `--check` succeeds although its templates are unusable.
fn old_servers_go_on_until_a_successor_can_start_its_own(arch: &str) {
    let (store, content) = (Store::embedded(), Content::new());
    let (folder, options) = (TempDir::beside_program(), content.options());
    let program = folder.join("program");
    fs::hard_link(PROGRAM, &program).expect("a link");
    let options = words(&options);
    let mut server = Server::start_from(&program, arch, &store.url(), &options);
    let before = server.servers();
    install_script(&folder, &program, ALWAYS_GOOD);
    content.folder.write("templates/error.html", "no placeholder");
    server.supervisor().signal(Signal::USR2);
    wait_until("a successor", || server.errors().contains("took over"));
    assert!(server.errors().contains("the servers of the previous program go on"));
    assert_eq!(server.servers(), before);
    for _ in 0..10 {
        assert!(server.client().get("/missing").body.starts_with(b"before: 404"));
        assert_eq!(server.client().get("/guestbook").status, 200);
    }
    let mut kept = server.client();
    assert_eq!(kept.get("/").status, 200);
    content.folder.write("templates/error.html", "after: $STATUS$ $REASON$ $EXPLANATION$");
    // An old process that waits in accept(2) can accept one more client.
    wait_until("an answer of the successor's servers", || {
        server.errors().contains("opened anew")
            && server.client().get("/missing").body.starts_with(b"after: 404")
    });
    let last = kept.get("/");
    assert!(last.status == 200 && is_last(&last), "{last:?}");
    await_successors(&server, &before);
    assert_eq!(server.stop().code(), Some(0));
}

/// Executes the program, but `--check` always succeeds.
const ALWAYS_GOOD: &str = "case \" $* \" in *' --check '*) exit 0;; esac\nexec PROGRAM \"$@\"";

/// Replaces the program by a script.
fn install_script(folder: &TempDir, program: &Path, script: &str) {
    folder.write("new", format!("#!/bin/sh\n{}\n", script.replace("PROGRAM", PROGRAM)));
    let mode = fs::Permissions::from_mode(0o755);
    fs::set_permissions(folder.join("new"), mode).expect("a file of ours");
    fs::rename(folder.join("new"), program).expect("a file of ours");
}

/// A server that drains for longer than any test waits, and whose program was replaced by a script
/// since.
fn with_script(script: &str, content: &Content, folder: &TempDir, store: &Store) -> Server {
    let options = content.options();
    let drain = vec!["--drain", "3600", "--admin", "127.0.0.1:0"];
    let options = [words(&options), drain].concat();
    let program = folder.join("program");
    fs::hard_link(PROGRAM, &program).expect("a link");
    let server = Server::start_from(&program, "epoll", &store.url(), &options);
    install_script(folder, &program, script);
    server
}

test!(Once, the_health_of_old_servers_fails_while_their_successor_drains);
fn the_health_of_old_servers_fails_while_their_successor_drains() {
    let (store, content) = (Store::embedded(), Content::new());
    let folder = TempDir::beside_program();
    let mut server = with_script(ALWAYS_GOOD, &content, &folder, &store);
    let before = server.servers();
    content.folder.write("templates/error.html", "no placeholder");
    server.supervisor().signal(Signal::USR2);
    wait_until("a successor", || server.errors().contains("took over"));
    server.supervisor().signal(Signal::TERM);
    wait_until("/healthz to say that the server drains", || {
        let answer = Client::connect(server.admin_port()).get("/healthz");
        answer.status == 503 && answer.body.starts_with(b"draining\n")
    });
    assert_eq!(server.servers(), before);
    assert_eq!(server.client().get("/").status, 200);
    assert_eq!(server.stop().code(), Some(0));
}

test!(Once, a_server_that_is_to_drain_ends_the_check_of_another_program_and_says_so);
fn a_server_that_is_to_drain_ends_the_check_of_another_program_and_says_so() {
    let (store, content) = (Store::embedded(), Content::new());
    let folder = TempDir::beside_program();
    let mut server = with_script("exec sleep 3600", &content, &folder, &store);
    server.supervisor().signal(Signal::USR2);
    wait_until("a check", || server.errors().contains("is to take over"));
    server.supervisor().signal(Signal::TERM);
    wait_until("a drain delay", || server.errors().contains("draining: "));
    let said = "no other program takes over, as the server is to stop\n";
    assert!(server.errors().contains(said), "{}", server.errors());
    assert_eq!(server.stop().code(), Some(0));
}

test!(Once, many_upgrades_disconnect_no_client_and_the_last_one_is_postponed);
fn many_upgrades_disconnect_no_client_and_the_last_one_is_postponed() {
    let (store, content) = (Store::embedded(), Content::new());
    let options = content.options();
    let options = [words(&options), vec!["--keep-alive-timeout", "3600"]].concat();
    let mut server = Server::start("epoll", &store.url(), &options);
    let count = |message: &str| server.errors().matches(message).count();
    let mut kept = Vec::new();
    for round in 1..=8 {
        let mut client = server.client();
        assert_eq!(client.get("/").status, 200);
        kept.push(client);
        server.supervisor().signal(Signal::USR2);
        wait_until("a successor", || count("took over") == round);
        wait_until("a client of the new generation", || {
            let mut client = server.client();
            // A server that drains closes the connection, which then has no owner.
            let stays = !is_last(&client.get("/"));
            stays && !kept.iter().any(|kept| server.owner(kept) == server.owner(&client))
        });
    }
    server.supervisor().signal(Signal::USR2);
    let postponed = "another program takes over once one of them has ended";
    wait_until("a message about the postponed upgrade", || count(postponed) == 1);
    let pipes = |server: &Server| server.supervisor().writable_pipes().len();
    let before = pipes(&server);
    // A client that leaves lets its generation end.
    drop(kept.remove(0));
    wait_until("a successor", || count("took over") == 9);
    for client in &mut kept {
        let last = client.get("/");
        assert!(last.status == 200 && is_last(&last), "{last:?}");
    }
    drop(kept);
    wait_until("pipes to generations that have ended to be closed", || pipes(&server) < before);
    assert_eq!(server.stop().code(), Some(0));
}
