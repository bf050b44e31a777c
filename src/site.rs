//! The document root: files opened beneath it and nowhere else, small ones kept in memory.

mod builtin;

use std::borrow::Cow;
use std::io;
use std::num::NonZeroUsize;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use lru::LruCache;
use rustix::fs::{FileType, Mode, OFlags, ResolveFlags, Stat};
use rustix::io::Errno;
use zero_core::{Facts, Moment, NoAsset, SitePath};

pub use builtin::template as builtin_template;

/// Files up to this size are kept in memory and sent with their head in one call.
const KEPT_FILE_BYTES: u64 = 64 * 1024;

/// So many files are kept at most: at their largest, 64 MiB.
const KEPT_FILES: NonZeroUsize = NonZeroUsize::new(1024).unwrap();

/// A kept file is looked at again when this old, so that a change shows within a second.
const FRESH_MS: u64 = 900;

/// What a folder answers with.
const INDEX: &[u8] = b"index.html";

/// A file, open or kept in memory.
#[derive(Clone, Debug)]
pub struct Asset(Arc<Document>);

#[derive(Debug)]
struct Document {
    facts: Facts,
    content: Source,
}

#[derive(Debug)]
enum Source {
    Memory(Cow<'static, [u8]>),
    File(OwnedFd),
}

/// Where the bytes of a file are.
pub enum Content<'a> {
    /// Here.
    Memory(&'a [u8]),
    /// Beneath this descriptor.
    File(&'a OwnedFd),
}

impl Asset {
    /// Where its bytes are.
    pub fn content(&self) -> Content<'_> {
        match &self.0.content {
            Source::Memory(bytes) => Content::Memory(bytes),
            Source::File(file) => Content::File(file),
        }
    }
}

impl zero_core::Asset for Asset {
    fn facts(&self) -> &Facts {
        &self.0.facts
    }
}

/// The files that are served.
pub struct Site(Root);

enum Root {
    /// A folder of the file system.
    Folder { root: OwnedFd, kept: Mutex<LruCache<SitePath, Kept>> },
    /// The site that is compiled in.
    Builtin(Vec<(&'static str, Asset)>),
}

struct Kept {
    asset: Asset,
    identity: Identity,
    looked_at_ms: u64,
}

/// What changes when a file is changed or replaced.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Identity {
    device: u64,
    inode: u64,
    len: u64,
    modified_ns: i128,
    changed_ns: i128,
}

impl Site {
    /// The files beneath a folder.
    ///
    /// # Errors
    ///
    /// Those of open(2): there is no such folder, or it may not be searched.
    pub fn open(folder: &Path) -> io::Result<Site> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let root = rustix::fs::open(folder, flags, Mode::empty())?;
        Ok(Site(Root::Folder { root, kept: Mutex::new(LruCache::new(KEPT_FILES)) }))
    }

    /// The site that is compiled in.
    pub fn builtin() -> Site {
        Site(Root::Builtin(builtin::site()))
    }

    /// Opens a file.
    pub fn file(&self, path: &SitePath, now: Moment) -> Result<Asset, NoAsset> {
        match &self.0 {
            Root::Builtin(files) => find(files, path),
            Root::Folder { root, kept } => {
                if let Some(asset) = fresh(kept, path, now) {
                    return Ok(asset);
                }
                let (file, stat) = open_beneath(root, path)?;
                load(kept, path, file, &stat, now)
            }
        }
    }
}

fn find(files: &[(&'static str, Asset)], path: &SitePath) -> Result<Asset, NoAsset> {
    let name = file_name(path);
    if let Some((_, asset)) = files.iter().find(|(file, _)| file.as_bytes() == &*name) {
        return Ok(asset.clone());
    }
    let folder = [path.as_bytes(), b"/"].concat();
    let is_folder = files.iter().any(|(file, _)| file.as_bytes().starts_with(&folder));
    Err(if is_folder { NoAsset::Folder } else { NoAsset::Missing })
}

/// The path of the file that a path means.
fn file_name(path: &SitePath) -> Cow<'_, [u8]> {
    match path.is_folder() {
        true => Cow::Owned([path.as_bytes(), INDEX].concat()),
        false => Cow::Borrowed(path.as_bytes()),
    }
}

type KeptFiles = Mutex<LruCache<SitePath, Kept>>;

fn fresh(kept: &KeptFiles, path: &SitePath, now: Moment) -> Option<Asset> {
    let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
    let file = kept.get(path)?;
    (now.ms < file.looked_at_ms + FRESH_MS).then(|| file.asset.clone())
}

/// Opens the file with openat2(2), which refuses to leave the root by any way there is.
fn open_beneath(root: &OwnedFd, path: &SitePath) -> Result<(OwnedFd, Stat), NoAsset> {
    let name = file_name(path);
    // A pipe that nobody writes to, or a terminal, must not hold us up.
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let beneath = ResolveFlags::BENEATH
        | ResolveFlags::NO_SYMLINKS
        | ResolveFlags::NO_MAGICLINKS
        | ResolveFlags::NO_XDEV;
    let opened = loop {
        match rustix::fs::openat2(root, &*name, flags, Mode::empty(), beneath) {
            // Something on the way was renamed meanwhile.
            Err(Errno::AGAIN | Errno::INTR) => {}
            other => break other,
        }
    };
    let file = opened.map_err(|errno| match errno {
        Errno::MFILE | Errno::NFILE | Errno::NOMEM => NoAsset::Busy,
        Errno::IO => NoAsset::Unreadable,
        // What does not exist, may not be read, or lies behind a link looks the same from outside.
        _ => NoAsset::Missing,
    })?;
    let stat = rustix::fs::fstat(&file).map_err(|_| NoAsset::Unreadable)?;
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => Ok((file, stat)),
        FileType::Directory if !path.is_folder() => Err(NoAsset::Folder),
        _ => Err(NoAsset::Missing),
    }
}

fn load(
    kept: &KeptFiles,
    path: &SitePath,
    file: OwnedFd,
    stat: &Stat,
    now: Moment,
) -> Result<Asset, NoAsset> {
    let identity = Identity::of(stat);
    if identity.len > KEPT_FILE_BYTES {
        kept.lock().unwrap_or_else(PoisonError::into_inner).pop(path);
        return Ok(Asset::new(path, identity, Source::File(file)));
    }
    let mut all = kept.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(same) = all.get_mut(path).filter(|kept| kept.identity == identity) {
        same.looked_at_ms = now.ms;
        return Ok(same.asset.clone());
    }
    drop(all);
    let bytes = read(&file, identity.len).map_err(|_| NoAsset::Unreadable)?;
    // A file that is being changed may have become shorter; what was read is what is sent.
    let as_read = Identity { len: bytes.len() as u64, ..identity };
    let asset = Asset::new(path, as_read, Source::Memory(Cow::Owned(bytes)));
    let kept_file = Kept { asset: asset.clone(), identity, looked_at_ms: now.ms };
    kept.lock().unwrap_or_else(PoisonError::into_inner).put(path.clone(), kept_file);
    Ok(asset)
}

/// The first `len` bytes of a file, or all that there are.
fn read(file: &OwnedFd, len: u64) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; len as usize];
    let mut done = 0;
    while done < bytes.len() {
        match rustix::io::read(file, &mut bytes[done..])? {
            0 => break,
            count => done += count,
        }
    }
    bytes.truncate(done);
    Ok(bytes)
}

impl Asset {
    fn new(path: &SitePath, identity: Identity, content: Source) -> Asset {
        let tag = format!("{:x}-{:x}", identity.len, identity.modified_ns);
        let modified_s = u64::try_from(identity.modified_ns / 1_000_000_000).unwrap_or(0);
        let content_type = content_type(&file_name(path));
        let facts = Facts::new(identity.len, modified_s, &tag, &content_type);
        Asset(Arc::new(Document { facts, content }))
    }
}

impl Identity {
    fn of(stat: &Stat) -> Identity {
        let ns = |seconds: i64, ns: i64| i128::from(seconds) * 1_000_000_000 + i128::from(ns);
        Identity {
            device: stat.st_dev,
            inode: stat.st_ino,
            len: stat.st_size as u64,
            modified_ns: ns(stat.st_mtime, stat.st_mtime_nsec as i64),
            changed_ns: ns(stat.st_ctime, stat.st_ctime_nsec as i64),
        }
    }
}

/// The media type that a file's extension stands for, whatever its case. Text is UTF-8.
fn content_type(name: &[u8]) -> Cow<'static, str> {
    let extension = name.rsplit(|&byte| byte == b'.').next().unwrap_or_default();
    let extension = std::str::from_utf8(extension).unwrap_or_default();
    match mime_guess::from_ext(extension).first_raw() {
        None => Cow::Borrowed("application/octet-stream"),
        Some(kind) if is_text(kind) => Cow::Owned(format!("{kind}; charset=utf-8")),
        Some(kind) => Cow::Borrowed(kind),
    }
}

fn is_text(kind: &str) -> bool {
    kind.starts_with("text/") || matches!(kind, "application/javascript" | "application/json")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_by_extension_in_any_case() {
        assert_eq!(content_type(b"a/index.html"), "text/html; charset=utf-8");
        assert_eq!(content_type(b"A.HTML"), "text/html; charset=utf-8");
        assert_eq!(content_type(b"a.PnG"), "image/png");
        assert_eq!(content_type(b"a.svg"), "image/svg+xml");
        assert_eq!(content_type(b"a.js"), "text/javascript; charset=utf-8");
        assert_eq!(content_type(b"a.wasm"), "application/wasm");
        assert_eq!(content_type(b"a.unheard-of"), "application/octet-stream");
        assert_eq!(content_type(b"README"), "application/octet-stream");
    }
}
