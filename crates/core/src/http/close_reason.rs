//! Why connections end.

use core::fmt;

/// Why a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CloseReason {
    /// The last response was sent.
    Done,
    /// The client left between requests.
    Left,
    /// The client was silent for longer than the idle time-out.
    Idle,
    /// The client reset the connection, or vanished before its response was complete.
    HungUp,
    /// The client took its response too slowly.
    TooSlow,
    /// A file became shorter while it was sent.
    Truncated,
    /// The driver closed the connection while the connection was idle.
    ClosedWhenIdle,
    /// An internal error, which no input can cause.
    Bug,
}

impl CloseReason {
    /// All reasons, in the order above.
    pub const ALL: [CloseReason; 8] = [
        CloseReason::Done,
        CloseReason::Left,
        CloseReason::Idle,
        CloseReason::HungUp,
        CloseReason::TooSlow,
        CloseReason::Truncated,
        CloseReason::ClosedWhenIdle,
        CloseReason::Bug,
    ];

    /// The name in metrics.
    pub fn name(self) -> &'static str {
        match self {
            CloseReason::Done => "done",
            CloseReason::Left => "left",
            CloseReason::Idle => "idle",
            CloseReason::HungUp => "hung_up",
            CloseReason::TooSlow => "too_slow",
            CloseReason::Truncated => "truncated",
            CloseReason::ClosedWhenIdle => "retired",
            CloseReason::Bug => "bug",
        }
    }

    /// A few words for logs and tests.
    pub fn explain(self) -> &'static str {
        match self {
            CloseReason::Done => "the last answer was given",
            CloseReason::Left => "the client left between requests",
            CloseReason::Idle => "the client was silent for too long",
            CloseReason::HungUp => "the client hung up",
            CloseReason::TooSlow => "the client took its answer too slowly",
            CloseReason::Truncated => "a file became shorter while it was sent",
            CloseReason::ClosedWhenIdle => "the server closed the idle connection",
            CloseReason::Bug => "an internal error",
        }
    }
}

impl fmt::Display for CloseReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.explain())
    }
}
