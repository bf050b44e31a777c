//! `results.json`: everything that a bench measured, with every run, so that the report can be
//! drawn again and two benches can be compared. Names carry their units.

pub mod run;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::host::cores::Cores;
use crate::host::machine::Machine;
use crate::text::numbers::counted;
use crate::text::scrub::scrub;
pub use run::{Cost, Run};

/// The value of `format` in the file.
const FORMAT: &str = "zerohttpd-bench";

/// The version of the layout. A new field with a default does not need a new version.
const VERSION: u32 = 1;

/// The name of the file.
pub const FILE: &str = "results.json";

/// The name of a temporary store in the file.
pub const EMBEDDED: &str = "embedded";

/// The results of a bench.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Results {
    /// The kind of the file.
    pub format: String,
    /// The version of its layout.
    pub version: u32,
    /// The program that measured, and its version.
    pub program: String,
    /// When it began (RFC 3339, UTC).
    pub started: String,
    /// How long it took.
    pub took_s: f64,
    /// Whether it was stopped early.
    pub was_interrupted: bool,
    /// The machine.
    pub machine: Machine,
    /// The settings.
    pub settings: Settings,
    /// The servers.
    #[serde(rename = "contestants")]
    pub subjects: Vec<Subject>,
    /// The cells.
    pub cells: Vec<Cell>,
}

/// The settings of a bench.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// The path that was requested.
    pub path: String,
    /// Which guestbook was used, without passwords.
    pub store: String,
    /// How many remarks a temporary guestbook had at the start.
    pub remarks: u64,
    /// Whether connections were kept alive.
    pub keep_alive: bool,
    /// The profile of the architectures.
    pub profile: String,
    /// The knobs with several values.
    pub varied: Vec<String>,
    /// The numbers of clients.
    pub clients: Vec<usize>,
    /// The rates of the open loops.
    pub rates_per_second: Vec<f64>,
    /// The number of rounds; with `until_percent` the least number.
    pub rounds: usize,
    /// The half width, in percent, that the intervals of every row had to reach; none if the number
    /// of rounds was fixed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until_percent: Option<f64>,
    /// With `until_percent`, the most rounds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_rounds: Option<usize>,
    /// Whether all servers are one and the same under several names.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub is_aa: bool,
    /// The measured time of each run, in seconds.
    pub seconds: f64,
    /// The time to warm up before each run, in seconds.
    pub warm_up_s: f64,
    /// The seed of the order in each round.
    pub seed: u64,
    /// The number of the load generator's threads.
    pub load_threads: usize,
    /// The cores of each process.
    pub cores: Cores,
}

/// A server.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Subject {
    /// Its name.
    pub name: String,
    /// Whether it is a peer.
    pub is_peer: bool,
    /// The command.
    pub command: String,
    /// The URL of a peer; the kernel chooses the ports of our servers.
    pub url: Option<String>,
    /// The value of each knob that it has.
    pub knobs: BTreeMap<String, String>,
    /// The size of its pool, which is how many clients it has at once.
    pub pool: Option<usize>,
    /// Whether the requested path needs the store.
    pub uses_store: bool,
    /// Whether connections were kept alive.
    pub keeps_alive: bool,
}

/// One server under one load.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Cell {
    /// Which server.
    #[serde(rename = "contestant")]
    pub subject: String,
    /// The load.
    #[serde(flatten)]
    pub load: Load,
    /// The completed runs, in the order of the rounds.
    pub runs: Vec<Run>,
    /// Why the other runs failed.
    pub troubles: Vec<FailedRun>,
}

/// A load.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Load {
    /// How many clients at once.
    pub clients: usize,
    /// The rate of an open loop; none for a closed one.
    pub rate_asked_per_second: Option<f64>,
}

/// A run that failed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct FailedRun {
    /// The round; the first is 1.
    pub round: usize,
    /// The reason.
    pub text: String,
}

impl Results {
    /// Results without runs.
    pub fn new(started: String, settings: Settings, subjects: Vec<Subject>) -> Results {
        Results {
            format: FORMAT.into(),
            version: VERSION,
            program: concat!("zerohttpd ", env!("CARGO_PKG_VERSION")).into(),
            started,
            machine: Machine::read(),
            settings,
            subjects,
            ..Results::default()
        }
    }

    /// Reads the results of a folder.
    ///
    /// # Errors
    ///
    /// The file does not exist, or does not hold results.
    pub fn load(folder: &Path) -> Result<Results, String> {
        let file = folder.join(FILE);
        let text = fs::read_to_string(&file).map_err(|error| {
            format!("can't read {}: {error}; name the folder of a bench", file.display())
        })?;
        Results::parse(&text).map_err(|wrong| format!("{}: {wrong}", file.display()))
    }

    fn parse(text: &str) -> Result<Results, String> {
        const OTHER: &str = "it was not written by zerohttpd bench";
        let mut value: Value = serde_json::from_str(text).map_err(|_| OTHER)?;
        // The file can come from anywhere, and its strings go to a terminal and into a page.
        scrub(&mut value);
        match (value["format"].as_str(), value["version"].as_u64()) {
            (Some(FORMAT), Some(version)) if version <= u64::from(VERSION) => {}
            (Some(FORMAT), Some(version)) => {
                return Err(format!(
                    "it was written by a later version of this program (layout {version})"
                ));
            }
            _ => return Err(OTHER.into()),
        }
        serde_json::from_value(value).map_err(|error| format!("it is damaged: {error}"))
    }

    /// Whether any run was completed, or failed.
    pub fn has_runs(&self) -> bool {
        self.cells.iter().any(Cell::was_attempted)
    }

    /// Writes the file into a folder. A reader sees either the old file or the new one.
    ///
    /// # Errors
    ///
    /// It can't be written.
    pub fn save(&self, folder: &Path) -> Result<(), String> {
        let text = serde_json::to_string(self).map_err(|error| error.to_string())?;
        let (file, fresh) = (folder.join(FILE), folder.join(format!("{FILE}.new")));
        write_whole(&fresh, text + "\n").and_then(|()| fs::rename(&fresh, &file)).map_err(|error| {
            let _ = fs::remove_file(&fresh);
            format!("can't write {}: {error}", file.display())
        })
    }

    /// The cell of a server under a load.
    pub fn cell(&self, subject: &str, load: Load) -> Option<&Cell> {
        self.cells.iter().find(|cell| cell.subject == subject && cell.load == load)
    }

    /// How many rounds a row has: as many as planned, or more if its intervals were too wide.
    pub fn rounds_of(&self, load: Load) -> usize {
        let cells = self.cells.iter().filter(|cell| cell.load == load);
        let rounds = cells.flat_map(|cell| cell.runs.iter().map(|run| run.round));
        rounds.max().unwrap_or(0).max(self.settings.rounds)
    }

    /// The least and the greatest number of rounds that a row has.
    pub fn rounds(&self) -> (usize, usize) {
        let rounds = || self.loads().into_iter().map(|load| self.rounds_of(load));
        let least = rounds().min().unwrap_or(self.settings.rounds);
        (least, rounds().max().unwrap_or(least))
    }

    /// The rounds of the rows in words: `3 rounds`, or `3 to 12 rounds` if they differ.
    pub fn rounds_in_words(&self) -> String {
        let (min, max) = self.rounds();
        let max_in_words = counted(max as u64, "round");
        if min == max { max_in_words } else { format!("{min} to {max_in_words}") }
    }

    /// The loads in the order of the table: the closed loop first, then each rate.
    pub fn loads(&self) -> Vec<Load> {
        let rates = self.settings.rates_per_second.iter().copied().map(Some);
        let modes: Vec<_> = [None].into_iter().chain(rates).collect();
        let of = |rate: Option<f64>| {
            let clients = self.settings.clients.iter();
            clients.map(move |clients| Load { clients: *clients, rate_asked_per_second: rate })
        };
        modes.into_iter().flat_map(of).collect()
    }
}

/// Writes a file and waits until it is on the disk.
fn write_whole(file: &Path, text: String) -> io::Result<()> {
    let mut file = File::create(file)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

impl Settings {
    /// The cores of each process, in words.
    pub fn cores_in_words(&self) -> String {
        self.cores.in_words(self.store == EMBEDDED)
    }
}

impl Cell {
    /// Whether the cell has a run or a failure.
    pub fn was_attempted(&self) -> bool {
        !self.runs.is_empty() || !self.troubles.is_empty()
    }

    /// How many runs are repeats: further runs of a round.
    pub fn repeats(&self) -> usize {
        let mut rounds: Vec<_> = self.runs.iter().map(|run| run.round).collect();
        rounds.sort_unstable();
        rounds.dedup();
        self.runs.len() - rounds.len()
    }

    /// The median run, by requests a second.
    pub fn middle_run(&self) -> Option<&Run> {
        let mut runs: Vec<_> = self.runs.iter().collect();
        runs.sort_by(|a, b| a.requests_per_second.total_cmp(&b.requests_per_second));
        runs.get(runs.len().saturating_sub(1) / 2).copied()
    }
}

#[cfg(test)]
mod tests;
