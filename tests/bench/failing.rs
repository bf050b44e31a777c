//! How the table, the page and the verdict report servers that fail some or all requests.

use crate::peers::peer;
use crate::runs::{ARCH, Bench, cells, limits, transcript};
use crate::support::server::run;

#[test]
fn a_cell_with_failures_shows_their_share_and_kind_instead_of_a_number() {
    let bench = Bench::new();
    let (some, all) = (peer("some", "bad:20:500"), peer("all", "bad:1:404"));
    let words = ["--arch", ARCH, "--peer", &some, "--peer", &all, "--clients", "2"];
    let output = bench.run(&[&words[..], &["--rounds", "1", "--seconds", "1.5"]].concat());
    assert!(output.status.success(), "{}", transcript(&output));
    let results = bench.results();
    let [_, some, all] = cells(&results) else { panic!("{results:#}") };
    assert_eq!(limits(some)[0], "errors", "{some:#}");
    let text = some["runs"][0]["verdict"][0]["text"].as_str().expect("a text");
    // One of 20 requests fails. Their number is seldom a multiple of 20, so the share is not exact.
    let (share, rest) = text.split_once(" % ").expect("a share");
    assert!((4.5..5.5).contains(&share.parse::<f64>().expect("a number")), "{text}");
    assert!(rest.starts_with("of the requests failed: "), "{text}");
    assert!(text.ends_with(" × status 500."), "{text}");
    assert_eq!(limits(all)[0], "nothing_measured", "{all:#}");
    let transcript = transcript(&output);
    let failed = format!("{share} % of the requests failed");
    for phrase in ["5% fail", "status 500", "all fail", "status 404", &failed] {
        assert!(transcript.contains(phrase), "{phrase}: {transcript}");
    }
    let rate = some["runs"][0]["requests_per_second"].as_f64().expect("a rate");
    let page = bench.page();
    for phrase in ["5% fail", "all fail", "status 404", "have no number, because requests failed"] {
        assert!(page.contains(phrase), "{phrase}");
    }
    // The rate of the good answers is not in the table either.
    let table = String::from_utf8(output.stdout).expect("text");
    let digits = format!("{rate:.0}");
    assert!(!table.replace(',', "").contains(&digits), "{digits}: {table}");
}

#[test]
fn a_rate_with_failed_answers_is_not_kept_up() {
    let bench = Bench::new();
    let some = peer("some", "bad:20:500");
    let words = ["--arch", ARCH, "--peer", &some, "--clients", "4"];
    let more = ["--rounds", "1", "--seconds", "1", "--rate", "200"];
    let output = bench.run(&[&words[..], &more].concat());
    assert!(output.status.success(), "{}", transcript(&output));
    let results = bench.results();
    let open = cells(&results).iter().filter(|cell| !cell["rate_asked_per_second"].is_null());
    let open: Vec<_> = open.filter(|cell| cell["contestant"] == "some").collect();
    assert_eq!(limits(open[0])[0], "errors", "{results:#}");
    // The limit "rate" would mean that the server kept up.
    assert!(!limits(open[0]).contains(&"rate"), "{results:#}");
}

#[test]
fn an_untrusted_file_sends_no_escape_codes_to_the_terminal() {
    let bench = Bench::new();
    let words = ["--arch", ARCH, "--clients", "1", "--rounds", "1"];
    assert!(bench.run(&[&words[..], &["--seconds", "0.1"]].concat()).status.success());
    let file = bench.out().join("results.json");
    let text = std::fs::read_to_string(&file).expect("results.json");
    let mut results: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let evil = "\u{1b}]0;owned\u{7}\u{1b}[31m\u{9b}2J\u{202e}";
    for field in ["/settings/path", "/settings/store", "/settings/profile", "/program", "/started"]
    {
        *results.pointer_mut(field).expect("a string") = evil.into();
    }
    let name = format!("a{evil}");
    results["contestants"][0]["name"] = name.clone().into();
    results["cells"][0]["contestant"] = name.into();
    results["cells"][0]["troubles"] = serde_json::json!([{ "round": 1, "text": evil }]);
    std::fs::write(&file, results.to_string()).expect("a file");
    let out = bench.out().display().to_string();
    for words in [&["report", &out][..], &["report", &out, &out]] {
        let output = run(words);
        let text = String::from_utf8(output.stdout).expect("text");
        let is_control = |c: char| c.is_control() && c != '\n' || c == '\u{202e}';
        assert!(output.status.success() && !text.contains(is_control), "{text:?}");
        assert!(text.contains("owned"), "{text}");
    }
    let page = bench.page();
    assert!(!page.contains(['\u{1b}', '\u{9b}', '\u{202e}', '\u{7}']), "{page:?}");
}
