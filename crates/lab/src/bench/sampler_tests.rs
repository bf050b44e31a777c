//! Samples, and the cost that follows from them.

use super::*;

/// A core that ran processes for half of this time, and was idle for a fifth. A tick is 10 ms.
fn core_ticks(ms: u64) -> Ticks {
    Ticks { by_processes: ms / 20, idle: ms / 50, ..Ticks::default() }
}

/// The usage of a load generator with this many requests a second.
fn load(requests_per_s: f64) -> LoadUse {
    LoadUse { requests_per_s, us_per_request: 300.0, cores: 0.2 }
}

fn sample(at: Instant, server_ms: u64, threads: &[(u32, u64, u64)]) -> UsageSample {
    let thread = |(id, ran_ms, turns): &(u32, u64, u64)| {
        let (busy_ns, waited_ns) = (ran_ms * 1_000_000, ran_ms * 2_000_000);
        (*id, Running { busy_ns, waited_ns, turns: *turns })
    };
    UsageSample {
        at,
        took: Duration::ZERO,
        server: ResourceUse { cpu: Duration::from_millis(server_ms), page_faults: server_ms },
        store: Some(ResourceUse { cpu: Duration::from_millis(server_ms / 2), page_faults: 0 }),
        others: Duration::from_millis(server_ms / 10),
        threads: Some(threads.iter().map(thread).collect()),
        store_threads: HashMap::new(),
        stolen_ticks: Some(0),
        // The server has cores 0 to 2, the load generator 2 and 3.
        cores: (0..4).map(|core| (core, core_ticks(server_ms))).collect(),
        server_cores: [0, 1, 2].into(),
        store_cores: [0].into(),
        load_cores: [2, 3].into(),
    }
}

#[test]
fn what_was_used_between_two_times_is_the_cost() {
    let start = Instant::now();
    let then = sample(start, 100, &[(1, 10, 5), (2, 20, 5)]);
    let end = start + Duration::from_secs(2);
    let now = sample(end, 1100, &[(1, 10, 5), (3, 900, 495)]);
    let cost = now.since(&then, load(500.0)).unwrap();
    assert_eq!(cost.server_cores_used, 0.5);
    assert_eq!(cost.server_cpu_us_per_request, 1000.0);
    assert_eq!(cost.store_cores_used, Some(0.25));
    assert_eq!(cost.server_busiest_thread, Some(0.45));
    assert_eq!(cost.server_threads_waiting, Some(0.9));
    assert_eq!(cost.page_faults_per_request, 1.0);
    // Thread 3 wanted a core the most, and had one for a third of that time.
    let keenest = (cost.keenest_thread_ran, cost.keenest_thread_waited);
    assert_eq!(keenest, (Some(0.45), Some(0.9)));
    assert_eq!((cost.server_cores_allowed, cost.server_cores_idle), (Some(3), Some(0.3)));
    assert!(cost.store_shares_cores && cost.load_shares_cores);
    // Processes used 0.75 of three cores; server, store and load used 0.95, partly on others.
    assert_eq!(cost.others_on_server_cores, Some(0.0));
    // Thread 2 has ended; what it did since the first sample is not known.
    assert_eq!((cost.switches_per_request, cost.switches_are_lower_bound), (Some(0.495), true));
    let alone = sample(end, 1100, &[(4, 1, 1)]).since(&then, load(500.0)).unwrap();
    assert_eq!((alone.switches_per_request, alone.server_threads_waiting), (None, None));
    // The threads that served the clients have ended, and the one that is left did nothing.
    let left = sample(start, 100, &[(1, 10, 5), (2, 20, 5), (3, 20, 5)]);
    let late = sample(end, 1100, &[(1, 10, 5)]).since(&left, load(500.0)).unwrap();
    assert_eq!(late.server_threads_waiting, None);
    assert_eq!((cost.others_cores_used, cost.stolen_cores), (Some(0.05), Some(0.0)));
}

#[test]
fn a_sample_that_takes_too_long_says_nothing() {
    let start = Instant::now();
    let (then, end) = (sample(start, 0, &[]), start + Duration::from_secs(1));
    let took = Duration::from_millis(501);
    assert!(UsageSample { took, ..sample(end, 9, &[]) }.since(&then, load(1.0)).is_none());
}

#[test]
fn without_an_answer_no_cost_per_request_is_infinite() {
    let start = Instant::now();
    let (then, now) = (sample(start, 0, &[]), sample(start + Duration::from_secs(1), 10, &[]));
    let cost = now.since(&then, load(0.0)).unwrap();
    assert_eq!((cost.server_cpu_us_per_request, cost.switches_per_request), (0.0, None));
}

#[test]
fn this_process_has_a_size() {
    let sampler = Sampler { server: std::process::id(), ..Sampler::default() };
    let size = sampler.size();
    assert!(size.processes >= 1 && size.threads >= size.processes, "{size:?}");
    let larger = size.max(ServerSize { memory_kib: Some(u64::MAX), ..ServerSize::default() });
    assert_eq!((larger.memory_kib, larger.threads), (Some(u64::MAX), size.threads));
}
