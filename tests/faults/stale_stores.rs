//! Connections on which the store no longer serves.

use crate::fake::{Behaviour, FakeStore};
use crate::support::cases::test;
use crate::support::client::{request, signature};
use crate::support::forwarder::forward_to;
use crate::support::{Client, ONE_AT_A_TIME, Redis, Server, wait_until};

const ADMIN: [&str; 2] = ["--admin", "127.0.0.1:0"];

fn health(server: &Server) -> String {
    let mut monitor = Client::connect(server.admin_port());
    String::from_utf8_lossy(&monitor.get("/healthz").body).into_owned()
}

/// Errors of a Redis whose state does not allow a command, and of a cluster that has the key on
/// another node.
const STATES: &[&str] = &[
    "-READONLY You can't write against a read only replica.\r\n",
    "-LOADING Redis is loading the dataset in memory\r\n",
    "-MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.\r\n",
    "-MOVED 3999 127.0.0.1:6381\r\n",
    "-ASK 3999 127.0.0.1:6381\r\n",
    "-CLUSTERDOWN The cluster is down\r\n",
    "-TRYAGAIN Multiple keys request during rehashing of slot\r\n",
    "-NOREPLICAS Not enough good replicas to write.\r\n",
    "-MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist\r\n",
    "-BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.\r\n",
    "-NOAUTH Authentication required.\r\n",
    "-REDIRECT 127.0.0.1:6381\r\n",
];

test!(Architecture, a_connection_to_a_store_that_cannot_serve_is_replaced);
fn a_connection_to_a_store_that_cannot_serve_is_replaced(arch: &str) {
    let fake = FakeStore::start();
    let server = Server::start(arch, &fake.url(), &ADMIN);
    for (number, state) in STATES.iter().enumerate() {
        wait_until("a guestbook", || server.client().get("/guestbook").status == 200);
        fake.behave_to_connected_clients(Behaviour::Sends(state));
        let remark = format!("r{number}");
        assert_eq!(server.client().sign("Ada", &remark).status, 503, "{state}");
        assert_eq!(server.client().get("/hello.txt").status, 200);
        let word = state[1..].split(' ').next().expect("a word");
        let health = health(&server);
        assert!(health.contains(word) && !health.contains("store up"), "{health}");
        wait_until("a new connection", || server.client().sign("Ada", "again").status == 303);
        wait_until("a store that is up", || {
            server.client().get("/guestbook").status == 200
                && self::health(&server) == "ok\nstore up\n"
        });
        let asked = fake.times_asked_to_keep(&format!("{remark} - Ada"));
        assert_eq!(asked, 1, "times that the store was asked; {state}");
    }
}

test!(Architecture, one_timeout_closes_all_idle_connections);
/// If the store no longer answers on any connection, one timeout is enough to close them all.
fn one_timeout_closes_all_idle_connections(arch: &str) {
    let fake = FakeStore::start();
    let words = [&ADMIN[..], &["--store-timeout", "1"]].concat();
    let server = Server::start(arch, &fake.url(), &words);
    fake.behave(Behaviour::Slow);
    let guests = if arch == ONE_AT_A_TIME { 1 } else { 6 };
    let mut clients: Vec<_> = (0..guests).map(|_| server.client()).collect();
    for client in &mut clients {
        client.send(request("GET", "/guestbook").replace("Host", "Connection: close\r\nHost"));
    }
    for client in &mut clients {
        client.try_answer(false).expect("an answer");
    }
    // On a busy machine, a slow answer can have timed out too.
    let before = timeouts(&server);
    fake.behave_to_connected_clients(Behaviour::Silent);
    let mut refused = 0;
    wait_until("a guestbook that works again", || {
        let mut client = server.client();
        client.send(signature("Ada", "remark"));
        let status = client.answer().status;
        refused += usize::from(status == 503);
        status == 303
    });
    assert!(refused > 0, "no old connection was used");
    assert_eq!(timeouts(&server), before + 1, "timeouts of {guests} connections");
}

/// How many queries to the store have timed out.
#[track_caller]
fn timeouts(server: &Server) -> u64 {
    let metrics = Client::connect(server.admin_port()).get("/metrics").body;
    let metrics = String::from_utf8(metrics).expect("UTF-8");
    let name = "zerohttpd_store_failures_total{reason=\"timed_out\"} ";
    let count = metrics.lines().find_map(|line| line.strip_prefix(name)?.parse().ok());
    count.unwrap_or_else(|| panic!("no {name}in {metrics}"))
}

test!(Architecture, idle_connections_to_a_store_are_probed);
/// TCP keep-alive probes find a store that vanished without closing its connections.
fn idle_connections_to_a_store_are_probed(arch: &str) {
    let redis = Redis::start(&[]);
    let port = forward_to(&redis.socket());
    let server = Server::start(arch, &format!("redis://127.0.0.1:{port}"), &[]);
    let mut client = server.client();
    assert_eq!(client.visit(), 1);
    // The sixth column of /proc/net/tcp begins with the kind of timer: 02 is that of keep-alive
    // (proc_net_tcp.txt in the kernel's documentation).
    let remote = format!("0100007F:{port:04X}");
    wait_until("a keep-alive timer", || {
        let table = std::fs::read_to_string("/proc/net/tcp").expect("proc(5)");
        table.lines().any(|line| {
            let fields: Vec<_> = line.split_whitespace().collect();
            fields.len() > 9 && fields[2] == remote && fields[5].starts_with("02:")
        })
    });
}
