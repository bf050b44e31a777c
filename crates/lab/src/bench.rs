//! The bench measures every server under every load several times, in rounds: a round measures each
//! server once under each load.

pub mod plan;
pub mod store;
pub mod subject;

mod child;
mod descendants;
mod interrupt;
mod load;
mod progress;
mod run;
mod sampler;
mod schedule;
mod server;

use std::fs;
use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use zerohttpd_sys::say;

use crate::console::INTERRUPTED;
use crate::host::cores;
use crate::host::descriptors::raise_limit;
use crate::report;
use crate::report::agreement::Agreement;
use crate::results::{Cell, FILE, FailedRun, Load, Results};
use descendants::Descendants;
use interrupt::{Aborted, Interrupt};
use plan::BenchPlan;
use progress::BenchProgress;
use run::Bench;
use schedule::Repeats;
use store::Store;

/// The number of remarks that a temporary guestbook gets before the first run.
const REMARKS: u64 = 10;

/// Measures all servers of the plan and draws the report.
///
/// # Errors
///
/// The folder has results already, the results can't be written, or a resource is missing.
pub fn bench(plan: &BenchPlan, started: String) -> Result<ExitCode, String> {
    let (results, end) = measure(plan, started)?;
    let saved = results.save(&plan.out);
    // The table is shown even if the results can't be saved.
    let shown = report::write(&results, &plan.out);
    saved.and(shown)?;
    if let Err(Aborted::Failed(text)) = end {
        return Err(text);
    }
    let is_quiet = Agreement::of(&results).is_none_or(|agreement| agreement.is_quiet());
    let has_runs = results.cells.iter().any(|cell| !cell.runs.is_empty());
    Ok(match (results.was_interrupted, has_runs) {
        (true, _) => ExitCode::from(INTERRUPTED),
        (false, true) if is_quiet => ExitCode::SUCCESS,
        (false, _) => ExitCode::FAILURE,
    })
}

/// Runs an A/A bench: measures one server under several names, to see how far its own results
/// agree. Returns none if Ctrl-C ended the bench.
///
/// # Errors
///
/// The server can't be started, or a resource is missing.
pub fn agreement(plan: &BenchPlan, started: String) -> Result<Option<Agreement>, String> {
    match measure(plan, started)? {
        (_, Err(Aborted::Interrupted)) => Ok(None),
        (_, Err(Aborted::Failed(text))) => Err(text),
        (results, Ok(())) => {
            let troubles = results.cells.iter().flat_map(|cell| &cell.troubles);
            let trouble = troubles.map(|trouble| trouble.text.clone()).next();
            let reason = || trouble.unwrap_or_else(|| "no two runs can be compared".into());
            Agreement::of(&results).map(Some).ok_or_else(reason)
        }
    }
}

/// Does all runs of the plan. The results are saved in its folder after each.
fn measure(plan: &BenchPlan, started: String) -> Result<(Results, Result<(), Aborted>), String> {
    let subjects = plan.entries.iter().map(|entry| entry.subject.clone()).collect();
    let mut results = Results::new(started, plan.settings.clone(), subjects);
    results.cells = cells(&results);
    // Set until the end, so that the results count as incomplete if this process crashes.
    results.was_interrupted = true;
    make_folder(&plan.out, &results)?;
    let interrupt = Interrupt::new()?;
    let descendants = Descendants::adopt()?;
    let folder = tempfile::tempdir()
        .map_err(|error| format!("can't make a folder for the servers' files: {error}"))?;
    raise_limit();
    let bench =
        Bench { plan, folder: folder.path(), descendants: &descendants, interrupt: &interrupt };
    cores::pin_to(None, &plan.settings.cores.load);
    let mut progress = BenchProgress::new(&results);
    let before = Instant::now();
    let end = run_rounds(&bench, &mut results, &mut progress);
    progress.end();
    results.was_interrupted = end == Err(Aborted::Interrupted);
    results.took_s = before.elapsed().as_secs_f64();
    Ok((results, end))
}

/// Creates the folder and writes the settings before the first run, so that a folder that can't be
/// written to is noticed now. Results that have runs, or can't be read, are not overwritten.
fn make_folder(out: &Path, results: &Results) -> Result<(), String> {
    let has_file = fs::exists(out.join(FILE)).unwrap_or(false);
    if has_file && Results::load(out).map_or(true, |results| results.has_runs()) {
        return Err(format!("{} has results already; name another --out", out.display()));
    }
    fs::create_dir_all(out)
        .map_err(|error| format!("can't make {}: {error}; name another --out", out.display()))?;
    results.save(out)
}

/// An empty cell for each server under each load.
fn cells(results: &Results) -> Vec<Cell> {
    let of = |load: Load| {
        results.subjects.iter().map(move |subject| Cell {
            subject: subject.name.clone(),
            load,
            ..Cell::default()
        })
    };
    results.loads().into_iter().flat_map(of).collect()
}

fn run_rounds(
    bench: &Bench<'_>,
    results: &mut Results,
    progress: &mut BenchProgress,
) -> Result<(), Aborted> {
    results.settings.remarks = sign(bench)?;
    let mut random = fastrand::Rng::with_seed(results.settings.seed);
    let mut repeats = Repeats::new(&results.settings, results.cells.len());
    for round in 1.. {
        let rows = schedule::rows_of_round(results, round);
        if rows.is_empty() {
            break;
        }
        let order = schedule::block_order(&results.cells, &rows, &mut random);
        if round > results.settings.rounds {
            progress.expect_more(order.len());
        }
        for index in order {
            measure_cell(bench, results, progress, index, round, &mut repeats)?;
        }
    }
    Ok(())
}

/// Measures a cell in a round, and again if other processes disturbed it.
fn measure_cell(
    bench: &Bench<'_>,
    results: &mut Results,
    progress: &mut BenchProgress,
    index: usize,
    round: usize,
    repeats: &mut Repeats,
) -> Result<(), Aborted> {
    for attempt in 1.. {
        let cell = &results.cells[index];
        progress.begin(cell, round, attempt);
        let mut entries = bench.plan.entries.iter();
        let Some(entry) = entries.find(|entry| entry.subject.name == cell.subject) else { break };
        let run = bench.run(entry, cell.load, round);
        let cell = &mut results.cells[index];
        let is_repeated = run.as_ref().is_ok_and(|run| repeats.grant(run, attempt));
        match run {
            Ok(run) => cell.runs.push(run),
            Err(Aborted::Failed(text)) => cell.troubles.push(FailedRun { round, text }),
            Err(Aborted::Interrupted) => return Err(Aborted::Interrupted),
        }
        if is_repeated {
            progress.expect_more(1);
        }
        progress.finish_run(results, index);
        // Saves after each run, so that a crash of this process loses at most one.
        results.save(&bench.plan.out)?;
        if !is_repeated {
            break;
        }
    }
    Ok(())
}

/// Signs a temporary guestbook, so that its pages are as long as those of a guestbook in use.
/// Returns the number of remarks added. The guestbook of a Redis stays as it is.
fn sign(bench: &Bench<'_>) -> Result<u64, Aborted> {
    let with_store = bench.plan.entries.iter().find(|entry| entry.subject.uses_store);
    let (Store::Embedded, Some(entry)) = (&bench.plan.store, with_store) else { return Ok(0) };
    match bench.sign(entry, REMARKS) {
        Ok(()) => Ok(REMARKS),
        Err(Aborted::Failed(text)) => {
            say!("zerohttpd: the guestbook can't be signed, and stays empty: {text}");
            Ok(0)
        }
        Err(Aborted::Interrupted) => Err(Aborted::Interrupted),
    }
}
