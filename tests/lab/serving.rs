//! A load on servers of ours.

use crate::account::{Account, load};
use crate::fake::{Fake, Manner};
use crate::support::server::{program, run};
use crate::support::{Server, Store, TempDir, for_each_architecture, wait_for};

#[test]
fn every_architecture_answers_all_that_it_is_asked() {
    for_each_architecture(|arch| {
        let store = Store::embedded();
        let server = Server::start_small(arch, &store.url(), &[]);
        load(server.port, "/hello.txt", "--requests 300 --clients 6").assert_good(300);
        let unkept = load(server.port, "/hello.txt", "-n 300 -c 6 --no-keep-alive");
        unkept.assert_good(300);
        assert_eq!(unkept.count("connections"), 300);
        load(server.port, "/guestbook", "-n 100 -c 3").assert_good(100);
        assert_eq!(store.visitor_count(), 100, "visits that were counted");
        let timed = load_for_a_while(server.port, "--seconds 0.5 -c 2 --threads 2");
        assert_eq!((timed.code, timed.count("failures_total")), (Some(0), 0));
        assert_eq!(timed.count("clients_answered"), 2, "{:#}", timed.json);
        assert_eq!(timed.json["statuses"]["200"], timed.count("requests"));
    });
}

/// Loads a small file for a time, in which something was measured: on a busy machine a short time
/// may pass without that.
#[track_caller]
fn load_for_a_while(port: u16, words: &str) -> Account {
    wait_for("a load that measured something", || {
        let account = load(port, "/hello.txt", words);
        (account.number("requests_per_second") > 0.0).then_some(account)
    })
}

#[test]
fn a_form_is_posted_as_often_as_was_asked_from_the_line_or_a_file() {
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

/// More than a socket takes at once.
const LARGE: usize = 8 << 20;

#[test]
fn a_large_body_is_sent_whole_or_refused_early() {
    let folder = TempDir::new();
    folder.write("large", vec![b'x'; LARGE]);
    let words = format!("--post @{} -n 6 -c 3", folder.join("large").display());
    let fake = Fake::start(Manner::Good);
    load(fake.port, "/", &words).assert_good(6);
    assert_eq!(fake.requests(), 6);
    // A server of ours answers before it has seen all of it, and reads a little more.
    let (store, arch) = (Store::embedded(), &crate::support::architectures()[0]);
    let server = Server::start(arch, &store.url(), &[]);
    let refused = load(server.port, "/guestbook", &words);
    refused.assert_failed("status", 6);
    assert_eq!(refused.json["statuses"]["413"], 6);
}

#[test]
fn the_names_of_numbers_carry_their_units() {
    let (store, arch) = (Store::embedded(), &crate::support::architectures()[0]);
    let server = Server::start(arch, &store.url(), &[]);
    let account = load(server.port, "/hello.txt", "-n 100 -c 1");
    account.assert_good(100);
    for key in ["requests_per_second", "bytes_received", "elapsed_s", "opening_s", "timeout_s"] {
        assert!(account.number(key) >= 0.0);
    }
    let percentiles = ["min", "p50", "p75", "p90", "p99", "p999", "p9999", "max"];
    let rising = percentiles.map(|name| account.count(&format!("latency_{name}_us")));
    assert!(rising.is_sorted() && rising[0] > 0, "{rising:?}");
    let curve = account.json["latency_curve"].as_array().expect("a curve");
    let last = curve.last().expect("its end");
    assert_eq!(last["latency_us"], account.count("latency_max_us"));
    // A head and six bytes, a hundred times.
    assert!(account.count("bytes_received") > 100 * 100, "{:#}", account.json);
}

#[test]
fn who_reads_it_gets_a_summary() {
    let (store, arch) = (Store::embedded(), &crate::support::architectures()[0]);
    let server = Server::start(arch, &store.url(), &[]);
    let url = format!(":{}/hello.txt", server.port);
    let output = run(&["load", &url, "-n", "50", "-c", "1"]);
    assert_eq!((output.status.code(), output.stderr), (Some(0), vec![]));
    let text = String::from_utf8(output.stdout).expect("text");
    for part in ["50 good, 0 failed", "p99", "this load", "Closed loop: ", "\n\n"] {
        assert!(text.contains(part), "no {part:?} in {text}");
    }
}

#[test]
fn a_server_on_this_machine_is_seen_at_work() {
    let (store, arch) = (Store::embedded(), &crate::support::architectures()[0]);
    let server = Server::start(arch, &store.url(), &[]);
    let used = |account: &Account| account.json["server"]["cores_used"].as_f64();
    // The kernel counts in hundredths of a second, and the server may have used less than one.
    let account = wait_for("a server that used the processor", || {
        let account = load_for_a_while(server.port, "-d 1 -c 4");
        used(&account).is_some_and(|cores| cores > 0.0).then_some(account)
    });
    assert_eq!(account.json["server_is_here"], true);
    assert!(account.json["server"]["processes"].to_string().contains("zerohttpd"));
    assert!(account.number("server_cpu_us_per_request") > 0.0);
}

#[test]
fn what_is_wrong_with_a_line_is_said() {
    for (words, code, part) in [
        (vec!["load"], 2, "URL"),
        (vec!["load", ":1/", "-d", "1", "-n", "1"], 2, "cannot be used with"),
        (vec!["load", ":1/", "--rate", "1", "--think", "1"], 2, "cannot be used with"),
        (vec!["load", ":1/", "--timeout", "0"], 2, "--timeout"),
        (vec!["load", "https://127.0.0.1/"], 1, "TLS"),
        (vec!["load", "http://nowhere.invalid/"], 1, "can't find nowhere.invalid"),
        (vec!["load", ":1/", "--post", "@/nowhere/at/all"], 1, "/nowhere/at/all"),
    ] {
        let output = run(&words);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{words:?}: {said}");
        assert!(said.contains(part) && output.stdout.is_empty(), "{words:?}: {said}");
    }
}

#[test]
fn a_reader_who_leaves_early_is_no_failure() {
    let (store, arch) = (Store::embedded(), &crate::support::architectures()[0]);
    let server = Server::start(arch, &store.url(), &[]);
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let url = format!(":{}/hello.txt", server.port);
    let mut command = program(&["load", &url, "-n", "1"]);
    let status = command.stdout(writer).status().expect("the program can be run");
    assert_eq!(status.code(), Some(0));
}

/// A helper of the tests above is worth nothing if it takes anything for good.
#[test]
#[should_panic(expected = "it is to say nothing")]
fn an_account_that_says_something_is_noticed() {
    Account::of(&run(&["load", "https://127.0.0.1/"]));
}
