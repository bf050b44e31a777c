//! The bench: every server under every load, several times, in an order that is drawn anew for each
//! round, so that what changes on the machine meanwhile changes all of them alike.

pub mod cli;

mod census;
mod child;
mod contestant;
mod interrupt;
mod load;
mod progress;
mod run;
mod server;
mod store;

use std::fs;
use std::process::ExitCode;
use std::time::Instant;

use rustix::process::{Resource, getrlimit, setrlimit};

use super::cores;
use super::report;
use super::results::{Cell, Load, Results, Trouble};
use crate::clock;
use cli::{BenchArgs, Plan};
use interrupt::{Interrupt, Stop};
use progress::Progress;
use run::Bench;
use store::Store;

/// The code of one that was stopped by Ctrl-C, as a shell has it: 128 and the signal's number.
const INTERRUPTED: u8 = 130;

/// A guestbook that somebody has signed.
const REMARKS: u64 = 10;

/// Measures what is to be measured, and draws the report.
///
/// # Errors
///
/// What was typed makes no sense, or the results can't be written.
pub fn bench(args: BenchArgs) -> Result<ExitCode, String> {
    let started = clock::today();
    let plan = args.into_plan(&started, clock::now().unix_s)?;
    make_folder(&plan)?;
    let interrupt = Interrupt::new()?;
    let folder = tempfile::tempdir()
        .map_err(|error| format!("can't make a folder for what servers write: {error}"))?;
    raise_descriptor_limit();
    let bench = Bench { plan: &plan, folder: folder.path(), interrupt: &interrupt };
    let contestants = plan.entries.iter().map(|entry| entry.contestant.clone()).collect();
    let mut results = Results::new(started, plan.settings.clone(), contestants);
    results.cells = cells(&results);
    cores::keep_to(None, &plan.settings.cores.load);
    let mut progress = Progress::new(&results);
    let before = Instant::now();
    let end = rounds(&bench, &mut results, &mut progress);
    progress.end();
    results.was_interrupted = end == Err(Stop::Interrupted);
    results.took_s = before.elapsed().as_secs_f64();
    results.save(&plan.out)?;
    report::write(&results, &plan.out)?;
    let ran = results.cells.iter().any(|cell| !cell.runs.is_empty());
    Ok(match (results.was_interrupted, ran) {
        (true, _) => ExitCode::from(INTERRUPTED),
        (false, true) => ExitCode::SUCCESS,
        (false, false) => ExitCode::FAILURE,
    })
}

/// Results that are there already are not written over.
fn make_folder(plan: &Plan) -> Result<(), String> {
    let out = &plan.out;
    if Results::load(out).is_ok() {
        return Err(format!("{} has results already; name another --out", out.display()));
    }
    fs::create_dir_all(out).map_err(|error| format!("can't make {}: {error}", out.display()))
}

/// Servers have the limit that we have, and need a descriptor for each client.
fn raise_descriptor_limit() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    // Without it, the verdict names what is missing.
    let _ = setrlimit(Resource::Nofile, limit);
}

/// A cell for everybody under every load, with nothing in it yet.
fn cells(results: &Results) -> Vec<Cell> {
    let of = |load: Load| {
        results.contestants.iter().map(move |contestant| Cell {
            contestant: contestant.name.clone(),
            load,
            ..Cell::default()
        })
    };
    results.loads().into_iter().flat_map(of).collect()
}

fn rounds(bench: &Bench<'_>, results: &mut Results, progress: &mut Progress) -> Result<(), Stop> {
    results.settings.remarks = sign(bench)?;
    let mut random = fastrand::Rng::with_seed(results.settings.seed);
    for round in 1..=results.settings.rounds {
        let mut order: Vec<_> = (0..results.cells.len()).collect();
        random.shuffle(&mut order);
        for index in order {
            let cell = &results.cells[index];
            progress.begin(cell, round);
            let entries = bench.plan.entries.iter();
            let entry = entries.clone().find(|entry| entry.contestant.name == cell.contestant);
            let Some(entry) = entry else { continue };
            let run = bench.run(entry, cell.load, round);
            let cell = &mut results.cells[index];
            match run {
                Ok(run) => cell.runs.push(run),
                Err(Stop::Trouble(text)) => cell.troubles.push(Trouble { round, text }),
                Err(Stop::Interrupted) => return Err(Stop::Interrupted),
            }
            progress.done(results, index);
        }
        // What was measured is kept, whatever happens to this process.
        results.save(&bench.plan.out)?;
    }
    Ok(())
}

/// Has a temporary guestbook signed, so that its pages are those of one that is in use: how many
/// remarks it has then. That of a Redis is as it is.
fn sign(bench: &Bench<'_>) -> Result<u64, Stop> {
    let ours = bench.plan.entries.iter().find(|entry| entry.contestant.uses_store);
    let (Store::Embedded, Some(entry)) = (&bench.plan.store, ours) else { return Ok(0) };
    match bench.sign(entry, REMARKS) {
        Ok(()) => Ok(REMARKS),
        Err(Stop::Trouble(text)) => {
            say!("zerohttpd: the guestbook can't be signed, and stays empty: {text}");
            Ok(0)
        }
        Err(Stop::Interrupted) => Err(Stop::Interrupted),
    }
}
