//! Every way to fail is counted as what it is, and as nothing else.

use std::net::TcpListener;
use std::process::Command;

use rustix::net::{AddressFamily, SocketAddrAny, SocketType, bind, getsockname, listen, socket};

use crate::account::{Account, load};
use crate::fake::{Fake, Manner};
use crate::support::for_each;

const N: u64 = 20;

/// All requests fail in this way, with connections that are kept and with others.
#[track_caller]
fn assert_fails(manner: Manner, kind: &str) {
    let fake = Fake::start(manner);
    // Where an answer is not waited for in vain, a busy machine is to have the time that it needs.
    let timeout = if kind == "timeout" { "--timeout 0.3" } else { "--timeout 40" };
    for keep in ["", "--no-keep-alive"] {
        let account = load(fake.port, "/", &format!("-n {N} -c 4 {timeout} {keep}"));
        account.assert_failed(kind, N);
        assert_eq!(account.findings(), ["nothing_measured"]);
    }
}

#[test]
fn each_way_to_fail_is_counted_as_what_it_is() {
    let ways = [
        (Manner::Resets, "reset"),
        (Manner::Breaks(""), "hung_up"),
        (Manner::Breaks("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"), "short"),
        (Manner::Breaks("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhe"), "short"),
        (Manner::Breaks("HTTP/1.1 20"), "short"),
        (Manner::Silent, "timeout"),
        (Manner::Says("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"), "timeout"),
        (Manner::Says("HTTP/1.1 500 No\r\nContent-Length: 2\r\n\r\nno"), "status"),
        (Manner::Says("HTTP/1.1 404 No\r\nContent-Length: 2\r\n\r\nno"), "status"),
        (Manner::Says("220 smtp.example ESMTP\r\n\r\n"), "protocol"),
        (Manner::Says("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\ntoo long"), "protocol"),
        (Manner::Says("HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n"), "protocol"),
    ];
    for_each(&ways, |way| format!("{way:?}"), |(manner, kind)| assert_fails(*manner, kind));
}

#[test]
fn a_status_is_told_and_what_is_wrong_with_an_answer() {
    let fake = Fake::start(Manner::Says("HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n"));
    let account = load(fake.port, "/", "-n 7 -c 2");
    assert_eq!(account.json["statuses"]["503"], 7);
    assert!(account.count("failed_latency_max_us") > 0);
    let fake = Fake::start(Manner::Says("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\ntoo long"));
    let account = load(fake.port, "/", "-n 7 -c 2");
    assert_eq!(account.json["protocol_error"], "more came than was asked for");
}

#[test]
fn answers_that_are_unusual_are_good() {
    for text in [
        "HTTP/1.0 200 OK\r\n\r\nuntil the end",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nA: b\r\n\r\n",
        "HTTP/1.1 103 Early\r\n\r\nHTTP/1.1 301 Moved\r\nContent-Length: 0\r\nLocation: /\r\n\r\n",
        "HTTP/1.1 204 None\r\nConnection: close\r\n\r\n",
    ] {
        let fake = Fake::start(Manner::Breaks(text));
        load(fake.port, "/", "-n 20 -c 4 --no-keep-alive").assert_good(N);
    }
}

#[test]
fn a_port_where_nobody_listens_refuses_and_is_given_up() {
    let port = {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
        listener.local_addr().expect("its address").port()
    };
    // Else these would go on for an hour, and for a hundred thousand requests.
    for words in ["-c 70 -d 3600", "-c 70 -n 100000", "-c 70 -n 100000 --rate 1000"] {
        let account = load(port, "/", words);
        assert_eq!(account.code, Some(1), "{:#}", account.json);
        assert_eq!(account.findings(), ["nothing_measured"]);
        let refused = |when: &str| account.json[when]["refused"].as_u64().expect("a count");
        let count = refused("failures") + refused("failures_before");
        let total = account.count("failures_total") + account.count("failures_before_total");
        assert!(count >= 70 && count == total, "{:#}", account.json);
    }
}

#[test]
fn a_queue_that_is_full_lets_nobody_connect() {
    // It never accepts, and its queue takes one.
    let full = socket(AddressFamily::INET, SocketType::STREAM, None).expect("a socket");
    bind(&full, &std::net::SocketAddr::from(([127, 0, 0, 1], 0))).expect("a port");
    listen(&full, 0).expect("a listener");
    let address: SocketAddrAny = getsockname(&full).expect("its address");
    let port = std::net::SocketAddr::try_from(address).expect("of IPv4").port();
    let _first = std::net::TcpStream::connect(("127.0.0.1", port)).expect("room for one");
    let account = load(port, "/", "-n 5 -c 5 --timeout 0.3");
    account.assert_failed("connect_timeout", 5);
    assert!(account.count("listen_overflows") > 0, "{:#}", account.json);
    assert_eq!(account.count("clients_connected_peak"), 0);
}

#[test]
fn a_want_of_descriptors_is_ours_and_named() {
    let fake = Fake::start(Manner::Good);
    let program = env!("CARGO_BIN_EXE_zerohttpd");
    let line = format!(
        "ulimit -n 20; exec {program} load http://127.0.0.1:{}/ -n 100 -c 50 --json",
        fake.port
    );
    let output = Command::new("sh").args(["-c", &line]).output().expect("a shell");
    let account = Account::of(&output);
    assert_eq!(account.code, Some(1), "{:#}", account.json);
    let [(kind, failed)] = &account.failures()[..] else { panic!("{:#}", account.json) };
    assert_eq!((kind.as_str(), failed + account.count("requests")), ("no_descriptor", 100));
    assert!(account.findings().contains(&"descriptors_ran_out".into()), "{:#}", account.json);
}

#[test]
fn a_request_that_crosses_the_closing_of_its_connection_is_asked_again_and_told() {
    let fake = Fake::start(Manner::Crosses);
    let account = load(fake.port, "/", "-n 20 -c 1");
    account.assert_good(N);
    // Of each connection the second request was in vain.
    assert_eq!(account.count("asked_again"), N - 1);
}

#[test]
fn a_post_is_never_asked_twice() {
    let fake = Fake::start(Manner::Crosses);
    let account = load(fake.port, "/", "-n 20 -c 1 --post a=b");
    assert_eq!(account.failures(), [("hung_up".into(), N / 2)], "{:#}", account.json);
    assert_eq!((account.count("requests"), account.count("asked_again")), (N / 2, 0));
    assert_eq!(fake.requests(), N);
}
