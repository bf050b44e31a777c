//! Waiting that ends when a signal tells the bench to stop.

use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::Signal;
use zerohttpd_sys::signal::{Signals, is_ignored};

/// Why a run did not come to its end.
#[derive(Debug, PartialEq, Eq)]
pub enum Aborted {
    /// Ctrl-C, SIGTERM or SIGHUP.
    Interrupted,
    /// It failed, for this reason.
    Failed(String),
}

impl From<String> for Aborted {
    fn from(text: String) -> Aborted {
        Aborted::Failed(text)
    }
}

/// The signals that stop the bench.
pub struct Interrupt(Signals);

impl Interrupt {
    /// Takes SIGINT, SIGTERM and SIGHUP from now on, so that they no longer kill the process.
    ///
    /// # Errors
    ///
    /// No descriptor is left.
    pub fn new() -> Result<Interrupt, String> {
        let mut handled = vec![Signal::INT, Signal::TERM];
        // A program that nohup(1) started goes on when its terminal is closed.
        if !is_ignored(Signal::HUP) {
            handled.push(Signal::HUP);
        }
        let signals = Signals::take(&handled);
        Ok(Interrupt(signals.map_err(|error| format!("can't wait for signals: {error}"))?))
    }

    /// Waits until one of these descriptors is readable, or until `until`. Returns which are
    /// readable.
    ///
    /// # Errors
    ///
    /// [`Aborted::Interrupted`] if a signal has come.
    pub fn wait<const N: usize>(
        &self,
        fds: [BorrowedFd<'_>; N],
        until: Instant,
    ) -> Result<[bool; N], Aborted> {
        let left = until.saturating_duration_since(Instant::now());
        let mut polled = vec![PollFd::new(&self.0, PollFlags::IN)];
        polled.extend(fds.iter().map(|fd| PollFd::new(fd, PollFlags::IN)));
        let left_ms = left.as_micros().div_ceil(1000) as u64;
        let _ = poll(&mut polled, Some(&zerohttpd_sys::ready::timespec(left_ms)));
        if !polled[0].revents().is_empty() && self.0.next().is_some() {
            return Err(Aborted::Interrupted);
        }
        Ok(std::array::from_fn(|index| !polled[index + 1].revents().is_empty()))
    }

    /// Sleeps for `time`.
    ///
    /// # Errors
    ///
    /// [`Aborted::Interrupted`] if a signal has come.
    pub fn pause(&self, time: Duration) -> Result<(), Aborted> {
        self.wait([], Instant::now() + time).map(|[]| ())
    }
}
