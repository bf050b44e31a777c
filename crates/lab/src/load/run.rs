//! The course of a load.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Mutex, PoisonError};
use std::thread;

use hdrhistogram::Histogram;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::pipe::{PipeFlags, pipe_with};

use super::barrier::Barrier;
use super::counts::{ThreadCounts, ThreadProgress};
use super::evaluation::evaluate;
use super::latency::histogram;
use super::meter::now_ns;
use super::observer::Observer;
use super::outcome::LoadOutcome;
use super::plan::{Length, LoadPlan};
use super::timeline::Timeline;
use super::worker::LoadWorker;
use crate::host::descriptors::raise_limit;

/// The time between two checks whether all clients have had a first answer.
const RAMP_POLL_MS: u64 = 5;

/// The time from the announcement of the start to the start, so that no thread begins late.
const LEAD_NS: u64 = 5_000_000;

/// The time between two samples of the server's accept queue.
const SAMPLE_MS: u64 = 100;

/// Progress, for display.
pub struct LoadProgress {
    /// How long the measured time has lasted; none before it has begun.
    pub elapsed_s: Option<f64>,
    /// Latencies since the last report.
    pub latency: Histogram<u64>,
    /// Clients that are connected.
    pub connected: usize,
    /// Requests that failed so far.
    pub failed: u64,
}

/// Runs a load. It ends early when `stop` becomes readable. Calls `watch` with the progress about
/// ten times a second.
///
/// # Errors
///
/// The kernel can't create a thread, or no descriptor is left.
pub fn run(
    plan: &LoadPlan,
    stop: BorrowedFd<'_>,
    watch: &mut dyn FnMut(LoadProgress),
) -> io::Result<LoadOutcome> {
    raise_limit();
    let barrier = Barrier::default();
    let threads_progress: Vec<_> =
        (0..plan.threads).map(|_| Mutex::new(ThreadProgress::default())).collect();
    // Each thread holds the writing end open while it works. The reading end reports when all have
    // ended.
    let (all_ended, running) = pipe_with(PipeFlags::CLOEXEC)?;
    let mut coordinator = Coordinator {
        plan,
        barrier: &barrier,
        threads_progress: &threads_progress,
        observer: Observer::new(plan.target.address),
        times: Timeline { opened_ns: now_ns(), ..Timeline::default() },
    };
    let workers: Vec<_> = (0..plan.threads)
        .map(|thread| {
            let worker =
                LoadWorker::new(plan, plan.share(thread), &barrier, &threads_progress[thread])?;
            Ok((worker, running.try_clone()?))
        })
        .collect::<io::Result<_>>()?;
    drop(running);
    let counts = thread::scope(|scope| {
        let mut running = Vec::new();
        for (thread, (worker, holds_pipe_open)) in workers.into_iter().enumerate() {
            let barrier = &barrier;
            let run = move || {
                // A thread that fails stops the others.
                let counts = worker.run().inspect_err(|_| barrier.stop());
                drop(holds_pipe_open);
                counts
            };
            let builder = thread::Builder::new().name(format!("load-{thread}"));
            running.push(builder.spawn_scoped(scope, run).inspect_err(|_| barrier.stop())?);
        }
        coordinator.coordinate(stop, &all_ended, watch);
        let mut all = ThreadCounts::default();
        for worker in running {
            let counts = worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
            all.add(&counts);
        }
        Ok::<_, io::Error>(all)
    })?;
    let seen = coordinator.observer.observed();
    Ok(evaluate(plan, &counts, coordinator.times, seen))
}

/// Tells the threads when to begin and when to stop.
struct Coordinator<'a> {
    plan: &'a LoadPlan,
    barrier: &'a Barrier,
    threads_progress: &'a [Mutex<ThreadProgress>],
    observer: Observer,
    times: Timeline,
}

impl Coordinator<'_> {
    /// Watches until all threads have ended.
    fn coordinate(
        &mut self,
        stop: BorrowedFd<'_>,
        all_ended: &OwnedFd,
        watch: &mut dyn FnMut(LoadProgress),
    ) {
        let mut has_ended = false;
        while !has_ended {
            let (is_stopped, ended) = self.wait(stop, all_ended.as_fd());
            has_ended = ended;
            let now_ns = now_ns();
            if is_stopped && !self.barrier.is_stopped() {
                self.times.was_interrupted = true;
                self.times.stopped_ns = now_ns;
                self.barrier.stop();
            }
            let may_start = self.times.start_ns.is_none() && !self.barrier.is_stopped();
            if may_start && self.barrier.arrived() == self.plan.threads {
                self.observer.start();
                let start_ns = super::meter::now_ns() + LEAD_NS;
                self.times.start_ns = Some(start_ns);
                self.barrier.start(start_ns);
            }
            if has_ended || self.end_ns().is_some_and(|end_ns| now_ns >= end_ns) {
                self.observer.end();
            }
            self.observer.sample_queue();
            let progress = self.progress(now_ns);
            if self.is_hopeless(&progress) {
                self.barrier.stop();
            }
            watch(progress);
        }
        self.times.ended_ns = now_ns();
    }

    /// Waits for an event. Returns whether to stop, and whether all threads have ended.
    fn wait(&self, stop: BorrowedFd<'_>, all_ended: BorrowedFd<'_>) -> (bool, bool) {
        let mut wait_ms = if self.times.start_ns.is_none() { RAMP_POLL_MS } else { SAMPLE_MS };
        let now_ns = now_ns();
        if let Some(end_ns) = self.end_ns().filter(|end_ns| *end_ns > now_ns) {
            wait_ms = wait_ms.min((end_ns - now_ns).div_ceil(1_000_000));
        }
        let mut fds = [PollFd::new(&all_ended, PollFlags::IN), PollFd::new(&stop, PollFlags::IN)];
        // After a stop, the descriptor stays readable and is not watched.
        let count = if self.barrier.is_stopped() { 1 } else { 2 };
        let _ = poll(&mut fds[..count], Some(&zerohttpd_sys::ready::timespec(wait_ms)));
        (!fds[1].revents().is_empty(), !fds[0].revents().is_empty())
    }

    fn end_ns(&self) -> Option<u64> {
        match self.plan.length {
            Length::Time(time) => Some(self.times.start_ns? + time.as_nanos() as u64),
            Length::Requests(_) => None,
        }
    }

    /// Collects the progress of all threads.
    fn progress(&self, now_ns: u64) -> LoadProgress {
        let mut progress = LoadProgress {
            elapsed_s: self.times.start_ns.map(|start| now_ns.saturating_sub(start) as f64 / 1e9),
            latency: histogram(),
            connected: 0,
            failed: 0,
        };
        for thread_progress in self.threads_progress {
            let mut thread_progress =
                thread_progress.lock().unwrap_or_else(PoisonError::into_inner);
            // This can't fail: all histograms have the same bounds.
            let _ = progress.latency.add(&thread_progress.latency);
            thread_progress.latency.reset();
            progress.connected += thread_progress.connected;
            progress.failed += thread_progress.failed;
        }
        progress
    }

    /// Whether to give up: no client was ever connected, and at least as many requests have failed
    /// as there are clients.
    fn is_hopeless(&self, progress: &LoadProgress) -> bool {
        let ever_connected = |thread_progress: &Mutex<ThreadProgress>| {
            thread_progress.lock().unwrap_or_else(PoisonError::into_inner).ever_connected
        };
        let all = match self.plan.length {
            Length::Time(_) => self.plan.clients as u64,
            Length::Requests(requests) => requests.min(self.plan.clients as u64),
        };
        progress.failed >= all && !self.threads_progress.iter().any(ever_connected)
    }
}
