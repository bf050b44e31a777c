//! Two Redis servers behind a proxy. The replica takes over, as planned or because the master has
//! died, and servers have to notice that their connections lead to the old master.
//!
//! Redis acknowledges a write before it is replicated. So that Redis itself loses nothing, writes
//! are paused (`CLIENT PAUSE WRITE`) until the replica has all; `FAILOVER` does the same.

use std::fs::File;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::Ordering::Relaxed;
use std::time::Instant;

use crate::load::{Load, under_load};
use crate::support::cases::test;
use crate::support::forwarder::{Switch, forward_to};
use crate::support::redis::redis_cli;
use crate::support::{Redis, Server, TempDir, wait_until};

fn cli(redis: &Redis, words: &[&str]) -> String {
    redis_cli(&redis.socket(), words)
}

/// The number with this name in `INFO replication`.
fn replication_info(redis: &Redis, name: &str) -> Option<u64> {
    let text = cli(redis, &["info", "replication"]);
    text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok())
}

fn replicate(replica: &Redis, master_port: u16) {
    let port = master_port.to_string();
    assert_eq!(cli(replica, &["replicaof", "127.0.0.1", &port]), "OK");
}

fn await_replica(replica: &Redis) {
    wait_until("a replica that has caught up", || {
        cli(replica, &["info", "replication"]).contains("master_link_status:up")
    });
}

/// Pauses all writes, and waits until the replica has all earlier ones.
fn pause_writes(master: &Redis, replica: &Redis) {
    assert_eq!(cli(master, &["client", "pause", "60000", "write"]), "OK");
    wait_until("a replica that has all", || {
        let offset = replication_info(master, "master_repl_offset:");
        offset.is_some() && offset == replication_info(replica, "slave_repl_offset:")
    });
}

/// Waits until a further remark is acknowledged: the seconds since `since`.
fn await_service(load: &Load, since: Instant) -> f64 {
    let count = load.acknowledged();
    wait_until("a remark that is acknowledged", || load.acknowledged() > count);
    since.elapsed().as_secs_f64()
}

/// Has `second` take over from `first` under load, then kills `second` and has `first` take over.
/// `switch_to` makes the proxy use a Redis, unless the proxy finds the master by itself.
fn fail_over(
    arch: &str,
    url: &str,
    (first, mut second): (Redis, Redis),
    switch_to: impl Fn(&Redis),
) {
    let to_second = forward_to(&second.socket());
    let server = Server::start(arch, url, &["--admin", "127.0.0.1:0"]);
    let load = under_load(server.port, false, |load| {
        // As planned: the old master becomes the replica, and its connections stay open.
        pause_writes(&first, &second);
        assert_eq!(cli(&second, &["replicaof", "no", "one"]), "OK");
        replicate(&first, to_second);
        switch_to(&second);
        let since = Instant::now();
        assert_eq!(cli(&first, &["client", "unpause"]), "OK");
        let planned = await_service(load, since);
        await_replica(&first);
        load.await_progress();
        wait_until("a store that is up", || health(&server) == "ok\nstore up\n");
        // The new master dies, and the old one is master again.
        pause_writes(&second, &first);
        second.kill();
        assert_eq!(cli(&first, &["replicaof", "no", "one"]), "OK");
        switch_to(&first);
        let died = await_service(load, Instant::now());
        load.await_progress();
        let refused = load.refused.load(Relaxed);
        println!(
            "{arch}: service again after {planned:.3} s as planned, {died:.3} s after a death; \
             {refused} answers 503"
        );
    });
    let listed = cli(&first, &["lrange", "guestbook_remarks", "0", "-1"]);
    load.check(&listed.lines().map(str::to_string).collect::<Vec<_>>());
    wait_until("a store that is up", || health(&server) == "ok\nstore up\n");
    let said = server.errors();
    assert!(said.contains("READONLY"), "{said}");
}

/// A master and its replica.
fn pair() -> (Redis, Redis) {
    let options = ["--appendonly", "no", "--repl-diskless-sync-delay", "0"];
    let (first, second) = (Redis::start(&options), Redis::start(&options));
    replicate(&second, forward_to(&first.socket()));
    await_replica(&second);
    (first, second)
}

test!(Architecture, a_failover_behind_a_switched_proxy_loses_nothing_and_stores_nothing_twice);
fn a_failover_behind_a_switched_proxy_loses_nothing_and_stores_nothing_twice(arch: &str) {
    let pair = pair();
    let switch = Switch::to(&pair.0.socket());
    let url = format!("redis://127.0.0.1:{}", switch.port);
    fail_over(arch, &url, pair, |redis| switch.switch_to(&redis.socket()));
}

/// HAProxy, which asks each Redis whether it is the master, configured as in HAProxy's manual.
struct Haproxy {
    process: Child,
    folder: TempDir,
}

impl Haproxy {
    fn start(pair: &(Redis, Redis)) -> Haproxy {
        let folder = TempDir::new();
        let [first, second] = [&pair.0, &pair.1].map(|redis| redis.socket().display().to_string());
        let socket = folder.join("h.sock").display().to_string();
        let check = "check inter 100ms fall 1 rise 1";
        folder.write(
            "haproxy.cfg",
            format!(
                "defaults\n mode tcp\n timeout connect 1s\n timeout client 1h\n timeout server 1h\n\
                 listen redis\n bind unix@{socket} mode 777\n option tcp-check\n\
                 tcp-check send info\\ replication\\r\\n\n tcp-check expect string role:master\n\
                 server first unix@{first} {check}\n server second unix@{second} {check}\n"
            ),
        );
        let log = File::create(folder.join("log")).expect("a file for HAProxy to log to");
        let process = Command::new("haproxy")
            .args(["-db", "-f"])
            .arg(folder.join("haproxy.cfg"))
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a file"))
            .stderr(log)
            .spawn()
            .expect("this test needs haproxy: install it (`apt-get install haproxy`)");
        wait_until("a proxy that leads to a master", || {
            redis_cli(&folder.join("h.sock"), &["ping"]) == "PONG"
        });
        Haproxy { process, folder }
    }
}

impl Drop for Haproxy {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

test!(Architecture, a_failover_behind_haproxy_loses_nothing_and_stores_nothing_twice);
fn a_failover_behind_haproxy_loses_nothing_and_stores_nothing_twice(arch: &str) {
    let pair = pair();
    let haproxy = Haproxy::start(&pair);
    let url = format!("redis+unix://{}", haproxy.folder.join("h.sock").display());
    fail_over(arch, &url, pair, |_| {});
}

fn health(server: &Server) -> String {
    let mut monitor = crate::support::Client::connect(server.admin_port());
    String::from_utf8_lossy(&monitor.get("/healthz").body).into_owned()
}
