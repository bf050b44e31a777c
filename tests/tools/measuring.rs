//! ApacheBench (ab), with which the C originals of the architectures were compared. It counts an
//! answer whose length differs from the first as a failure.

use crate::run;
use crate::support::{ONE_AT_A_TIME, Server, Store, for_each_architecture};

#[test]
fn apache_bench_finds_no_failure() {
    for_each_architecture(|arch| {
        let store = Store::embedded();
        let server = Server::start(arch, &store.url(), &[]);
        // While other clients wait, a server that serves one at a time disconnects a client that is
        // silent for a tenth of a second. On a busy machine, ab can be silent that long.
        let (clients, requests) = if arch == ONE_AT_A_TIME { ("1", "20") } else { ("5", "300") };
        for target in ["hello.txt", "guestbook"] {
            for keep_alive in [&[][..], &["-k"]] {
                let url = format!("http://127.0.0.1:{}/{target}", server.port);
                let words = ["-q", "-n", requests, "-c", clients, &url];
                let report = run("ab", "apache2-utils", [keep_alive, &words].concat());
                let assert_has = |name: &str, value: &str| {
                    let line = report.lines().find_map(|line| line.strip_prefix(name));
                    assert_eq!(line.map(str::trim), Some(value), "{report}");
                };
                assert_has("Complete requests:", requests);
                assert_has("Failed requests:", "0");
                assert!(!report.contains("Non-2xx"), "{report}");
            }
        }
        let visits: u64 = requests.parse().expect("a number");
        assert!(store.visitor_count() >= 2 * visits);
    });
}
