//! What a server may do: as little as it needs.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::process::Command;

use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::Signal;

use crate::support::process::Process;
use crate::support::server::{Server, run};
use crate::support::{Store, TempDir, for_each_architecture};

/// A line of proc_pid_status(5).
fn status(process: Process, name: &str) -> String {
    let text = fs::read_to_string(format!("/proc/{}/status", process.0)).expect("a process");
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    line.unwrap_or_else(|| panic!("no {name} in {text}")).trim().to_string()
}

/// A number that id(1) knows of a user.
fn id(option: &str, user: &str) -> u32 {
    let output = Command::new("id").args([option, user]).output().expect("id(1)");
    String::from_utf8_lossy(&output.stdout).trim().parse().expect("a number")
}

#[test]
fn root_gives_itself_up_for_good() {
    let (uid, gid) = (id("-u", "nobody"), id("-g", "nobody"));
    for_each_architecture(|arch| {
        let folder = TempDir::new();
        folder.write("index.html", "hello");
        for path in [folder.path(), &folder.join("index.html")] {
            fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("a file of ours");
        }
        let store = format!("embedded:{}", folder.join("book.db").display());
        let root = folder.path().display().to_string();
        let extra = ["--root", &root, "--user", "nobody"];
        if chown(folder.path(), Some(uid), Some(gid)).is_err() {
            // Whoever is not root can't become another either.
            let (status, said) = Server::refuse(arch, &store, &extra);
            assert_eq!(status.code(), Some(1), "{said}");
            assert!(said.contains("only root can become nobody"), "{said}");
            return;
        }
        let mut server = Server::start(arch, &store, &extra);
        assert_eq!(server.client().get("/index.html").body, b"hello");
        assert_eq!(server.client().visit(), 1);
        let (uids, gids) =
            (vec![uid.to_string(); 4].join("\t"), vec![gid.to_string(); 4].join("\t"));
        for process in server.processes() {
            assert_eq!(
                (status(process, "Uid"), status(process, "Gid")),
                (uids.clone(), gids.clone())
            );
            assert_eq!(status(process, "CapEff"), "0000000000000000");
        }
        assert_eq!(server.stop().code(), Some(0));
    });
}

#[test]
fn a_user_that_there_is_not_is_named() {
    let store = Store::embedded();
    let (status, said) = Server::refuse("epoll", &store.url(), &["--user", "nobody-at-all"]);
    assert_eq!(status.code(), Some(1), "{said}");
    assert!(said.contains("no user \"nobody-at-all\""), "{said}");
}

/// What the sandbox keeps one from is shown beside its code; here is who is in it.
#[test]
fn all_who_parse_are_confined_unless_told_otherwise() {
    for_each_architecture(|arch| {
        for (sandbox, expected) in [("auto", "1"), ("off", "0")] {
            let store = Store::embedded();
            let server = Server::start(arch, &store.url(), &["--sandbox", sandbox]);
            let said = server.errors();
            let confined = |process| status(process, "NoNewPrivs");
            if said.contains("no Landlock") {
                println!("this kernel has no Landlock: {said}");
                continue;
            }
            assert_eq!(said.contains("sandbox    off"), sandbox == "off", "{said}");
            let mut client = server.client();
            assert_eq!(client.visit(), 1);
            assert_eq!(confined(server.owner(&client)), expected);
            assert_eq!(confined(server.store()), expected);
        }
    });
}

#[test]
fn a_check_looks_at_everything_and_starts_nothing() {
    let (folder, root) = (TempDir::new(), crate::support::site().display().to_string());
    let store = format!("embedded:{}", folder.join("book.db").display());
    let check = |extra: &[&str]| {
        let output = run(&[&["--check", "--store", &store, "--root", &root], extra].concat());
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    assert_eq!(check(&[]).0, Some(0));
    assert!(!folder.join("book.db").exists(), "a check has made a store");
    let (code, said) = check(&["--templates", "/nowhere/at/all"]);
    assert_eq!(code, Some(1));
    assert!(said.contains("/nowhere/at/all"), "{said}");
    let (code, said) = check(&["--log-file", "/nowhere/at/all"]);
    assert_eq!(code, Some(1));
    assert!(said.contains("/nowhere/at/all"), "{said}");
    let log = folder.join("log").display().to_string();
    assert_eq!(check(&["--log-file", &log]).0, Some(0));
    assert!(!folder.join("log").exists(), "a check has made a log");
    folder.write("file", "no folder");
    for (file, is_good) in [("new/folder/book.db", true), ("file/book.db", false)] {
        let store = format!("embedded:{}", folder.join(file).display());
        let output = run(&["--check", "--store", &store, "--root", &root]);
        assert_eq!(output.status.success(), is_good, "{file}: {output:?}");
    }
    assert!(!folder.join("new").exists(), "a check has made a folder");
}

#[test]
fn a_group_is_taken_also_by_who_stays_root() {
    let gid = id("-g", "nobody");
    let group = Command::new("id").args(["-gn", "nobody"]).output().expect("id(1)");
    let asked = format!("root:{}", String::from_utf8_lossy(&group.stdout).trim());
    let store = Store::embedded();
    if id("-u", "root") != rustix::process::geteuid().as_raw() {
        let (status, said) = Server::refuse("epoll", &store.url(), &["--user", &asked]);
        assert_eq!(status.code(), Some(1), "{said}");
        return assert!(said.contains("only root can become root"), "{said}");
    }
    let mut server = Server::start("epoll", &store.url(), &["--user", &asked]);
    for process in server.processes() {
        assert_eq!(status(process, "Uid"), ["0"; 4].join("\t"));
        assert_eq!(status(process, "Gid"), vec![gid.to_string(); 4].join("\t"));
    }
    assert_eq!(server.stop().code(), Some(0));
}

/// A pipe of root's, of which somebody else's servers write and nobody reads.
#[test]
fn a_log_that_nobody_reads_holds_up_nobody_who_gave_up_root() {
    if !rustix::process::geteuid().is_root() {
        return println!("only root can become another");
    }
    for_each_architecture(|arch| {
        let folder = TempDir::new();
        let (_reader, pipe) = pipe_with(PipeFlags::CLOEXEC).expect("a pipe");
        let (uid, gid) = (id("-u", "nobody"), id("-g", "nobody"));
        chown(folder.path(), Some(uid), Some(gid)).expect("root may");
        let store = format!("embedded:{}", folder.join("book.db").display());
        let extra = ["--user", "nobody", "--access-log", "common"];
        let onto = r#"exec "$0" "$@" >&0 </dev/null"#;
        let mut server = Server::start_in_shell(onto, pipe, (arch, &store, &extra));
        for _ in 0..2 {
            let before = server.servers();
            let mut client = server.client();
            // A pipe takes 64 KiB, and each line is longer than 60 bytes.
            for _ in 0..1500 {
                assert_eq!(client.get("/hello.txt").status, 200);
            }
            drop(client);
            server.supervisor().signal(Signal::HUP);
            crate::reload::await_successors(&server, &before);
        }
        assert!(server.errors().contains("nobody reads it"), "{}", server.errors());
        assert_eq!(server.stop().code(), Some(0));
    });
}
