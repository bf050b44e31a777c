//! A load from its beginning to its end.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Mutex, PoisonError};
use std::thread;

use hdrhistogram::Histogram;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Resource, getrlimit, setrlimit};

use super::gate::Gate;
use super::meter::now_ns;
use super::outcome::{Outcome, Times};
use super::plan::{Length, Plan};
use super::tally::{Tally, Window, histogram};
use super::witness::Witness;
use super::worker::Worker;

/// How often it is looked whether the clients are in.
const GLANCE_MS: u64 = 5;

/// How often the server is looked at while it is under load.
const LOOK_MS: u64 = 100;

/// What there is to tell while it goes on.
pub struct Progress {
    /// How long what counts has gone on; none while the clients are let in.
    pub elapsed_s: Option<f64>,
    /// Latencies since this was last told.
    pub latency: Histogram<u64>,
    /// Clients that are connected.
    pub connected: usize,
    /// Requests that failed so far.
    pub failed: u64,
}

/// Puts a load on a server. It ends before its time when `stop` becomes readable. Meanwhile `watch`
/// is told how it goes, about ten times a second.
///
/// # Errors
///
/// The kernel gave us no thread, or no descriptor to watch sockets with.
pub fn run(
    plan: &Plan,
    stop: BorrowedFd<'_>,
    watch: &mut dyn FnMut(Progress),
) -> io::Result<Outcome> {
    raise_descriptor_limit();
    let gate = Gate::default();
    let windows: Vec<_> = (0..plan.threads).map(|_| Mutex::new(Window::default())).collect();
    // Whoever holds the one end is at work; the other tells when nobody does.
    let (all_ended, at_work) = pipe_with(PipeFlags::CLOEXEC)?;
    let mut conductor = Conductor {
        plan,
        gate: &gate,
        windows: &windows,
        witness: Witness::new(plan.target.address),
        times: Times { opened_ns: now_ns(), ..Times::default() },
    };
    let workers: Vec<_> = (0..plan.threads)
        .map(|thread| {
            let worker = Worker::new(plan, plan.share(thread), &gate, &windows[thread])?;
            Ok((worker, at_work.try_clone()?))
        })
        .collect::<io::Result<_>>()?;
    drop(at_work);
    let tally = thread::scope(|scope| {
        let mut at_work = Vec::new();
        for (thread, (worker, is_at_work)) in workers.into_iter().enumerate() {
            let gate = &gate;
            let run = move || {
                // One that fails takes the others with it.
                let tally = worker.run().inspect_err(|_| gate.stop());
                drop(is_at_work);
                tally
            };
            let builder = thread::Builder::new().name(format!("load-{thread}"));
            at_work.push(builder.spawn_scoped(scope, run).inspect_err(|_| gate.stop())?);
        }
        conductor.conduct(stop, &all_ended, watch);
        let mut all = Tally::default();
        for worker in at_work {
            let tally = worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
            all.add(&tally);
        }
        Ok::<_, io::Error>(all)
    })?;
    let seen = conductor.witness.seen();
    Ok(Outcome::new(plan, &tally, conductor.times, seen))
}

/// A client needs a descriptor, and the limit that a shell sets is for programs that use few.
pub(super) fn raise_descriptor_limit() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    // Without it, what is missing is counted and told.
    let _ = setrlimit(Resource::Nofile, limit);
}

/// Who tells the threads when to begin and to stop.
struct Conductor<'a> {
    plan: &'a Plan,
    gate: &'a Gate,
    windows: &'a [Mutex<Window>],
    witness: Witness,
    times: Times,
}

impl Conductor<'_> {
    /// Goes on until all threads have ended.
    fn conduct(
        &mut self,
        stop: BorrowedFd<'_>,
        all_ended: &OwnedFd,
        watch: &mut dyn FnMut(Progress),
    ) {
        let mut has_ended = false;
        while !has_ended {
            let (is_stopped, ended) = self.wait(stop, all_ended.as_fd());
            has_ended = ended;
            let now_ns = now_ns();
            if is_stopped && !self.gate.is_stopped() {
                self.times.was_interrupted = true;
                self.gate.stop();
            }
            let may_start = self.times.start_ns.is_none() && !self.gate.is_stopped();
            if may_start && self.gate.arrived() == self.plan.threads {
                self.witness.start();
                let start_ns = super::meter::now_ns();
                self.times.start_ns = Some(start_ns);
                self.gate.start(start_ns);
            }
            if has_ended || self.end_ns().is_some_and(|end_ns| now_ns >= end_ns) {
                self.witness.end();
            }
            self.witness.look();
            let progress = self.progress(now_ns);
            if self.is_hopeless(&progress) {
                self.gate.stop();
            }
            watch(progress);
        }
        self.times.over_ns = now_ns();
    }

    /// Waits until there is something to do: whether all is to stop, and whether all has ended.
    fn wait(&self, stop: BorrowedFd<'_>, all_ended: BorrowedFd<'_>) -> (bool, bool) {
        let mut wait_ms = if self.times.start_ns.is_none() { GLANCE_MS } else { LOOK_MS };
        let now_ns = now_ns();
        if let Some(end_ns) = self.end_ns().filter(|end_ns| *end_ns > now_ns) {
            wait_ms = wait_ms.min((end_ns - now_ns).div_ceil(1_000_000));
        }
        let mut fds = [PollFd::new(&all_ended, PollFlags::IN), PollFd::new(&stop, PollFlags::IN)];
        // Once it was stopped, that is no news.
        let count = if self.gate.is_stopped() { 1 } else { 2 };
        let _ = poll(&mut fds[..count], Some(&crate::clock::timespec(wait_ms)));
        (!fds[1].revents().is_empty(), !fds[0].revents().is_empty())
    }

    fn end_ns(&self) -> Option<u64> {
        match self.plan.length {
            Length::Time(time) => Some(self.times.start_ns? + time.as_nanos() as u64),
            Length::Requests(_) => None,
        }
    }

    /// What the threads have shown since they were last asked.
    fn progress(&self, now_ns: u64) -> Progress {
        let mut progress = Progress {
            elapsed_s: self.times.start_ns.map(|start| now_ns.saturating_sub(start) as f64 / 1e9),
            latency: histogram(),
            connected: 0,
            failed: 0,
        };
        for window in self.windows {
            let mut window = window.lock().unwrap_or_else(PoisonError::into_inner);
            // The bounds of all histograms are the same.
            let _ = progress.latency.add(&window.latency);
            window.latency.reset();
            progress.connected += window.connected;
            progress.failed += window.failed;
        }
        progress
    }

    /// Every client has failed, and none was ever connected: it won't get better.
    fn is_hopeless(&self, progress: &Progress) -> bool {
        let ever_connected = |window: &Mutex<Window>| {
            window.lock().unwrap_or_else(PoisonError::into_inner).ever_connected
        };
        let all = match self.plan.length {
            Length::Time(_) => self.plan.clients as u64,
            Length::Requests(requests) => requests.min(self.plan.clients as u64),
        };
        progress.failed >= all && !self.windows.iter().any(ever_connected)
    }
}
