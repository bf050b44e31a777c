//! Clients that are there and want nothing: as many as asked for, each kept alive, and asked after
//! in turn.
//!
//! A process can't have more descriptors than its limit says, so there are as many processes as
//! that takes: forked, since a holder needs nothing but the plan. What happens to its clients it
//! writes into one pipe for all; it ends when another is closed.
//!
//! ```text
//!   hold ──► a Holder a process ──► its clients, one epoll loop over all of them
//!     ▲         │
//!     └─ Report ┘   somebody is in, was answered, was lost
//! ```

mod account;
mod holder;
mod report;

use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Resource, getrlimit};

use crate::sys::fork::{Fork, exit, fork};
use crate::sys::wait;

use super::meter::now_ns;
use super::run::raise_descriptor_limit;
use super::target::Target;
pub use account::Account;
use holder::{Holder, Share};
use report::Report;

/// Descriptors of a holder that are not clients.
const OWN_DESCRIPTORS: u64 = 32;

/// How often it is looked whether a holder has died.
const LOOK_MS: u64 = 100;

/// What is to be held.
#[derive(Clone, Debug)]
pub struct Plan {
    /// What is asked, and whom.
    pub target: Target,
    /// How many clients.
    pub clients: u32,
    /// For how long, once all have had their first answer; none until it is stopped.
    pub time: Option<Duration>,
    /// Whoever has no whole answer by then is lost.
    pub timeout: Duration,
}

impl Plan {
    /// How many processes it takes, if each may have so many descriptors.
    fn processes(&self, descriptors: u64) -> u32 {
        let clients = descriptors.saturating_sub(OWN_DESCRIPTORS).max(1);
        let processes = u64::from(self.clients).div_ceil(clients);
        u32::try_from(processes).unwrap_or(u32::MAX)
    }
}

/// Holds clients, until their time is over or `stop` becomes readable. Meanwhile `watch` is told
/// how it goes.
///
/// # Errors
///
/// There is no room for another process, or one of them was killed.
pub fn hold(
    plan: &Plan,
    stop: BorrowedFd<'_>,
    watch: &mut dyn FnMut(&Account),
) -> io::Result<Account> {
    raise_descriptor_limit();
    let descriptors = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    let mut account = Account::new(plan, plan.processes(descriptors));
    let (reports, has_ended) = start(plan, account.processes)?;
    let mut has_ended = Some(has_ended);
    let (begun_ns, mut all_in_ns) = (now_ns(), None);
    let mut bytes = vec![0; 64 * 1024];
    loop {
        let now_ns = now_ns();
        if all_in_ns.is_none() && account.are_all_in() {
            all_in_ns = Some(now_ns);
            account.opening_s = (now_ns - begun_ns) as f64 / 1e9;
        }
        let elapsed_ns = all_in_ns.map_or(0, |all_in_ns| now_ns - all_in_ns);
        let end_ns = plan.time.filter(|_| all_in_ns.is_some()).map(|time| time.as_nanos() as u64);
        if has_ended.is_some() {
            account.elapsed_s = elapsed_ns as f64 / 1e9;
            account.was_interrupted = is_readable(stop);
            watch(&account);
        }
        if account.was_interrupted || end_ns.is_some_and(|end_ns| elapsed_ns >= end_ns) {
            // Whoever holds clients sees that nobody is at the other end any more.
            has_ended = None;
        }
        let mut fds = [PollFd::new(&reports, PollFlags::IN), PollFd::new(&stop, PollFlags::IN)];
        let count = if has_ended.is_some() { 2 } else { 1 };
        let _ = poll(&mut fds[..count], Some(&crate::clock::timespec(LOOK_MS)));
        if !fds[0].revents().is_empty() {
            match rustix::io::read(&reports, &mut bytes[..])? {
                0 if has_ended.is_none() => break,
                0 => return Err(killed()),
                count => Report::read_all(&bytes[..count], |report| account.note(report)),
            }
        }
        if has_ended.is_some() && wait::reap()?.is_some() {
            return Err(killed());
        }
    }
    while let Ok(Some(_)) = wait::wait() {}
    account.sum_up();
    Ok(account)
}

fn killed() -> io::Error {
    io::Error::other("a process that held some of them was killed")
}

/// Starts the holders: where their reports can be read, and what is kept for as long as they are to
/// go on.
fn start(plan: &Plan, processes: u32) -> io::Result<(OwnedFd, OwnedFd)> {
    let (reports, report) = pipe_with(PipeFlags::CLOEXEC)?;
    let (is_over, go_on) = pipe_with(PipeFlags::CLOEXEC)?;
    for process in 0..processes {
        if let Fork::Child = fork()? {
            drop((reports, go_on));
            let _ = rustix::thread::set_name(c"zerohttpd-idle");
            let share = Share::of(plan, process, processes);
            let held = Holder::new(plan, share, report).and_then(|holder| holder.run(&is_over));
            exit(held.is_err().into());
        }
    }
    Ok((reports, go_on))
}

fn is_readable(descriptor: BorrowedFd<'_>) -> bool {
    let mut fds = [PollFd::new(&descriptor, PollFlags::IN)];
    poll(&mut fds, Some(&crate::clock::timespec(0))).is_ok_and(|ready| ready > 0)
}
