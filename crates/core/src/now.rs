//! Time, which callers pass to the core.

/// An instant as a driver's clocks give it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Now {
    /// Milliseconds of a clock that never steps back (`CLOCK_MONOTONIC`), for deadlines.
    pub ms: u64,
    /// The microseconds of the current millisecond, 0 to 999. Durations use both fields.
    pub us: u16,
    /// Seconds since 1970 (`CLOCK_REALTIME`), for the `Date` of a response and for the log.
    pub unix_s: u64,
}

impl Now {
    /// The instant `ms` milliseconds later on both clocks: for the virtual clock of a test.
    #[must_use]
    pub fn later(self, ms: u64) -> Now {
        Now { ms: self.ms + ms, us: self.us, unix_s: self.unix_s + ms / 1000 }
    }

    /// The microseconds that have passed since `earlier`.
    pub fn us_since(self, earlier: Now) -> u64 {
        let us = |time: Now| time.ms * 1000 + u64::from(time.us);
        us(self).saturating_sub(us(earlier))
    }
}
