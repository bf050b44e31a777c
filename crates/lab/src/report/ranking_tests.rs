//! Which servers lead, which can't be told apart, and which have no number.

use super::*;
use crate::finding::Finding;
use crate::report::samples;

fn ranks(results: &Results) -> Vec<Rank> {
    let row = Row::of(results, results.loads()[0]);
    row.entries.iter().map(|entry| entry.rank).collect()
}

#[test]
fn the_best_leads_or_can_not_be_told_apart() {
    let alone = samples::row(&[("a", &[100.0, 101.0]), ("b", &[200.0, 201.0])]);
    assert_eq!(ranks(&alone), [Rank::Behind, Rank::Leads]);
    let two = samples::row(&[("a", &[100.0, 101.0]), ("b", &[100.5, 100.7]), ("c", &[50.0])]);
    // The noise of a single run is not known.
    assert_eq!(ranks(&two), [Rank::AmongBest, Rank::AmongBest, Rank::Unranked]);
}

#[test]
fn a_server_that_varies_much_does_not_hide_that_others_are_behind() {
    let results = samples::row(&[
        ("a", &[120.0, 121.0, 120.5, 120.2]),
        ("b", &[100.0, 101.0, 100.2, 100.7]),
        ("c", &[99.0, 100.1, 100.0, 99.5]),
        ("wild", &[60.0, 250.0, 90.0, 200.0]),
    ]);
    assert_eq!(ranks(&results), [Rank::AmongBest, Rank::Behind, Rank::Behind, Rank::AmongBest]);
}

#[test]
fn one_round_ranks_none() {
    let once = samples::row(&[("a", &[100.0]), ("b", &[200.0])]);
    assert_eq!(ranks(&once), [Rank::Unranked, Rank::Unranked]);
}

#[test]
fn a_number_that_the_load_generator_limited_is_not_ranked() {
    let mut results = samples::row(&[("a", &[100.0, 101.0]), ("b", &[900.0, 901.0])]);
    for run in &mut results.cells[1].runs {
        run.verdict[0].kind = Limit::LoadGenerator;
    }
    // The second server can do more, so the first may not be the best.
    assert_eq!(ranks(&results), [Rank::Unranked, Rank::Unranked]);
    for run in &mut results.cells[1].runs {
        run.requests_per_second /= 10.0;
    }
    assert_eq!(ranks(&results), [Rank::Leads, Rank::Unranked]);
    results.cells[0].runs[0].failures_total = 1000;
    assert_eq!(ranks(&results), [Rank::Unranked, Rank::Unranked]);
}

#[test]
fn open_loops_are_ranked_by_latency_if_they_kept_up() {
    let rates: [(&str, &[f64]); 3] = [("a", &[50.0; 2]), ("b", &[50.0; 2]), ("c", &[50.0; 2])];
    let mut results = samples::row(&rates);
    let open = Some(50.0);
    for (cell, p99_us) in results.cells.iter_mut().zip([9000, 3000, 100]) {
        cell.load.rate_asked_per_second = open;
        for run in &mut cell.runs {
            run.latency_p99_us = p99_us;
            run.verdict[0].kind = Limit::Rate;
        }
    }
    results.cells[2].runs.iter_mut().for_each(|run| run.verdict[0].kind = Limit::ServerCpu);
    let row = Row::of(&results, Load { clients: 20, rate_asked_per_second: open });
    let ranks: Vec<_> = row.entries.iter().map(|entry| entry.rank).collect();
    // The third did not answer all that was due, and may well be quick.
    assert_eq!(ranks, [Rank::Behind, Rank::Leads, Rank::Unranked]);
    let CellValue::Number(Measure::P99, p99) = row.entries[1].shown() else { panic!("no p99") };
    assert!((p99.value - 3000.0).abs() < 0.1, "{p99:?}");
}

#[test]
fn a_cell_that_fails_shows_its_failures() {
    let mut results = samples::row(&[("a", &[1000.0, 1010.0]), ("b", &[500.0, 501.0])]);
    for run in &mut results.cells[0].runs {
        run.failures_total = 52;
        run.failures = [("status".to_owned(), 52)].into();
        run.statuses = [(200, 1000), (500, 52)].into();
    }
    let row = Row::of(&results, results.loads()[0]);
    let failing = &row.entries[0];
    assert!(matches!(failing.shown(), CellValue::Failed(share) if (0.04..0.06).contains(&share)));
    assert_eq!((failing.rank, failing.label()), (Rank::Unranked, "status 500".into()));
    // Its good answers say nothing about the others.
    assert_eq!(row.entries[1].rank, Rank::Leads);
    let shown = [0.0019, 0.05, 0.999, 1.0].map(super::failing);
    assert_eq!(shown, ["0.2% fail", "5% fail", "all fail", "all fail"]);
}

#[test]
fn what_limited_most_runs_limited_the_cell() {
    let mut results = samples::row(&[("a", &[1.0, 2.0, 3.0])]);
    let limits = [Limit::Store, Limit::ServerCpu, Limit::Store];
    for (run, is) in results.cells[0].runs.iter_mut().zip(limits) {
        run.verdict[0].kind = is;
    }
    assert_eq!(limit(&results.cells[0]), Some(Limit::Store));
    assert_eq!(limit(&Cell::default()), None);
}

/// Lets other processes take this share of the server's core during all runs of a cell.
fn disturb(cell: &mut Cell, share: f64) {
    for run in &mut cell.runs {
        let text = "Meanwhile other processes used the cores.".into();
        run.verdict.push(Finding { kind: Limit::Neighbours, text });
        let cost = run.cost.get_or_insert_default();
        (cost.others_on_server_cores, cost.server_cores_allowed) = (Some(share), Some(1));
    }
}

#[test]
fn only_a_gap_much_larger_than_the_disturbance_is_ranked() {
    let far = [("a", &[100.0, 101.0, 102.0][..]), ("b", &[200.0, 201.0, 203.0])];
    let mut results = samples::row(&far);
    disturb(&mut results.cells[0], 0.15);
    assert_eq!(ranks(&results), [Rank::Behind, Rank::Leads]);
    let row = Row::of(&results, results.loads()[0]);
    assert!(row.entries[0].is_disturbed() && !row.entries[1].is_disturbed());
    disturb(&mut results.cells[0], 0.3);
    assert_eq!(ranks(&results), [Rank::AmongBest, Rank::AmongBest]);
}

#[test]
fn of_a_repeated_round_the_run_that_was_disturbed_least_counts() {
    let mut results = samples::row(&[("a", &[50.0, 101.0, 102.0])]);
    disturb(&mut results.cells[0], 0.5);
    results.cells[0].runs[1..].iter_mut().for_each(|run| drop(run.verdict.pop()));
    let mut repeated = results.cells[0].runs[2].clone();
    (repeated.round, repeated.requests_per_second) = (1, 100.0);
    results.cells[0].runs.push(repeated);
    let row = Row::of(&results, results.loads()[0]);
    let value = row.entries[0].value.unwrap().value;
    assert!((100.9..101.1).contains(&value), "{value}");
    assert!(!row.entries[0].is_disturbed());
    assert_eq!(results.cells[0].repeats(), 1);
}

#[test]
fn cpu_time_is_compared_although_the_load_was_the_limit() {
    let mut results = samples::row(&[("a", &[100.0, 101.0]), ("b", &[100.0, 101.0])]);
    for (cell, us) in results.cells.iter_mut().zip([40.0, 20.0]) {
        for (run, noise) in cell.runs.iter_mut().zip([0.0, 0.1]) {
            run.verdict[0].kind = Limit::LoadGenerator;
            run.cost.get_or_insert_default().server_cpu_us_per_request = us + noise;
        }
    }
    let row = Row::by(&results, results.loads()[0], Measure::Cpu);
    let ranks: Vec<_> = row.entries.iter().map(|entry| entry.rank).collect();
    assert_eq!(ranks, [Rank::Behind, Rank::Leads]);
}
