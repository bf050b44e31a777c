//! `results.json`: everything that a bench measured, every run of it, so that the report can be
//! drawn again and two can be compared. Names carry their units.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::cores::Cores;
use super::machine::Machine;
use super::verdict::Finding;

/// What the file says it is.
const FORMAT: &str = "zerohttpd-bench";

/// The version of its layout. A field that is added has a default, and needs no new one.
const VERSION: u32 = 1;

/// The name of the file.
pub const FILE: &str = "results.json";

/// What a temporary store is called here.
pub const EMBEDDED: &str = "embedded";

/// A bench.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Results {
    /// What this is.
    pub format: String,
    /// In which layout.
    pub version: u32,
    /// The program that measured, and its version.
    pub program: String,
    /// When it began (RFC 3339, UTC).
    pub started: String,
    /// How long it took.
    pub took_s: f64,
    /// Whether it was stopped before its time.
    pub was_interrupted: bool,
    /// Where.
    pub machine: Machine,
    /// How.
    pub settings: Settings,
    /// Who.
    pub contestants: Vec<Contestant>,
    /// What came of it.
    pub cells: Vec<Cell>,
}

/// How it was measured.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// What was asked for.
    pub path: String,
    /// Where the guestbook was; passwords are left out.
    pub store: String,
    /// How many remarks were written into a temporary guestbook first.
    pub remarks: u64,
    /// Whether connections were kept.
    pub keep_alive: bool,
    /// How the architectures were set up.
    pub profile: String,
    /// The knobs of which more than one value was measured.
    pub varied: Vec<String>,
    /// How many clients at once.
    pub clients: Vec<usize>,
    /// The rates of the open loops; a closed one has none.
    pub rates_per_second: Vec<f64>,
    /// How often everything was measured.
    pub rounds: usize,
    /// For how long each time.
    pub seconds: f64,
    /// And before that, to warm up.
    pub warm_up_s: f64,
    /// From what the order of each round was drawn.
    pub seed: u64,
    /// Threads of the load.
    pub load_threads: usize,
    /// Who ran where.
    pub cores: Cores,
}

/// A server.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Contestant {
    /// What it is called here.
    pub name: String,
    /// Whether it is of another make.
    pub is_peer: bool,
    /// What was executed.
    pub command: String,
    /// Where a peer listens; ours are given a port by the kernel.
    pub url: Option<String>,
    /// How it was set up: the value of each knob that it has.
    pub knobs: BTreeMap<String, String>,
    /// How many clients it has at once, if it has a pool.
    pub pool: Option<usize>,
    /// Whether what was asked for needs the store.
    pub uses_store: bool,
    /// Whether it was told to keep connections.
    pub keeps_alive: bool,
}

/// One server under one load.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Cell {
    /// Which server.
    pub contestant: String,
    /// The load.
    #[serde(flatten)]
    pub load: Load,
    /// The runs that came to an end, in the order of rounds.
    pub runs: Vec<Run>,
    /// What kept the others from it.
    pub troubles: Vec<Trouble>,
}

/// A load.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Load {
    /// How many clients at once.
    pub clients: usize,
    /// The rate of an open loop; none for a closed one.
    pub rate_asked_per_second: Option<f64>,
}

/// A run that did not come about.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Trouble {
    /// In which round; the first is 1.
    pub round: usize,
    /// Why.
    pub text: String,
}

/// One run of one server under one load.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Run {
    /// In which round; the first is 1.
    pub round: usize,
    /// How long it was measured.
    pub measured_s: f64,
    /// How long it took to let all clients in.
    pub opening_s: f64,
    /// Good requests.
    pub requests: u64,
    /// Good requests a second.
    pub requests_per_second: f64,
    /// Bytes of an answer, head included.
    pub bytes_per_answer: f64,
    /// Clients that had an answer at all.
    pub clients_answered: usize,
    /// The mean latency of the good requests.
    pub latency_mean_us: f64,
    /// Half of them took at most this.
    pub latency_p50_us: u64,
    /// 90 %.
    pub latency_p90_us: u64,
    /// 99 %.
    pub latency_p99_us: u64,
    /// 99.9 %.
    pub latency_p999_us: u64,
    /// The longest.
    pub latency_max_us: u64,
    /// The same as a curve: so many percent took at most so many microseconds.
    pub latency_curve: Vec<(f64, u64)>,
    /// Requests that failed while it was measured.
    pub failures_total: u64,
    /// All that failed, while clients were let in too, by how.
    pub failures: BTreeMap<String, u64>,
    /// Requests of an open loop that were due and never begun.
    pub unsent: u64,
    /// How busy the load's threads were, from 0 to 1.
    pub load_busy_share: f64,
    /// For how much of the time they waited for a core that somebody else had.
    pub load_waited_share: f64,
    /// What it cost, where that could be seen.
    pub cost: Option<Cost>,
    /// The most memory of the server, while it was warming up under the same load (PSS).
    pub memory_peak_kib: Option<u64>,
    /// The most processes.
    pub processes_peak: usize,
    /// The most threads.
    pub threads_peak: usize,
    /// Connections that were let go because a listening socket's queue was full.
    pub listen_overflows: Option<u64>,
    /// Connections that listening sockets let go for any reason.
    pub listen_drops: Option<u64>,
    /// How many clients waited to be accepted, on average.
    pub accept_queue_mean: Option<f64>,
    /// How many descriptors the server might still have opened.
    pub descriptors_left: Option<u64>,
    /// What limited it, and what else is to be known.
    pub verdict: Vec<Finding>,
}

/// What a run cost: the server with its children, and others apart. Cores are those kept busy: 0.5
/// is one, half of the time.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Cost {
    /// Of the server.
    pub server_cores_used: f64,
    /// Of the busiest of its threads.
    pub server_busiest_thread: Option<f64>,
    /// How many of its threads were ready to run, and had no core, on average.
    pub server_threads_waiting: Option<f64>,
    /// For each request, in microseconds.
    pub server_cpu_us_per_request: f64,
    /// Of the store.
    pub store_cores_used: Option<f64>,
    /// For each request, in microseconds.
    pub store_cpu_us_per_request: Option<f64>,
    /// Of the load, for each request, in microseconds.
    pub load_cpu_us_per_request: f64,
    /// Of everybody else on this machine.
    pub others_cores_used: Option<f64>,
    /// What the machine that this one is a guest of gave to other guests.
    pub stolen_cores: Option<f64>,
    /// How often a thread of the server was given a core, for each request. Those that had ended by
    /// the end of the run are missing.
    pub switches_per_request: Option<f64>,
    /// Whether some are missing.
    pub switches_are_least: bool,
    /// Page faults of the server, for each request.
    pub page_faults_per_request: f64,
}

impl Results {
    /// An empty one.
    pub fn new(started: String, settings: Settings, contestants: Vec<Contestant>) -> Results {
        Results {
            format: FORMAT.into(),
            version: VERSION,
            program: concat!("zerohttpd ", env!("CARGO_PKG_VERSION")).into(),
            started,
            machine: Machine::read(),
            settings,
            contestants,
            ..Results::default()
        }
    }

    /// Reads the file of a folder.
    ///
    /// # Errors
    ///
    /// It is not there, or is something else.
    pub fn load(folder: &Path) -> Result<Results, String> {
        let file = folder.join(FILE);
        let text = fs::read_to_string(&file)
            .map_err(|error| format!("can't read {}: {error}", file.display()))?;
        Results::parse(&text).map_err(|wrong| format!("{}: {wrong}", file.display()))
    }

    fn parse(text: &str) -> Result<Results, String> {
        #[derive(Deserialize)]
        struct Start {
            format: String,
            version: u32,
        }
        let start: Result<Start, _> = serde_json::from_str(text);
        match start {
            Ok(start) if start.format == FORMAT && start.version <= VERSION => {}
            Ok(start) if start.format == FORMAT => {
                return Err(format!(
                    "it was written by a later version of this program (layout {})",
                    start.version
                ));
            }
            _ => return Err("it was not written by zerohttpd bench".into()),
        }
        serde_json::from_str(text).map_err(|error| error.to_string())
    }

    /// Writes the file into a folder. Whoever reads it meanwhile sees the one before.
    ///
    /// # Errors
    ///
    /// It can't be written.
    pub fn save(&self, folder: &Path) -> Result<(), String> {
        let text = serde_json::to_string(self).map_err(|error| error.to_string())?;
        let (file, fresh) = (folder.join(FILE), folder.join(format!("{FILE}.new")));
        fs::write(&fresh, text + "\n")
            .and_then(|()| fs::rename(&fresh, &file))
            .map_err(|error| format!("can't write {}: {error}", file.display()))
    }

    /// The cell of a server under a load.
    pub fn cell(&self, contestant: &str, load: Load) -> Option<&Cell> {
        self.cells.iter().find(|cell| cell.contestant == contestant && cell.load == load)
    }

    /// The loads, in the order of the table: the closed loop first, then each rate.
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

impl Settings {
    /// Who ran where, in words.
    pub fn who_ran_where(&self) -> String {
        self.cores.in_words(self.store == EMBEDDED)
    }
}

impl Cell {
    /// Whether there was a run, or trouble.
    pub fn has_happened(&self) -> bool {
        !self.runs.is_empty() || !self.troubles.is_empty()
    }

    /// A number of every run.
    pub fn values(&self, of: impl Fn(&Run) -> f64) -> Vec<f64> {
        self.runs.iter().map(of).collect()
    }

    /// The run in the middle, by requests a second.
    pub fn middle_run(&self) -> Option<&Run> {
        let mut runs: Vec<_> = self.runs.iter().collect();
        runs.sort_by(|a, b| a.requests_per_second.total_cmp(&b.requests_per_second));
        runs.get(runs.len().saturating_sub(1) / 2).copied()
    }
}

#[cfg(test)]
#[path = "results_tests.rs"]
mod tests;
