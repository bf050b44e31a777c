//! Runs `zerohttpd load`: shows a progress line on a terminal, then prints the results.

use std::io;
use std::os::fd::AsFd;
use std::process::ExitCode;

use rustix::process::Signal;
use zerohttpd_sys::say;
use zerohttpd_sys::signal::Signals;

use super::idle;
use super::idle::plan::IdlePlan;
use super::live::Live;
use super::plan::LoadPlan;
use super::run::{LoadProgress, run};
use super::summary::{columns, summary};
use crate::console::{self, INTERRUPTED, print};

/// The line on standard error by which the bench learns that the measurement begins.
pub const STARTED: &str = "begun";

/// Runs a load, and prints the results.
///
/// # Errors
///
/// The kernel lacks resources, or standard output can't be written to.
pub fn load(plan: &LoadPlan, is_json: bool, announces: bool) -> Result<ExitCode, String> {
    let mut is_to_announce = announces;
    let signals = Signals::take(&[Signal::INT, Signal::TERM])
        .map_err(|error| format!("can't wait for signals: {error}"))?;
    let mut live = Live::new();
    let mut watch = |progress: LoadProgress| {
        if is_to_announce && progress.elapsed_s.is_some() {
            say!("{STARTED}");
            is_to_announce = false;
        }
        live.show(&progress);
    };
    let outcome = run(plan, signals.as_fd(), &mut watch)
        .map_err(|error| format!("can't run the load: {error}"));
    live.clear();
    let outcome = outcome?;
    let text = match is_json {
        true => serde_json::to_string_pretty(&outcome).map_err(|error| error.to_string())? + "\n",
        false => summary(&outcome, columns(console::columns(io::stdout()))),
    };
    print(&text).map_err(|error| format!("can't write what was measured: {error}"))?;
    Ok(match (outcome.was_interrupted, outcome.is_good()) {
        (true, _) => ExitCode::from(INTERRUPTED),
        (false, true) => ExitCode::SUCCESS,
        (false, false) => ExitCode::FAILURE,
    })
}

/// Holds idle clients, and prints the results.
///
/// # Errors
///
/// The kernel lacks resources, or standard output can't be written to.
pub fn hold(plan: &IdlePlan, is_json: bool) -> Result<ExitCode, String> {
    let signals = Signals::take(&[Signal::INT, Signal::TERM])
        .map_err(|error| format!("can't wait for signals: {error}"))?;
    let mut live = Live::new();
    let mut was_announced = false;
    let outcome = idle::hold(plan, signals.as_fd(), &mut |outcome| {
        live.show_line(|| outcome.line());
        if outcome.is_opened() && !std::mem::replace(&mut was_announced, true) {
            live.clear();
            say!("{}", outcome.line());
        }
    })
    .map_err(|error| format!("can't hold {} clients: {error}", plan.clients));
    live.clear();
    let outcome = outcome?;
    let text = match is_json {
        true => serde_json::to_string_pretty(&outcome).map_err(|error| error.to_string())? + "\n",
        false => outcome.summary(),
    };
    print(&text).map_err(|error| format!("can't write what was measured: {error}"))?;
    // Without a duration, being stopped is the regular end.
    Ok(match (outcome.was_interrupted && plan.time.is_some(), outcome.is_good()) {
        (true, _) => ExitCode::from(INTERRUPTED),
        (false, true) => ExitCode::SUCCESS,
        (false, false) => ExitCode::FAILURE,
    })
}
