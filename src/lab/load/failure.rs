//! The ways in which a request fails. Each is counted for itself, and none is left out.

use rustix::io::Errno;

/// A way to fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Failure {
    /// Nobody listens there.
    Refused,
    /// The connection did not come about in time.
    ConnectTimeout,
    /// There is no way there, or another trouble with the network.
    Unreachable,
    /// This machine has no port left to connect from.
    NoPort,
    /// This process has no descriptor left to connect with.
    NoDescriptor,
    /// The connection was reset.
    Reset,
    /// The connection was closed, and no byte of an answer had come.
    HungUp,
    /// The connection was closed within an answer.
    Short,
    /// No whole answer came in time.
    Timeout,
    /// The answer says that it is none: its status is neither 2xx nor 3xx.
    Status,
    /// What came is not HTTP/1.1.
    Protocol,
}

impl Failure {
    /// All of them.
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

    /// What is said of it after a number.
    pub fn words(self) -> &'static str {
        match self {
            Failure::Refused => "connections refused",
            Failure::ConnectTimeout => "connections not made in time",
            Failure::Unreachable => "connections failed: no way there",
            Failure::NoPort => "connections not made: no port left here",
            Failure::NoDescriptor => "connections not made: no descriptor left here",
            Failure::Reset => "connections reset",
            Failure::HungUp => "connections closed without an answer",
            Failure::Short => "answers cut short",
            Failure::Timeout => "answers not whole in time",
            Failure::Status => "answers neither 2xx nor 3xx",
            Failure::Protocol => "answers that are not HTTP/1.1",
        }
    }

    /// What an error of a socket means; `is_connected` tells whether it ever was.
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

    /// Trying again at once would fail again at once, and do nothing else.
    pub fn needs_a_pause(self) -> bool {
        self <= Failure::NoDescriptor
    }

    /// A kept connection may fail this way if its server closes it, as it may at any time, while a
    /// request is on its way (RFC 9112 §9.3.1).
    pub fn may_be_a_crossing(self) -> bool {
        matches!(self, Failure::Reset | Failure::HungUp)
    }
}

/// How often each has happened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Failures([u64; Failure::ALL.len()]);

impl Failures {
    /// Counts one.
    pub fn count(&mut self, failure: Failure) {
        self.0[failure as usize] += 1;
    }

    /// How often this one has happened.
    pub fn of(&self, failure: Failure) -> u64 {
        self.0[failure as usize]
    }

    /// All together.
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }

    /// Adds those of another.
    pub fn add(&mut self, other: &Failures) {
        self.0.iter_mut().zip(other.0).for_each(|(mine, others)| *mine += others);
    }

    /// Those that have happened, the most frequent first.
    pub fn by_frequency(&self) -> Vec<(Failure, u64)> {
        let mut found: Vec<_> = Failure::ALL.iter().map(|kind| (*kind, self.of(*kind))).collect();
        found.retain(|(_, count)| *count > 0);
        found.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        found
    }

    /// In words: `3 connections reset, 1 answers cut short`.
    pub fn in_words(&self) -> String {
        let words = self.by_frequency().into_iter();
        let words: Vec<_> =
            words.map(|(kind, count)| format!("{count} {}", kind.words())).collect();
        words.join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_stand_in_their_order_with_a_name_of_their_own() {
        for (at, kind) in Failure::ALL.into_iter().enumerate() {
            assert_eq!(kind as usize, at);
            assert_eq!(Failure::ALL.iter().filter(|other| other.key() == kind.key()).count(), 1);
        }
    }

    #[test]
    fn those_that_happened_are_told_by_frequency() {
        let (mut some, mut more) = (Failures::default(), Failures::default());
        some.count(Failure::Short);
        more.count(Failure::Reset);
        more.count(Failure::Reset);
        some.add(&more);
        assert_eq!(some.total(), 3);
        assert_eq!(some.in_words(), "2 connections reset, 1 answers cut short");
    }
}
