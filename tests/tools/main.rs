//! Common download tools, and a load generator, work with every architecture.

#[path = "../support/mod.rs"]
mod support;

mod fetching;
mod listing;
mod measuring;

use std::ffi::OsStr;
use std::io::ErrorKind;
use std::process::{Command, Stdio};

/// Runs a tool to its end and returns its standard output; panics if it fails.
#[track_caller]
fn run(tool: &str, package: &str, words: impl IntoIterator<Item = impl AsRef<OsStr>>) -> String {
    let mut command = Command::new(tool);
    // The user's settings and proxies are not used.
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
