//! The ways in which a request fails. Every failure is counted, by its kind.

use rustix::io::Errno;

/// A way to fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Failure {
    /// No socket listens at the server's address.
    Refused,
    /// The connection was not made in time.
    ConnectTimeout,
    /// No route, or another network error.
    Unreachable,
    /// This machine has no free port to connect from.
    NoPort,
    /// This process has no free descriptor to connect with.
    NoDescriptor,
    /// The connection was reset.
    Reset,
    /// The connection was closed before the first byte of an answer.
    HungUp,
    /// The connection was closed in the middle of an answer.
    Short,
    /// The answer was not complete in time.
    Timeout,
    /// The answer's status is neither 2xx nor 3xx.
    Status,
    /// The answer is not HTTP/1.1, or its head is too large.
    Protocol,
}

impl Failure {
    /// All kinds, in the order of their declaration.
    pub const ALL: [Failure; 11] = [
        Failure::Refused,
        Failure::ConnectTimeout,
        Failure::Unreachable,
        Failure::NoPort,
        Failure::NoDescriptor,
        Failure::Reset,
        Failure::HungUp,
        Failure::Short,
        Failure::Timeout,
        Failure::Status,
        Failure::Protocol,
    ];

    /// Its name in JSON.
    pub fn key(self) -> &'static str {
        match self {
            Failure::Refused => "refused",
            Failure::ConnectTimeout => "connect_timeout",
            Failure::Unreachable => "unreachable",
            Failure::NoPort => "no_port",
            Failure::NoDescriptor => "no_descriptor",
            Failure::Reset => "reset",
            Failure::HungUp => "hung_up",
            Failure::Short => "short",
            Failure::Timeout => "timeout",
            Failure::Status => "status",
            Failure::Protocol => "protocol",
        }
    }

    /// Its count in words: `1 connection refused`.
    pub fn counted(self, count: u64) -> String {
        let (what, how) = self.words();
        let plural = if count == 1 { "" } else { "s" };
        format!("{count} {what}{plural} {how}")
    }

    fn words(self) -> (&'static str, &'static str) {
        match self {
            Failure::Refused => ("connection", "refused"),
            Failure::ConnectTimeout => ("connection", "not made in time"),
            Failure::Unreachable => ("connection", "failed: server unreachable"),
            Failure::NoPort => ("connection", "not made: no port left here"),
            Failure::NoDescriptor => ("connection", "not made: no descriptor left here"),
            Failure::Reset => ("connection", "reset"),
            Failure::HungUp => ("connection", "closed without an answer"),
            Failure::Short => ("answer", "cut short"),
            Failure::Timeout => ("answer", "not whole in time"),
            Failure::Status => ("answer", "neither 2xx nor 3xx"),
            Failure::Protocol => ("answer", "that can't be read"),
        }
    }

    /// The failure that a socket's error means. `is_connected` says whether the connection was ever
    /// made.
    pub fn of(errno: Errno, is_connected: bool) -> Failure {
        match errno {
            Errno::CONNREFUSED => Failure::Refused,
            Errno::TIMEDOUT if !is_connected => Failure::ConnectTimeout,
            Errno::TIMEDOUT => Failure::Timeout,
            Errno::ADDRNOTAVAIL | Errno::ADDRINUSE => Failure::NoPort,
            Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM => Failure::NoDescriptor,
            Errno::CONNRESET | Errno::PIPE => Failure::Reset,
            _ if is_connected => Failure::Reset,
            _ => Failure::Unreachable,
        }
    }

    /// Whether a retry needs a pause, because it would fail again at once.
    pub fn retry_needs_pause(self) -> bool {
        self <= Failure::NoDescriptor
    }

    /// Whether the server can have closed the kept-alive connection as idle while the request was
    /// on its way (RFC 9112 §9.3.1).
    pub fn can_be_an_idle_close(self) -> bool {
        matches!(self, Failure::Reset | Failure::HungUp)
    }
}

/// The number of failures of each kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Failures([u64; Failure::ALL.len()]);

impl Failures {
    /// Counts a failure.
    pub fn count(&mut self, failure: Failure) {
        self.0[failure as usize] += 1;
    }

    /// The number of failures of this kind.
    pub fn of(&self, failure: Failure) -> u64 {
        self.0[failure as usize]
    }

    /// The sum of all counts.
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }

    /// Adds the counts of `other`.
    pub fn add(&mut self, other: &Failures) {
        self.0.iter_mut().zip(other.0).for_each(|(mine, others)| *mine += others);
    }

    /// The kinds that occurred, with their counts, the most frequent first.
    pub fn by_frequency(&self) -> Vec<(Failure, u64)> {
        let mut found: Vec<_> = Failure::ALL.iter().map(|kind| (*kind, self.of(*kind))).collect();
        found.retain(|(_, count)| *count > 0);
        found.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        found
    }

    /// In words: `3 connections reset, 1 answer cut short`.
    pub fn in_words(&self) -> String {
        let words = self.by_frequency().into_iter();
        let words: Vec<_> = words.map(|(kind, count)| kind.counted(count)).collect();
        words.join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_lists_every_kind_in_order_and_no_two_have_one_key() {
        for (at, kind) in Failure::ALL.into_iter().enumerate() {
            assert_eq!(kind as usize, at);
            assert_eq!(Failure::ALL.iter().filter(|other| other.key() == kind.key()).count(), 1);
        }
    }

    #[test]
    fn failures_are_listed_by_frequency() {
        let (mut some, mut more) = (Failures::default(), Failures::default());
        some.count(Failure::Short);
        more.count(Failure::Reset);
        more.count(Failure::Reset);
        some.add(&more);
        assert_eq!(some.total(), 3);
        assert_eq!(some.in_words(), "2 connections reset, 1 answer cut short");
    }
}
