//! The document root: what can be opened beneath it, and nothing else can.

use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{Access, AtFlags, FileType, Mode, OFlags, ResolveFlags, Stat};
use rustix::io::Errno;
use zero_core::NoAsset;

/// Something on the way to a file may be renamed while it is opened (openat2(2)).
const ATTEMPTS: usize = 8;

/// A folder whose files are served.
pub struct Root {
    folder: OwnedFd,
    resolve: ResolveFlags,
}

impl Root {
    /// The files beneath a folder; also what symbolic links in it lead to, if it lies there too.
    ///
    /// # Errors
    ///
    /// Those of open(2): there is no such folder, or it may not be searched.
    pub fn open(folder: &Path, symlinks: bool) -> io::Result<Root> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let folder = rustix::fs::open(folder, flags, Mode::empty())?;
        // Not before Linux 5.6, and not everywhere in a container: better to say so now.
        rustix::fs::openat2(&folder, ".", flags, Mode::empty(), ResolveFlags::BENEATH)?;
        let mut resolve =
            ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS | ResolveFlags::NO_XDEV;
        resolve.set(ResolveFlags::NO_SYMLINKS, !symlinks);
        Ok(Root { folder, resolve })
    }

    /// The folder itself.
    pub fn folder(&self) -> &OwnedFd {
        &self.folder
    }

    /// Whether symbolic links are followed.
    pub fn follows(&self) -> bool {
        !self.resolve.contains(ResolveFlags::NO_SYMLINKS)
    }

    /// Opens what has that name with openat2(2), which refuses to leave the root by any way there
    /// is. The root itself is an empty name.
    ///
    /// # Errors
    ///
    /// Those of openat2(2).
    pub fn find(&self, name: &[u8], flags: OFlags) -> Result<(OwnedFd, Stat), Errno> {
        let name = if name.is_empty() { b"." } else { name };
        let flags = flags | OFlags::CLOEXEC;
        let open = || rustix::fs::openat2(&self.folder, name, flags, Mode::empty(), self.resolve);
        let passing = |opened: &Result<_, Errno>| matches!(opened, Err(Errno::AGAIN | Errno::INTR));
        let opened = (0..ATTEMPTS).map(|_| open()).find(|opened| !passing(opened));
        let file = opened.unwrap_or(Err(Errno::AGAIN))?;
        let stat = rustix::fs::fstat(&file).map_err(|_| Errno::IO)?;
        Ok((file, stat))
    }

    /// Why an index is not found: there is none, or it is a link that leads nowhere.
    pub fn absence(&self, index: &[u8]) -> NoAsset {
        if !self.follows() {
            return NoAsset::NoIndex;
        }
        match self.find(index, OFlags::PATH | OFlags::NOFOLLOW) {
            Err(Errno::NOENT) => NoAsset::NoIndex,
            Err(errno) => reason(errno),
            Ok(_) => NoAsset::Missing,
        }
    }

    /// Looks at what has that name, without opening it. None if it could not be served.
    ///
    /// # Errors
    ///
    /// Those of openat2(2) that say nothing of it: the machine is short of something.
    pub fn look(&self, name: &[u8]) -> Result<Option<(FileType, Stat)>, NoAsset> {
        let stat = match self.find(name, OFlags::PATH) {
            Ok((_, stat)) => stat,
            Err(errno) if reason(errno) == NoAsset::Busy => return Err(NoAsset::Busy),
            Err(_) => return Ok(None),
        };
        let kind = FileType::from_raw_mode(stat.st_mode);
        let access = match kind {
            FileType::RegularFile => Access::READ_OK,
            FileType::Directory => Access::EXEC_OK,
            _ => return Ok(None),
        };
        let allowed = rustix::fs::accessat(&self.folder, name, access, AtFlags::EACCESS);
        Ok(allowed.ok().map(|()| (kind, stat)))
    }
}

/// Why something could not be opened. What does not exist, may not be read, or lies behind a link
/// looks the same from outside.
pub fn reason(errno: Errno) -> NoAsset {
    match errno {
        // Somebody holds a lease on the file, perhaps (fcntl(2)).
        Errno::MFILE | Errno::NFILE | Errno::NOMEM | Errno::AGAIN => NoAsset::Busy,
        Errno::IO => NoAsset::Unreadable,
        _ => NoAsset::Missing,
    }
}
