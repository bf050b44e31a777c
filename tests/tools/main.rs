//! The tools that people fetch files with: what they ask of a server has to work as they expect.

#[path = "../support/mod.rs"]
mod support;

mod fetching;
mod measuring;

use std::ffi::OsStr;
use std::io::ErrorKind;
use std::process::{Command, Stdio};

/// Runs a tool to its end; what it printed. It must say that it succeeded.
#[track_caller]
fn run(tool: &str, package: &str, words: impl IntoIterator<Item = impl AsRef<OsStr>>) -> String {
    let mut command = Command::new(tool);
    // Nobody's settings, and no way out of this machine.
    for name in ["http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "ALL_PROXY"] {
        command.env_remove(name);
    }
    command.args(words).stdin(Stdio::null()).env("HOME", "/nonexistent");
    let output = command.output().unwrap_or_else(|e| match e.kind() {
        ErrorKind::NotFound => {
            panic!("these tests need {tool}: install it (`apt-get install {package}`)")
        }
        _ => panic!("{tool}: {e}"),
    });
    assert!(output.status.success(), "{command:?}: {output:?}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}
