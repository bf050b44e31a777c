//! The only notion of time in the core: an argument.

/// An instant as a driver's clocks give it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moment {
    /// Milliseconds of a clock that never steps back (`CLOCK_MONOTONIC`). Deadlines use this one.
    pub ms: u64,
    /// Seconds since 1970 (`CLOCK_REALTIME`), for the `Date` of an answer and for the log.
    pub unix_s: u64,
}

impl Moment {
    /// The same clocks, `ms` later: what a test's virtual clock does.
    #[must_use]
    pub fn later(self, ms: u64) -> Moment {
        Moment { ms: self.ms + ms, unix_s: self.unix_s + ms / 1000 }
    }
}
