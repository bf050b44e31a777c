//! The report of a load as JSON.

use std::process::Output;

use serde_json::Value;

use crate::support::server::run;

/// The report of a load as JSON, and its exit status.
pub(crate) struct LoadReport {
    pub(crate) json: Value,
    pub(crate) code: Option<i32>,
}

/// Runs a load on a path at a port, with further arguments, and returns its report.
#[track_caller]
pub(crate) fn load(port: u16, path: &str, words: &str) -> LoadReport {
    let url = format!("http://127.0.0.1:{port}{path}");
    let words = words.split(' ').filter(|word| !word.is_empty());
    let words: Vec<_> = ["load", &url, "--json"].into_iter().chain(words).collect();
    LoadReport::of(&run(&words))
}

impl LoadReport {
    #[track_caller]
    pub(crate) fn of(output: &Output) -> LoadReport {
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(stderr, "", "no output is expected on a standard error that is no terminal");
        let json = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|e| panic!("{e}: {}", String::from_utf8_lossy(&output.stdout)));
        LoadReport { json, code: output.status.code() }
    }

    #[track_caller]
    pub(crate) fn number(&self, key: &str) -> f64 {
        self.json[key].as_f64().unwrap_or_else(|| panic!("no number {key} in {:#}", self.json))
    }

    #[track_caller]
    pub(crate) fn count(&self, key: &str) -> u64 {
        self.json[key].as_u64().unwrap_or_else(|| panic!("no count {key} in {:#}", self.json))
    }

    /// The numbers of failed requests by kind, without kinds that did not occur.
    #[track_caller]
    pub(crate) fn failures(&self) -> Vec<(String, u64)> {
        nonzero_counts(&self.json["failures"])
    }

    /// The kinds of the verdict's findings.
    #[track_caller]
    pub(crate) fn findings(&self) -> Vec<String> {
        let findings = self.json["verdict"].as_array().expect("a verdict");
        let kinds = findings.iter().map(|finding| finding["kind"].as_str().expect("a kind"));
        kinds.map(str::to_owned).collect()
    }

    /// Asserts that this many requests were made, and all succeeded.
    #[track_caller]
    pub(crate) fn assert_good(&self, requests: u64) {
        assert_eq!(self.code, Some(0), "{:#}", self.json);
        assert_eq!(self.count("requests"), requests, "{:#}", self.json);
        assert_eq!((self.count("failures_total"), self.failures()), (0, vec![]));
    }

    /// Asserts that this many requests failed, all of them with this kind of failure, and none
    /// succeeded.
    #[track_caller]
    pub(crate) fn assert_failed(&self, kind: &str, requests: u64) {
        assert_eq!(self.code, Some(1), "{:#}", self.json);
        assert_eq!(self.failures(), [(kind.to_owned(), requests)], "{:#}", self.json);
        assert_eq!(self.count("failures_total"), requests);
        assert_eq!((self.count("requests"), self.count("latency_max_us")), (0, 0));
    }
}

/// The counts in an object of names and counts, without those that are 0.
fn nonzero_counts(counts: &Value) -> Vec<(String, u64)> {
    let counts = counts.as_object().expect("counts by name").iter();
    let counts = counts.map(|(name, count)| (name.clone(), count.as_u64().expect("a count")));
    counts.filter(|(_, count)| *count > 0).collect()
}
