//! Why a server does not start: one line that names the culprit, and nothing is left behind.

use std::net::TcpListener;
use std::os::unix::net::UnixListener;
use std::process::Stdio;

use rustix::process::Signal;

use crate::support::server::{run, takes_workers};
use crate::support::{Redis, Server, Store, TempDir, architectures, for_each_architecture};

/// It ends with 1 and one line, in which all of this stands.
#[track_caller]
fn assert_says(ended: &(std::process::ExitStatus, String), parts: &[&str]) {
    let (status, said) = ended;
    assert_eq!(status.code(), Some(1), "{said}");
    assert_eq!(said.lines().count(), 1, "more than a line, or none: {said:?}");
    assert!(said.starts_with("zerohttpd: "), "{said}");
    for part in parts {
        assert!(said.contains(part), "no {part:?} in {said:?}");
    }
}

#[test]
fn a_port_that_is_in_use_is_named() {
    let taken = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let port = taken.local_addr().expect("its address").port().to_string();
    for_each_architecture(|arch| {
        let store = Store::embedded();
        let ended = Server::refuse(arch, &store.url(), &["--port", &port]);
        assert_says(&ended, &["can't listen on 127.0.0.1", &port]);
    });
}

#[test]
fn an_address_that_is_not_ours_is_named() {
    for_each_architecture(|arch| {
        let store = Store::embedded();
        let ended = Server::refuse(arch, &store.url(), &["--bind", "192.0.2.1"]);
        assert_says(&ended, &["can't listen on 192.0.2.1", "no such address"]);
    });
}

#[test]
fn a_folder_that_is_missing_is_named() {
    for_each_architecture(|arch| {
        let store = Store::embedded();
        let ended = Server::refuse(arch, &store.url(), &["--root", "/nowhere/at/all"]);
        assert_says(&ended, &["site", "/nowhere/at/all"]);
        let ended = Server::refuse(arch, &store.url(), &["--templates", "/nowhere/at/all"]);
        assert_says(&ended, &["templates", "/nowhere/at/all"]);
        let ended = Server::refuse(arch, &store.url(), &["--log-file", "/nowhere/at/all"]);
        assert_says(&ended, &["log", "/nowhere/at/all"]);
    });
}

#[test]
fn a_template_that_lacks_its_gap_is_named() {
    for_each_architecture(|arch| {
        let (store, templates) = (Store::embedded(), TempDir::new());
        std::fs::create_dir(templates.join("guestbook")).expect("a folder");
        templates.write("guestbook/index.html", "no gap at all");
        let folder = templates.path().display().to_string();
        let ended = Server::refuse(arch, &store.url(), &["--templates", &folder]);
        assert_says(&ended, &["guestbook/index.html", &folder]);
    });
}

#[test]
fn a_redis_that_is_not_there_or_does_not_answer_is_named() {
    let folder = TempDir::new();
    let path = folder.join("mute.sock");
    let _mute = UnixListener::bind(&path).expect("a socket");
    let missing = folder.join("missing.sock").display().to_string();
    for_each_architecture(|arch| {
        let ended = Server::refuse(arch, "redis://127.0.0.1:1", &[]);
        assert_says(&ended, &["redis://127.0.0.1:1", "can't be reached"]);
        let ended = Server::refuse(arch, &format!("redis+unix://{missing}"), &[]);
        assert_says(&ended, &[&missing, "can't be reached"]);
        let (status, said) = Server::refuse(arch, &format!("redis+unix://{}", path.display()), &[]);
        // It may say first that it waits.
        assert_eq!(status.code(), Some(1), "{said}");
        let last = said.lines().last().unwrap_or_default();
        assert!(last.contains("mute.sock did not answer in time"), "{said}");
    });
}

#[test]
fn a_host_that_does_not_exist_is_named() {
    // No resolver is asked for a name in .invalid (RFC 6761).
    let arch = &architectures()[0];
    let ended = Server::refuse(arch, "redis://nowhere.invalid:6379", &[]);
    assert_says(&ended, &["can't find the store redis://nowhere.invalid:6379"]);
}

#[test]
fn an_embedded_store_that_can_not_be_made_says_why() {
    for_each_architecture(|arch| {
        let folder = TempDir::new();
        let ended = Server::refuse(arch, "embedded:/proc/nowhere/g.db", &[]);
        assert_says(&ended, &["/proc/nowhere"]);
        folder.write("other.db", "this is no database, and long enough to be sure of that");
        let file = folder.join("other.db").display().to_string();
        let ended = Server::refuse(arch, &format!("embedded:{file}"), &[]);
        assert_says(&ended, &[&file]);
        let kept = std::fs::read(&file).expect("the file");
        assert!(kept.starts_with(b"this is no database"), "it was written to");
    });
}

#[test]
fn words_that_mean_nothing_are_named_and_nothing_is_started() {
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
            // The value, or else the option that was not understood, is in what is said.
            let culprits = words.iter().rev().take(2);
            assert!(culprits.into_iter().any(|word| said.contains(word)), "{words:?}: {said}");
        }
    }
}

#[test]
fn an_architecture_that_does_not_exist_is_named_beside_those_that_do() {
    let ended = run(&["quantum", "0"]);
    assert_eq!(ended.status.code(), Some(2));
    let said = String::from_utf8_lossy(&ended.stderr);
    for name in architectures().iter().map(String::as_str).chain(["quantum"]) {
        assert!(said.contains(name), "no {name} in {said}");
    }
}

#[test]
fn a_backlog_a_version_and_help_are_there() {
    let store = Store::embedded();
    let arch = &architectures()[0];
    let server = Server::start(arch, &store.url(), &["--backlog", "1"]);
    assert_eq!(server.client().get("/hello.txt").status, 200);
    let version = run(&["--version"]);
    assert_eq!(version.stdout, format!("zerohttpd {}\n", env!("CARGO_PKG_VERSION")).into_bytes());
    let help = run(&["--help"]);
    assert!(help.status.success());
    for name in architectures() {
        assert!(String::from_utf8_lossy(&help.stdout).contains(name.as_str()), "{name}");
    }
}

/// Sockets of several processes share a port with whoever lets them, an older server of ours too.
#[test]
fn a_port_that_another_server_has_is_named_by_several_processes_too() {
    for_each_architecture(|arch| {
        if !takes_workers(arch) {
            return;
        }
        let (store, other) = (Store::embedded(), Store::embedded());
        let server = Server::start(arch, &store.url(), &["--workers", "2"]);
        let port = server.port.to_string();
        let ended = Server::refuse(arch, &other.url(), &["--port", &port, "--workers", "2"]);
        assert_says(&ended, &["can't listen on 127.0.0.1", &port]);
    });
}

/// As in a container: whoever started it, its session's leader among them, has no number there.
#[test]
fn it_starts_and_ends_in_a_namespace_of_its_own() {
    let user = if rustix::process::geteuid().is_root() { "" } else { "--user --map-root-user" };
    let script = format!(r#"exec unshare {user} --pid --fork "$0" "$@""#);
    for_each_architecture(|arch| {
        let store = Store::embedded();
        let words = (arch, &*store.url(), &[][..]);
        let mut unshare = Server::start_in_shell(&script, Stdio::null(), words);
        assert_eq!(unshare.client().get("/hello.txt").status, 200);
        assert_eq!(unshare.client().get("/guestbook").status, 200);
        let [supervisor] = unshare.supervisor().children()[..] else { panic!("one child") };
        supervisor.signal(Signal::TERM);
        assert_eq!(unshare.wait().code(), Some(0));
        unshare.await_nothing_left();
    });
}
