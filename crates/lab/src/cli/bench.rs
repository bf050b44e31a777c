//! `zerohttpd bench`: turns the arguments into a plan.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use clap::Args;
use clap::builder::{PossibleValue, PossibleValuesParser};

use super::values::whole;
use crate::architecture::Architecture;
use crate::bench::bench;
use crate::bench::plan::BenchPlan;
use crate::bench::store::Store;
use crate::bench::subject::{self, SubjectOptions};
use crate::host::cores::{self, Cores};
use crate::knobs::{self, KNOBS, Knob, PROFILES, Setup};
use crate::results::Settings;

/// The default numbers of clients. With all architectures, a bench takes about three minutes.
const CLIENTS: [usize; 4] = [20, 100, 500, 2000];

/// The rows of the table in the articles of 2019.
const FULL: [usize; 24] = [
    20, 50, 100, 200, 250, 300, 350, 400, 500, 600, 700, 800, 900, 1000, 1500, 2000, 2500, 3000,
    4000, 5000, 6000, 8000, 10_000, 15_000,
];

/// How long servers are warmed up before they are measured.
const WARM_UP_S: f64 = 0.3;

/// How long all runs together take without `--seconds`.
const ALL_S: f64 = 170.0;

/// The bounds of the measured time of a run without `--seconds`.
const SHORTEST_S: f64 = 0.7;
const LONGEST_S: f64 = 2.0;

/// The measured time of a run with `--full`. With thousands of clients it takes a few seconds until
/// each client has had its turn.
const FULL_S: f64 = 3.0;

/// The time that a run takes besides its warm-up and its measured time: to start the server, to
/// connect clients twice, and to stop the server.
const OVERHEAD_S: f64 = 0.8;

/// How many clients an A/A bench has by default.
const AA_CLIENTS: usize = 100;

/// Under how many names an A/A bench measures its server.
const AA_NAMES: usize = 4;

/// The least number of clients for each thread of the load generator.
const CLIENTS_PER_THREAD: usize = 16;

/// What to measure, and how.
#[derive(Args)]
#[command(after_help = after_help())]
pub struct BenchArgs {
    /// Architectures to measure [default: all]; one that is named twice is measured twice
    #[arg(
        long,
        value_name = "ARCH",
        value_delimiter = ',',
        ignore_case = true,
        hide_possible_values = true
    )]
    arch: Vec<String>,
    /// Numbers of clients, one row of the table for each [default: 20,100,500,2000]
    #[arg(long, value_name = "N", value_delimiter = ',',
        value_parser = whole(1..=1_000_000_u32))]
    clients: Vec<u32>,
    /// Measure the rows of the articles of 2019, from 20 to 15,000 clients, 3 seconds for each run
    /// unless --seconds is given; takes most of an hour
    #[arg(long, conflicts_with = "clients")]
    full: bool,
    /// The path to request
    #[arg(long, value_name = "PATH", default_value = "/guestbook", value_parser = path)]
    path: String,
    /// Keep the guestbook in a temporary embedded store, or in this Redis, whose visit count grows
    #[arg(long, value_name = "embedded|redis://..", default_value = "embedded")]
    store: String,
    /// Open a new connection for each request; the same as --knob keep-alive=off
    #[arg(long)]
    no_keep_alive: bool,
    /// Preset of all knobs, fair or faithful-2019: see below
    #[arg(long, value_name = "NAME", default_value = PROFILES[0].0, value_parser = profiles(),
        hide_possible_values = true)]
    profile: String,
    /// Set a knob; with several values, measure each of them while the other knobs stay as they are
    #[arg(long, value_name = "NAME=VALUE,..", value_parser = knobs::parse)]
    knob: Vec<(&'static Knob, Vec<String>)>,
    /// Measure another server as well: its name, the shell command that starts it in the
    /// foreground, and what to request
    #[arg(long, value_name = "NAME=COMMAND @ URL", value_parser = subject::parse_peer)]
    peer: Vec<(String, String, String)>,
    /// Measure an open loop as well, at R requests a second
    #[arg(long, value_name = "R", value_delimiter = ',', value_parser = rate)]
    rate: Vec<f64>,
    /// Measure everything N times, in rounds
    #[arg(long, value_name = "N", default_value_t = 3,
        value_parser = whole(1..=1000_u16))]
    rounds: u16,
    /// After --rounds, go on with the rows whose interval is wider than this, such as 5%
    #[arg(long, value_name = "PERCENT", value_parser = until)]
    until: Option<f64>,
    /// The most rounds of a row with --until
    #[arg(long, value_name = "N", default_value_t = 30, requires = "until",
        value_parser = whole(1..=1000_u16))]
    max_rounds: u16,
    /// Measure one architecture (the first --arch) under four names and one load: shows how much
    /// this machine varies. Exit status 1 if that is too much
    #[arg(long, conflicts_with_all = ["full", "peer", "rate", "knob"])]
    aa: bool,
    /// Seconds for each run [default: 0.7 to 2, so that all runs take about three minutes]
    #[arg(long, value_name = "S", value_parser = seconds)]
    seconds: Option<f64>,
    /// Seed of the order of the runs in each round [default: random]
    #[arg(long, value_name = "N", value_parser = whole(0..=u64::MAX))]
    seed: Option<u64>,
    /// Folder for the results [default: bench-DATE-TIME]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

fn after_help() -> String {
    let mut help =
        String::from("Knobs, and their values in the profiles fair and faithful-2019:\n");
    for knob in KNOBS {
        let (name, fair, faithful) = (knob.name, knob.fair, knob.faithful);
        help += &format!("  {name:11}{fair:8} {faithful:12} {}\n", knob.meaning);
    }
    help + "\nExamples:\n  \
        zerohttpd bench\n      \
            all architectures, about three minutes\n  \
        zerohttpd bench --arch threaded,epoll --clients 50,1000 --path /index.html\n  \
        zerohttpd bench --clients 100 --profile faithful-2019 --knob queue=10,4096\n      \
            what the queue of 10 costs\n  \
        zerohttpd bench --arch poll,epoll --until 5%\n      \
            goes on until the intervals are within 5 %\n  \
        zerohttpd bench --aa\n      \
            whether this machine is quiet enough\n  \
        zerohttpd bench --peer \"nginx=nginx -g 'daemon off;' @ http://127.0.0.1:80/\"\n\n\
        The server and the load generator run on separate cores if there are two or more. Ctrl-C \
        ends\nthe bench early and keeps what was measured. `zerohttpd doctor` reports what would \
        spoil it."
}

fn profiles() -> PossibleValuesParser {
    let values = PROFILES.iter().map(|(name, idea)| PossibleValue::new(*name).help(*idea));
    PossibleValuesParser::new(values)
}

fn seconds(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(seconds) if (0.1..=3600.0).contains(&seconds) => Ok(seconds),
        _ => Err("it must be a number of seconds, from 0.1 to 3600".into()),
    }
}

fn until(text: &str) -> Result<f64, String> {
    match text.strip_suffix('%').unwrap_or(text).trim().parse::<f64>() {
        Ok(percent) if (0.1..=100.0).contains(&percent) => Ok(percent),
        _ => Err("it must be a percentage, from 0.1 to 100".into()),
    }
}

fn rate(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(rate) if rate > 0.0 && rate <= 1e8 => Ok(rate),
        _ => Err("it must be a number of requests a second, more than 0".into()),
    }
}

fn path(text: &str) -> Result<String, String> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_graphic());
    match text.starts_with('/') && is_plain {
        true => Ok(text.to_owned()),
        false => Err("it must begin with / and consist of printable ASCII characters".into()),
    }
}

/// Runs the bench, and draws the report.
///
/// # Errors
///
/// The arguments contradict each other, or the results can't be written.
pub fn run(args: BenchArgs, architectures: &[Architecture]) -> Result<ExitCode, String> {
    let started = humantime::format_rfc3339_seconds(SystemTime::now()).to_string();
    // A random seed, for a bench without `--seed`.
    let seed = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let plan = args.into_plan(architectures, &started, seed)?;
    bench(&plan, started)
}

impl BenchArgs {
    /// Turns the arguments into a plan.
    ///
    /// # Errors
    ///
    /// The arguments contradict each other, or there is no such store.
    pub fn into_plan(
        self,
        architectures: &[Architecture],
        started: &str,
        seed: u64,
    ) -> Result<BenchPlan, String> {
        let (base, varied) = self.setup();
        let uses_store = self.path.split('?').next() == Some("/guestbook");
        let common = SubjectOptions { base: &base, varied: &varied, uses_store };
        let mut entries = Vec::new();
        for arch in self.architectures(architectures)? {
            entries.extend(subject::of_arch(arch, &common)?);
        }
        entries.extend(self.peer.into_iter().map(|peer| subject::of_peer(peer, &common)));
        subject::number_duplicates(&mut entries);
        let clients = match (self.full, self.clients.is_empty()) {
            (true, _) => FULL.to_vec(),
            (false, true) => CLIENTS.to_vec(),
            (false, false) => sorted(self.clients.iter().map(|clients| *clients as usize)),
        };
        let clients = match (self.aa, self.clients.first()) {
            (false, _) => clients,
            (true, first) => vec![first.map_or(AA_CLIENTS, |first| *first as usize)],
        };
        let store = Store::parse(&self.store)?;
        let cores = Cores::divide(&cores::allowed());
        let max_threads = clients.iter().copied().max().unwrap_or(1).div_ceil(CLIENTS_PER_THREAD);
        let rounds = usize::from(self.rounds);
        let runs = entries.len() * clients.len() * (1 + self.rate.len()) * rounds;
        let seconds = match (self.seconds, self.full) {
            (Some(seconds), _) => seconds,
            (None, true) => FULL_S,
            (None, false) => seconds_per_run(runs),
        };
        let settings = Settings {
            path: self.path,
            store: store.without_password(),
            remarks: 0,
            keep_alive: knobs::keeps_alive(&base),
            profile: self.profile,
            varied: varied.iter().map(|(knob, _)| knob.name.to_owned()).collect(),
            clients,
            rates_per_second: self.rate,
            rounds,
            until_percent: self.until,
            max_rounds: self.until.map(|_| usize::from(self.max_rounds).max(rounds)),
            is_aa: self.aa,
            seconds,
            warm_up_s: WARM_UP_S.min(seconds),
            seed: self.seed.unwrap_or(seed),
            load_threads: cores.load.len().clamp(1, max_threads),
            cores,
        };
        let name = started.replace('T', "-").replace([':', 'Z'], "");
        let out = self.out.unwrap_or_else(|| format!("bench-{name}").into());
        Ok(BenchPlan { entries, settings, store, out })
    }

    /// The values of all knobs, and the knobs for which several values were given.
    fn setup(&self) -> (Setup, Vec<(&'static Knob, Vec<String>)>) {
        let mut base = knobs::profile(&self.profile);
        if self.no_keep_alive {
            knobs::turn_keep_alive_off(&mut base);
        }
        let mut varied = Vec::new();
        for (knob, values) in &self.knob {
            // If the profile's value is not among these, the first of them is the base.
            let is_given = base.get(knob.name).is_some_and(|value| values.contains(value));
            if let Some(first) = values.first().filter(|_| !is_given) {
                base.insert(knob.name.to_owned(), first.clone());
            }
            if values.len() > 1 {
                varied.push((*knob, values.clone()));
            }
        }
        (base, varied)
    }

    fn architectures<'a>(&self, all: &'a [Architecture]) -> Result<Vec<&'a Architecture>, String> {
        if self.arch.is_empty() && !self.aa {
            return Ok(all.iter().collect());
        }
        let named = |name| {
            let found = all.iter().find(|arch| arch.name == name);
            found.ok_or_else(|| format!("--arch: there is no architecture {name:?}"))
        };
        if self.aa {
            // The last architecture varies least by itself: it has no pool and few threads.
            let last = || all.last().ok_or_else(|| "there is no architecture".to_owned());
            let one = self.arch.first().map_or_else(last, |name| named(name.as_str()))?;
            return Ok(vec![one; AA_NAMES]);
        }
        self.arch.iter().map(|name| named(name.as_str())).collect()
    }
}

/// The seconds that each of this many runs can measure.
fn seconds_per_run(runs: usize) -> f64 {
    let seconds = ALL_S / runs as f64 - OVERHEAD_S - WARM_UP_S;
    (seconds * 10.0).floor().clamp(SHORTEST_S * 10.0, LONGEST_S * 10.0) / 10.0
}

fn sorted(numbers: impl Iterator<Item = usize>) -> Vec<usize> {
    let mut numbers: Vec<_> = numbers.collect();
    numbers.sort_unstable();
    numbers.dedup();
    numbers
}

#[cfg(test)]
#[path = "bench_tests.rs"]
mod tests;
