//! A systemd in namespaces of its own, where it runs as if on another machine.

use std::fs::{self, File};
use std::os::fd::AsFd;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::support::process::Process;
use crate::support::program::PROGRAM;
use crate::support::server::read;
use crate::support::{TempDir, package, skip, wait_for, wait_until};

/// unshare(1), which ends with this value, and all processes in its namespaces with it.
struct Unshare(Child);

impl Unshare {
    fn end(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Drop for Unshare {
    fn drop(&mut self) {
        self.end();
    }
}

pub(crate) struct Machine {
    unshare: Unshare,
    systemd: Process,
    /// `/mnt` inside.
    folder: TempDir,
}

impl Machine {
    /// Starts a systemd with these units, and starts none of them. If that is not possible here,
    /// says why and returns none.
    pub(crate) fn start(units: &[(String, String)]) -> Option<Machine> {
        if !rustix::process::geteuid().is_root() {
            skip("only root can run systemd");
            return None;
        }
        let folder = TempDir::new();
        let mut script = Command::new(package().join("tests/systemd_units/systemd.sh"));
        script.arg(folder.path()).arg(PROGRAM);
        for (name, text) in units {
            folder.write(name, text);
            script.arg(folder.join(name));
        }
        let output = File::create(folder.join("output")).expect("a file for output");
        script.stdin(Stdio::null()).stdout(output.try_clone().expect("a file")).stderr(output);
        let mut unshare = Unshare(script.spawn().expect("bash"));
        let output = || read(&folder.join("output"));
        let top = Process(unshare.0.id());
        let mut has_ended = || unshare.0.try_wait().expect("a child of ours").is_some();
        wait_until("namespaces, or a reason against them", || {
            output().contains("namespaces are there") || has_ended()
        });
        if !output().contains("namespaces are there") {
            skip(&format!("no namespaces can be created here: {}", output()));
            return None;
        }
        let systemd = wait_for("systemd", || {
            assert!(!has_ended(), "systemd has ended: {}", output());
            top.tree().into_iter().find(|process| process.name() == "systemd")
        });
        let machine = Machine { unshare, systemd, folder };
        wait_until("a systemd that answers", || {
            let state = machine.run(&["systemctl", "is-system-running"]);
            ["running", "degraded"].contains(&&*state.unwrap_or_else(|state| state))
        });
        Some(machine)
    }

    /// Copies a file into `/mnt`.
    #[allow(dead_code)]
    pub(crate) fn copy(&self, file: &Path, name: &str) {
        fs::copy(file, self.folder.join(name)).expect("a copy");
    }

    /// Runs a program in the namespaces; returns its output, as an error if it fails.
    pub(crate) fn run(&self, words: &[&str]) -> Result<String, String> {
        let pid = self.systemd.0.to_string();
        let mut command = Command::new("nsenter");
        command.args(["--target", &pid, "--mount", "--pid", "--net", "--ipc", "--uts"]).args(words);
        let output = command.stdin(Stdio::null()).output().expect("nsenter");
        let text = [output.stdout, output.stderr].concat();
        let text = String::from_utf8_lossy(&text).trim().to_string();
        if output.status.success() { Ok(text) } else { Err(text) }
    }

    /// Runs systemctl and returns its output; panics if it fails.
    #[track_caller]
    pub(crate) fn systemctl(&self, words: &[&str]) -> String {
        self.run(&[&["systemctl"], words].concat()).unwrap_or_else(|error| {
            panic!("systemctl {words:?}: {error}\n{}\n{}", self.output(), self.errors())
        })
    }

    /// The output of systemd so far.
    fn output(&self) -> String {
        read(&self.folder.join("output"))
    }

    /// The standard error of the services so far.
    pub(crate) fn errors(&self) -> String {
        fs::read_to_string(self.folder.join("errors")).unwrap_or_default()
    }

    /// Moves this thread into the network namespace, so that it can connect to the services.
    pub(crate) fn enter(&self) {
        let network = File::open(format!("/proc/{}/ns/net", self.systemd.0)).expect("a namespace");
        move_into_link_name_space(network.as_fd(), Some(LinkNameSpaceType::Network))
            .expect("root can enter a namespace");
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        // When systemd, the first process of its namespace, ends, the kernel ends all others there.
        self.unshare.end();
        self.systemd.kill();
        wait_until("the end of systemd", || !self.systemd.lives());
    }
}
