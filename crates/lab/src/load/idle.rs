//! Idle clients: each has a kept-alive connection, and all are probed in turn.
//!
//! The limit of descriptors bounds what one process can hold, so there are as many processes,
//! called holders, as needed. They are forked without execve(2), because a holder needs only the
//! plan, which is in memory already. All holders write what happens to their clients into one pipe,
//! and end when another pipe is closed.
//!
//! ```text
//!   hold ──► a Holder in each process ──► its clients, one epoll loop over all of them
//!     ▲              │
//!     └─ ClientEvent ┘   a client had its first answer, was probed, was lost
//! ```

pub mod outcome;
pub mod plan;

mod event;
mod holder;

use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Resource, getrlimit};
use zerohttpd_sys::fork::{Fork, exit, fork};
use zerohttpd_sys::wait;

use super::meter::now_ns;
use crate::host::descriptors::raise_limit;
use event::ClientEvent;
use holder::Holder;
pub use outcome::IdleOutcome;
use plan::IdlePlan;

/// The time between two checks whether a holder has died.
const CHECK_MS: u64 = 100;

/// Holds clients until their time is over or `stop` becomes readable. Calls `watch` with the
/// results so far.
///
/// # Errors
///
/// The kernel can't create another process, or a holder was killed.
pub fn hold(
    plan: &IdlePlan,
    stop: BorrowedFd<'_>,
    watch: &mut dyn FnMut(&IdleOutcome),
) -> io::Result<IdleOutcome> {
    raise_limit();
    let descriptors = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    let mut outcome = IdleOutcome::new(plan, plan.processes(descriptors));
    let (reports, keep_running) = start(plan, outcome.processes)?;
    let mut keep_running = Some(keep_running);
    let (started_ns, mut opened_ns) = (now_ns(), None);
    let mut bytes = vec![0; 64 * 1024];
    loop {
        let now_ns = now_ns();
        if opened_ns.is_none() && outcome.is_opened() {
            opened_ns = Some(now_ns);
            outcome.opening_s = (now_ns - started_ns) as f64 / 1e9;
        }
        let elapsed_ns = opened_ns.map_or(0, |opened_ns| now_ns - opened_ns);
        let end_ns = plan.time.filter(|_| opened_ns.is_some()).map(|time| time.as_nanos() as u64);
        if keep_running.is_some() {
            outcome.elapsed_s = elapsed_ns as f64 / 1e9;
            outcome.was_interrupted = is_readable(stop);
            watch(&outcome);
        }
        if outcome.was_interrupted || end_ns.is_some_and(|end_ns| elapsed_ns >= end_ns) {
            // This closes the writing end of the stop pipe, which makes the holders exit.
            keep_running = None;
        }
        let mut fds = [PollFd::new(&reports, PollFlags::IN), PollFd::new(&stop, PollFlags::IN)];
        let count = if keep_running.is_some() { 2 } else { 1 };
        let _ = poll(&mut fds[..count], Some(&zerohttpd_sys::ready::timespec(CHECK_MS)));
        if !fds[0].revents().is_empty() {
            match rustix::io::read(&reports, &mut bytes[..])? {
                0 if keep_running.is_none() => break,
                0 => return Err(killed()),
                count => ClientEvent::read_all(&bytes[..count], |event| outcome.note(event)),
            }
        }
        if keep_running.is_some() && wait::reap()?.is_some() {
            return Err(killed());
        }
    }
    while let Ok(Some(_)) = wait::wait() {}
    outcome.sum_up();
    Ok(outcome)
}

fn killed() -> io::Error {
    io::Error::other("a process that held some of them was killed")
}

/// Starts the holders. Returns the pipe with their reports, and the end of the stop pipe that must
/// stay open while they run.
fn start(plan: &IdlePlan, processes: u32) -> io::Result<(OwnedFd, OwnedFd)> {
    let (reports, report) = pipe_with(PipeFlags::CLOEXEC)?;
    let (stop_pipe, keep_running) = pipe_with(PipeFlags::CLOEXEC)?;
    for process in 0..processes {
        if let Fork::Child = fork()? {
            drop((reports, keep_running));
            let _ = rustix::thread::set_name(c"zerohttpd-idle");
            let share = plan.share(process, processes);
            let held = Holder::new(plan, share, report).and_then(|holder| holder.run(&stop_pipe));
            exit(held.is_err().into());
        }
    }
    Ok((reports, keep_running))
}

fn is_readable(descriptor: BorrowedFd<'_>) -> bool {
    let mut fds = [PollFd::new(&descriptor, PollFlags::IN)];
    poll(&mut fds, Some(&zerohttpd_sys::ready::timespec(0))).is_ok_and(|ready| ready > 0)
}
