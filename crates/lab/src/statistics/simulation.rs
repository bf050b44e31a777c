//! Simulated benches: how often a comparison is right.

use super::comparison::Comparison;

/// Seven servers, as in the articles.
const SERVERS: usize = 7;

/// The standard deviation of a run, as a share of its value.
const NOISE: f64 = 0.05;

/// Benches of one kind.
struct Simulation {
    rounds: usize,
    benches: usize,
    /// How many times better the first server is.
    better: f64,
    /// The noise of the last server, as a multiple of the others' noise.
    noisier: f64,
}

/// How often servers were found to differ.
#[derive(Debug)]
struct Rates {
    /// The first two servers.
    found: f64,
    /// Any two servers that are alike, without the noisy one.
    wrong: f64,
}

impl Simulation {
    fn run(&self) -> Rates {
        let mut random = fastrand::Rng::with_seed(14);
        let (mut found, mut wrong) = (0, 0);
        for _ in 0..self.benches {
            // What changes from round to round is the same for all servers.
            let changes: Vec<_> = (0..self.rounds).map(|_| 0.1 * normal(&mut random)).collect();
            let servers: Vec<Vec<Option<f64>>> = (0..SERVERS)
                .map(|server| {
                    let level = if server == 0 { 5000.0 * self.better } else { 5000.0 };
                    let is_noisy = server == SERVERS - 1;
                    let noise = if is_noisy { NOISE * self.noisier } else { NOISE };
                    let mut run =
                        |change: &f64| level * (change + noise * normal(&mut random)).exp();
                    changes.iter().map(|change| Some(run(change))).collect()
                })
                .collect();
            let comparison = Comparison::of(&servers);
            let is_different = |one, other| comparison.ratio(one, other).unwrap().is_different;
            let from = if self.better > 1.0 { 1 } else { 0 };
            let to = if self.noisier > 1.0 { SERVERS - 1 } else { SERVERS };
            found += usize::from(is_different(0, 1));
            let any = (from..to).any(|one| (one + 1..to).any(|other| is_different(one, other)));
            wrong += usize::from(any);
        }
        let share = |count: usize| count as f64 / self.benches as f64;
        Rates { found: share(found), wrong: share(wrong) }
    }
}

/// A number from the standard normal distribution (Box and Muller).
fn normal(random: &mut fastrand::Rng) -> f64 {
    let radius = (-2.0 * (1.0 - random.f64()).ln()).sqrt();
    radius * (2.0 * std::f64::consts::PI * random.f64()).cos()
}

fn rates(rounds: usize, better: f64, noisier: f64) -> Rates {
    // With few rounds the rates are near their bounds, and benches are quick to simulate.
    let benches = if rounds <= 10 { 4000 } else { 600 };
    Simulation { rounds, benches, better, noisier }.run()
}

#[test]
fn a_server_that_is_1_2_times_the_others_is_told_apart() {
    for (rounds, at_least) in [(3, 0.78), (5, 0.98), (10, 0.999)] {
        let rates = rates(rounds, 1.2, 1.0);
        assert!(rates.found >= at_least, "{rounds} rounds: {rates:?}");
    }
}

#[test]
fn a_noisy_server_does_not_hide_the_difference_of_others() {
    for (rounds, at_least) in [(3, 0.73), (5, 0.93), (10, 0.949)] {
        let rates = rates(rounds, 1.2, 5.0);
        assert!(rates.found >= at_least, "{rounds} rounds: {rates:?}");
    }
}

#[test]
fn servers_that_are_alike_differ_in_few_rows() {
    for rounds in [2, 3, 5, 10, 20, 50] {
        let rates = rates(rounds, 1.0, 1.0);
        assert!(rates.wrong <= 0.06, "{rounds} rounds: {rates:?}");
    }
}

#[test]
fn a_noisy_server_makes_no_differences_among_the_others() {
    for rounds in [3, 5, 10, 20, 50] {
        let rates = rates(rounds, 1.0, 5.0);
        assert!(rates.wrong <= 0.06, "{rounds} rounds: {rates:?}");
    }
}

#[test]
fn more_rounds_detect_no_fewer_differences() {
    for noisier in [1.0, 5.0] {
        // Ten rounds detect the first ratio in about half of the benches, the second in nearly all.
        for better in [1.08, 1.2] {
            let shares = [3, 5, 10, 20, 40, 60, 62, 100].map(|rounds| {
                let benches = 600;
                Simulation { rounds, benches, better, noisier }.run().found
            });
            // Three standard errors of a difference of two such shares.
            let error = |share: f64| share * (1.0 - share) / 600.0;
            for pair in shares.windows(2) {
                let noise = 3.0 * (error(pair[0]) + error(pair[1])).sqrt();
                assert!(pair[1] >= pair[0] - noise, "{better} times, {noisier}: {shares:?}");
            }
        }
    }
}
