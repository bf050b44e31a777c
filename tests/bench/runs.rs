//! A bench that is run to its end, or until it is stopped.

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;

use crate::support::TempDir;
use crate::support::process::{self, Process};
use crate::support::server::program;
use crate::support::wait_until;

/// What the environment of all that a bench starts says.
const MARK: &str = "ZEROHTTPD_TEST";

/// The folder of a bench, and what it is called in the environment of all its processes.
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

    fn command(&self, words: &[&str]) -> Command {
        let mut command = program(&["bench"]);
        command.args(words).arg("--out").arg(self.out());
        command.current_dir(self.folder.path()).env(MARK, self.folder.path());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Runs it to its end, after which nothing is left of it.
    #[track_caller]
    pub(crate) fn run(&self, words: &[&str]) -> Output {
        let output = self.command(words).output().expect("the program can be run");
        self.await_nothing_left();
        output
    }

    /// Starts it.
    #[track_caller]
    pub(crate) fn start(&self, words: &[&str]) -> Child {
        self.command(words).spawn().expect("the program can be started")
    }

    /// Waits until none of its processes lives.
    #[track_caller]
    pub(crate) fn await_nothing_left(&self) {
        let assignment = format!("{MARK}={}", self.folder.path().display());
        let is_left = |one: &Process| one.has_variable(&assignment) && one.lives();
        wait_until("the end of all that a bench has started", || {
            !process::all().iter().any(is_left)
        });
    }

    /// What stands in `results.json`.
    #[track_caller]
    pub(crate) fn results(&self) -> Value {
        let text = fs::read(self.out().join("results.json")).expect("results.json");
        serde_json::from_slice(&text).expect("JSON")
    }

    /// What stands in `report.html`.
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

/// All that is said to limit any run of a cell.
#[track_caller]
pub(crate) fn limits(cell: &Value) -> Vec<&str> {
    let runs = cell["runs"].as_array().expect("runs").iter();
    let findings = runs.flat_map(|run| run["verdict"].as_array().expect("a verdict"));
    findings.map(|finding| finding["limit"].as_str().expect("a name")).collect()
}

/// What was said, for a message.
pub(crate) fn said(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    format!("{:?}\n{}\n{}", output.status, text(&output.stdout), text(&output.stderr))
}
