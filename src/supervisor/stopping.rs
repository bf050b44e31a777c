//! Stopping: clients are served for the drain delay, then servers finish the answers in flight. The
//! admin server reports until they have ended. The store stops last.

use std::sync::atomic::Ordering::Relaxed;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::Signal;
use sd_notify::NotifyState;
use zerohttpd_sys::ready::timespec;
use zerohttpd_sys::say;
use zerohttpd_sys::wait;

use crate::admin::server::Admin;
use crate::clock;
use crate::supervisor::banner;
use crate::supervisor::child::Role;
use crate::supervisor::state::{EXIT_MS, Supervisor};

/// The time that the embedded store has to copy its write-ahead log into its file: 16 MiB on a slow
/// disk.
const STORE_CLOSE_MS: u64 = 5000;

impl Supervisor<'_> {
    /// Begins the drain delay: health fails from now on.
    pub fn begin_drain(&mut self) {
        let delay_ms = self.options.drain_ms;
        self.scoreboard.drain_delay.store(1, Relaxed);
        self.predecessor.begin_drain();
        self.end_upgrade();
        say!(
            "zerohttpd: draining: clients are served for another {} s; the next SIGTERM stops",
            seconds(delay_ms)
        );
        self.tell_leaving(delay_ms + self.options.grace_ms);
    }

    /// Tells the service manager that the server leaves, and how long it can take: that can be
    /// longer than the manager expects (`TimeoutStopSec`).
    fn tell_leaving(&mut self, serving_ms: u64) {
        let timeout_us = (serving_ms + STORE_CLOSE_MS + 4 * EXIT_MS) * 1000;
        let extended = format!("EXTEND_TIMEOUT_USEC={timeout_us}");
        self.tell_with_status(&[NotifyState::Stopping, NotifyState::Custom(&extended)]);
    }

    /// Stops the servers within `grace_ms`, then the store. With `prints_summary`, prints how much
    /// was served and what resources were used.
    pub fn stop(&mut self, grace_ms: u64, prints_summary: bool) -> Result<(), String> {
        self.scoreboard.stop();
        if !prints_summary {
            say!("zerohttpd: stopping; answers in flight have {} s", seconds(grace_ms));
        }
        self.tell_leaving(grace_ms);
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
        // Even a killed store loses nothing that it has acknowledged. But a user can copy its file
        // without the write-ahead log only if the store has closed the file.
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
            self.tell_what_is_due();
            self.await_signal(self.manager.next_ms().into_iter().chain([until_ms]).min());
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
    /// watches pipes instead. Each process of a server has the reading end of a pipe, and poll(2)
    /// reports `POLLERR` at the writing end once no process has the reading end open.
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

/// A number of seconds, with decimals only if it has any.
fn seconds(ms: u64) -> f64 {
    ms as f64 / 1000.0
}
