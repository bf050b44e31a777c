//! Each failure of a request is counted once, under its own kind.

use std::net::TcpListener;
use std::process::Command;
use std::time::Duration;

use rustix::net::{AddressFamily, SocketAddrAny, SocketType, bind, getsockname, listen, socket};

use crate::fake::{Behaviour, FakeServer};
use crate::load_report::{LoadReport, load};
use crate::support::server::run;
use crate::support::{TempDir, for_each};

const N: u64 = 20;

/// Checks that all requests to a server with this behaviour are counted as failures of this kind,
/// with and without keep-alive.
#[track_caller]
fn assert_fails(behaviour: Behaviour, kind: &str) {
    let fake = FakeServer::start(behaviour);
    // If the expected failure is not a timeout, even a busy machine does not reach this one.
    let timeout = if kind == "timeout" { "--timeout 0.3" } else { "--timeout 40" };
    for keep_alive in ["", "--no-keep-alive"] {
        let report = load(fake.port, "/", &format!("-n {N} -c 4 {timeout} {keep_alive}"));
        report.assert_failed(kind, N);
        assert_eq!(report.findings(), ["nothing_measured"]);
    }
}

#[test]
fn each_failure_is_counted_under_its_own_kind() {
    let cases = [
        (Behaviour::Resets, "reset"),
        (Behaviour::SendsAndCloses(""), "hung_up"),
        (Behaviour::SendsAndCloses("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"), "short"),
        (
            Behaviour::SendsAndCloses(
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhe",
            ),
            "short",
        ),
        (Behaviour::SendsAndCloses("HTTP/1.1 20"), "short"),
        (Behaviour::Silent, "timeout"),
        // Each answer comes after the timeout, whenever the load reads it.
        (Behaviour::After(Duration::from_millis(500)), "timeout"),
        (Behaviour::Sends("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"), "timeout"),
        (Behaviour::Sends("HTTP/1.1 500 No\r\nContent-Length: 2\r\n\r\nno"), "status"),
        (Behaviour::Sends("HTTP/1.1 404 No\r\nContent-Length: 2\r\n\r\nno"), "status"),
        (Behaviour::Sends("220 smtp.example ESMTP\r\n\r\n"), "protocol"),
        (Behaviour::Sends("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\ntoo long"), "protocol"),
        (Behaviour::Sends("HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n"), "protocol"),
    ];
    for_each(
        &cases,
        |case| format!("{case:?}"),
        |(behaviour, kind)| assert_fails(*behaviour, kind),
    );
}

#[test]
fn statuses_and_protocol_errors_are_reported() {
    let fake = FakeServer::start(Behaviour::Sends("HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n"));
    let report = load(fake.port, "/", "-n 7 -c 2");
    assert_eq!(report.json["statuses"]["503"], 7);
    assert!(report.count("failed_latency_max_us") > 0);
    let fake =
        FakeServer::start(Behaviour::Sends("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\ntoo long"));
    let report = load(fake.port, "/", "-n 7 -c 2");
    assert_eq!(report.json["protocol_error"], "more came than was asked for");
}

#[test]
fn unusual_answers_that_are_valid_are_good() {
    for text in [
        "HTTP/1.0 200 OK\r\n\r\nuntil the end",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nA: b\r\n\r\n",
        "HTTP/1.1 103 Early\r\n\r\nHTTP/1.1 301 Moved\r\nContent-Length: 0\r\nLocation: /\r\n\r\n",
        "HTTP/1.1 204 None\r\nConnection: close\r\n\r\n",
        "HTTP/1.1 200 OK\r\nA: b\r\n c\r\nContent-Length:\r\n\t2\r\n\r\nok",
        "HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\n\r\nok",
    ] {
        let fake = FakeServer::start(Behaviour::SendsAndCloses(text));
        load(fake.port, "/", "-n 20 -c 4 --no-keep-alive").assert_good(N);
    }
}

#[test]
fn a_head_can_have_many_fields_up_to_a_stated_limit() {
    let head = |fields: usize| -> &'static str {
        let fields = "A: b\r\n".repeat(fields);
        format!("HTTP/1.1 200 OK\r\n{fields}Content-Length: 2\r\n\r\nok").leak()
    };
    let fake = FakeServer::start(Behaviour::Sends(head(500)));
    load(fake.port, "/", "-n 20 -c 4").assert_good(N);
    let fake = FakeServer::start(Behaviour::Sends(head(1000)));
    let report = load(fake.port, "/", "-n 20 -c 4");
    report.assert_failed("protocol", N);
    assert_eq!(report.json["protocol_error"], "a head has more than 1000 fields");
}

#[test]
fn an_answer_after_its_deadline_is_a_timeout_whenever_it_is_read() {
    let fake = FakeServer::start(Behaviour::After(Duration::from_millis(300)));
    for words in ["-n 20 -c 4", "-n 20 -c 4 --no-keep-alive", "-n 20 -c 20 --rate 100"] {
        let report = load(fake.port, "/", &format!("{words} --timeout 0.1"));
        report.assert_failed("timeout", N);
    }
}

#[test]
fn an_early_answer_to_a_large_post_is_its_answer() {
    let folder = TempDir::new();
    folder.write("large", vec![b'x'; 8 << 20]);
    let words = format!("--post @{} -n 20 -c 4 --timeout 40", folder.join("large").display());
    let report = load(FakeServer::start(Behaviour::RefusesEarly).port, "/", &words);
    report.assert_failed("status", N);
    assert_eq!((&report.json["statuses"]["413"], report.count("answered_early")), (&N.into(), N));
    let report = load(FakeServer::start(Behaviour::AnswersEarly).port, "/", &words);
    report.assert_good(N);
    assert_eq!(report.count("answered_early"), N);
    assert!(report.findings().contains(&"answered_early".into()), "{:#}", report.json);
}

#[test]
fn a_status_that_is_neither_2xx_nor_3xx_is_in_the_verdict() {
    let fake =
        FakeServer::start(Behaviour::Sends("HTTP/1.1 404 No\r\nContent-Length: 2\r\n\r\nno"));
    let url = format!(":{}/", fake.port);
    for length in [["-n", "20"], ["-d", "0.1"]] {
        let output = run(&[&["load", &url, "-c", "4"], &length[..]].concat());
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(text.contains(" with status 404\n"), "{text}");
        assert!(text.contains("Nothing was measured: ") && text.contains(" × 404)."), "{text}");
    }
}

#[test]
fn a_load_on_a_closed_port_is_refused_and_ends() {
    let port = {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
        listener.local_addr().expect("its address").port()
    };
    // A load that did not stop would take an hour, or make a hundred thousand requests.
    for words in ["-c 70 -d 3600", "-c 70 -n 100000", "-c 70 -n 100000 --rate 1000"] {
        let report = load(port, "/", words);
        assert_eq!(report.code, Some(1), "{:#}", report.json);
        assert_eq!(report.findings(), ["nothing_measured"]);
        let refused = |when: &str| report.json[when]["refused"].as_u64().expect("a count");
        let count = refused("failures") + refused("failures_before");
        let total = report.count("failures_total") + report.count("failures_before_total");
        assert!(count >= 70 && count == total, "{:#}", report.json);
    }
}

#[test]
fn a_full_accept_queue_is_a_connect_timeout() {
    // This socket never accepts, and its queue has room for one client.
    let full = socket(AddressFamily::INET, SocketType::STREAM, None).expect("a socket");
    bind(&full, &std::net::SocketAddr::from(([127, 0, 0, 1], 0))).expect("a port");
    listen(&full, 0).expect("a listener");
    let address: SocketAddrAny = getsockname(&full).expect("its address");
    let port = std::net::SocketAddr::try_from(address).expect("of IPv4").port();
    let _first = std::net::TcpStream::connect(("127.0.0.1", port)).expect("room for one");
    let report = load(port, "/", "-n 5 -c 5 --timeout 0.3");
    report.assert_failed("connect_timeout", 5);
    assert!(report.count("listen_overflows") > 0, "{:#}", report.json);
    assert_eq!(report.count("clients_connected_peak"), 0);
}

#[test]
fn a_load_that_runs_out_of_descriptors_reports_it() {
    let fake = FakeServer::start(Behaviour::Good);
    let program = env!("CARGO_BIN_EXE_zerohttpd");
    let line = format!(
        "ulimit -n 20; exec {program} load http://127.0.0.1:{}/ -n 100 -c 50 --json",
        fake.port
    );
    let output = Command::new("sh").args(["-c", &line]).output().expect("a shell");
    let report = LoadReport::of(&output);
    assert_eq!(report.code, Some(1), "{:#}", report.json);
    let [(kind, failed)] = &report.failures()[..] else { panic!("{:#}", report.json) };
    assert_eq!((kind.as_str(), failed + report.count("requests")), ("no_descriptor", 100));
    assert!(report.findings().contains(&"descriptors_ran_out".into()), "{:#}", report.json);
}

#[test]
fn a_request_on_a_connection_that_the_server_closes_is_retried_and_counted() {
    let fake = FakeServer::start(Behaviour::ClosesAtSecond);
    let report = load(fake.port, "/", "-n 20 -c 1");
    report.assert_good(N);
    // The second request of each connection failed and was sent again on the next one.
    assert_eq!(report.count("asked_again"), N - 1);
}

#[test]
fn a_post_is_never_retried() {
    let fake = FakeServer::start(Behaviour::ClosesAtSecond);
    let report = load(fake.port, "/", "-n 20 -c 1 --post a=b");
    assert_eq!(report.failures(), [("hung_up".into(), N / 2)], "{:#}", report.json);
    assert_eq!((report.count("requests"), report.count("asked_again")), (N / 2, 0));
    assert_eq!(fake.requests(), N);
}
