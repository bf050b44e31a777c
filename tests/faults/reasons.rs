//! The reason of a 503: messages and `/healthz` quote the store's error, and name the requests that
//! fail.

use std::io::Write;
use std::process::{Command, Stdio};

use crate::fake::{Behaviour, FakeStore};
use crate::support::cases::test;
use crate::support::redis::redis_cli;
use crate::support::{Client, Redis, Server, Store, wait_until};

const ADMIN: [&str; 2] = ["--admin", "127.0.0.1:0"];

fn health(server: &Server) -> String {
    let mut monitor = Client::connect(server.admin_port());
    let health = String::from_utf8_lossy(&monitor.get("/healthz").body).into_owned();
    assert_eq!(health.lines().count(), 2, "{health}");
    health
}

/// Whether the metrics say that the store is up; `/healthz` has to agree.
fn is_up(server: &Server) -> bool {
    let mut monitor = Client::connect(server.admin_port());
    let metrics = String::from_utf8_lossy(&monitor.get("/metrics").body).into_owned();
    let is_up = metrics.contains("\nzerohttpd_store_up 1\n");
    assert_eq!(is_up, health(server) == "ok\nstore up\n");
    is_up
}

/// Checks the statuses of a visit and of a signature, and that `/healthz` has this state and this
/// reason.
#[track_caller]
fn assert_fails(server: &Server, [visit, sign]: [u16; 2], state: &str, reason: &str) {
    assert_eq!(server.client().get("/guestbook").status, visit, "a visit");
    assert_eq!(server.client().sign("Ada", "remark").status, sign, "a remark");
    assert_eq!(server.client().get("/hello.txt").status, 200);
    let health = health(server);
    assert!(health.starts_with(&format!("ok\n{state} for ")), "{health}");
    assert!(health.contains(reason), "{health}");
    assert!(!is_up(server));
    assert!(server.errors().contains(reason), "{}", server.errors());
}

test!(Architecture, errors_of_redis_are_reported_and_health_agrees_with_answers);
fn errors_of_redis_are_reported_and_health_agrees_with_answers(arch: &str) {
    let redis = Redis::start(&[]);
    let cli = |words: &[&str]| redis_cli(&redis.socket(), words);
    let server = Server::start(arch, &redis.url(), &ADMIN);
    let assert_works = || {
        assert_eq!(server.client().get("/guestbook").status, 200);
        assert_eq!(server.client().sign("Ada", "remark").status, 303);
        assert!(is_up(&server));
    };
    assert_works();
    cli(&["config", "set", "maxmemory", "1"]);
    assert_fails(&server, [503, 503], "store down", "OOM command not allowed");
    cli(&["config", "set", "maxmemory", "0"]);
    assert_works();
    cli(&["rename", "visitor_count", "kept"]);
    cli(&["lpush", "visitor_count", "no number"]);
    assert_fails(&server, [503, 303], "store fails visits", "WRONGTYPE Operation against");
    cli(&["rename", "kept", "visitor_count"]);
    assert_works();
    cli(&["acl", "setuser", "default", "-rpush"]);
    assert_fails(&server, [200, 503], "store fails remarks", "NOPERM");
    cli(&["acl", "setuser", "default", "+rpush"]);
    assert_works();
    assert!(server.errors().contains("the store answers again"));
}

test!(Architecture, a_redis_user_with_only_the_needed_rights_is_accepted);
fn a_redis_user_with_only_the_needed_rights_is_accepted(arch: &str) {
    let redis = Redis::start(&[]);
    let rights = ["+incrby", "+get", "+lrange", "+rpush"];
    let words = [&["acl", "setuser", "app", "on", ">pw", "~*"], &rights[..]].concat();
    assert_eq!(redis_cli(&redis.socket(), &words), "OK");
    let url = format!("redis+unix://app:pw@{}", redis.socket().display());
    let server = Server::start(arch, &url, &ADMIN);
    assert_eq!(server.client().visit(), 1);
    assert_eq!(server.client().sign("Ada", "remark").status, 303);
    assert!(is_up(&server));
}

test!(Architecture, errors_of_sqlite_are_reported);
fn errors_of_sqlite_are_reported(arch: &str) {
    let store = Store::embedded();
    let server = Server::start(arch, &store.url(), &ADMIN);
    assert_eq!(server.client().visit(), 1);
    let file = store.socket().with_extension("");
    let mut tool = Command::new("sqlite3")
        .arg(&file)
        .stdin(Stdio::piped())
        .spawn()
        .expect("these tests need sqlite3: install it (`apt-get install sqlite3`)");
    let mut words = tool.stdin.take().expect("a pipe");
    words.write_all(b".timeout 10000\nBEGIN IMMEDIATE;\n").expect("a tool that listens");
    wait_until("a locked database", || server.client().get("/guestbook").status == 503);
    assert_fails(&server, [503, 503], "store down", "database is locked");
    drop(words);
    tool.wait().expect("a child of ours");
    wait_until("an unlocked database", || server.client().sign("Ada", "remark").status == 303);
    assert!(server.client().visit() > 1);
    assert!(is_up(&server));
}

test!(Architecture, errors_of_a_store_are_reported_escaped_and_shortened);
/// An error can contain line ends or escape codes, which could forge a message.
fn errors_of_a_store_are_reported_escaped_and_shortened(arch: &str) {
    let fake = FakeStore::start();
    let server = Server::start(arch, &fake.url(), &ADMIN);
    fake.behave(Behaviour::Sends("-ERR a\rzerohttpd: forged\x1b[2K\u{202e}\0 \u{e9}\r\n"));
    assert_eq!(server.client().get("/guestbook").status, 503);
    let shown = "ERR a\\rzerohttpd: forged\\u{1b}[2K\\u{202e}\\u{0} \u{e9}";
    wait_until("the message", || server.errors().contains(shown));
    assert!(health(&server).contains(shown), "{}", health(&server));
    static LONG: std::sync::OnceLock<String> = std::sync::OnceLock::new();
    let long = LONG.get_or_init(|| format!("-LONG {}\r\n", "x".repeat(900)));
    fake.behave(Behaviour::Sends(long));
    assert_eq!(server.client().sign("Ada", "remark").status, 503);
    assert!(health(&server).contains("LONG xxx"), "{}", health(&server));
    let said = format!("{}{}", server.errors(), health(&server));
    assert!(said.lines().all(|line| line.len() < 600), "{said}");
}

test!(Architecture, secrets_and_remarks_sent_to_a_store_are_not_reported);
/// In its error for an unknown command, Redis quotes the arguments, here a remark and a password.
fn secrets_and_remarks_sent_to_a_store_are_not_reported(arch: &str) {
    let options = ["--rename-command", "RPUSH", "", "--rename-command", "AUTH", ""];
    let redis = Redis::start(&options);
    let server = Server::start(arch, &redis.url(), &ADMIN);
    assert_eq!(server.client().sign("Ada", "s3cret").status, 503);
    let said = format!("{}{}", server.errors(), health(&server));
    assert!(said.contains("unknown command") && !said.contains("s3cret"), "{said}");
    let url = format!("redis+unix://:s3cret@{}", redis.socket().display());
    let (status, said) = Server::failed_start(arch, &url, &[]);
    assert_eq!(status.code(), Some(1));
    assert!(said.contains("unknown command") && !said.contains("s3cret"), "{said}");
}
