//! Verdicts, where the answer is known.

use super::*;

/// A closed loop against a server that had time to spare, as this load had.
fn easy() -> Observations {
    Observations {
        clients: 50,
        threads: 1,
        requests: 10_000,
        latency_mean_s: 0.05,
        generator_busy: 0.1,
        machine_busy: Some(0.3),
        elapsed_s: 10.0,
        server_is_here: true,
        server_cores: Some((0.3, 4)),
        server_thread: Some(0.3),
        server_descriptors: Some(1000),
        ..Observations::default()
    }
}

fn kinds(seen: &Observations) -> Vec<Kind> {
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
    assert_eq!(kinds(&seen), [Kind::GeneratorBusy, Kind::ServerBusy]);
    assert!(judge(&seen)[0].text.contains("98 %"), "{seen:?}");
    let seen = Observations { generator_busy: 0.6, generator_waited: 0.35, ..easy() };
    assert_eq!(kinds(&seen), [Kind::GeneratorStarved]);
    let seen = Observations { generator_busy: 0.1, generator_waited: 0.2, ..easy() };
    assert_eq!(kinds(&seen), [Kind::NothingBusy, Kind::GeneratorStarved]);
    // To wait for a core now and then is no shortage.
    let seen = Observations { generator_busy: 0.85, generator_waited: 0.09, ..easy() };
    assert_eq!(kinds(&seen), [Kind::NothingBusy]);
}

#[test]
fn a_busy_server_is_one_busy_thread_or_all_that_it_may_use() {
    let one = Observations { server_cores: Some((1.0, 4)), server_thread: Some(0.97), ..easy() };
    assert_eq!(kinds(&one), [Kind::ServerBusy]);
    let many = Observations { server_cores: Some((3.8, 4)), server_thread: Some(0.1), ..easy() };
    assert_eq!(kinds(&many), [Kind::ServerBusy]);
    let some = Observations { server_cores: Some((1.2, 4)), server_thread: Some(0.1), ..easy() };
    assert_eq!(kinds(&some), [Kind::NothingBusy]);
    let starved =
        Observations { server_thread: Some(0.7), server_waited: Some(0.25), ..some.clone() };
    assert_eq!(kinds(&starved), [Kind::ServerStarved]);
    let shared = Observations { machine_busy: Some(0.99), ..some };
    assert_eq!(kinds(&shared), [Kind::MachineBusy]);
}

#[test]
fn a_small_pool_is_told_by_who_waits_to_be_accepted() {
    let seen = Observations { queue: 47.5, ..easy() };
    assert_eq!(kinds(&seen), [Kind::WorkersTaken]);
    assert!(judge(&seen)[0].text.contains("48 of 50"), "{:?}", judge(&seen));
    let seen = Observations { clients: 15_000, queue: 47.5, ..easy() };
    assert_eq!(kinds(&seen), [Kind::NothingBusy]);
}

#[test]
fn a_full_queue_and_want_of_ports_and_descriptors_are_told() {
    let seen = Observations { overflows: 12, queue: 10.0, queue_limit: Some(10), ..easy() };
    assert_eq!(kinds(&seen), [Kind::AcceptQueueOverflowed, Kind::WorkersTaken]);
    assert!(judge(&seen)[0].text.contains("which takes 10, was full"), "{:?}", judge(&seen));
    let seen = Observations { server_descriptors: Some(0), queue: 10.0, ..easy() };
    assert_eq!(kinds(&seen), [Kind::ServerDescriptorsRanOut, Kind::WorkersTaken]);
    let failures = failures(&[Failure::NoPort, Failure::NoDescriptor]);
    let seen = Observations { failures, ..easy() };
    assert_eq!(kinds(&seen), [Kind::PortsRanOut, Kind::DescriptorsRanOut, Kind::SomeFailed]);
}

#[test]
fn an_open_loop_keeps_up_or_falls_behind() {
    let open = Observations { rate_asked: Some(1000.0), ..easy() };
    assert_eq!(kinds(&open), [Kind::KeptUp]);
    let late = Observations { late: 900, ..open.clone() };
    assert!(judge(&late)[0].text.contains("900 were begun late"), "{:?}", judge(&late));
    // That the server is busy is no news if it does what it is asked.
    let busy = Observations { server_thread: Some(0.95), ..open.clone() };
    assert_eq!(kinds(&busy), [Kind::KeptUp]);
    let behind = Observations { unsent: 5000, ..busy };
    assert_eq!(kinds(&behind), [Kind::FellBehind, Kind::ServerBusy]);
    assert!(judge(&behind)[0].text.contains("5000 of 15000"), "{:?}", judge(&behind));
    let idle = Observations { unsent: 5000, ..open };
    assert_eq!(kinds(&idle), [Kind::FellBehind, Kind::NothingBusy]);
}

#[test]
fn clients_that_think_and_servers_that_are_elsewhere_are_told() {
    let thinking = Observations { think_s: 0.1, ..easy() };
    assert_eq!(kinds(&thinking), [Kind::ClientsPaused]);
    let far = Observations { server_is_here: false, server_cores: None, ..easy() };
    assert_eq!(kinds(&far), [Kind::OutOfSight]);
    let short = Observations { server_cores: None, elapsed_s: 0.1, ..easy() };
    assert_eq!(kinds(&short), [Kind::OutOfSight]);
    assert!(judge(&short)[0].text.contains("too soon"), "{:?}", judge(&short));
}

#[test]
fn nothing_is_read_into_nothing() {
    let seen = Observations { requests: 0, failures: failures(&[Failure::Refused]), ..easy() };
    assert_eq!(kinds(&seen), [Kind::NothingMeasured]);
    assert!(judge(&seen)[0].text.contains("refused"));
    let seen = Observations { requests: 0, ..easy() };
    assert_eq!(kinds(&seen), [Kind::NothingMeasured]);
}
