//! Verdicts where the answer is known.

use super::*;

/// A server that is busy, with one core of its own.
fn conditions() -> Conditions {
    Conditions {
        clients: 200,
        rate_per_s: None,
        server_cores: 1,
        store_shares_cores: true,
        pool: Some(100),
        uses_store: true,
    }
}

fn cost() -> Cost {
    Cost {
        server_cores_used: 0.6,
        server_busiest_thread: Some(0.4),
        server_cpu_us_per_request: 60.0,
        store_cores_used: Some(0.1),
        store_cpu_us_per_request: Some(10.0),
        load_cpu_us_per_request: 20.0,
        others_cores_used: Some(0.01),
        ..Cost::default()
    }
}

/// A run in which nothing is busy and nothing is waited for.
fn run() -> Run {
    Run {
        measured_s: 2.0,
        opening_s: 0.1,
        requests: 20_000,
        requests_per_second: 10_000.0,
        latency_mean_us: 250.0,
        load_busy_share: 0.4,
        cost: Some(cost()),
        listen_overflows: Some(0),
        accept_queue_mean: Some(0.0),
        descriptors_left: Some(1000),
        ..Run::default()
    }
}

fn limits(run: &Run, on: &Conditions) -> Vec<Limit> {
    judge(run, on).into_iter().map(|finding| finding.limit).collect()
}

fn with(change: impl FnOnce(&mut Run)) -> Run {
    let mut run = run();
    change(&mut run);
    run
}

fn with_cost(change: impl FnOnce(&mut Cost)) -> Run {
    with(|run| change(run.cost.as_mut().unwrap()))
}

#[test]
fn where_nobody_is_busy_there_is_only_latency() {
    assert_eq!(limits(&run(), &conditions()), [Limit::Nothing]);
}

#[test]
fn a_load_that_is_busy_measures_itself() {
    let busy = with(|run| run.load_busy_share = 0.95);
    assert_eq!(limits(&busy, &conditions()), [Limit::LoadGenerator]);
    assert!(!Limit::LoadGenerator.is_of_the_server());
    let starved = with(|run| (run.load_busy_share, run.load_waited_share) = (0.6, 0.4));
    assert_eq!(limits(&starved, &conditions()), [Limit::LoadGenerator]);
    let robbed = with(|run| {
        (run.load_busy_share, run.load_waited_share) = (0.1, 0.9);
        run.cost.as_mut().unwrap().others_cores_used = Some(1.5);
    });
    assert_eq!(limits(&robbed, &conditions()), [Limit::Neighbours]);
    let almost = with(|run| run.load_busy_share = 0.94);
    assert_eq!(limits(&almost, &conditions()), [Limit::Nothing]);
}

#[test]
fn a_pool_of_two_workers_is_full() {
    let on = Conditions { pool: Some(2), ..conditions() };
    let full = with(|run| {
        run.accept_queue_mean = Some(198.0);
        run.latency_mean_us = 20_000.0;
    });
    let found = judge(&full, &on);
    assert_eq!(found[0].limit, Limit::Pool);
    assert!(found[0].text.starts_with("All 2 workers had a client, and 198 of the 200"));
    let one = judge(&full, &Conditions { pool: Some(1), ..on });
    assert!(one[0].text.starts_with("The one worker"), "{one:?}");
}

#[test]
fn a_full_pool_is_named_beside_a_processor_that_has_nothing_left() {
    let full = with(|run| {
        run.accept_queue_mean = Some(100.0);
        run.cost.as_mut().unwrap().server_cores_used = 0.98;
    });
    assert_eq!(limits(&full, &conditions()), [Limit::ServerCpu, Limit::Pool]);
}

#[test]
fn a_backlog_of_ten_overflows() {
    let over = with(|run| {
        run.listen_overflows = Some(150);
        run.accept_queue_mean = Some(9.0);
    });
    let found = judge(&over, &conditions());
    assert_eq!(found[0].limit, Limit::AcceptQueue);
    assert!(found[0].text.contains("full 150 times"), "{}", found[0].text);
    // Three of many thousand clients are told of, but limit nothing.
    let once = with(|run| run.listen_overflows = Some(3));
    assert_eq!(limits(&once, &conditions()), [Limit::Nothing, Limit::AcceptQueue]);
}

#[test]
fn a_slow_store_is_what_a_server_waits_for() {
    let slow = with(|run| run.latency_mean_us = 50_000.0);
    let found = judge(&slow, &conditions());
    assert_eq!(found[0].limit, Limit::Store);
    assert!(found[0].text.contains("50.00 ms for 0.090 ms of work"), "{}", found[0].text);
    // Files need no store.
    let on = Conditions { uses_store: false, ..conditions() };
    assert_eq!(limits(&slow, &on), [Limit::Waiting]);
}

#[test]
fn a_store_can_be_busy_itself() {
    let own_core = Conditions { store_shares_cores: false, ..conditions() };
    let busy = with_cost(|cost| cost.store_cores_used = Some(0.93));
    assert_eq!(limits(&busy, &own_core), [Limit::Store]);
    let together = with_cost(|cost| {
        cost.server_cores_used = 0.3;
        cost.store_cores_used = Some(0.65);
    });
    assert_eq!(limits(&together, &conditions()), [Limit::Store]);
}

#[test]
fn a_server_can_be_busy_as_a_whole_or_with_one_thread() {
    let whole = with_cost(|cost| cost.server_cores_used = 0.95);
    assert_eq!(limits(&whole, &conditions()), [Limit::ServerCpu]);
    let shared = with_cost(|cost| {
        cost.server_cores_used = 0.6;
        cost.store_cores_used = Some(0.35);
    });
    assert_eq!(limits(&shared, &conditions()), [Limit::ServerCpu]);
    let many = Conditions { server_cores: 4, ..conditions() };
    let thread = with_cost(|cost| {
        cost.server_cores_used = 1.0;
        cost.server_busiest_thread = Some(0.97);
    });
    assert_eq!(limits(&thread, &many), [Limit::ServerCpu]);
}

#[test]
fn a_descriptor_limit_is_named_on_either_side() {
    let server = with(|run| run.descriptors_left = Some(0));
    assert_eq!(limits(&server, &conditions()), [Limit::ServerDescriptors]);
    let load = with(|run| run.failures = [("no_descriptor".to_owned(), 7)].into());
    assert_eq!(limits(&load, &conditions()), [Limit::LoadDescriptors]);
}

#[test]
fn ports_run_out() {
    let out = with(|run| run.failures = [("no_port".to_owned(), 7)].into());
    assert_eq!(limits(&out, &conditions()), [Limit::Ports]);
}

#[test]
fn failures_are_named_if_they_are_many() {
    let some = with(|run| {
        run.failures_total = 4000;
        run.failures = [("reset".to_owned(), 4000), ("status".to_owned(), 0)].into();
    });
    let found = judge(&some, &conditions());
    assert_eq!(found[0].limit, Limit::Errors);
    assert_eq!(found[0].text, "17 % of the requests failed: 4000 × reset.");
}

#[test]
fn nothing_is_measured_where_nothing_is_answered() {
    let none = with(|run| {
        run.requests = 0;
        run.failures_total = 9;
        run.failures = [("connect_timeout".to_owned(), 9)].into();
    });
    let found = judge(&none, &conditions());
    assert_eq!(found[0].limit, Limit::NothingMeasured);
    assert_eq!(found[0].text, "Nothing was measured: 9 × connect timeout.");
}

#[test]
fn an_open_loop_that_is_kept_up_is_not_limited() {
    let on = Conditions { rate_per_s: Some(500.0), ..conditions() };
    assert_eq!(limits(&run(), &on), [Limit::Rate]);
    let behind = with(|run| run.unsent = 5000);
    assert_eq!(limits(&behind, &on), [Limit::Nothing]);
}

#[test]
fn neighbours_are_told_of_beside_the_limit() {
    let disturbed = with_cost(|cost| cost.others_cores_used = Some(0.2));
    assert_eq!(limits(&disturbed, &conditions()), [Limit::Nothing, Limit::Neighbours]);
    // Where they take much, no idleness of the server's can be told from being kept waiting.
    let spoilt = with_cost(|cost| {
        cost.others_cores_used = Some(0.5);
        cost.server_threads_waiting = Some(0.4);
    });
    assert_eq!(limits(&spoilt, &conditions()), [Limit::Neighbours]);
    let elsewhere = with_cost(|cost| cost.others_cores_used = Some(0.5));
    assert_eq!(limits(&elsewhere, &conditions()), [Limit::Nothing, Limit::Neighbours]);
    let busy = with_cost(|cost| {
        cost.others_cores_used = Some(0.5);
        cost.server_cores_used = 0.95;
    });
    assert_eq!(limits(&busy, &conditions()), [Limit::ServerCpu, Limit::Neighbours]);
}

#[test]
fn there_is_a_verdict_even_where_nothing_could_be_seen() {
    let hidden = with(|run| run.cost = None);
    assert_eq!(limits(&hidden, &conditions()), [Limit::Waiting]);
    assert_eq!(limits(&Run::default(), &Conditions::default()), [Limit::NothingMeasured]);
}
