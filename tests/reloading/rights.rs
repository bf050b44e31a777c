//! Privileges, sandbox and permissions: a server keeps only the rights that it needs.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::process::Command;

use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::Signal;

use crate::support::cases::test;
use crate::support::process::Process;
use crate::support::server::{Server, run};
use crate::support::{Client, Store, TempDir};

/// The value of a line of proc_pid_status(5).
fn status(process: Process, name: &str) -> String {
    let text = fs::read_to_string(format!("/proc/{}/status", process.0)).expect("a process");
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    line.unwrap_or_else(|| panic!("no {name} in {text}")).trim().to_string()
}

/// The number that id(1) prints for a user: with `-u` the user's, with `-g` the group's.
fn id(option: &str, user: &str) -> u32 {
    let output = Command::new("id").args([option, user]).output().expect("id(1)");
    String::from_utf8_lossy(&output.stdout).trim().parse().expect("a number")
}

test!(Architecture, root_privileges_are_dropped_for_good);
fn root_privileges_are_dropped_for_good(arch: &str) {
    let (uid, gid) = (id("-u", "nobody"), id("-g", "nobody"));
    let folder = TempDir::new();
    folder.write("index.html", "hello");
    for path in [folder.path(), &folder.join("index.html")] {
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("a file of ours");
    }
    let store = format!("embedded:{}", folder.join("book.db").display());
    let root = folder.path().display().to_string();
    let extra = ["--root", &root, "--user", "nobody"];
    if chown(folder.path(), Some(uid), Some(gid)).is_err() {
        // Only root can become another user.
        let (status, stderr) = Server::failed_start(arch, &store, &extra);
        assert_eq!(status.code(), Some(1), "{stderr}");
        assert!(stderr.contains("only root can become nobody"), "{stderr}");
        return;
    }
    let mut server = Server::start(arch, &store, &extra);
    assert_eq!(server.client().get("/index.html").body, b"hello");
    assert_eq!(server.client().visit(), 1);
    let (uids, gids) = (vec![uid.to_string(); 4].join("\t"), vec![gid.to_string(); 4].join("\t"));
    for process in server.processes() {
        assert_eq!((status(process, "Uid"), status(process, "Gid")), (uids.clone(), gids.clone()));
        assert_eq!(status(process, "CapEff"), "0000000000000000");
    }
    assert_eq!(server.stop().code(), Some(0));
}

test!(Once, an_unknown_user_is_named);
fn an_unknown_user_is_named() {
    let store = Store::embedded();
    let (status, stderr) =
        Server::failed_start("epoll", &store.url(), &["--user", "nobody-at-all"]);
    assert_eq!(status.code(), Some(1), "{stderr}");
    assert!(stderr.contains("no user \"nobody-at-all\""), "{stderr}");
}

test!(Architecture, processes_that_parse_input_are_sandboxed_by_default);
/// Unit tests of the sandbox show what it denies; this one shows which processes are in it.
fn processes_that_parse_input_are_sandboxed_by_default(arch: &str) {
    for (sandbox, expected) in [("auto", "1"), ("off", "0")] {
        let store = Store::embedded();
        let server = Server::start(arch, &store.url(), &["--sandbox", sandbox]);
        let stderr = server.errors();
        // A process in the sandbox can gain no privileges.
        let no_new_privileges = |process| status(process, "NoNewPrivs");
        if stderr.contains("no Landlock") {
            println!("this kernel has no Landlock: {stderr}");
            continue;
        }
        assert_eq!(stderr.contains("sandbox    off"), sandbox == "off", "{stderr}");
        let mut client = server.client();
        assert_eq!(client.visit(), 1);
        assert_eq!(no_new_privileges(server.owner(&client)), expected);
        assert_eq!(no_new_privileges(server.store()), expected);
    }
}

test!(Once, a_check_reports_unusable_paths_and_creates_no_file);
fn a_check_reports_unusable_paths_and_creates_no_file() {
    let (folder, root) = (TempDir::new(), crate::support::site().display().to_string());
    let store = format!("embedded:{}", folder.join("book.db").display());
    let check = |extra: &[&str]| {
        let output = run(&[&["--check", "--store", &store, "--root", &root], extra].concat());
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    assert_eq!(check(&[]).0, Some(0));
    assert!(!folder.join("book.db").exists(), "a check has created a store");
    let (code, stderr) = check(&["--templates", "/nowhere/at/all"]);
    assert_eq!(code, Some(1));
    assert!(stderr.contains("/nowhere/at/all"), "{stderr}");
    let (code, stderr) = check(&["--log-file", "/nowhere/at/all"]);
    assert_eq!(code, Some(1));
    assert!(stderr.contains("/nowhere/at/all"), "{stderr}");
    let log = folder.join("log").display().to_string();
    assert_eq!(check(&["--log-file", &log]).0, Some(0));
    assert!(!folder.join("log").exists(), "a check has created a log");
    folder.write("file", "no folder");
    for (file, is_good) in [("new/folder/book.db", true), ("file/book.db", false)] {
        let store = format!("embedded:{}", folder.join(file).display());
        let output = run(&["--check", "--store", &store, "--root", &root]);
        assert_eq!(output.status.success(), is_good, "{file}: {output:?}");
    }
    assert!(!folder.join("new").exists(), "a check has created a folder");
}

test!(Once, a_server_with_user_root_and_another_group_has_that_group);
fn a_server_with_user_root_and_another_group_has_that_group() {
    let gid = id("-g", "nobody");
    let group = Command::new("id").args(["-gn", "nobody"]).output().expect("id(1)");
    let user = format!("root:{}", String::from_utf8_lossy(&group.stdout).trim());
    let store = Store::embedded();
    if id("-u", "root") != rustix::process::geteuid().as_raw() {
        let (status, stderr) = Server::failed_start("epoll", &store.url(), &["--user", &user]);
        assert_eq!(status.code(), Some(1), "{stderr}");
        return assert!(stderr.contains("only root can become root"), "{stderr}");
    }
    let mut server = Server::start("epoll", &store.url(), &["--user", &user]);
    for process in server.processes() {
        assert_eq!(status(process, "Uid"), ["0"; 4].join("\t"));
        assert_eq!(status(process, "Gid"), vec![gid.to_string(); 4].join("\t"));
    }
    assert_eq!(server.stop().code(), Some(0));
}

test!(Architecture, an_unread_log_does_not_block_a_server_that_dropped_root);
/// The log is a pipe that root has opened and that no process reads; the servers run as another
/// user.
fn an_unread_log_does_not_block_a_server_that_dropped_root(arch: &str) {
    if !rustix::process::geteuid().is_root() {
        return println!("skipped: only root can become another user");
    }
    let folder = TempDir::new();
    let (_reader, pipe) = pipe_with(PipeFlags::CLOEXEC).expect("a pipe");
    let (uid, gid) = (id("-u", "nobody"), id("-g", "nobody"));
    chown(folder.path(), Some(uid), Some(gid)).expect("root can give folders away");
    let store = format!("embedded:{}", folder.join("book.db").display());
    let extra = ["--user", "nobody", "--access-log", "common"];
    let script = r#"exec "$0" "$@" >&0 </dev/null"#;
    let mut server = Server::start_in_shell(script, pipe, (arch, &store, &extra));
    for _ in 0..2 {
        let before = server.servers();
        let mut client = server.client();
        // A pipe holds 64 KiB, and each line is longer than 60 bytes.
        for _ in 0..1500 {
            assert_eq!(client.get("/hello.txt").status, 200);
        }
        drop(client);
        server.supervisor().signal(Signal::HUP);
        crate::reload::await_successors(&server, &before);
    }
    assert!(server.errors().contains("it has no reader"), "{}", server.errors());
    assert_eq!(server.stop().code(), Some(0));
}

test!(Architecture, files_without_read_permission_are_reported_to_the_operator);
fn files_without_read_permission_are_reported_to_the_operator(arch: &str) {
    let (uid, gid) = (id("-u", "nobody"), id("-g", "nobody"));
    let folder = TempDir::new();
    fs::create_dir(folder.join("shut")).expect("a folder");
    for (name, mode) in [("open.txt", 0o644), ("secret.txt", 0o600), ("shut", 0o700)] {
        if mode & 0o100 == 0 {
            folder.write(name, "text");
        }
        let mode = fs::Permissions::from_mode(mode);
        fs::set_permissions(folder.join(name), mode).expect("a file of ours");
    }
    let book = TempDir::new();
    if chown(book.path(), Some(uid), Some(gid)).is_err() {
        return println!("skipped: only root can become another user");
    }
    let store = format!("embedded:{}", book.join("book.db").display());
    let root = folder.path().display().to_string();
    let extra = ["--root", &root, "--user", "nobody", "--admin", "127.0.0.1:0"];
    let server = Server::start(arch, &store, &extra);
    let mut client = server.client();
    assert_eq!(client.get("/open.txt").status, 200);
    assert_eq!(client.get("/missing.txt").status, 404);
    assert!(!server.errors().contains("permission denied"), "{}", server.errors());
    for target in ["/secret.txt", "/shut/", "/shut/within.txt", "/shut/%1b[2J%ff"] {
        assert_eq!(client.get(target).status, 404, "{target}");
    }
    drop(client);
    let stderr = server.errors();
    // Only the first file is reported: there is at most one message in half a minute.
    let line = format!("permission denied to read {root}/secret.txt; clients get 404");
    assert!(stderr.contains(&line), "{stderr}");
    assert_eq!(stderr.matches("permission denied").count(), 1, "{stderr}");
    let metrics = Client::connect(server.admin_port()).get("/metrics").body;
    let metrics = String::from_utf8(metrics).expect("UTF-8");
    // All denied files are counted; a request for a folder can count several times.
    let line = metrics.lines().find(|line| line.starts_with("zerohttpd_files_denied_total "));
    let count = line.and_then(|line| line.split(' ').nth(1)?.parse::<u64>().ok());
    assert!(count.is_some_and(|count| count >= 4), "{line:?}");
}
