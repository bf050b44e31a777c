//! What the doctor says, and how it ends.

use serde_json::Value;

use crate::support::server::run;

#[test]
fn every_check_says_what_was_found_and_what_is_wanted() {
    let output = run(&["doctor", "--json"]);
    let checks: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let checks = checks.as_array().expect("a list");
    assert!(checks.len() > 10, "{checks:#?}");
    for check in checks {
        for key in ["what", "found", "wanted"] {
            assert!(check[key].as_str().is_some_and(|text| !text.is_empty()), "{check:#}");
        }
        let verdict = check["verdict"].as_str().expect("a verdict");
        assert!(["ok", "warn", "bad"].contains(&verdict), "{check:#}");
        assert_eq!(verdict == "ok", check["why"].is_null(), "{check:#}");
    }
    let is_bad = checks.iter().any(|check| check["verdict"] == "bad");
    assert_eq!(output.status.code(), Some(i32::from(is_bad)));
}

#[test]
fn who_is_no_terminal_gets_no_colours() {
    let output = run(&["doctor"]);
    let text = String::from_utf8(output.stdout).expect("text");
    assert!(!text.contains('\x1b') && text.contains("accept queue"), "{text}");
}
