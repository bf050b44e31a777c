//! Opens a path component by component, each with `O_NOFOLLOW`, where openat2(2) is not available.
//! The result is that of openat2(2) with `RESOLVE_BENEATH`.
//!
//! The kernel gets only one component at a time and follows no link. The target of a link is
//! resolved here like any other path. `..` goes back to the folder that was opened before, even if
//! folders are renamed meanwhile. Every step has to stay in the root's mount.

use std::os::fd::OwnedFd;

use rustix::fs::{AtFlags, FileType, Mode, OFlags, Stat, Statx, StatxFlags};
use rustix::io::Errno;
use rustix::process::geteuid;

/// The maximum number of links that are followed, the same as the kernel's (path_resolution(7)).
const MAX_LINKS: usize = 40;

/// `PATH_MAX`, with the NUL at the end.
const PATH_BYTES: usize = 4096;

/// The flags to open a folder on the path.
const STEP_FLAGS: OFlags =
    OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// The mode bits of a folder such as /tmp, in which each user can create files but remove only
/// their own: sticky and world-writable.
const SHARED_FOLDER: u32 = 0o1002;

/// The identity of a mount, to tell whether a path has left the root's mount.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Mount {
    /// The number of the mount.
    Number(u64),
    /// The device of its files, where the kernel does not report the number (before Linux 5.8). A
    /// bind mount of the same file system has the same device.
    Device(u64),
}

impl Mount {
    /// The mount that an open file is in: statx(2).
    ///
    /// # Errors
    ///
    /// Those of statx(2).
    pub fn of(file: &OwnedFd) -> Result<Mount, Errno> {
        match rustix::fs::statx(file, "", AtFlags::EMPTY_PATH, StatxFlags::MNT_ID) {
            Err(errno) if !matches!(errno, Errno::NOSYS | Errno::PERM) => Err(errno),
            stat => match stat.ok().as_ref().and_then(Mount::in_stat) {
                Some(number) => Ok(number),
                None => Ok(Mount::Device(rustix::fs::fstat(file)?.st_dev)),
            },
        }
    }

    /// The number in a result of statx(2), if the kernel reports it.
    pub fn in_stat(stat: &Statx) -> Option<Mount> {
        let has_number = stat.stx_mask & StatxFlags::MNT_ID.bits() != 0;
        has_number.then_some(Mount::Number(stat.stx_mnt_id))
    }
}

/// A path that is being resolved.
struct Walk<'a> {
    root: &'a OwnedFd,
    mount: &'a Mount,
    follows_links: bool,
    /// The folders that were entered beneath the root. `..` goes back to them.
    entered: Vec<OwnedFd>,
    /// The components that are still to be resolved, in reverse order.
    remaining: Vec<Vec<u8>>,
    /// Whether the path must end in a folder, because a slash follows its last component.
    must_be_folder: bool,
    links: usize,
}

/// Opens a file or folder beneath a root. The empty name is the root itself.
///
/// # Errors
///
/// Those of openat2(2) under `RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV`, and, if
/// links are not followed, `RESOLVE_NO_SYMLINKS`.
pub fn open(
    root: &OwnedFd,
    name: &[u8],
    flags: OFlags,
    follows_links: bool,
    mount: &Mount,
) -> Result<OwnedFd, Errno> {
    let (entered, remaining) = (Vec::new(), Vec::new());
    let mut walk =
        Walk { root, mount, follows_links, entered, remaining, must_be_folder: false, links: 0 };
    walk.prepend(name)?;
    while let Some(component) = walk.remaining.pop() {
        if component == b".." {
            walk.go_up()?;
        } else if !walk.remaining.is_empty() {
            walk.enter(&component)?;
        } else if let Some(file) = walk.open_last(&component, flags)? {
            return Ok(file);
        }
    }
    // The path ends in a folder that was entered before.
    let flags = flags.difference(OFlags::NOFOLLOW);
    rustix::fs::openat(walk.current(), ".", flags, Mode::empty())
}

impl Walk<'_> {
    /// The folder that was entered last.
    fn current(&self) -> &OwnedFd {
        self.entered.last().unwrap_or(self.root)
    }

    /// Puts the components of a path before the remaining ones.
    fn prepend(&mut self, path: &[u8]) -> Result<(), Errno> {
        if path.len() >= PATH_BYTES {
            return Err(Errno::NAMETOOLONG);
        }
        if self.remaining.is_empty() {
            self.must_be_folder |= path.ends_with(b"/") || path.ends_with(b"/.");
        }
        let components = path.split(|&byte| byte == b'/').rev();
        let components = components.filter(|component| !component.is_empty() && *component != b".");
        self.remaining.extend(components.map(<[u8]>::to_vec));
        Ok(())
    }

    /// Goes back to the folder above.
    fn go_up(&mut self) -> Result<(), Errno> {
        // To leave a folder, the kernel too requires the right to search it.
        rustix::fs::openat(self.current(), ".", STEP_FLAGS, Mode::empty())?;
        // `..` in the root leads out of it.
        self.entered.pop().map(drop).ok_or(Errno::XDEV)
    }

    /// Enters a folder. If the name is that of a link, prepends the link's target instead.
    fn enter(&mut self, name: &[u8]) -> Result<(), Errno> {
        let folder = match rustix::fs::openat(self.current(), name, STEP_FLAGS, Mode::empty()) {
            // The name is that of a link, or not of a folder.
            Err(Errno::NOTDIR | Errno::LOOP) => return self.follow(name, Errno::NOTDIR),
            opened => opened?,
        };
        self.check_mount(&folder)?;
        self.entered.push(folder);
        Ok(())
    }

    /// Opens the last component. If the name is that of a link, prepends the link's target instead
    /// and returns `None`.
    fn open_last(&mut self, name: &[u8], flags: OFlags) -> Result<Option<OwnedFd>, Errno> {
        let opens_link_itself = flags.contains(OFlags::NOFOLLOW) && !self.must_be_folder;
        let mut flags = flags | OFlags::NOFOLLOW;
        flags.set(OFlags::DIRECTORY, flags.contains(OFlags::DIRECTORY) || self.must_be_folder);
        let file = match rustix::fs::openat(self.current(), name, flags, Mode::empty()) {
            Err(errno @ (Errno::NOTDIR | Errno::LOOP)) if !opens_link_itself => {
                return self.follow(name, errno).map(|()| None);
            }
            opened => opened?,
        };
        self.check_mount(&file)?;
        if flags.contains(OFlags::PATH) && !opens_link_itself && is_link(&rustix::fs::fstat(&file)?)
        {
            return self.follow(name, Errno::LOOP).map(|()| None);
        }
        Ok(Some(file))
    }

    /// Prepends the target of a link. If the name is not that of a link, fails with the error that
    /// opening it gave.
    fn follow(&mut self, name: &[u8], open_error: Errno) -> Result<(), Errno> {
        let link = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let link = rustix::fs::openat(self.current(), name, link, Mode::empty())?;
        let stat = rustix::fs::fstat(&link)?;
        if !is_link(&stat) {
            return Err(open_error);
        }
        self.links += 1;
        if !self.follows_links || self.links > MAX_LINKS {
            return Err(Errno::LOOP);
        }
        // The kernel too refuses other users' links in shared folders (fs.protected_symlinks in
        // proc(5)).
        let folder = rustix::fs::fstat(self.current())?;
        let is_shared = folder.st_mode & SHARED_FOLDER == SHARED_FOLDER;
        if is_shared && stat.st_uid != geteuid().as_raw() && stat.st_uid != folder.st_uid {
            return Err(Errno::ACCESS);
        }
        // The text of a magic link is an absolute path, or one like `socket:[1]` that names no
        // file.
        let text = rustix::fs::readlinkat(&link, "", Vec::new())?.into_bytes();
        match text.starts_with(b"/") {
            true => Err(Errno::XDEV),
            false => self.prepend(&text),
        }
    }

    /// Fails if a file is in another mount than the root.
    fn check_mount(&self, file: &OwnedFd) -> Result<(), Errno> {
        if Mount::of(file)? == *self.mount { Ok(()) } else { Err(Errno::XDEV) }
    }
}

fn is_link(stat: &Stat) -> bool {
    FileType::from_raw_mode(stat.st_mode) == FileType::Symlink
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::opening::{LIST_FLAGS, READ_FLAGS};
    use rustix::fs::{ResolveFlags, openat2};
    use std::fs;
    use std::os::unix::fs::symlink;
    use std::path::PathBuf;

    const NAMES: [&str; 4] = ["a", "b", "c", "d"];

    /// A path of a few components. The target of a link can also contain dots or be absolute.
    fn path(random: &mut fastrand::Rng, is_link: bool) -> String {
        let components = (0..random.usize(1..6)).map(|_| match random.usize(..7) {
            0 if is_link => "..",
            1 if is_link => ".",
            other => NAMES[other % NAMES.len()],
        });
        let mut path = components.collect::<Vec<_>>().join("/");
        if random.usize(..8) == 0 {
            path.push('/');
        }
        if is_link && random.usize(..8) == 0 {
            path.insert(0, '/');
        }
        path
    }

    /// Folders, files and links at random, three levels deep.
    fn fill(folder: &PathBuf, depth: usize, random: &mut fastrand::Rng) {
        fs::create_dir(folder).unwrap();
        for name in NAMES {
            let file = folder.join(name);
            match random.usize(..5) {
                0 | 1 if depth > 0 => fill(&file, depth - 1, random),
                2 | 3 => symlink(path(random, true), file).unwrap(),
                _ => fs::write(file, name).unwrap(),
            }
        }
    }

    /// The inode and the mode of the file that was opened, or the error.
    fn outcome(found: Result<OwnedFd, Errno>) -> Result<(u64, u32), Errno> {
        let stat = rustix::fs::fstat(found?)?;
        Ok((stat.st_ino, stat.st_mode))
    }

    #[test]
    fn steps_lead_where_openat2_leads() {
        let random = &mut fastrand::Rng::with_seed(7);
        let base = std::env::temp_dir().join(format!("zerohttpd-steps-{}", std::process::id()));
        fs::create_dir(&base).unwrap();
        let mut found = [0, 0];
        for tree in 0..25 {
            let folder = base.join(tree.to_string());
            fill(&folder, 3, random);
            let root = OwnedFd::from(fs::File::open(&folder).unwrap());
            let mount = Mount::of(&root).unwrap();
            for case in 0..400 {
                let follows_links = case % 4 > 0;
                let name = path(random, case % 10 == 0).trim_start_matches('/').to_owned();
                let flags = [READ_FLAGS, LIST_FLAGS, OFlags::PATH, OFlags::PATH | OFlags::NOFOLLOW];
                let flags = *random.choice(&flags).unwrap() | OFlags::CLOEXEC;
                let mut rules =
                    ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS | ResolveFlags::NO_XDEV;
                rules.set(ResolveFlags::NO_SYMLINKS, !follows_links);
                let kernel = match openat2(&root, name.as_str(), flags, Mode::empty(), rules) {
                    Err(Errno::NOSYS | Errno::PERM) => {
                        return zerohttpd_sys::say!("no openat2 to compare with");
                    }
                    opened => outcome(opened),
                };
                let steps = outcome(open(&root, name.as_bytes(), flags, follows_links, &mount));
                assert_eq!(
                    steps,
                    kernel,
                    "{name} {flags:?} {follows_links} in {}",
                    folder.display()
                );
                found[usize::from(kernel.is_ok())] += 1;
            }
        }
        fs::remove_dir_all(&base).unwrap();
        assert!(found[0] > 500 && found[1] > 500, "{found:?}");
    }
}
