//! Runs benches to their end, or until they are stopped.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;

use crate::support::TempDir;
use crate::support::process::{self, Process};
use crate::support::server::{PROGRAM, program};
use crate::support::wait_until;

/// The architecture that is measured where any of them would do.
pub(crate) const ARCH: &str = "epoll";

/// A variable in the environment of every process of a bench.
const MARK: &str = "ZEROHTTPD_TEST";

/// A bench in a folder of its own, whose path is the value of [`MARK`].
pub(crate) struct Bench {
    folder: TempDir,
}

impl Bench {
    pub(crate) fn new() -> Bench {
        Bench { folder: TempDir::new() }
    }

    /// Where the results go.
    pub(crate) fn out(&self) -> PathBuf {
        self.folder.join("out")
    }

    pub(crate) fn command(&self, words: &[&str]) -> Command {
        self.prepared(program(&["bench"]), words)
    }

    fn prepared(&self, mut command: Command, words: &[&str]) -> Command {
        command.args(words).arg("--out").arg(self.out());
        command.current_dir(self.folder.path()).env(MARK, self.folder.path());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Runs the bench to its end, and checks that none of its processes is left.
    #[track_caller]
    pub(crate) fn run(&self, words: &[&str]) -> Output {
        let output = self.command(words).output().expect("the program can be run");
        self.await_nothing_left();
        output
    }

    #[track_caller]
    pub(crate) fn start(&self, words: &[&str]) -> Child {
        self.command(words).spawn().expect("the program can be started")
    }

    /// Has another program, such as nohup(1), start the bench.
    #[track_caller]
    pub(crate) fn start_by(&self, starter: &str, words: &[&str]) -> Child {
        let mut command = Command::new(starter);
        command.args([PROGRAM, "bench"]).stdin(Stdio::null());
        self.prepared(command, words).spawn().expect("the program can be started")
    }

    /// Waits until none of its processes lives.
    #[track_caller]
    pub(crate) fn await_nothing_left(&self) {
        let assignment = format!("{MARK}={}", self.folder.path().display());
        let is_left = |process: &Process| process.has_variable(&assignment) && process.lives();
        wait_until("the end of all that a bench has started", || {
            !process::all().iter().any(is_left)
        });
    }

    /// Writes made-up results.
    #[track_caller]
    pub(crate) fn write_results(&self, results: &Value) {
        fs::create_dir_all(self.out()).expect("a folder");
        fs::write(self.out().join("results.json"), results.to_string()).expect("a file");
    }

    /// The content of `results.json`.
    #[track_caller]
    pub(crate) fn results(&self) -> Value {
        let text = fs::read(self.out().join("results.json")).expect("results.json");
        serde_json::from_slice(&text).expect("JSON")
    }

    /// The content of `report.html`.
    #[track_caller]
    pub(crate) fn page(&self) -> String {
        fs::read_to_string(self.out().join("report.html")).expect("report.html")
    }
}

/// The cells of results.
#[track_caller]
pub(crate) fn cells(results: &Value) -> &[Value] {
    results["cells"].as_array().expect("cells")
}

/// The rounds in which a cell was measured, each once: a run that other processes disturbed is
/// repeated.
#[track_caller]
pub(crate) fn rounds(cell: &Value) -> Vec<u64> {
    let runs = cell["runs"].as_array().expect("runs");
    let rounds: BTreeSet<_> = runs.iter().filter_map(|run| run["round"].as_u64()).collect();
    rounds.into_iter().collect()
}

/// The limits that the verdicts on a cell's runs name, such as `store`.
#[track_caller]
pub(crate) fn limits(cell: &Value) -> Vec<&str> {
    let runs = cell["runs"].as_array().expect("runs").iter();
    let findings = runs.flat_map(|run| run["verdict"].as_array().expect("a verdict"));
    findings.map(|finding| finding["limit"].as_str().expect("a name")).collect()
}

/// Exit status, standard output and standard error, for a message.
pub(crate) fn transcript(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    format!("{:?}\n{}\n{}", output.status, text(&output.stdout), text(&output.stderr))
}
