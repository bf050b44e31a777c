//! What is written, and what can be read of it.

use super::*;
use crate::finding::Finding;
use crate::finding::limit::Limit;

fn results() -> Results {
    let load = Load { clients: 20, rate_asked_per_second: None };
    let cost = Cost { server_cores_used: 0.97, ..Cost::default() };
    let finding = Finding { kind: Limit::ServerCpu, text: "busy".into() };
    let run = Run {
        round: 1,
        requests_per_second: 1234.5,
        latency_curve: vec![(50.0, 800), (100.0, 4000)],
        failures: BTreeMap::from([("reset".to_owned(), 2)]),
        cost: Some(cost),
        verdict: vec![finding],
        ..Run::default()
    };
    let settings =
        Settings { clients: vec![20, 50], rates_per_second: vec![100.0], ..Settings::default() };
    let mut results = Results::new("2026-11-23T00:00:00Z".into(), settings, Vec::new());
    let trouble = FailedRun { round: 2, text: "it did not start".into() };
    let (runs, troubles) = (vec![run], vec![trouble]);
    results.cells.push(Cell { subject: "a".into(), load, runs, troubles });
    results
}

#[test]
fn what_is_written_can_be_read() {
    let folder = tempfile::tempdir().unwrap();
    let results = results();
    results.save(folder.path()).unwrap();
    assert_eq!(Results::load(folder.path()).unwrap(), results);
    let names: Vec<_> = fs::read_dir(folder.path()).unwrap().flatten().collect();
    assert_eq!(names.len(), 1);
}

#[test]
fn the_layout_is_what_others_may_rely_on() {
    let value = serde_json::to_value(results()).unwrap();
    assert_eq!((&value["format"], &value["version"]), (&FORMAT.into(), &VERSION.into()));
    let cell = &value["cells"][0];
    assert_eq!((&cell["contestant"], &cell["clients"]), (&"a".into(), &20.into()));
    let run = &cell["runs"][0];
    assert_eq!(run["requests_per_second"], 1234.5);
    assert_eq!(run["cost"]["server_cores_used"], 0.97);
    assert_eq!(run["verdict"][0]["limit"], "server_cpu");
    assert_eq!(run["latency_curve"][1], serde_json::json!([100.0, 4000]));
}

#[test]
fn what_an_earlier_version_did_not_write_has_a_default() {
    let text = r#"{"format":"zerohttpd-bench","version":1,"cells":[{"contestant":"a",
        "clients":3,"runs":[{"requests":7}]}]}"#;
    let results = Results::parse(text).unwrap();
    assert_eq!(results.cells[0].runs[0].requests, 7);
    assert_eq!((results.cells[0].load.clients, &results.cells[0].runs[0].cost), (3, &None));
}

#[test]
fn other_files_are_not_read() {
    let other = |text: &str| Results::parse(text).unwrap_err();
    assert!(other("{}").contains("not written by"));
    assert!(other("no JSON").contains("not written by"));
    let later = r#"{"format":"zerohttpd-bench","version":99}"#;
    assert!(other(later).contains("later version"));
}

#[test]
fn loads_are_in_the_order_of_the_table() {
    let loads = results().loads();
    let shown: Vec<_> =
        loads.iter().map(|load| (load.clients, load.rate_asked_per_second)).collect();
    let open = Some(100.0);
    assert_eq!(shown, [(20, None), (50, None), (20, open), (50, open)]);
}

#[test]
fn control_characters_in_a_result_file_are_replaced() {
    let text = r#"{"format":"zerohttpd-bench","version":1,"program":"p\u001b[31m",
        "cells":[{"contestant":"a\u009b2J","clients":3,"troubles":[{"text":"\u001b]0;x\u0007"}],
        "runs":[{"failures":{"\u001b[1m":7}}]}]}"#;
    let results = Results::parse(text).unwrap();
    let all = format!("{results:?}");
    assert!(!all.contains("\\u{1b}") && !all.contains("\\u{9b}"), "{all}");
    let wrong = r#"{"format":"zerohttpd-bench","version":1,"cells":[{"clients":3,
        "runs":[{"verdict":[{"limit":"\u001b[31m","text":""}]}]}]}"#;
    let error = Results::parse(wrong).unwrap_err();
    assert!(!error.contains('\x1b'), "{error:?}");
}
