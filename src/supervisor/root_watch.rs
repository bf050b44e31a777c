//! Watches the path of the site. The path leads to another folder after a build has removed and
//! remade its output, or after a link was switched to another release.
//!
//! Servers have the old folder open and are confined to it, so the supervisor then starts the next
//! generation, as for SIGHUP.

use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{FileType, fstat, stat};
use rustix::io::Errno;

/// The time from one check of the path to the next.
const INTERVAL_MS: u64 = 1000;

/// While another folder can't be opened, the interval doubles up to this.
const LONGEST_INTERVAL_MS: u64 = 64_000;

/// When to check the path next, and what the last checks found.
#[derive(Default)]
pub struct RootWatch {
    /// When the next check is due.
    pub next_ms: u64,
    /// How many checks in a row found a folder other than the served one.
    other_in_a_row: u32,
    /// Whether the path does not lead to the served folder.
    pub leads_elsewhere: bool,
}

/// The result of a check.
#[derive(Debug, PartialEq, Eq)]
pub enum RootChange {
    /// It was not time to check, or nothing has changed.
    None,
    /// The path leads to the served folder again.
    Back,
    /// The path leads to no folder any more.
    Gone(Errno),
    /// The path leads to another folder.
    Other,
}

impl RootWatch {
    /// Checks a path, if that is due. The `served` folder is open, so no other folder can have its
    /// inode number.
    pub fn check(&mut self, path: &Path, served: &OwnedFd, now_ms: u64) -> RootChange {
        if now_ms < self.next_ms {
            return RootChange::None;
        }
        self.next_ms = now_ms + INTERVAL_MS;
        let found = stat(path).and_then(|found| match FileType::from_raw_mode(found.st_mode) {
            FileType::Directory => Ok((found.st_dev, found.st_ino)),
            _ => Err(Errno::NOTDIR),
        });
        let led_elsewhere = self.leads_elsewhere;
        match found {
            Err(errno @ (Errno::NOENT | Errno::NOTDIR | Errno::LOOP)) => {
                self.leads_elsewhere = true;
                if led_elsewhere { RootChange::None } else { RootChange::Gone(errno) }
            }
            // Other errors say nothing about the folder.
            Err(_) => RootChange::None,
            Ok(found) if fstat(served).is_ok_and(|stat| (stat.st_dev, stat.st_ino) == found) => {
                (self.leads_elsewhere, self.other_in_a_row) = (false, 0);
                if led_elsewhere { RootChange::Back } else { RootChange::None }
            }
            Ok(_) => {
                self.leads_elsewhere = true;
                let interval_ms = INTERVAL_MS << self.other_in_a_row.min(6);
                self.next_ms = now_ms + interval_ms.min(LONGEST_INTERVAL_MS);
                self.other_in_a_row += 1;
                RootChange::Other
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    #[test]
    fn a_replaced_folder_is_noticed_and_reported_less_and_less_often() {
        let base = std::env::temp_dir().join(format!("zerohttpd-watch-{}", std::process::id()));
        let (path, other) = (base.join("site"), base.join("other"));
        fs::create_dir_all(&path).unwrap();
        let served = OwnedFd::from(fs::File::open(&path).unwrap());
        let mut watch = RootWatch::default();
        assert_eq!(watch.check(&path, &served, 5), RootChange::None);
        fs::rename(&path, &other).unwrap();
        assert_eq!(watch.check(&path, &served, 1004), RootChange::None, "no check is due");
        assert_eq!(watch.check(&path, &served, 1005), RootChange::Gone(Errno::NOENT));
        assert_eq!(watch.check(&path, &served, 2005), RootChange::None, "it was reported");
        fs::write(&path, "").unwrap();
        assert_eq!(watch.check(&path, &served, 3005), RootChange::None, "a file is not a folder");
        fs::remove_file(&path).unwrap();
        symlink(&other, &path).unwrap();
        assert_eq!(watch.check(&path, &served, 4005), RootChange::Back);
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        let mut now_ms = 5005;
        for wait_ms in [1, 2, 4, 8, 16, 32, 64, 64, 64].map(|s| s * 1000) {
            assert_eq!(watch.check(&path, &served, now_ms), RootChange::Other);
            assert_eq!(watch.check(&path, &served, now_ms + wait_ms - 1), RootChange::None);
            now_ms += wait_ms;
        }
        let served = OwnedFd::from(fs::File::open(&path).unwrap());
        assert_eq!(watch.check(&path, &served, now_ms), RootChange::Back);
        fs::remove_dir_all(&base).unwrap();
    }
}
