//! Waiting, which Ctrl-C ends.

use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::Signal;

use crate::sys::signal::Signals;

/// Why a run did not come to its end.
#[derive(Debug, PartialEq, Eq)]
pub enum Stop {
    /// Ctrl-C, or SIGTERM.
    Interrupted,
    /// It could not be done, for this reason.
    Trouble(String),
}

impl From<String> for Stop {
    fn from(text: String) -> Stop {
        Stop::Trouble(text)
    }
}

/// Whoever may tell us to stop.
pub struct Interrupt(Signals);

impl Interrupt {
    /// From here on Ctrl-C is read, instead of ending this process.
    ///
    /// # Errors
    ///
    /// No descriptor is left.
    pub fn new() -> Result<Interrupt, String> {
        let signals = Signals::take(&[Signal::INT, Signal::TERM]);
        Ok(Interrupt(signals.map_err(|error| format!("can't wait for signals: {error}"))?))
    }

    /// Waits until one of these can be read, or the time has come: which of them can be.
    ///
    /// # Errors
    ///
    /// [`Stop::Interrupted`].
    pub fn wait<const N: usize>(
        &self,
        fds: [BorrowedFd<'_>; N],
        until: Instant,
    ) -> Result<[bool; N], Stop> {
        let left = until.saturating_duration_since(Instant::now());
        let mut polled = vec![PollFd::new(&self.0, PollFlags::IN)];
        polled.extend(fds.iter().map(|fd| PollFd::new(fd, PollFlags::IN)));
        let left_ms = left.as_micros().div_ceil(1000) as u64;
        let _ = poll(&mut polled, Some(&crate::clock::timespec(left_ms)));
        if !polled[0].revents().is_empty() && self.0.next().is_some() {
            return Err(Stop::Interrupted);
        }
        Ok(std::array::from_fn(|index| !polled[index + 1].revents().is_empty()))
    }

    /// Lets some time pass.
    ///
    /// # Errors
    ///
    /// [`Stop::Interrupted`].
    pub fn pause(&self, time: Duration) -> Result<(), Stop> {
        self.wait([], Instant::now() + time).map(|[]| ())
    }
}
