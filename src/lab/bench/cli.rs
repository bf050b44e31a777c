//! `zerohttpd bench`: what was typed, made into a plan.

use std::path::PathBuf;

use clap::Args;
use clap::builder::{PossibleValue, PossibleValuesParser};

use super::contestant::{self, Common, Entry};
use super::store::Store;
use crate::arch;
use crate::lab::cores::{self, Cores};
use crate::lab::knobs::{self, KNOBS, Knob, PROFILES, Setup};
use crate::lab::results::Settings;

/// So many clients, unless told otherwise: as far apart as takes about three minutes.
const CLIENTS: [usize; 4] = [20, 100, 500, 2000];

/// The rows of the table in the articles of 2019.
const FULL: [usize; 24] = [
    20, 50, 100, 200, 250, 300, 350, 400, 500, 600, 700, 800, 900, 1000, 1500, 2000, 2500, 3000,
    4000, 5000, 6000, 8000, 10_000, 15_000,
];

/// How long servers are warmed up before they are measured.
const WARM_UP_S: f64 = 0.3;

/// What is not told how long it may take takes about so long in all, a run at least the one and at
/// most the other of these. The rows with thousands of clients need a few seconds for each client
/// to have its turn.
const ALL_S: f64 = 170.0;
const SHORTEST_S: f64 = 0.7;
const LONGEST_S: f64 = 2.0;
const FULL_S: f64 = 3.0;

/// Of a run, that is what starting a server, letting clients in twice and stopping it takes.
const AROUND_S: f64 = 0.8;

/// No more than one thread of the load for so many clients.
const CLIENTS_A_THREAD: usize = 16;

/// What to measure, and how.
#[derive(Args)]
#[command(after_help = after_help())]
pub struct BenchArgs {
    /// These architectures [default: all]; one that is named twice is measured twice
    #[arg(long, value_name = "ARCH", value_delimiter = ',', value_parser = architectures(),
        hide_possible_values = true)]
    arch: Vec<String>,
    /// So many clients at once, a row of the table each [default: 20,100,500,2000]
    #[arg(long, value_name = "N", value_delimiter = ',',
        value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    clients: Vec<u32>,
    /// The rows of the articles of 2019, from 20 to 15,000 clients, for 3 seconds each time unless
    /// told otherwise; takes most of an hour
    #[arg(long, conflicts_with = "clients")]
    full: bool,
    /// Ask for this
    #[arg(long, value_name = "PATH", default_value = "/guestbook", value_parser = path)]
    path: String,
    /// Where the guestbook is: in a temporary store, or in this Redis, where visits are counted
    #[arg(long, value_name = "embedded|redis://..", default_value = "embedded")]
    store: String,
    /// Open a connection for each request; the same as --knob keep-alive=off
    #[arg(long)]
    no_keep_alive: bool,
    /// Where the knobs stand, fair or faithful-2019: see below
    #[arg(long, value_name = "NAME", default_value = PROFILES[0].0, value_parser = profiles(),
        hide_possible_values = true)]
    profile: String,
    /// Turn a knob; with several values, measure each, while the other knobs stand still
    #[arg(long, value_name = "NAME=VALUE,..", value_parser = knobs::parse)]
    knob: Vec<(&'static Knob, Vec<String>)>,
    /// Measure a server of another make as well: its name, the command that starts it in the
    /// foreground, for the shell, and what to ask for
    #[arg(long, value_name = "NAME=COMMAND @ URL", value_parser = contestant::peer)]
    peer: Vec<(String, String, String)>,
    /// Ask in an open loop as well, at so many requests a second
    #[arg(long, value_name = "R", value_delimiter = ',', value_parser = rate)]
    rate: Vec<f64>,
    /// Measure everything N times, in rounds
    #[arg(long, value_name = "N", default_value_t = 3,
        value_parser = clap::value_parser!(u16).range(1..=1000))]
    rounds: u16,
    /// For S seconds each time [default: as makes it about three minutes, from 0.7 to 2]
    #[arg(long, value_name = "S", value_parser = seconds)]
    seconds: Option<f64>,
    /// Draw the order of each round from this number [default: another each time]
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Put the results into this folder [default: bench-DATE-TIME]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

fn after_help() -> String {
    let mut help =
        String::from("Knobs, and where they stand in the profiles fair and faithful-2019:\n");
    for knob in KNOBS {
        let (name, fair, faithful) = (knob.name, knob.fair, knob.faithful);
        help += &format!("  {name:11}{fair:8} {faithful:12} {}\n", knob.meaning);
    }
    help + "\nExamples:\n  \
        zerohttpd bench\n      \
            all architectures, about three minutes\n  \
        zerohttpd bench --arch threaded,epoll --clients 50,1000 --path /index.html\n  \
        zerohttpd bench --clients 100 --profile faithful-2019 --knob queue=10,4096\n      \
            what the queue of 10 did\n  \
        zerohttpd bench --peer \"nginx=nginx -g 'daemon off;' @ http://127.0.0.1:80/\"\n\n\
        Server and load run on cores of their own where there are two or more. Ctrl-C ends it \
        early\nand keeps what was measured. `zerohttpd doctor` tells what would spoil it."
}

fn architectures() -> PossibleValuesParser {
    let values = arch::ALL.iter().map(|arch| PossibleValue::new(arch.name).help(arch.idea));
    PossibleValuesParser::new(values)
}

fn profiles() -> PossibleValuesParser {
    let values = PROFILES.iter().map(|(name, idea)| PossibleValue::new(*name).help(*idea));
    PossibleValuesParser::new(values)
}

fn seconds(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(seconds) if (0.1..=3600.0).contains(&seconds) => Ok(seconds),
        _ => Err("it is a number of seconds, from 0.1 to 3600".into()),
    }
}

fn rate(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(rate) if rate > 0.0 && rate <= 1e8 => Ok(rate),
        _ => Err("it is a number of requests a second, more than 0".into()),
    }
}

fn path(text: &str) -> Result<String, String> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_graphic());
    match text.starts_with('/') && is_plain {
        true => Ok(text.to_owned()),
        false => Err("it begins with / and is of printable characters".into()),
    }
}

/// What is to be measured.
pub struct Plan {
    /// Who.
    pub entries: Vec<Entry>,
    /// How.
    pub settings: Settings,
    /// Where the guestbook is.
    pub store: Store,
    /// Where the results go.
    pub out: PathBuf,
}

impl BenchArgs {
    /// Makes a plan.
    ///
    /// # Errors
    ///
    /// What was typed contradicts itself, or there is no such store.
    pub fn into_plan(self, today: &str, seed: u64) -> Result<Plan, String> {
        let (base, varied) = self.setup();
        let uses_store = self.path.split('?').next() == Some("/guestbook");
        let common = Common { base: &base, varied: &varied, uses_store };
        let mut entries = Vec::new();
        for arch in self.architectures() {
            entries.extend(contestant::of_arch(arch, &common)?);
        }
        entries.extend(self.peer.into_iter().map(|peer| contestant::of_peer(peer, &common)));
        contestant::tell_apart(&mut entries);
        let clients = match (self.full, self.clients.is_empty()) {
            (true, _) => FULL.to_vec(),
            (false, true) => CLIENTS.to_vec(),
            (false, false) => sorted(self.clients.iter().map(|clients| *clients as usize)),
        };
        let store = Store::parse(&self.store)?;
        let cores = Cores::divide(&cores::allowed());
        let most = clients.iter().copied().max().unwrap_or(1).div_ceil(CLIENTS_A_THREAD);
        let rounds = usize::from(self.rounds);
        let runs = entries.len() * clients.len() * (1 + self.rate.len()) * rounds;
        let seconds = match (self.seconds, self.full) {
            (Some(seconds), _) => seconds,
            (None, true) => FULL_S,
            (None, false) => fitting(runs),
        };
        let settings = Settings {
            path: self.path,
            store: store.shown(),
            remarks: 0,
            keep_alive: knobs::keeps_alive(&base),
            profile: self.profile,
            varied: varied.iter().map(|(knob, _)| knob.name.to_owned()).collect(),
            clients,
            rates_per_second: self.rate,
            rounds,
            seconds,
            warm_up_s: WARM_UP_S.min(seconds),
            seed: self.seed.unwrap_or(seed),
            load_threads: cores.load.len().clamp(1, most),
            cores,
        };
        let name = today.replace('T', "-").replace([':', 'Z'], "");
        let out = self.out.unwrap_or_else(|| format!("bench-{name}").into());
        Ok(Plan { entries, settings, store, out })
    }

    /// Where the knobs stand, and those of which several values are wanted.
    fn setup(&self) -> (Setup, Vec<(&'static Knob, Vec<String>)>) {
        let mut base = knobs::profile(&self.profile);
        if self.no_keep_alive {
            knobs::keep_none_alive(&mut base);
        }
        let mut varied = Vec::new();
        for (knob, values) in &self.knob {
            // Where the profile has none of these values, the first of them is the base.
            let stands_there = base.get(knob.name).is_some_and(|at| values.contains(at));
            if let Some(first) = values.first().filter(|_| !stands_there) {
                base.insert(knob.name.to_owned(), first.clone());
            }
            if values.len() > 1 {
                varied.push((*knob, values.clone()));
            }
        }
        (base, varied)
    }

    fn architectures(&self) -> Vec<&'static arch::Arch> {
        match self.arch.is_empty() {
            true => arch::ALL.iter().collect(),
            false => self.arch.iter().filter_map(|name| arch::named(name)).collect(),
        }
    }
}

/// How long each of so many runs may be measured.
fn fitting(runs: usize) -> f64 {
    let seconds = ALL_S / runs as f64 - AROUND_S - WARM_UP_S;
    (seconds * 10.0).floor().clamp(SHORTEST_S * 10.0, LONGEST_S * 10.0) / 10.0
}

fn sorted(numbers: impl Iterator<Item = usize>) -> Vec<usize> {
    let mut numbers: Vec<_> = numbers.collect();
    numbers.sort_unstable();
    numbers.dedup();
    numbers
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        bench: BenchArgs,
    }

    fn plan(words: &str) -> Result<Plan, String> {
        let line = Line::try_parse_from(words.split(' ')).map_err(|error| error.to_string())?;
        line.bench.into_plan("2026-11-23T06:53:23Z", 7)
    }

    #[test]
    fn what_is_not_told_is_all_of_it_and_fair() {
        let plan = plan("bench").unwrap();
        assert_eq!(plan.entries.len(), arch::ALL.len());
        assert!(plan.settings.keep_alive && plan.settings.varied.is_empty());
        assert_eq!(plan.settings.clients, CLIENTS);
        assert_eq!(plan.out, PathBuf::from("bench-2026-11-23-065323"));
        assert!(plan.entries.iter().all(|entry| entry.contestant.uses_store));
    }

    #[test]
    fn the_default_takes_about_three_minutes() {
        let settings = plan("bench").unwrap().settings;
        let runs = arch::ALL.len() * settings.clients.len() * settings.rounds;
        let takes_s = runs as f64 * (settings.seconds + settings.warm_up_s + AROUND_S);
        assert!((120.0..=210.0).contains(&takes_s), "{takes_s}");
        assert_eq!((fitting(1), fitting(1000)), (LONGEST_S, SHORTEST_S));
    }

    #[test]
    fn all_can_be_told() {
        let name = arch::ALL[3].name;
        let words = format!(
            "bench --arch {name},{name} --clients 50,20,50 --path /index.html --no-keep-alive \
             --profile faithful-2019 --knob queue=10,99 --rounds 2 --seconds 0.5 --rate 100 \
             --seed 5"
        );
        let plan = plan(&words).unwrap();
        let names: Vec<_> =
            plan.entries.iter().map(|entry| entry.contestant.name.clone()).collect();
        let turned = format!("{name} queue=99");
        assert_eq!(names, [name, &turned, &format!("{name} #2"), &format!("{turned} #2")]);
        assert_eq!((plan.settings.rounds, plan.settings.seed), (2, 5));
        assert_eq!(plan.settings.clients, [20, 50]);
        assert!(!plan.entries[0].contestant.uses_store);
        assert!(!plan.entries[0].contestant.keeps_alive);
    }

    #[test]
    fn a_knob_that_is_turned_once_stands_there() {
        let plan = plan("bench --knob queue=5").unwrap();
        assert_eq!(plan.entries.len(), arch::ALL.len());
        assert!(plan.entries[0].contestant.command.contains("--backlog 5"));
        assert!(plan.settings.varied.is_empty());
    }

    #[test]
    fn the_full_table_has_the_rows_of_the_articles() {
        let clients = plan("bench --full").unwrap().settings.clients;
        assert_eq!((clients.first(), clients.last()), (Some(&20), Some(&15_000)));
        assert_eq!(clients.len(), 24);
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for words in [
            "bench --arch nothing",
            "bench --clients 0",
            "bench --full --clients 5",
            "bench --path guestbook",
            "bench --store embedded:mine.db",
            "bench --profile unfair",
            "bench --knob x=1",
            "bench --rounds 0",
            "bench --seconds 0",
            "bench --rate 0",
            "bench --peer nonsense",
        ] {
            assert!(plan(words).is_err(), "{words}");
        }
    }
}
