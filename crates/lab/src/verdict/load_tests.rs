//! Verdicts on observations whose right verdict is known.

use std::collections::BTreeMap;

use super::*;
use crate::failure::Failures;

/// A closed loop in which both the server and the load generator had processor time to spare.
fn easy() -> Observations {
    Observations {
        clients: 50,
        threads: 1,
        requests: 10_000,
        latency_mean_s: 0.05,
        generator_busy: 0.1,
        generator_cores: 0.1,
        elapsed_s: 10.0,
        server_is_here: true,
        server_cores: Some((0.3, 4)),
        server_thread: Some(0.3),
        server_waiting: Some(0.0),
        server_cores_busy: Some(0.3),
        shares_cores: true,
        server_descriptors: Some(1000),
        ..Observations::default()
    }
}

fn kinds(seen: &Observations) -> Vec<Diagnosis> {
    judge(seen).into_iter().map(|finding| finding.kind).collect()
}

fn failures(kinds: &[Failure]) -> Failures {
    let mut failures = Failures::default();
    kinds.iter().for_each(|kind| failures.count(*kind));
    failures
}

#[test]
fn a_busy_generator_is_named_before_all_others() {
    let seen = Observations { generator_busy: 0.98, server_cores: Some((1.0, 1)), ..easy() };
    assert_eq!(kinds(&seen), [Diagnosis::GeneratorBusy, Diagnosis::ServerBusy]);
    assert!(judge(&seen)[0].text.contains("98 %"), "{seen:?}");
    // If both are busy, the verdict can't tell which is the limit.
    assert!(judge(&seen)[0].text.contains("either may be the limit"), "{:?}", judge(&seen));
    let alone = Observations { generator_busy: 0.98, ..easy() };
    assert_eq!(kinds(&alone), [Diagnosis::GeneratorBusy]);
    assert!(judge(&alone)[0].text.contains("not the server"), "{:?}", judge(&alone));
    let seen = Observations { generator_busy: 0.6, generator_waited: 0.35, ..easy() };
    assert_eq!(kinds(&seen), [Diagnosis::GeneratorStarved]);
    let seen = Observations { generator_busy: 0.1, generator_waited: 0.2, ..easy() };
    assert_eq!(kinds(&seen), [Diagnosis::NothingBusy, Diagnosis::GeneratorStarved]);
    // A load generator that waits for a core now and then has enough of them.
    let seen = Observations { generator_busy: 0.85, generator_waited: 0.09, ..easy() };
    assert_eq!(kinds(&seen), [Diagnosis::NothingBusy]);
}

#[test]
fn a_busy_server_is_one_busy_thread_or_all_that_it_may_use() {
    let one = Observations { server_cores: Some((1.0, 4)), server_thread: Some(0.97), ..easy() };
    assert_eq!(kinds(&one), [Diagnosis::ServerBusy]);
    let many = Observations { server_cores: Some((3.8, 4)), server_thread: Some(0.1), ..easy() };
    assert_eq!(kinds(&many), [Diagnosis::ServerBusy]);
    let some = Observations { server_cores: Some((1.2, 4)), server_thread: Some(0.1), ..easy() };
    assert_eq!(kinds(&some), [Diagnosis::NothingBusy]);
    let starved =
        Observations { server_thread: Some(0.7), server_waited: Some(0.25), ..some.clone() };
    assert_eq!(kinds(&starved), [Diagnosis::ServerStarved]);
}

#[test]
fn cores_that_server_and_load_use_up_are_told_from_those_that_neighbours_have() {
    // Many threads on one core with the load generator, none of them busy for long.
    let one = Observations {
        server_cores: Some((0.6, 1)),
        server_thread: Some(0.02),
        server_waited: Some(0.4),
        server_waiting: Some(12.0),
        server_cores_busy: Some(0.98),
        generator_busy: 0.38,
        generator_cores: 0.38,
        ..easy()
    };
    assert_eq!(kinds(&one), [Diagnosis::MachineBusy]);
    let text = &judge(&one)[0].text;
    assert!(text.contains("of 1 core the server used 0.60 and the load generator 0.38"), "{text}");
    // A server that sleeps, and a neighbour on its cores.
    let sleeps = Observations {
        server_cores: Some((0.02, 2)),
        server_thread: Some(0.02),
        server_waited: Some(0.05),
        server_waiting: Some(0.05),
        server_cores_busy: Some(1.0),
        ..easy()
    };
    assert_eq!(kinds(&sleeps), [Diagnosis::NothingBusy]);
    let waits = Observations { server_waiting: Some(1.5), ..sleeps.clone() };
    assert_eq!(kinds(&waits), [Diagnosis::Disturbed]);
    // One thread on a core that it shares, and that others use as well.
    let shared = Observations {
        server_cores: Some((0.46, 1)),
        server_thread: Some(0.46),
        server_waited: Some(0.4),
        server_waiting: Some(0.4),
        generator_waited: 0.36,
        ..sleeps.clone()
    };
    assert_eq!(kinds(&shared), [Diagnosis::Disturbed, Diagnosis::GeneratorStarved]);
    // The load generator is pinned to other cores, and uses none of these.
    let apart = Observations { shares_cores: false, ..one };
    assert_eq!(kinds(&apart), [Diagnosis::Disturbed]);
    let unseen = Observations { server_cores: Some((1.2, 4)), server_thread: None, ..easy() };
    assert_eq!(kinds(&unseen), [Diagnosis::OutOfSight]);
}

#[test]
fn a_small_pool_is_recognised_by_clients_waiting_to_be_accepted() {
    let seen = Observations { queue: 47.5, ..easy() };
    assert_eq!(kinds(&seen), [Diagnosis::WorkersTaken]);
    assert!(judge(&seen)[0].text.contains("48 of 50"), "{:?}", judge(&seen));
    let seen = Observations { clients: 15_000, queue: 47.5, ..easy() };
    assert_eq!(kinds(&seen), [Diagnosis::NothingBusy]);
}

#[test]
fn a_full_queue_and_a_lack_of_ports_and_descriptors_are_found() {
    let seen = Observations { overflows: 12, queue: 10.0, queue_limit: Some(10), ..easy() };
    assert_eq!(kinds(&seen), [Diagnosis::AcceptQueueOverflowed, Diagnosis::WorkersTaken]);
    assert!(judge(&seen)[0].text.contains("which holds 10, was full"), "{:?}", judge(&seen));
    let seen = Observations { server_descriptors: Some(0), queue: 10.0, ..easy() };
    assert_eq!(kinds(&seen), [Diagnosis::ServerDescriptorsRanOut, Diagnosis::WorkersTaken]);
    let failures = failures(&[Failure::NoPort, Failure::NoDescriptor]);
    let seen = Observations { failures, ..easy() };
    assert_eq!(
        kinds(&seen),
        [Diagnosis::PortsRanOut, Diagnosis::DescriptorsRanOut, Diagnosis::SomeFailed]
    );
}

/// 10,000 requests at 1000 a second, all of them good.
fn open() -> Observations {
    Observations { rate_asked: Some(1000.0), rate_achieved: 1000.0, ..easy() }
}

#[test]
fn an_open_loop_keeps_up_or_falls_behind() {
    assert_eq!(kinds(&open()), [Diagnosis::KeptUp]);
    let late = Observations { late: 900, ..open() };
    assert_eq!(kinds(&late), [Diagnosis::KeptUp]);
    let expected = "900 were begun more than 1 ms late, because all 50 clients";
    assert!(judge(&late)[0].text.contains(expected), "{:?}", judge(&late));
    // If the server keeps up, the verdict does not say that it is busy.
    let busy = Observations { server_thread: Some(0.95), ..open() };
    assert_eq!(kinds(&busy), [Diagnosis::KeptUp]);
    let behind = Observations { unsent: 5000, ..busy };
    assert_eq!(kinds(&behind), [Diagnosis::FellBehind, Diagnosis::ServerBusy]);
    assert!(judge(&behind)[0].text.contains("of 15000 requests"), "{:?}", judge(&behind));
    assert!(judge(&behind)[0].text.contains("5000 were never begun"), "{:?}", judge(&behind));
    let idle = Observations { unsent: 5000, ..open() };
    assert_eq!(kinds(&idle), [Diagnosis::FellBehind, Diagnosis::NothingBusy]);
}

#[test]
fn a_rate_is_kept_up_by_good_answers_alone() {
    // All requests began, but clients waited long for the answers.
    let slow = Observations { rate_achieved: 94.0, late: 9_900, ..open() };
    assert_eq!(kinds(&slow), [Diagnosis::FellBehind, Diagnosis::NothingBusy]);
    assert!(
        judge(&slow)[0].text.contains("good answers came at 94.0 a second"),
        "{:?}",
        judge(&slow)
    );
    let failures = failures(&[Failure::Status; 12]);
    let failing =
        Observations { requests: 88, failed: 12, failures, rate_achieved: 880.0, ..open() };
    assert_eq!(kinds(&failing), [Diagnosis::FellBehind, Diagnosis::SomeFailed]);
    // Answers came at the rate until there were none.
    let frozen = Observations { unfinished: 500, latency_p99_s: 0.01, ..open() };
    assert_eq!(kinds(&frozen)[0], Diagnosis::FellBehind);
    let stopped = Observations { unfinished: 10, ..frozen };
    assert_eq!(kinds(&stopped), [Diagnosis::KeptUp]);
    let nearly = Observations { rate_achieved: 991.0, unsent: 90, ..open() };
    assert_eq!(kinds(&nearly), [Diagnosis::KeptUp]);
}

#[test]
fn a_load_generator_that_is_late_blames_no_server() {
    let late = Observations { late: 900, own_late: 900, own_lateness_us: (3_000, 9_000), ..open() };
    assert_eq!(kinds(&late), [Diagnosis::KeptUp, Diagnosis::GeneratorLate]);
    assert!(!judge(&late)[0].text.contains("late"), "{:?}", judge(&late));
    assert!(judge(&late)[1].text.contains("900 requests left more than 1 ms after they were due"));
    assert!(judge(&late)[1].text.contains("within 3.00 ms, all within 9.00 ms"));
    let behind = Observations { unsent: 5000, ..late };
    assert_eq!(kinds(&behind), [Diagnosis::FellBehind, Diagnosis::GeneratorLate]);
    assert!(judge(&behind)[0].text.contains("or for the load generator to read them"));
    // On any machine, a load generator is late now and then.
    let seldom = Observations { late: 9, own_late: 9, ..open() };
    assert_eq!(kinds(&seldom), [Diagnosis::KeptUp]);
}

#[test]
fn early_answers_and_bad_statuses_are_found() {
    let early = Observations { early: 3, ..easy() };
    assert_eq!(kinds(&early), [Diagnosis::NothingBusy, Diagnosis::AnsweredEarly]);
    let (failures, bad_statuses) =
        (failures(&[Failure::Status; 3]), BTreeMap::from([(404, 2), (500, 1)]));
    let bad = Observations { requests: 0, failures, bad_statuses, ..easy() };
    let expected = "Nothing was measured: 3 answers neither 2xx nor 3xx (2 × 404, 1 × 500).";
    assert_eq!(judge(&bad)[0].text, expected);
}

#[test]
fn clients_that_think_and_servers_that_are_elsewhere_are_reported() {
    let thinking = Observations { think_s: 0.1, ..easy() };
    assert_eq!(kinds(&thinking), [Diagnosis::ClientsPaused]);
    let far = Observations { server_is_here: false, server_cores: None, ..easy() };
    assert_eq!(kinds(&far), [Diagnosis::OutOfSight]);
    let short = Observations { server_cores: None, elapsed_s: 0.1, ..easy() };
    assert_eq!(kinds(&short), [Diagnosis::OutOfSight]);
    assert!(judge(&short)[0].text.contains("too soon"), "{:?}", judge(&short));
}

#[test]
fn without_good_requests_nothing_was_measured() {
    let seen = Observations { requests: 0, failures: failures(&[Failure::Refused]), ..easy() };
    assert_eq!(kinds(&seen), [Diagnosis::NothingMeasured]);
    assert!(judge(&seen)[0].text.contains("refused"));
    let seen = Observations { requests: 0, ..easy() };
    assert_eq!(kinds(&seen), [Diagnosis::NothingMeasured]);
}
