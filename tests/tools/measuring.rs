//! ApacheBench, with which the architectures were compared first: to it an answer of another length
//! is one that failed.

use crate::run;
use crate::support::{ONE_AT_A_TIME, Server, Store, for_each_architecture};

#[test]
fn apache_bench_finds_no_failure() {
    for_each_architecture(|arch| {
        let store = Store::embedded();
        let server = Server::start(arch, &store.url(), &[]);
        // With others waiting, it parts from a client that is silent for a tenth of a second, which
        // on a busy machine may be one that is just about to ask.
        let (clients, requests) = if arch == ONE_AT_A_TIME { ("1", "20") } else { ("5", "300") };
        for target in ["hello.txt", "guestbook"] {
            for keep in [&[][..], &["-k"]] {
                let url = format!("http://127.0.0.1:{}/{target}", server.port);
                let words = ["-q", "-n", requests, "-c", clients, &url];
                let said = run("ab", "apache2-utils", [keep, &words].concat());
                let has = |name: &str, value: &str| {
                    let line = said.lines().find_map(|line| line.strip_prefix(name));
                    assert_eq!(line.map(str::trim), Some(value), "{said}");
                };
                has("Complete requests:", requests);
                has("Failed requests:", "0");
                assert!(!said.contains("Non-2xx"), "{said}");
            }
        }
        let visits: u64 = requests.parse().expect("a number");
        assert!(store.visitor_count() >= 2 * visits);
    });
}
