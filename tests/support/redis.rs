//! A Redis that only one test uses, on a Unix socket in a folder of its own.

use std::fs::File;
use std::io::ErrorKind;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::process::Process;
use super::{TempDir, wait_until};

const MISSING: &str = "these tests need redis-server and redis-cli: install them \
    (`apt-get install redis-server`)";

/// A running Redis, ended when it is dropped.
pub(crate) struct Redis {
    process: Child,
    folder: TempDir,
    options: Vec<String>,
}

impl Redis {
    /// Starts a Redis with further options, such as `--requirepass x`.
    #[track_caller]
    pub(crate) fn start(options: &[&str]) -> Redis {
        let folder = TempDir::new();
        let options: Vec<_> = options.iter().map(ToString::to_string).collect();
        let process = launch(folder.path(), &options);
        let redis = Redis { process, folder, options };
        redis.await_start();
        redis
    }

    #[track_caller]
    fn await_start(&self) {
        // While Redis loads its database, it answers pings with an error.
        wait_until("a Redis that answers", || {
            UnixStream::connect(self.socket()).is_ok()
                && !redis_cli(&self.socket(), &["ping"]).contains("LOADING")
        });
    }

    pub(crate) fn process(&self) -> Process {
        Process(self.process.id())
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.folder.join("r.sock")
    }

    /// Its URL for `--store`.
    pub(crate) fn url(&self) -> String {
        format!("redis+unix://{}", self.socket().display())
    }

    /// Kills it: changes that it has not yet written to its file are lost.
    pub(crate) fn kill(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }

    /// Starts it again after it was killed; it loads its file.
    #[track_caller]
    pub(crate) fn start_again(&mut self) {
        self.process = launch(self.folder.path(), &self.options);
        self.await_start();
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.kill();
    }
}

fn launch(folder: &Path, options: &[String]) -> Child {
    let log = File::create(folder.join("log")).expect("a file for Redis to log to");
    let mut command = Command::new("redis-server");
    command.args(["--port", "0", "--save", "", "--unixsocket"]).arg(folder.join("r.sock"));
    command.arg("--dir").arg(folder).args(options);
    let spawned = command.stdin(Stdio::null()).stdout(log).spawn();
    spawned.unwrap_or_else(|e| match e.kind() {
        ErrorKind::NotFound => panic!("{MISSING}"),
        _ => panic!("redis-server: {e}"),
    })
}

/// The output of redis-cli for a command; each item of a list is on a line of its own.
#[track_caller]
pub(crate) fn redis_cli(socket: &Path, words: &[&str]) -> String {
    let output = Command::new("redis-cli").arg("-s").arg(socket).args(words).output();
    let output = output.unwrap_or_else(|e| match e.kind() {
        ErrorKind::NotFound => panic!("{MISSING}"),
        _ => panic!("redis-cli: {e}"),
    });
    String::from_utf8_lossy(&output.stdout).trim_end().to_string()
}
