//! What a load says of itself as JSON.

use std::process::Output;

use serde_json::Value;

use crate::support::server::run;

/// The outcome of a load, and how the program ended.
pub(crate) struct Account {
    pub(crate) json: Value,
    pub(crate) code: Option<i32>,
}

/// Loads a path at a port, with a few words more.
#[track_caller]
pub(crate) fn load(port: u16, path: &str, words: &str) -> Account {
    let url = format!("http://127.0.0.1:{port}{path}");
    let words = words.split(' ').filter(|word| !word.is_empty());
    let words: Vec<_> = ["load", &url, "--json"].into_iter().chain(words).collect();
    Account::of(&run(&words))
}

impl Account {
    #[track_caller]
    pub(crate) fn of(output: &Output) -> Account {
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(said, "", "it is to say nothing where nobody looks on");
        let json = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|e| panic!("{e}: {}", String::from_utf8_lossy(&output.stdout)));
        Account { json, code: output.status.code() }
    }

    #[track_caller]
    pub(crate) fn number(&self, key: &str) -> f64 {
        self.json[key].as_f64().unwrap_or_else(|| panic!("no number {key} in {:#}", self.json))
    }

    #[track_caller]
    pub(crate) fn count(&self, key: &str) -> u64 {
        self.json[key].as_u64().unwrap_or_else(|| panic!("no count {key} in {:#}", self.json))
    }

    /// The ways in which requests failed, of those that count.
    #[track_caller]
    pub(crate) fn failures(&self) -> Vec<(String, u64)> {
        named(&self.json["failures"])
    }

    /// What the verdict finds.
    #[track_caller]
    pub(crate) fn findings(&self) -> Vec<String> {
        let findings = self.json["verdict"].as_array().expect("a verdict");
        let kinds = findings.iter().map(|finding| finding["kind"].as_str().expect("a kind"));
        kinds.map(str::to_owned).collect()
    }

    /// All went well, and so many requests were made.
    #[track_caller]
    pub(crate) fn assert_good(&self, requests: u64) {
        assert_eq!(self.code, Some(0), "{:#}", self.json);
        assert_eq!(self.count("requests"), requests, "{:#}", self.json);
        assert_eq!((self.count("failures_total"), self.failures()), (0, vec![]));
    }

    /// All failed in this way, so many, and none in another.
    #[track_caller]
    pub(crate) fn assert_failed(&self, kind: &str, requests: u64) {
        assert_eq!(self.code, Some(1), "{:#}", self.json);
        assert_eq!(self.failures(), [(kind.to_owned(), requests)], "{:#}", self.json);
        assert_eq!(self.count("failures_total"), requests);
        assert_eq!((self.count("requests"), self.count("latency_max_us")), (0, 0));
    }
}

/// The counts of an object that are not 0.
fn named(counts: &Value) -> Vec<(String, u64)> {
    let counts = counts.as_object().expect("counts by name").iter();
    let counts = counts.map(|(name, count)| (name.clone(), count.as_u64().expect("a count")));
    counts.filter(|(_, count)| *count > 0).collect()
}
