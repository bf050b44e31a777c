//! Verdicts on runs whose right verdict is known.

use super::*;
use crate::results::run::Cost;

/// A server with one core, under 200 clients.
fn conditions() -> Conditions {
    Conditions {
        clients: 200,
        rate_per_s: None,
        server_cores: 1,
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
        others_on_server_cores: Some(0.01),
        server_threads_waiting: Some(0.05),
        keenest_thread_ran: Some(0.4),
        keenest_thread_waited: Some(0.05),
        server_cores_allowed: Some(1),
        server_cores_idle: Some(0.3),
        store_shares_cores: true,
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
        load_threads: 1,
        cost: Some(cost()),
        listen_overflows: Some(0),
        accept_queue_mean: Some(0.0),
        descriptors_left: Some(1000),
        ..Run::default()
    }
}

fn limits(run: &Run, on: &Conditions) -> Vec<Limit> {
    judge(run, on).into_iter().map(|finding| finding.kind).collect()
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
fn if_nothing_is_busy_latency_is_the_limit() {
    assert_eq!(limits(&run(), &conditions()), [Limit::Nothing]);
}

#[test]
fn a_load_generator_that_is_busy_measures_itself() {
    let busy = with(|run| run.load_busy_share = 0.95);
    assert_eq!(limits(&busy, &conditions()), [Limit::LoadGenerator]);
    assert!(!Limit::LoadGenerator.is_of_the_server());
    // It shares its cores with no process of the bench, so it waits for other processes.
    let starved = with(|run| (run.load_busy_share, run.load_waited_share) = (0.6, 0.4));
    assert_eq!(limits(&starved, &conditions()), [Limit::Neighbours]);
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
    assert_eq!(found[0].kind, Limit::Pool);
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
    assert_eq!(found[0].kind, Limit::AcceptQueue);
    assert!(found[0].text.contains("full 150 times"), "{}", found[0].text);
    // Three overflows are reported, but limit nothing.
    let once = with(|run| run.listen_overflows = Some(3));
    assert_eq!(limits(&once, &conditions()), [Limit::Nothing, Limit::AcceptQueue]);
}

/// Twenty threads that sleep: 200 requests a second, each 100 ms long.
fn sleeping(change: impl FnOnce(&mut Cost)) -> Run {
    with(|run| {
        run.requests = 400;
        (run.requests_per_second, run.latency_mean_us) = (200.0, 100_000.0);
        (run.load_busy_share, run.threads_peak) = (0.02, 22);
        let cost = run.cost.as_mut().unwrap();
        (cost.server_cores_used, cost.server_busiest_thread) = (0.01, Some(0.001));
        (cost.keenest_thread_ran, cost.keenest_thread_waited) = (Some(0.001), Some(0.001));
        (cost.store_cores_used, cost.server_threads_waiting) = (Some(0.0), Some(0.01));
        cost.server_cores_idle = Some(0.98);
        change(cost);
    })
}

#[test]
fn a_slow_store_is_what_a_server_waits_for() {
    let slow = sleeping(|_| {});
    let found = judge(&slow, &conditions());
    assert_eq!(found[0].kind, Limit::Store);
    assert!(found[0].text.contains("100.00 ms for 0.090 ms of work"), "{}", found[0].text);
    // Files need no store.
    let on = Conditions { uses_store: false, ..conditions() };
    assert_eq!(limits(&slow, &on), [Limit::Waiting]);
    // What its threads waited for can't be told if they can't be seen.
    let unseen = sleeping(|cost| cost.server_threads_waiting = None);
    assert_eq!(limits(&unseen, &conditions()), [Limit::Waiting]);
}

#[test]
fn a_server_that_sleeps_is_not_limited_by_a_busy_neighbour() {
    let on = Conditions { uses_store: false, ..conditions() };
    // Each wake-up may wait for some milliseconds behind the neighbour.
    for waiting in [0.0, 0.6, 5.0] {
        let found = limits(
            &sleeping(|cost| {
                (cost.server_cores_idle, cost.others_on_server_cores) = (Some(0.0), Some(0.97));
                (cost.others_cores_used, cost.server_threads_waiting) = (Some(1.9), Some(waiting));
            }),
            &on,
        );
        assert_eq!(found, [Limit::Waiting, Limit::Neighbours], "{waiting}");
    }
    // If its threads can't be seen, that can't be determined.
    let unseen = sleeping(|cost| {
        (cost.server_cores_idle, cost.others_on_server_cores) = (Some(0.0), Some(0.97));
        cost.server_threads_waiting = None;
    });
    assert_eq!(limits(&unseen, &on), [Limit::Neighbours]);
    // Processes on other cores do not count.
    let elsewhere = sleeping(|cost| cost.others_cores_used = Some(1.9));
    assert_eq!(limits(&elsewhere, &on), [Limit::Waiting]);
}

#[test]
fn a_server_is_disturbed_if_a_neighbour_uses_its_core() {
    let starved = with_cost(|cost| {
        (cost.server_cores_used, cost.server_cores_idle) = (0.48, Some(0.0));
        (cost.keenest_thread_ran, cost.keenest_thread_waited) = (Some(0.48), Some(0.5));
        cost.others_on_server_cores = Some(0.5);
    });
    let found = judge(&starved, &conditions());
    assert_eq!(found[0].kind, Limit::Neighbours);
    let expected = "The one core that the server can use had no time left, and threads waited for \
        it: \
        the server 0.48, the store 0.10, other processes 0.50 of a core.";
    assert_eq!(found[0].text, expected);
    assert_eq!(found.len(), 1, "{found:?}");
    // A host that took the core did the same.
    let stolen = with_cost(|cost| {
        (cost.server_cores_used, cost.server_cores_idle) = (0.48, Some(0.0));
        (cost.keenest_thread_ran, cost.keenest_thread_waited) = (Some(0.48), Some(0.5));
        cost.stolen_cores = Some(0.5);
    });
    assert_eq!(limits(&stolen, &conditions()), [Limit::Neighbours]);
}

#[test]
fn on_one_core_server_and_load_generator_are_the_limit_together() {
    let shared = with(|run| {
        (run.load_busy_share, run.load_waited_share) = (0.4, 0.58);
        let cost = run.cost.as_mut().unwrap();
        (cost.server_cores_used, cost.server_cores_idle) = (0.48, Some(0.02));
        (cost.keenest_thread_ran, cost.keenest_thread_waited) = (Some(0.48), Some(0.5));
        cost.load_shares_cores = true;
    });
    let found = judge(&shared, &conditions());
    assert_eq!(found[0].kind, Limit::SharedCpu);
    let expected =
        "the server 0.48, the store 0.10, the load generator 0.40, other processes 0.01 of a core.";
    assert!(found[0].text.ends_with(expected), "{}", found[0].text);
}

#[test]
fn threads_that_wait_for_a_core_do_not_wait_for_the_store() {
    // Of 200 clients' threads 150 are ready at any time.
    let shared = with(|run| {
        (run.latency_mean_us, run.threads_peak) = (20_000.0, 202);
        let cost = run.cost.as_mut().unwrap();
        (cost.server_cores_used, cost.store_cores_used) = (0.5, Some(0.45));
        (cost.server_cores_idle, cost.server_threads_waiting) = (Some(0.03), Some(150.0));
    });
    assert_eq!(limits(&shared, &conditions()), [Limit::ServerCpu]);
    // The threads also wait if the cores have some time left.
    let bursts = with(|run| {
        *run = shared.clone();
        run.cost.as_mut().unwrap().server_cores_idle = Some(0.3);
    });
    let found = judge(&bursts, &conditions());
    assert_eq!(found[0].kind, Limit::Nothing);
    assert!(found[0].text.contains("75 % of the time"), "{}", found[0].text);
}

#[test]
fn a_loop_that_serves_in_turn_does_not_wait() {
    // Many clients wait for one thread that is busy for most of the time.
    let turns = with(|run| {
        (run.latency_mean_us, run.threads_peak) = (20_000.0, 2);
        let cost = run.cost.as_mut().unwrap();
        (cost.server_cores_used, cost.server_busiest_thread) = (0.8, Some(0.8));
        cost.server_cores_idle = Some(0.15);
    });
    assert_eq!(limits(&turns, &conditions()), [Limit::Nothing]);
}

#[test]
fn a_store_can_be_busy_itself() {
    let busy = with_cost(|cost| {
        cost.store_cores_used = Some(0.93);
        (cost.store_busiest_thread, cost.store_shares_cores) = (Some(0.93), false);
    });
    assert_eq!(limits(&busy, &conditions()), [Limit::Store]);
    let together = with_cost(|cost| {
        cost.server_cores_used = 0.3;
        (cost.store_cores_used, cost.server_cores_idle) = (Some(0.65), Some(0.04));
        (cost.keenest_thread_ran, cost.keenest_thread_waited) = (Some(0.3), Some(0.65));
    });
    assert_eq!(limits(&together, &conditions()), [Limit::Store]);
}

#[test]
fn a_server_can_be_busy_as_a_whole_or_with_one_thread() {
    let whole = with_cost(|cost| cost.server_cores_used = 0.95);
    let found = judge(&whole, &conditions());
    assert_eq!(found[0].text, "The server used 0.95 of its 1 core.");
    let shared = with_cost(|cost| {
        (cost.server_cores_used, cost.server_cores_idle) = (0.6, Some(0.05));
        (cost.store_cores_used, cost.keenest_thread_waited) = (Some(0.35), Some(0.5));
    });
    assert_eq!(limits(&shared, &conditions()), [Limit::ServerCpu]);
    let thread = with_cost(|cost| {
        (cost.server_cores_used, cost.server_cores_allowed) = (1.0, Some(4));
        (cost.server_busiest_thread, cost.server_cores_idle) = (Some(0.97), Some(2.9));
    });
    assert_eq!(limits(&thread, &conditions()), [Limit::ServerCpu]);
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
fn failures_are_named_with_their_status() {
    let some = with(|run| {
        run.failures_total = 1000;
        run.failures = [("status".to_owned(), 990), ("reset".to_owned(), 10)].into();
        run.statuses = [(200, 20_000), (500, 990)].into();
    });
    let found = judge(&some, &conditions());
    assert_eq!(found[0].kind, Limit::Errors);
    assert_eq!(found[0].text, "4.8 % of the requests failed: 990 × status 500, 10 × reset.");
    // One failure in a thousand is not a limit; the report has it elsewhere.
    let few = with(|run| {
        run.failures_total = 20;
        run.failures = [("reset".to_owned(), 20)].into();
    });
    assert_eq!(limits(&few, &conditions()), [Limit::Nothing]);
}

#[test]
fn without_good_requests_nothing_was_measured() {
    let none = with(|run| {
        run.requests = 0;
        run.failures_total = 9;
        run.failures = [("status".to_owned(), 9)].into();
        run.statuses = [(404, 9)].into();
    });
    let found = judge(&none, &conditions());
    assert_eq!(found[0].kind, Limit::NothingMeasured);
    assert_eq!(found[0].text, "No request was good: 9 × status 404.");
}

#[test]
fn an_open_loop_is_kept_up_if_its_answers_are_good() {
    let on = Conditions { rate_per_s: Some(500.0), ..conditions() };
    assert_eq!(limits(&run(), &on), [Limit::Rate]);
    let busy = with_cost(|cost| cost.server_cores_used = 0.95);
    assert_eq!(limits(&busy, &on), [Limit::Rate]);
    let behind = with(|run| run.unsent = 5000);
    assert_eq!(limits(&behind, &on), [Limit::Nothing]);
    let late = with(|run| run.kept_up = Some(false));
    assert_eq!(limits(&late, &on), [Limit::Nothing]);
    let bad = with(|run| {
        run.failures_total = 1000;
        run.kept_up = Some(true);
    });
    assert_eq!(limits(&bad, &on)[0], Limit::Errors);
    assert!(!limits(&bad, &on).contains(&Limit::Rate));
}

#[test]
fn neighbours_are_a_remark_beside_the_limit() {
    let disturbed = with_cost(|cost| cost.others_on_server_cores = Some(0.2));
    assert_eq!(limits(&disturbed, &conditions()), [Limit::Nothing, Limit::Neighbours]);
    let busy = with_cost(|cost| {
        cost.others_on_server_cores = Some(0.5);
        cost.server_cores_used = 0.95;
    });
    assert_eq!(limits(&busy, &conditions()), [Limit::ServerCpu, Limit::Neighbours]);
    // Results of an earlier version lack these numbers.
    let old = with_cost(|cost| {
        (cost.others_on_server_cores, cost.server_cores_idle) = (None, None);
        cost.others_cores_used = Some(0.2);
    });
    assert_eq!(limits(&old, &conditions()), [Limit::Nothing, Limit::Neighbours]);
}

#[test]
fn there_is_a_verdict_even_without_observations() {
    let hidden = with(|run| run.cost = None);
    assert_eq!(limits(&hidden, &conditions()), [Limit::Waiting]);
    assert_eq!(limits(&Run::default(), &Conditions::default()), [Limit::NothingMeasured]);
}
