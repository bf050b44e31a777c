//! The doctor's checks and exit status.

use serde_json::Value;

use crate::support::server::run;

#[test]
fn every_check_says_what_was_found_and_what_is_wanted_and_a_bad_one_sets_the_exit_status() {
    let output = run(&["doctor", "--quick", "--json"]);
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
fn a_pipe_gets_no_colours() {
    let output = run(&["doctor", "--quick"]);
    let text = String::from_utf8(output.stdout).expect("text");
    assert!(!text.contains('\x1b') && text.contains("accept queue"), "{text}");
}

#[test]
fn one_server_is_measured_against_itself_unless_declined() {
    let output = run(&["doctor", "--json"]);
    let checks: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let noise = |checks: &Value| {
        let checks = checks.as_array().expect("a list").clone();
        checks.into_iter().find(|check| check["what"] == "noise")
    };
    let found = noise(&checks).expect("the check of the noise");
    let text = found["found"].as_str().expect("text");
    assert!(text.starts_with("a run varies by ") && text.contains("5 rounds detect "), "{found:#}");
    let progress = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(progress.contains("4 servers, 1 load, 3 rounds"), "{progress}");
    let quick = run(&["doctor", "--quick", "--json"]);
    assert_eq!(noise(&serde_json::from_slice(&quick.stdout).expect("JSON")), None);
}
