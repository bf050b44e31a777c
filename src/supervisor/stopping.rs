//! Stopping: servers finish the answers in flight. The admin server reports until they have ended.
//! The store stops last.

use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::Signal;
use sd_notify::NotifyState;
use zerohttpd_sys::ready::timespec;
use zerohttpd_sys::wait;

use crate::admin::server::Admin;
use crate::clock;
use crate::supervisor::banner;
use crate::supervisor::child::Role;
use crate::supervisor::notify::tell_service_manager;
use crate::supervisor::state::{EXIT_MS, Supervisor};

/// How long the embedded store has to write its write-ahead log into its file: 16 MiB on a slow
/// disk.
const STORE_CLOSE_MS: u64 = 5000;

impl Supervisor<'_> {
    /// Stops the servers within `grace_ms`, then the store. With `prints_summary`, prints how much
    /// was served and what resources were used.
    pub fn stop(&mut self, grace_ms: u64, prints_summary: bool) -> Result<(), String> {
        tell_service_manager(&[NotifyState::Stopping]);
        self.scoreboard.stop();
        for pipe in &self.stop_writers {
            let _ = rustix::io::write(pipe, b"!");
        }
        // Wakes processes that wait in accept(2), and refuses further clients at once.
        self.listeners.iter().for_each(|listener| listener.close());
        self.children.retain(|child| child.pid.is_some());
        self.send_signal(Signal::KILL, |role| matches!(role, Role::Check | Role::Lookup));
        self.await_end(clock::now().ms + grace_ms, Role::is_server);
        self.send_signal(Signal::KILL, Role::is_server);
        // Until now, the admin server has reported that the servers are stopping.
        self.admin.iter().for_each(Admin::stop);
        self.await_end(clock::now().ms + EXIT_MS, |role| role != Role::Store);
        self.send_signal(Signal::KILL, |role| role != Role::Store);
        // Even a killed store loses nothing that it has acknowledged. But only if it has closed its
        // file can the file be copied without the write-ahead log.
        self.send_signal(Signal::TERM, |role| role == Role::Store);
        self.await_end(clock::now().ms + STORE_CLOSE_MS, |role| role == Role::Store);
        self.send_signal(Signal::KILL, |role| role == Role::Store);
        self.await_end(clock::now().ms + EXIT_MS, |_| true);
        self.await_orphans(clock::now().ms + EXIT_MS);
        if prints_summary {
            self.used.add(wait::used_by_self());
            banner::print_summary(self.options, self.scoreboard, self.used);
        }
        Ok(())
    }

    /// Waits for the children with these roles to end, until `until_ms` or until another signal
    /// says to stop.
    fn await_end(&mut self, until_ms: u64, which: impl Fn(Role) -> bool) {
        self.reap();
        while self.children.iter().any(|child| which(child.role)) && clock::now().ms < until_ms {
            self.await_signal(Some(until_ms));
            while let Some(signal) = self.signals.next() {
                if matches!(signal, Signal::TERM | Signal::QUIT | Signal::INT) {
                    return;
                }
                self.reap();
            }
        }
    }

    /// Waits for the children of servers, which become orphans and end when their parents end.
    ///
    /// The supervisor can't wait until it has no child left: it can also have children from before
    /// it executed this program and, as the first process of a container, all orphans there. So it
    /// watches pipes instead. Each of the servers' processes has the reading end of one, and
    /// poll(2) reports `POLLERR` at the writing end once no process has the reading end open.
    fn await_orphans(&mut self, until_ms: u64) {
        self.servers.clear();
        (self.stop_reader, self.admin_server) = (None, None);
        let admin = self.admin.take().map(Admin::into_stop_writer);
        for pipe in std::mem::take(&mut self.stop_writers).iter().chain(&admin) {
            let left = timespec(until_ms.saturating_sub(clock::now().ms));
            let _ = poll(&mut [PollFd::new(pipe, PollFlags::empty())], Some(&left));
        }
        self.reap();
    }
}
