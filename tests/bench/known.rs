//! Verdicts on servers of which it is known what limits them.

use std::net::TcpListener;

use crate::fake::{Fake, Manner};
use crate::runs::{Bench, cells, limits, said};
use crate::support::server::PROGRAM;
use crate::support::{Store, architectures};

/// A port that is free just now.
fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    listener.local_addr().expect("its address").port()
}

/// All that limits the cells of a bench.
#[track_caller]
fn found(words: &[&str]) -> Vec<String> {
    let bench = Bench::new();
    let always = ["--rounds", "1", "--arch", &architectures()[6]];
    let output = bench.run(&[words, &always].concat());
    assert!(output.status.success(), "{}", said(&output));
    let results = bench.results();
    let all = cells(&results).iter().flat_map(limits);
    all.map(str::to_owned).collect()
}

#[test]
fn a_pool_of_two_workers_is_full() {
    let bench = Bench::new();
    let pool = &architectures()[4];
    let words = ["--arch", pool, "--knob", "pool=2", "--clients", "60", "--rounds", "1"];
    let output = bench.run(&[&words[..], &["--seconds", "2"]].concat());
    let results = bench.results();
    assert!(limits(&cells(&results)[0]).contains(&"pool"), "{}\n{results:#}", said(&output));
}

#[test]
fn a_queue_of_ten_overflows() {
    let words = ["--knob", "queue=10", "--clients", "400", "--no-keep-alive", "--seconds", "0.5"];
    let found = found(&words);
    assert!(found.iter().any(|limit| limit == "accept_queue"), "{found:?}");
}

#[test]
fn a_slow_store_is_named() {
    let store = Fake::start();
    store.behave(Manner::Slow);
    let words = ["--store", &store.url(), "--clients", "3", "--seconds", "3"];
    assert_eq!(found(&words)[0], "store");
}

#[test]
fn a_peer_without_descriptors_is_named_beside_ours() {
    let (port, store) = (free_port(), Store::embedded());
    let arch = &architectures()[6];
    let peer = format!(
        "short=ulimit -n 40; exec {PROGRAM} {arch} {port} --bind 127.0.0.1 --store {} \
         @ http://127.0.0.1:{port}/guestbook",
        store.url()
    );
    let bench = Bench::new();
    let words = ["--arch", arch, "--peer", &peer, "--clients", "100", "--rounds", "1"];
    let output = bench.run(&[&words[..], &["--seconds", "0.5"]].concat());
    let results = bench.results();
    let [ours, short] = cells(&results) else { panic!("{}\n{results:#}", said(&output)) };
    assert_eq!(short["contestant"], "short");
    assert_eq!(limits(short)[0], "server_descriptors", "{}\n{results:#}", said(&output));
    assert!(!limits(ours).contains(&"server_descriptors"), "{results:#}");
}

#[test]
fn a_server_that_does_not_start_has_its_reason_in_the_table() {
    let bench = Bench::new();
    let peer = format!("broken=echo no such luck; exit 3 @ http://127.0.0.1:{}/", free_port());
    let words = ["--arch", &architectures()[6], "--peer", &peer, "--clients", "2", "--rounds", "1"];
    let output = bench.run(&[&words[..], &["--seconds", "0.1"]].concat());
    assert!(output.status.success(), "{}", said(&output));
    let results = bench.results();
    let trouble = &cells(&results)[1]["troubles"][0]["text"];
    assert_eq!(trouble, "it ended at once: no such luck");
    assert!(said(&output).contains("broken: it ended at once: no such luck"), "{}", said(&output));
}
