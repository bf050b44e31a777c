//! Counters: each event is counted once, whichever process counted it, even if that process was
//! killed afterwards.

use std::time::Instant;

use rustix::process::Signal;

use crate::exposition::{await_metrics, metrics};
use crate::support::cases::test;
use crate::support::client::{is_last, request};
use crate::support::process::Process;
use crate::support::{Client, Redis, Server, Store, wait_until};

const ADMIN: &[&str] = &["--admin", "127.0.0.1:0"];

const REQUESTS: &str = "zerohttpd_requests_total";
const CLOSED: &str = "zerohttpd_connections_closed_total";

/// Sends a request on a connection of its own; returns the status and the length of the body.
fn ask(server: &Server, request: &str) -> (u16, usize) {
    let mut client = server.client();
    client.send(request);
    let to_head = request.starts_with("HEAD");
    let answer = client.try_answer(to_head).expect("an answer");
    (answer.status, answer.body.len())
}

test!(Architecture, every_answer_is_counted_once_by_its_status_with_its_bytes);
fn every_answer_is_counted_once_by_its_status_with_its_bytes(arch: &str) {
    let store = Store::embedded();
    let server = Server::start_small(arch, &store.url(), ADMIN);
    let form = crate::support::client::signature("Ada", "counted");
    let requests = [
        (request("GET", "/hello.txt"), 200),
        (request("HEAD", "/hello.txt"), 200),
        (request("GET", "/nothing"), 404),
        (request("DELETE", "/hello.txt"), 405),
        (request("GET", "/hello.txt").replace("Host", "Range: bytes=0-1\r\nHost"), 206),
        (request("GET", "/guestbook"), 200),
        (form, 303),
        ("GET /hello.txt HTTP/1.1\r\n\r\n".to_string(), 400),
        (request("GET", "/hello.txt").replace("/1.1", "/7.0"), 505),
        (request("BREW", "/hello.txt"), 501),
    ];
    let mut bytes = 0;
    for (request, status) in &requests {
        for _ in 0..3 {
            let (actual, length) = ask(&server, request);
            assert_eq!(actual, *status, "{request}");
            bytes += length;
        }
    }
    let all = requests.len() as f64 * 3.0;
    let now = await_metrics(&server, "connections that are all closed", |metrics| {
        metrics.sum(CLOSED) == all && metrics.sum("zerohttpd_connections") == 0.0
    });
    for (labels, count) in now.family(REQUESTS) {
        let status: u16 = labels[0].1.parse().expect("a status");
        let expected = requests.iter().filter(|(_, expected)| *expected == status).count();
        assert_eq!(count, expected as f64 * 3.0, "{status}");
    }
    assert_eq!(now.sum(REQUESTS), all);
    assert_eq!(now.get("zerohttpd_response_body_bytes_total"), bytes as f64);
    assert_eq!(now.get("zerohttpd_connections_total"), all);
    assert_eq!(now.get("zerohttpd_request_duration_seconds_count"), all);
    assert_eq!(now.get("zerohttpd_store_duration_seconds_count"), 6.0);
    assert_eq!(now.sum("zerohttpd_store_failures_total"), 0.0);
    assert_eq!(now.get("zerohttpd_store_up"), 1.0);
    let labels = format!("version=\"{}\",architecture=\"{arch}\"", env!("CARGO_PKG_VERSION"));
    assert_eq!(now.get(&format!("zerohttpd_build_info{{{labels}}}")), 1.0);
}

test!(Architecture, concurrent_counts_of_many_processes_add_up);
fn concurrent_counts_of_many_processes_add_up(arch: &str) {
    let store = Store::embedded();
    let server = Server::start_small(arch, &store.url(), ADMIN);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let mut answers = 0;
                while answers < 50 {
                    let mut client = server.client();
                    // A full pool closes some connections after an answer, and idle ones after a
                    // while.
                    while answers < 50 {
                        client.send(request("GET", "/hello.txt"));
                        let Ok(answer) = client.try_answer(false) else { break };
                        answers += 1;
                        if is_last(&answer) {
                            break;
                        }
                    }
                }
            });
        }
    });
    let now = await_metrics(&server, "all answers that were counted", |metrics| {
        metrics.get("zerohttpd_requests_total{status=\"200\"}") >= 200.0
    });
    assert_eq!(now.sum(REQUESTS), 200.0);
    assert_eq!(now.get("zerohttpd_response_body_bytes_total"), 200.0 * 6.0);
}

test!(Architecture, counters_survive_processes_and_generations);
fn counters_survive_processes_and_generations(arch: &str) {
    let store = Store::embedded();
    let server = Server::start_small(arch, &store.url(), ADMIN);
    for _ in 0..5 {
        assert_eq!(ask(&server, &request("GET", "/hello.txt")).0, 200);
    }
    let counted = "zerohttpd_requests_total{status=\"200\"}";
    let first = await_metrics(&server, "five answers", |metrics| metrics.get(counted) == 5.0);
    assert_eq!(first.get("zerohttpd_generation"), 1.0);
    let killed = server.servers();
    killed.iter().for_each(|process| process.kill());
    let restarts = "zerohttpd_restarts_total{process=\"server\"}";
    let all = killed.len() as f64;
    let second = await_metrics(&server, "restarted servers", |metrics| {
        metrics.get(restarts) == all && metrics.get("zerohttpd_servers") == all
    });
    assert!(second.follows(&first) && second.get(counted) == 5.0);
    assert_eq!(ask(&server, &request("GET", "/hello.txt")).0, 200);
    server.supervisor().signal(Signal::HUP);
    let third = await_metrics(&server, "the next generation, and six answers", |metrics| {
        metrics.get("zerohttpd_generation") == 2.0 && metrics.get(counted) == 6.0
    });
    assert!(third.follows(&second));
    assert_eq!(ask(&server, &request("GET", "/hello.txt")).0, 200);
    let last = await_metrics(&server, "seven answers", |metrics| metrics.get(counted) == 7.0);
    assert!(last.follows(&third));
    let start_time = "zerohttpd_process_start_time_seconds";
    assert_eq!(last.get(start_time), first.get(start_time));
}

test!(Architecture, failed_queries_are_counted_and_the_store_is_down_until_it_is_back);
fn failed_queries_are_counted_and_the_store_is_down_until_it_is_back(arch: &str) {
    let mut redis = Redis::start(&["--appendonly", "yes"]);
    let server = Server::start_small(arch, &redis.url(), ADMIN);
    assert_eq!(server.client().visit(), 1);
    redis.kill();
    for _ in 0..4 {
        assert_eq!(ask(&server, &request("GET", "/guestbook")).0, 503);
    }
    let failures = "zerohttpd_store_failures_total";
    let down = await_metrics(&server, "answers that were counted", |metrics| {
        metrics.get("zerohttpd_requests_total{status=\"503\"}") == 4.0
    });
    assert_eq!((down.sum(failures), down.get("zerohttpd_store_up")), (4.0, 0.0));
    let (status, report) = health(&server);
    assert!(report.starts_with("ok\nstore down for ") && status == 200, "{status}: {report}");
    redis.start_again();
    await_guestbook(&server);
    let up = metrics(&server);
    assert!(up.get("zerohttpd_store_up") == 1.0 && up.follows(&down));
    assert_eq!(health(&server), (200, "ok\nstore up\n".into()));
}

test!(Architecture, a_killed_embedded_store_and_a_killed_admin_are_replaced_and_counted);
fn a_killed_embedded_store_and_a_killed_admin_are_replaced_and_counted(arch: &str) {
    let store = Store::embedded();
    let server = Server::start_small(arch, &store.url(), ADMIN);
    server.store().kill();
    server.admins().into_iter().for_each(Process::kill);
    let now = crate::support::wait_for("a new store and a new admin", || {
        // The new admin need not have started yet.
        let mut client = Client::connect(server.admin_port());
        client.send(request("GET", "/metrics"));
        client.try_answer(false).ok()?;
        let now = metrics(&server);
        let restarts = |what| now.get(&format!("zerohttpd_restarts_total{{process={what:?}}}"));
        (restarts("store") == 1.0 && restarts("admin") == 1.0).then_some(now)
    });
    assert_eq!(now.get("zerohttpd_restarts_total{process=\"server\"}"), 0.0);
    await_guestbook(&server);
}

#[track_caller]
fn await_guestbook(server: &Server) {
    wait_until("a guestbook that works again", || {
        ask(server, &request("GET", "/guestbook")).0 == 200
    });
}

fn health(server: &Server) -> (u16, String) {
    let answer = Client::connect(server.admin_port()).get("/healthz");
    (answer.status, String::from_utf8(answer.body).expect("UTF-8"))
}

test!(Architecture, durations_agree_with_what_clients_waited);
/// The durations that the server reports add up to more than 0, and to less than the client waited.
fn durations_agree_with_what_clients_waited(arch: &str) {
    const REQUESTS: usize = 200;
    let store = Store::embedded();
    let server = Server::start_small(arch, &store.url(), ADMIN);
    let began = Instant::now();
    let mut client = server.client();
    for _ in 0..REQUESTS {
        assert_eq!(client.get("/hello.txt").status, 200);
        assert_eq!(client.get("/guestbook").status, 200);
    }
    drop(client);
    let waited_s = began.elapsed().as_secs_f64();
    let now = await_metrics(&server, "all requests", |metrics| {
        metrics.get("zerohttpd_request_duration_seconds_count") == 2.0 * REQUESTS as f64
    });
    let requests_s = now.get("zerohttpd_request_duration_seconds_sum");
    let store_s = now.get("zerohttpd_store_duration_seconds_sum");
    assert!(store_s > 0.0, "{REQUESTS} answers of the store took no time");
    assert!(store_s < requests_s, "{store_s} s of the store in {requests_s} s");
    assert!(requests_s < waited_s, "{requests_s} s in {waited_s} s");
    // Durations are rounded down to microseconds, and a request takes more than one.
    let least_s = 2.0 * REQUESTS as f64 * 1e-6;
    assert!(requests_s - store_s > least_s, "{requests_s} s, {store_s} s of them the store's");
}

test!(Architecture, the_duration_of_a_request_includes_the_time_that_the_store_was_stopped);
/// A loop has to read the clock again after it served other clients.
fn the_duration_of_a_request_includes_the_time_that_the_store_was_stopped(arch: &str) {
    let store = Store::embedded();
    let words = [ADMIN, &["--store-timeout", "3600"]].concat();
    let server = Server::start_small(arch, &store.url(), &words);
    assert_eq!(server.client().get("/guestbook").status, 200);
    let before = metrics(&server).get("zerohttpd_request_duration_seconds_sum");
    server.store().signal(Signal::STOP);
    let mut client = server.client();
    client.send(request("GET", "/guestbook"));
    let awaiting = "zerohttpd_connections{state=\"store\"}";
    await_metrics(&server, "a query", |metrics| metrics.get(awaiting) == 1.0);
    let began = Instant::now();
    for _ in 0..20 {
        metrics(&server);
    }
    let stopped_s = began.elapsed().as_secs_f64();
    server.store().signal(Signal::CONT);
    assert_eq!(client.answer().status, 200);
    let now = await_metrics(&server, "the second answer", |metrics| {
        metrics.get("zerohttpd_requests_total{status=\"200\"}") == 2.0
    });
    let took_s = now.get("zerohttpd_request_duration_seconds_sum") - before;
    assert!(took_s >= stopped_s, "{took_s} s, though the store was stopped for {stopped_s} s");
}
