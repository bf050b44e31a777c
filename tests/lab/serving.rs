//! Loads on all architectures, and the command line of `zerohttpd load`.

use crate::fake::{Behaviour, FakeServer};
use crate::load_report::{LoadReport, load};
use crate::support::server::{program, run};
use crate::support::{Server, Store, TempDir, for_each_architecture, wait_for};

#[test]
fn every_architecture_answers_every_request_of_a_load() {
    for_each_architecture(|arch| {
        let store = Store::embedded();
        let server = Server::start_small(arch, &store.url(), &[]);
        load(server.port, "/hello.txt", "--requests 300 --clients 6").assert_good(300);
        let reconnecting = load(server.port, "/hello.txt", "-n 300 -c 6 --no-keep-alive");
        reconnecting.assert_good(300);
        assert_eq!(reconnecting.count("connections"), 300);
        load(server.port, "/guestbook", "-n 100 -c 3").assert_good(100);
        assert_eq!(store.visitor_count(), 100, "each request is a visit");
        let timed = load_until_measured(server.port, "--seconds 0.5 -c 2 --threads 2");
        assert_eq!((timed.code, timed.count("failures_total")), (Some(0), 0));
        assert_eq!(timed.count("clients_answered"), 2, "{:#}", timed.json);
        assert_eq!(timed.json["statuses"]["200"], timed.count("requests"));
    });
}

/// Repeats a load on a small file until it has measured a request: on a busy machine, a short load
/// can end without one.
#[track_caller]
fn load_until_measured(port: u16, words: &str) -> LoadReport {
    wait_for("a load that measured something", || {
        let report = load(port, "/hello.txt", words);
        (report.number("requests_per_second") > 0.0).then_some(report)
    })
}

#[test]
fn a_form_from_the_command_line_or_a_file_is_posted_the_given_number_of_times() {
    for_each_architecture(|arch| {
        let (store, folder) = (Store::embedded(), TempDir::new());
        let server = Server::start_small(arch, &store.url(), &[]);
        folder.write("form", "guest-name=file&guest-remarks=two");
        let form = folder.join("form").display().to_string();
        let line = "--post guest-name=line&guest-remarks=one -n 3 -c 2";
        load(server.port, "/guestbook", line).assert_good(3);
        let file = format!("--post @{form} -n 2 -c 5 --header X-Of:test");
        load(server.port, "/guestbook", &file).assert_good(2);
        let expected = ["one - line", "one - line", "one - line", "two - file", "two - file"];
        assert_eq!(store.remarks(), expected);
    });
}

/// More bytes than the kernel buffers of a connection hold.
const LARGE: usize = 8 << 20;

#[test]
fn a_large_body_is_sent_completely_unless_it_is_refused_early() {
    let folder = TempDir::new();
    folder.write("large", vec![b'x'; LARGE]);
    let words = format!("--post @{} -n 6 -c 3", folder.join("large").display());
    let fake = FakeServer::start(Behaviour::Good);
    load(fake.port, "/", &words).assert_good(6);
    assert_eq!(fake.requests(), 6);
    // zerohttpd answers before it has read all of the body, and then lingers.
    let (store, arch) = (Store::embedded(), "iterative");
    let server = Server::start(arch, &store.url(), &[]);
    let refused = load(server.port, "/guestbook", &words);
    refused.assert_failed("status", 6);
    assert_eq!(refused.json["statuses"]["413"], 6);
}

#[test]
fn the_report_has_its_numbers_under_keys_with_units() {
    let (store, arch) = (Store::embedded(), "iterative");
    let server = Server::start(arch, &store.url(), &[]);
    let report = load(server.port, "/hello.txt", "-n 100 -c 1");
    report.assert_good(100);
    for key in ["requests_per_second", "bytes_received", "elapsed_s", "opening_s", "timeout_s"] {
        assert!(report.number(key) >= 0.0);
    }
    let percentiles = ["min", "p50", "p75", "p90", "p99", "p999", "p9999", "max"];
    let latencies = percentiles.map(|name| report.count(&format!("latency_{name}_us")));
    assert!(latencies.is_sorted() && latencies[0] > 0, "{latencies:?}");
    let curve = report.json["latency_curve"].as_array().expect("a curve");
    let last = curve.last().expect("its end");
    assert_eq!(last["latency_us"], report.count("latency_max_us"));
    // A hundred answers, each a head and a body of six bytes.
    assert!(report.count("bytes_received") > 100 * 100, "{:#}", report.json);
}

#[test]
fn without_json_a_summary_is_printed() {
    let (store, arch) = (Store::embedded(), "iterative");
    let server = Server::start(arch, &store.url(), &[]);
    let url = format!(":{}/hello.txt", server.port);
    let output = run(&["load", &url, "-n", "50", "-c", "1"]);
    assert_eq!((output.status.code(), output.stderr), (Some(0), vec![]));
    let text = String::from_utf8(output.stdout).expect("text");
    for part in ["50 good, 0 failed", "p99", " of 1 core,", "Closed loop: ", "\n\n"] {
        assert!(text.contains(part), "no {part:?} in {text}");
    }
}

#[test]
fn the_cpu_time_of_a_server_on_this_machine_is_measured() {
    let (store, arch) = (Store::embedded(), "iterative");
    let server = Server::start(arch, &store.url(), &[]);
    let cores_used = |report: &LoadReport| report.json["server"]["cores_used"].as_f64();
    // The kernel counts CPU time in hundredths of a second; the server can have used less.
    let report = wait_for("a server that used the processor", || {
        let report = load_until_measured(server.port, "-d 1 -c 4");
        cores_used(&report).is_some_and(|cores| cores > 0.0).then_some(report)
    });
    assert_eq!(report.json["server_is_here"], true);
    assert!(report.json["server"]["processes"].to_string().contains("zerohttpd"));
    assert!(report.number("server_cpu_us_per_request") > 0.0);
}

#[test]
fn an_invalid_command_line_is_explained() {
    for (words, code, part) in [
        (vec!["load"], 2, "URL"),
        (vec!["load", ":1/", "-d", "1", "-n", "1"], 2, "cannot be used with"),
        (vec!["load", ":1/", "--rate", "1", "--think", "1"], 2, "cannot be used with"),
        (vec!["load", ":1/", "--timeout", "0"], 2, "--timeout"),
        (vec!["load", "https://127.0.0.1/"], 1, "TLS"),
        (vec!["load", ":+80/"], 1, "a port has to follow"),
        (vec!["load", "::1:80/"], 1, "a port has to follow"),
        (vec!["load", "http://::1:80/"], 1, "in brackets"),
        (vec!["load", "http://127.0.0.1:+80/"], 1, "from 1 to 65535"),
        (vec!["load", ":1/", "--rate", "1e9"], 2, "from 0.001 to 100000000"),
        (vec!["load", ":1/", "--timeout", "1e9"], 2, "from 0.000001 to 31536000"),
        (vec!["load", ":1/", "-H", "Transfer-Encoding: chunked", "--post", "a"], 1, "its length"),
        (vec!["load", ":1/", "-H", "Content-Length: 7", "--post", "a"], 1, "itself"),
        (vec!["load", ":1/", "-H", "Connection: close"], 1, "--no-keep-alive"),
        (vec!["load", ":1/", "--idle", "1", "-H", "Connection: close"], 1, "--no-keep-alive"),
        (vec!["load", ":1/", "-H", "a: \u{1b}b"], 2, "control character"),
        (vec!["load", "http://nowhere.invalid/"], 1, "can't find nowhere.invalid"),
        (vec!["load", ":1/", "--post", "@/nowhere/at/all"], 1, "/nowhere/at/all"),
    ] {
        let output = run(&words);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{words:?}: {stderr}");
        assert!(stderr.contains(part) && output.stdout.is_empty(), "{words:?}: {stderr}");
    }
}

#[test]
fn a_scheme_can_be_in_capitals_and_a_port_empty() {
    let fake = FakeServer::start(Behaviour::Good);
    let url = format!("HTTP://127.0.0.1:{}/#top", fake.port);
    let output = run(&["load", &url, "-n", "5", "-c", "1", "--json"]);
    LoadReport::of(&output).assert_good(5);
    // An empty port means 80, where no server need listen.
    let output = run(&["load", "http://127.0.0.1:/", "-n", "1", "-c", "1", "--json"]);
    assert_eq!(LoadReport::of(&output).json["address"], "127.0.0.1:80");
}

#[test]
fn a_closed_standard_output_is_no_failure() {
    let (store, arch) = (Store::embedded(), "iterative");
    let server = Server::start(arch, &store.url(), &[]);
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let url = format!(":{}/hello.txt", server.port);
    let mut command = program(&["load", &url, "-n", "1"]);
    let status = command.stdout(writer).status().expect("the program can be run");
    assert_eq!(status.code(), Some(0));
}

/// [`LoadReport::of`] has to notice messages on standard error.
#[test]
#[should_panic(expected = "no output is expected")]
fn messages_on_standard_error_fail_a_test() {
    LoadReport::of(&run(&["load", "https://127.0.0.1/"]));
}
