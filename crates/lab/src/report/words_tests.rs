//! Sentences about rows whose answers are known.

use super::*;
use crate::report::samples;

fn sentences(rates: &[(&str, &[f64])]) -> String {
    let results = samples::grid(&[20, 500], rates);
    let rows = Row::all(&results);
    [answers(&results, &rows), remarks(&rows), certainty(&results, &rows)].concat().join("\n")
}

/// This many runs with this mean and this noise.
fn runs(mean: f64, noise: f64, count: usize, seed: u64) -> Vec<f64> {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut normal = || (0..12).map(|_| random.f64()).sum::<f64>() - 6.0;
    let logs: Vec<f64> = (0..count).map(|_| normal()).collect();
    let average = logs.iter().sum::<f64>() / count as f64;
    let spread = logs.iter().map(|log| (log - average).powi(2)).sum::<f64>() / (count - 1) as f64;
    logs.iter().map(|log| mean * (noise * (log - average) / spread.sqrt()).exp()).collect()
}

#[test]
fn a_leader_is_named_with_its_lead() {
    let alone = sentences(&[("a", &[100.0, 101.0, 102.0]), ("b", &[200.0, 202.0, 203.0])]);
    let expected = "With 20 clients, b leads with 202 requests a second (limit: cpu): 2.00 times (";
    assert!(alone.contains(expected), "{alone}");
    assert!(alone.contains(") a's."), "{alone}");
    assert!(alone.contains("With 500 clients, b leads"), "{alone}");
    assert!(alone.contains("The limit was “cpu” in 4 cells."), "{alone}");
    let one = samples::row(&[("a", &[100.0])]);
    let one = remarks(&Row::all(&one)).join("\n");
    assert!(one.contains("The limit was “cpu” in 1 cell."), "{one}");
}

#[test]
fn what_can_not_be_told_apart_is_not_called_near() {
    let sentences = sentences(&[
        ("a", &[54_000.0, 54_568.0, 130_000.0]),
        ("b", &[50_000.0, 119_618.0, 125_000.0]),
    ]);
    let expected = "With 20 clients, b and a can't be told apart in requests a second: \
        72,600–90,800; this bench could have detected a factor of ";
    assert!(sentences.contains(expected), "{sentences}");
    assert!(!sentences.contains("tie") && !sentences.contains("less"), "{sentences}");
}

/// Benches that rules of overlapping ranges judged wrongly.
#[test]
fn rows_that_fooled_overlapping_ranges_get_the_right_sentence() {
    let many = sentences(&[("a", &runs(1203.0, 0.06, 50, 1)), ("b", &runs(1007.0, 0.06, 50, 2))]);
    assert!(
        many.contains("a leads with 1,200 requests a second (limit: cpu): 1.19 times ("),
        "{many}"
    );
    // Twelve percent of noise hide no factor of 1.55 if seven servers say how large the noise is.
    let means = [75_581.0, 48_618.0, 41_000.0, 40_000.0, 39_000.0, 38_000.0, 37_000.0];
    let names = ["a", "b", "c", "d", "e", "f", "g"];
    let rates: Vec<_> = (1..).zip(means).map(|(seed, mean)| runs(mean, 0.12, 3, seed)).collect();
    let rates: Vec<_> =
        names.into_iter().zip(&rates).map(|(name, rates)| (name, rates.as_slice())).collect();
    let noisy = sentences(&rates);
    assert!(
        noisy.contains("a leads with 75,600 requests a second (limit: cpu): 1.55 times ("),
        "{noisy}"
    );
    let (low, high) = (runs(15_342.0, 0.73, 3, 5), runs(71_885.0, 0.73, 3, 6));
    let wild = sentences(&[("a", &low), ("b", &high)]);
    let expected = "b and a can't be told apart in requests a second: 15,300–71,900; this bench \
        could have detected a factor of ";
    assert!(wild.contains(expected), "{wild}");
    assert!(wild.contains(" rounds would detect "), "{wild}");
}

#[test]
fn rows_that_stayed_wide_are_named_with_their_width_and_rounds() {
    let rates: &[(&str, &[f64])] = &[("a", &[100.0, 130.0, 90.0]), ("b", &[200.0, 190.0, 240.0])];
    let mut results = samples::grid(&[20, 500], rates);
    let sentences = |results: &Results| certainty(results, &Row::all(results)).join("\n");
    assert!(!sentences(&results).contains("is still"), "{}", sentences(&results));
    results.settings.until_percent = Some(5.0);
    results.settings.max_rounds = Some(4);
    let more = |round| crate::results::Run { round, ..results.cells[0].runs[0].clone() };
    let more = more(4);
    results.cells[0].runs.push(more);
    results.cells[2].runs.iter_mut().for_each(|run| run.verdict[0].kind = Limit::LoadGenerator);
    let text = sentences(&results);
    assert!(text.contains("With 20 clients the widest interval is still ±"), "{text}");
    assert!(text.contains(" % after 4 rounds."), "{text}");
    assert!(
        text.contains("With 500 clients no interval is known after 3 rounds, because "),
        "{text}"
    );
    assert_eq!(results.rounds_in_words(), "3 to 4 rounds");
    let expected = extra_rounds(&results.settings).unwrap();
    assert_eq!(
        expected,
        "After 3 rounds, rows with an interval wider than ±5 % were measured in further rounds, \
         up to 4 in all."
    );
    results.settings.until_percent = Some(1000.0);
    assert!(!sentences(&results).contains("is still"), "{}", sentences(&results));
}

#[test]
fn what_failed_is_no_limit() {
    let mut results = samples::row(&[("a", &[100.0, 101.0]), ("b", &[200.0, 201.0])]);
    for run in &mut results.cells[0].runs {
        (run.requests, run.failures_total) = (0, 20);
        run.failures = [("status".to_owned(), 20)].into();
        run.statuses = [(404, 20)].into();
        run.verdict[0].kind = Limit::NothingMeasured;
    }
    let sentences = remarks(&Row::all(&results)).join("\n");
    let expected = "1 cell has no number, because requests failed: a with 20 clients (status 404).";
    assert!(sentences.contains(expected), "{sentences}");
    assert!(sentences.contains("The limit was “cpu” in 1 cell."), "{sentences}");
}
