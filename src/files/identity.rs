//! Distinguishes the versions of a file.

use rustix::fs::Stat;
use zerohttpd_core::Now;

const SECOND_NS: i128 = 1_000_000_000;

/// Properties of a file. At least one of them changes when the file is changed or replaced.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Identity {
    device: u64,
    inode: u64,
    /// Length in bytes.
    pub len: u64,
    modified_ns: i128,
    changed_ns: i128,
}

impl Identity {
    /// The identity of the file with this result of stat(2).
    pub fn of(stat: &Stat) -> Identity {
        let ns = |seconds: i64, ns: i64| i128::from(seconds) * SECOND_NS + i128::from(ns);
        Identity {
            device: stat.st_dev,
            inode: stat.st_ino,
            len: stat.st_size as u64,
            modified_ns: ns(stat.st_mtime, stat.st_mtime_nsec as i64),
            changed_ns: ns(stat.st_ctime, stat.st_ctime_nsec as i64),
        }
    }

    /// Whether a further change would show in the times, because the last change is long enough
    /// ago.
    pub fn is_settled(&self, now: Now) -> bool {
        self.changed_ns / SECOND_NS + 1 < i128::from(now.unix_s)
    }

    /// When it was modified, in seconds since 1970.
    pub fn modified_unix_s(&self) -> u64 {
        u64::try_from(self.modified_ns / SECOND_NS).unwrap_or(0)
    }

    /// A strong validator (RFC 9110 §8.8.3): at most 50 hex digits and dashes. It includes the time
    /// of change, because an installer can give all files the same time of modification (inode(7)).
    pub fn tag(&self) -> String {
        // 64 bits of nanoseconds last for 584 years.
        format!("{:x}-{:x}-{:x}", self.len, self.modified_ns as u64, self.changed_ns as u64)
    }

    /// Whether this file was modified before another. Some tools copy a file's time only to the
    /// second or the microsecond, so the two times are compared in the coarser unit.
    pub fn is_older_than(&self, other: &Identity) -> bool {
        let unit = [SECOND_NS, 1000].into_iter().find(|unit| self.modified_ns % unit == 0);
        let unit = unit.unwrap_or(1);
        self.modified_ns < other.modified_ns.div_euclid(unit) * unit
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(modified_ns: i128) -> Identity {
        Identity { device: 1, inode: 2, len: 3, modified_ns, changed_ns: 5 * SECOND_NS }
    }

    #[test]
    fn times_are_compared_in_the_unit_in_which_they_were_copied() {
        let plain = at(7_000_000_000_123_456_789);
        for (modified_ns, is_older) in [
            (7_000_000_000_123_456_789, false),
            (7_000_000_000_123_456_788, true),
            (7_000_000_000_123_456_000, false),
            (7_000_000_000_123_455_000, true),
            (7_000_000_000_000_000_000, false),
            (6_999_999_999_000_000_000, true),
            (6_999_999_999_999_999_999, true),
            (7_000_000_000_123_456_790, false),
        ] {
            assert_eq!(at(modified_ns).is_older_than(&plain), is_older, "{modified_ns}");
        }
        assert!(!at(-2 * SECOND_NS).is_older_than(&at(-2 * SECOND_NS + 1)));
    }

    #[test]
    fn a_tag_is_short_whatever_the_time() {
        assert_eq!(at(255).tag(), "3-ff-12a05f200");
        assert_eq!(Identity { len: u64::MAX, changed_ns: -1, ..at(-1) }.tag().len(), 50);
    }

    #[test]
    fn a_file_is_settled_two_seconds_after_its_change() {
        let now = |unix_s| Now { ms: 0, us: 0, unix_s };
        assert_eq!([4, 5, 6, 7].map(|s| at(0).is_settled(now(s))), [false, false, false, true]);
    }
}
