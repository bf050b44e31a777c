//! The document root. Files are opened only beneath it.

use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::OnceLock;

use rustix::fs::{Access, AtFlags, FileType, Mode, OFlags, ResolveFlags, Stat, StatxFlags};
use rustix::io::Errno;
use zerohttpd_core::AssetError;

use crate::files::denied::Denials;
use crate::files::index::INDEX;
use crate::files::opening::{LIST_FLAGS, READ_FLAGS, asset_error};
use crate::files::steps;

/// How many times a path is tried. openat2(2) fails with EAGAIN while a folder on the path is
/// renamed.
const ATTEMPTS: usize = 8;

/// A folder whose files are served.
pub struct Root {
    folder: OwnedFd,
    follows_links: bool,
    mount: steps::Mount,
    resolution: Resolution,
    denials: OnceLock<Denials>,
}

/// What a listing shows of a file or a folder.
pub struct EntryInfo {
    /// The length of a file; `None` for a folder.
    pub len: Option<u64>,
    /// When it was last changed, in seconds since 1970.
    pub modified_unix_s: u64,
}

/// How a path beneath the root is resolved. Both ways refuse the same paths.
enum Resolution {
    /// openat2(2) resolves it, under these rules.
    Openat2(ResolveFlags),
    /// This program resolves it, one component after the other ([`steps`]).
    Steps,
}

impl Root {
    /// The files beneath a folder; with `follows_links` also the targets of links that stay in it.
    ///
    /// # Errors
    ///
    /// Those of open(2): the folder does not exist, or this process can't search it.
    pub fn open(folder: &Path, follows_links: bool) -> io::Result<Root> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let folder = rustix::fs::open(folder, flags, Mode::empty())?;
        let mut resolve =
            ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS | ResolveFlags::NO_XDEV;
        resolve.set(ResolveFlags::NO_SYMLINKS, !follows_links);
        let resolution = match rustix::fs::openat2(&folder, ".", flags, Mode::empty(), resolve) {
            Ok(_) => Resolution::Openat2(resolve),
            // openat2 is new in Linux 5.6. Filters of system calls can also deny it: those of older
            // containers with EPERM, and systemd's RestrictSUIDSGID= with ENOSYS, because a filter
            // can't see the mode in openat2's arguments.
            Err(Errno::NOSYS | Errno::PERM) => Resolution::Steps,
            Err(errno) => return Err(errno.into()),
        };
        let mount = steps::Mount::of(&folder)?;
        Ok(Root { folder, follows_links, mount, resolution, denials: OnceLock::new() })
    }

    /// Sets where to report files that the server is not allowed to read.
    pub fn report_denials_to(&self, denials: Denials) {
        let _ = self.denials.set(denials);
    }

    /// The answer to a failure. Reports a file that the server is not allowed to read.
    pub fn refusal(&self, name: &[u8], errno: Errno) -> AssetError {
        if let (Errno::ACCESS | Errno::PERM, Some(denials)) = (errno, self.denials.get()) {
            denials.note(name);
        }
        asset_error(errno)
    }

    /// The folder itself.
    pub fn folder(&self) -> &OwnedFd {
        &self.folder
    }

    /// Whether symbolic links are followed.
    pub fn follows_links(&self) -> bool {
        self.follows_links
    }

    /// For the banner: how files are opened.
    pub fn resolution(&self) -> &'static str {
        match self.resolution {
            Resolution::Openat2(_) => "by openat2",
            Resolution::Steps => "component by component, as openat2 is not available",
        }
    }

    /// Opens a file or folder. Fails if any step of the path leads out of the root or out of its
    /// mount. The empty name is the root itself.
    ///
    /// # Errors
    ///
    /// Those of openat2(2).
    pub fn find(&self, name: &[u8], flags: OFlags) -> Result<(OwnedFd, Stat), Errno> {
        let flags = flags | OFlags::CLOEXEC;
        let open = || match &self.resolution {
            Resolution::Openat2(resolve) => {
                let name = if name.is_empty() { b"." } else { name };
                rustix::fs::openat2(&self.folder, name, flags, Mode::empty(), *resolve)
            }
            Resolution::Steps => {
                steps::open(&self.folder, name, flags, self.follows_links, &self.mount)
            }
        };
        let is_final =
            |opened: &Result<_, Errno>| !matches!(opened, Err(Errno::AGAIN | Errno::INTR));
        let opened = (0..ATTEMPTS).map(|_| open()).find(is_final);
        let file = opened.unwrap_or(Err(Errno::AGAIN))?;
        let stat = rustix::fs::fstat(&file).map_err(|_| Errno::IO)?;
        Ok((file, stat))
    }

    /// Why an index was not found: it does not exist, or it is a link to a missing file.
    pub fn why_no_index(&self, index: &[u8]) -> AssetError {
        if !self.follows_links {
            return AssetError::NoIndex;
        }
        match self.find(index, OFlags::PATH | OFlags::NOFOLLOW) {
            Err(Errno::NOENT) => AssetError::NoIndex,
            Err(errno) => asset_error(errno),
            Ok(_) => AssetError::Missing,
        }
    }

    /// What a listing shows of a file or folder. `None` if a request for it would get neither a
    /// file nor a listing.
    ///
    /// # Errors
    ///
    /// A lack of descriptors or memory, which says nothing about the file.
    pub fn entry_info(&self, name: &[u8]) -> Result<Option<EntryInfo>, AssetError> {
        let Some((_, stat)) = busy_or_none(self.find(name, OFlags::PATH))? else { return Ok(None) };
        let kind = FileType::from_raw_mode(stat.st_mode);
        let can_be_served = match kind {
            FileType::RegularFile => busy_or_none(self.find(name, READ_FLAGS))?.is_some(),
            FileType::Directory => self.can_serve_folder(name)?,
            _ => false,
        };
        Ok(can_be_served.then(|| EntryInfo {
            len: (kind == FileType::RegularFile).then_some(stat.st_size as u64),
            modified_unix_s: u64::try_from(stat.st_mtime).unwrap_or(0),
        }))
    }

    /// Like [`entry_info`](Root::entry_info), but cheaper, and only for a readable regular file in
    /// an open folder. `None` for everything else.
    pub fn quick_entry_info(&self, folder: &OwnedFd, name: &[u8]) -> Option<EntryInfo> {
        let flags = AtFlags::SYMLINK_NOFOLLOW | AtFlags::NO_AUTOMOUNT;
        let wanted = StatxFlags::BASIC_STATS | StatxFlags::MNT_ID;
        let stat = rustix::fs::statx(folder, name, flags, wanted).ok()?;
        let is_file = FileType::from_raw_mode(stat.stx_mode.into()) == FileType::RegularFile;
        if !is_file || steps::Mount::in_stat(&stat) != Some(self.mount) {
            return None;
        }
        let flags = AtFlags::EACCESS | AtFlags::SYMLINK_NOFOLLOW;
        rustix::fs::accessat(folder, name, Access::READ_OK, flags).ok()?;
        let modified_unix_s = u64::try_from(stat.stx_mtime.tv_sec).unwrap_or(0);
        Some(EntryInfo { len: Some(stat.stx_size), modified_unix_s })
    }

    /// Whether a folder can be served: with its index, or with a listing if it has none.
    fn can_serve_folder(&self, folder: &[u8]) -> Result<bool, AssetError> {
        let index = [folder, b"/", INDEX].concat();
        match self.find(&index, READ_FLAGS) {
            Ok((_, stat)) => Ok(FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile),
            Err(Errno::NOENT) if self.why_no_index(&index) == AssetError::NoIndex => {
                Ok(busy_or_none(self.find(folder, LIST_FLAGS))?.is_some())
            }
            failed => Ok(busy_or_none(failed)?.is_some()),
        }
    }
}

/// What was found, if anything; an error only for a lack of descriptors or memory.
fn busy_or_none<T>(found: Result<T, Errno>) -> Result<Option<T>, AssetError> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(errno) if asset_error(errno) == AssetError::Busy => Err(AssetError::Busy),
        Err(_) => Ok(None),
    }
}
