//! Stores that start after the server, or that move to another address.

use std::net::TcpListener;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::Stdio;
use std::thread;

use rustix::process::Signal;

use crate::support::cases::test;
use crate::support::forwarder::forward_to;
use crate::support::redis::redis_cli;
use crate::support::{Client, Redis, Server, TempDir, wait_until};

const ADMIN: [&str; 2] = ["--admin", "127.0.0.1:0"];

fn health(server: &Server) -> String {
    let mut monitor = Client::connect(server.admin_port());
    String::from_utf8_lossy(&monitor.get("/healthz").body).into_owned()
}

/// Checks that files are served, and that the guestbook answers 503.
fn assert_serves_only_files(server: &Server) {
    let mut client = server.client();
    assert_eq!(client.get("/hello.txt").body, b"hello\n");
    let answer = client.get("/guestbook");
    assert_eq!(answer.status, 503);
    assert_ne!(answer.field("Retry-After"), Ok(None));
    assert_eq!(client.sign("Ada", "too early").status, 503);
}

test!(Architecture, a_redis_that_starts_after_the_server_is_used_once_it_is_there);
fn a_redis_that_starts_after_the_server_is_used_once_it_is_there(arch: &str) {
    let mut redis = Redis::start(&[]);
    redis.kill();
    let server = Server::start(arch, &redis.url(), &ADMIN);
    let health = health(&server);
    assert!(health.starts_with("ok\nstore down for ") && health.contains("refused"), "{health}");
    assert!(server.errors().contains("can't be reached: Connection refused"));
    assert_serves_only_files(&server);
    redis.start_again();
    // The server finds the store even if no visitor comes.
    wait_until("a store that is up", || self::health(&server) == "ok\nstore up\n");
    assert!(server.errors().contains("the store answers now"), "{}", server.errors());
    assert_eq!(server.client().visit(), 1);
    assert_eq!(server.client().sign("Ada", "in time").status, 303);
}

test!(Architecture, a_redis_that_is_silent_or_has_no_socket_yet_does_not_block_files);
fn a_redis_that_is_silent_or_has_no_socket_yet_does_not_block_files(arch: &str) {
    let folder = TempDir::new();
    let socket = folder.join("mute.sock");
    let _mute = UnixListener::bind(&socket).expect("a socket");
    let server = Server::start(arch, &format!("redis+unix://{}", socket.display()), &ADMIN);
    assert_eq!(server.client().get("/hello.txt").body, b"hello\n");
    let health = health(&server);
    assert!(health.starts_with("ok\nstore down for "), "{health}");
    let missing = format!("redis+unix://{}", folder.join("missing.sock").display());
    let server = Server::start(arch, &missing, &ADMIN);
    assert_serves_only_files(&server);
    let health = self::health(&server);
    assert!(health.contains("No such file"), "{health}");
    // A resolver knows without asking that no name in .invalid exists (RFC 6761).
    let server = Server::start(arch, "redis://nowhere.invalid", &ADMIN);
    assert_serves_only_files(&server);
    wait_until("a reason", || self::health(&server).contains("its name can't be resolved"));
}

test!(Architecture, a_late_redis_that_refuses_the_password_is_reported);
fn a_late_redis_that_refuses_the_password_is_reported(arch: &str) {
    let mut redis = Redis::start(&["--requirepass", "right"]);
    redis.kill();
    let url = format!("redis+unix://:wrong@{}", redis.socket().display());
    let server = Server::start(arch, &url, &ADMIN);
    assert_serves_only_files(&server);
    redis.start_again();
    wait_until("the error in /healthz", || health(&server).contains("WRONGPASS"));
    wait_until("the error in a message", || server.errors().contains("WRONGPASS"));
    assert_serves_only_files(&server);
    let cli = |words: &[&str]| {
        redis_cli(&redis.socket(), &[&["--no-auth-warning", "-a", "right"], words].concat())
    };
    cli(&["config", "set", "requirepass", "wrong"]);
    wait_until("a guestbook", || server.client().get("/guestbook").status == 200);
    assert_eq!(health(&server), "ok\nstore up\n");
}

/// Starts a server, in a mount namespace of its own, whose /etc/hosts is this file, with a store at
/// the name `store.test`.
fn start_with_hosts(arch: &str, hosts: &Path, port: u16) -> Server {
    let user = if rustix::process::geteuid().is_root() { "" } else { "--user --map-root-user" };
    let mounts = format!(r#"mount --bind {} /etc/hosts && exec "$0" "$@""#, hosts.display());
    let script = format!(r#"exec unshare {user} --mount sh -c '{mounts}' "$0" "$@""#);
    let url = format!("redis://store.test:{port}");
    let words = [&ADMIN[..], &["--store-timeout", "1"]].concat();
    Server::start_in_shell(&script, Stdio::null(), (arch, &url, &words))
}

/// Forwards connections at this address and port of the machine to a Unix socket.
fn forward_from(address: &str, port: u16, socket: &Path) {
    let listener = TcpListener::bind((address, port)).expect("the same port");
    let socket = socket.to_path_buf();
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            crate::support::forwarder::forward_client(client, &socket);
        }
    });
}

test!(Architecture, when_a_store_dies_its_name_is_resolved_again);
fn when_a_store_dies_its_name_is_resolved_again(arch: &str) {
    let (mut old, new) = (Redis::start(&[]), Redis::start(&[]));
    let port = forward_to(&old.socket());
    forward_from("127.0.0.9", port, &new.socket());
    let folder = TempDir::new();
    let hosts = folder.join("hosts");
    folder.write("hosts", "127.0.0.1 store.test\n");
    let server = start_with_hosts(arch, &hosts, port);
    assert_eq!(server.client().sign("Ada", "to the old").status, 303);
    // It is written in place, as the file itself is mounted.
    folder.write("hosts", "127.0.0.9 store.test\n");
    old.kill();
    wait_until("a store at the new address", || {
        server.client().sign("Ada", "to the new").status == 303
    });
    let kept = redis_cli(&new.socket(), &["lrange", "guestbook_remarks", "0", "-1"]);
    assert_eq!(kept, "to the new - Ada");
    assert!(server.errors().contains("is at 127.0.0.9"), "{}", server.errors());
}

test!(Architecture, sighup_resolves_the_name_again_though_the_old_address_answers);
fn sighup_resolves_the_name_again_though_the_old_address_answers(arch: &str) {
    let (old, new) = (Redis::start(&[]), Redis::start(&[]));
    let port = forward_to(&old.socket());
    forward_from("127.0.0.9", port, &new.socket());
    let folder = TempDir::new();
    let hosts = folder.join("hosts");
    folder.write("hosts", "");
    let server = start_with_hosts(arch, &hosts, port);
    assert_serves_only_files(&server);
    // The server looks up a name that is unknown at the start until it is known.
    folder.write("hosts", "127.0.0.1 store.test\n");
    wait_until("a store", || server.client().sign("Ada", "to the old").status == 303);
    folder.write("hosts", "127.0.0.9 store.test\n");
    server.supervisor().signal(Signal::HUP);
    wait_until("a store at the new address", || {
        assert_eq!(server.client().sign("Ada", "somewhere").status, 303);
        redis_cli(&new.socket(), &["exists", "guestbook_remarks"]) == "1"
    });
    assert!(redis_cli(&old.socket(), &["llen", "guestbook_remarks"]) != "0");
}
