//! What has happened is counted, each thing once, whatever process saw it and became of it.

use rustix::process::Signal;

use crate::exposition::{await_metrics, metrics};
use crate::support::client::{is_last, request};
use crate::support::process::Process;
use crate::support::{Client, Redis, Server, Store, for_each_architecture, wait_until};

const ADMIN: &[&str] = &["--admin", "127.0.0.1:0"];

const REQUESTS: &str = "zerohttpd_requests_total";
const CLOSED: &str = "zerohttpd_connections_closed_total";

/// A connection for each request: the status and the length of the body that it gets.
fn ask(server: &Server, request: &str) -> (u16, usize) {
    let mut client = server.client();
    client.send(request);
    let to_head = request.starts_with("HEAD");
    let answer = client.try_answer(to_head).expect("an answer");
    (answer.status, answer.body.len())
}

#[test]
fn every_answer_is_counted_once_by_its_status_with_its_bytes() {
    for_each_architecture(|arch| {
        let store = Store::embedded();
        let server = Server::start_small(arch, &store.url(), ADMIN);
        let sign = crate::support::client::signature("Ada", "counted");
        let requests = [
            (request("GET", "/hello.txt"), 200),
            (request("HEAD", "/hello.txt"), 200),
            (request("GET", "/nothing"), 404),
            (request("DELETE", "/hello.txt"), 405),
            (request("GET", "/hello.txt").replace("Host", "Range: bytes=0-1\r\nHost"), 206),
            (request("GET", "/guestbook"), 200),
            (sign, 303),
            ("GET /hello.txt HTTP/1.1\r\n\r\n".to_string(), 400),
            (request("GET", "/hello.txt").replace("/1.1", "/7.0"), 505),
            (request("BREW", "/hello.txt"), 501),
        ];
        let mut bytes = 0;
        for (request, status) in &requests {
            for _ in 0..3 {
                let (got, length) = ask(&server, request);
                assert_eq!(got, *status, "{request}");
                bytes += length;
            }
        }
        let all = requests.len() as f64 * 3.0;
        let now = await_metrics(&server, "connections that are all closed", |metrics| {
            metrics.sum(CLOSED) == all && metrics.sum("zerohttpd_connections") == 0.0
        });
        for (labels, count) in now.family(REQUESTS) {
            let status: u16 = labels[0].1.parse().expect("a status");
            let ours = requests.iter().filter(|(_, expected)| *expected == status).count();
            assert_eq!(count, ours as f64 * 3.0, "{status}");
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
    });
}

#[test]
fn what_many_processes_count_at_once_adds_up() {
    for_each_architecture(|arch| {
        let store = Store::embedded();
        let server = Server::start_small(arch, &store.url(), ADMIN);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let mut answers = 0;
                    while answers < 50 {
                        let mut client = server.client();
                        // A pool that is full tells some of them to go, or closes those that it
                        // has not heard from for a while.
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
        let now = await_metrics(&server, "all of them", |metrics| {
            metrics.get("zerohttpd_requests_total{status=\"200\"}") >= 200.0
        });
        assert_eq!(now.sum(REQUESTS), 200.0);
        assert_eq!(now.get("zerohttpd_response_body_bytes_total"), 200.0 * 6.0);
    });
}

#[test]
fn counts_outlive_the_processes_and_generations_that_counted() {
    for_each_architecture(|arch| {
        let store = Store::embedded();
        let server = Server::start_small(arch, &store.url(), ADMIN);
        for _ in 0..5 {
            assert_eq!(ask(&server, &request("GET", "/hello.txt")).0, 200);
        }
        let counted = "zerohttpd_requests_total{status=\"200\"}";
        let first = await_metrics(&server, "five", |metrics| metrics.get(counted) == 5.0);
        assert_eq!(first.get("zerohttpd_generation"), 1.0);
        let killed = server.servers();
        killed.iter().for_each(|process| process.kill());
        let restarts = "zerohttpd_restarts_total{process=\"server\"}";
        let all = killed.len() as f64;
        let second = await_metrics(&server, "servers that were started again", |metrics| {
            metrics.get(restarts) == all && metrics.get("zerohttpd_servers") == all
        });
        assert!(second.follows(&first) && second.get(counted) == 5.0);
        assert_eq!(ask(&server, &request("GET", "/hello.txt")).0, 200);
        server.supervisor().signal(Signal::HUP);
        let third = await_metrics(&server, "the next generation, and six", |metrics| {
            metrics.get("zerohttpd_generation") == 2.0 && metrics.get(counted) == 6.0
        });
        assert!(third.follows(&second));
        assert_eq!(ask(&server, &request("GET", "/hello.txt")).0, 200);
        let last = await_metrics(&server, "seven", |metrics| metrics.get(counted) == 7.0);
        assert!(last.follows(&third));
        assert_eq!(last.get("zerohttpd_process_start_time_seconds"), started(&first));
    });
}

fn started(metrics: &crate::exposition::Metrics) -> f64 {
    metrics.get("zerohttpd_process_start_time_seconds")
}

#[test]
fn questions_that_the_store_does_not_answer_are_counted() {
    for_each_architecture(|arch| {
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
        let health = health(&server);
        assert!(health.1.starts_with("ok\nstore down for ") && health.0 == 200, "{health:?}");
        redis.start_again();
        wait_until("a guestbook that is back", || {
            ask(&server, &request("GET", "/guestbook")).0 == 200
        });
        let up = metrics(&server);
        assert!(up.get("zerohttpd_store_up") == 1.0 && up.follows(&down));
        assert_eq!(self::health(&server), (200, "ok\nstore up\n".into()));
    });
}

#[test]
fn an_embedded_store_and_an_admin_that_are_killed_are_counted_and_replaced() {
    for_each_architecture(|arch| {
        let store = Store::embedded();
        let server = Server::start_small(arch, &store.url(), ADMIN);
        server.store().kill();
        server.admins().into_iter().for_each(Process::kill);
        let now = crate::support::wait_for("both of them again", || {
            // The admin may not be there yet.
            let mut client = Client::connect(server.admin_port());
            client.send(request("GET", "/metrics"));
            client.try_answer(false).ok()?;
            let now = metrics(&server);
            let restarts = |what| now.get(&format!("zerohttpd_restarts_total{{process={what:?}}}"));
            (restarts("store") == 1.0 && restarts("admin") == 1.0).then_some(now)
        });
        assert_eq!(now.get("zerohttpd_restarts_total{process=\"server\"}"), 0.0);
        wait_until("a guestbook that is back", || {
            ask(&server, &request("GET", "/guestbook")).0 == 200
        });
    });
}

fn health(server: &Server) -> (u16, String) {
    let answer = Client::connect(server.admin_port()).get("/healthz");
    (answer.status, String::from_utf8(answer.body).expect("UTF-8"))
}
