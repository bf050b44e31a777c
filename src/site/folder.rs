//! A folder of files: opened beneath it and nowhere else, small ones kept in memory.

use std::borrow::Cow;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use lru::LruCache;
use rustix::fs::{FileType, Mode, OFlags, ResolveFlags, Stat};
use rustix::io::Errno;
use zero_core::{Coding, Encoding, Encodings, Facts, Moment, NoAsset, SitePath};

use super::asset::{Asset, Source, content_type};
use super::file_name;

/// Files up to this size are kept in memory and sent with their head in one call.
const KEPT_FILE_BYTES: u64 = 64 * 1024;

/// So much of files is kept at most.
const KEPT_BYTES: u64 = 64 * 1024 * 1024;

/// A path that costs this little to remember is counted as this much, so that many empty files, or
/// large ones of which nothing is kept, are bounded too.
const ENTRY_BYTES: u64 = 1024;

/// What is known of a file is looked at again when this old: a change shows within a second.
const FRESH_MS: u64 = 900;

/// Something on the way to a file may be renamed while it is opened (openat2(2)).
const ATTEMPTS: usize = 8;

/// A folder of files.
pub struct Folder {
    root: OwnedFd,
    known: Mutex<Known>,
}

/// What is known of files: the least recently used is forgotten first.
struct Known {
    files: LruCache<SitePath, File>,
    bytes: u64,
}

/// What is known of a file.
#[derive(Clone)]
struct File {
    plain: Version,
    /// The same in other codings.
    coded: Vec<(Encoding, Version)>,
    looked_at_ms: u64,
}

/// A file as it was found.
#[derive(Clone)]
struct Version {
    identity: Identity,
    /// It, if it is small.
    kept: Option<Asset>,
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

impl Folder {
    /// The files beneath a folder.
    ///
    /// # Errors
    ///
    /// Those of open(2): there is no such folder, or it may not be searched.
    pub fn open(folder: &Path) -> io::Result<Folder> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let root = rustix::fs::open(folder, flags, Mode::empty())?;
        // Not before Linux 5.6, and not everywhere in a container: better to say so now.
        rustix::fs::openat2(&root, ".", flags, Mode::empty(), ResolveFlags::BENEATH)?;
        let known = Known { files: LruCache::unbounded(), bytes: 0 };
        Ok(Folder { root, known: Mutex::new(known) })
    }

    /// Opens a file, in the coding that the client wants most of those that are there.
    pub fn file(
        &self,
        path: &SitePath,
        encodings: Encodings,
        now: Moment,
    ) -> Result<Asset, NoAsset> {
        let (encoding, varies, kept) = match self.fresh(path, encodings, now) {
            Some(choice) => choice,
            None => self.look(path, now)?.choose(encodings),
        };
        if let Some(asset) = kept {
            return Ok(asset);
        }
        // A coded version may be gone since it was looked at; the file itself was asked for.
        let coded = encoding.and_then(|_| self.open_beneath(path, encoding).ok());
        let (encoding, (file, stat)) = match coded {
            Some(coded) => (encoding, coded),
            None => (None, self.open_beneath(path, None)?),
        };
        let facts = facts(path, Identity::of(&stat), Coding { encoding, varies }, now);
        Ok(Asset::new(facts, Source::File(file)))
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn fresh(&self, path: &SitePath, encodings: Encodings, now: Moment) -> Option<Choice> {
        let mut known = self.lock();
        let file = known.files.get(path)?;
        (now.ms < file.looked_at_ms + FRESH_MS).then(|| file.choose(encodings))
    }

    /// Looks at a file and at its coded versions. One that is older than the file itself was made
    /// of an earlier version of it, and is passed over.
    fn look(&self, path: &SitePath, now: Moment) -> Result<File, NoAsset> {
        let (plain, stat) = self.open_beneath(path, None)?;
        let coded: Vec<_> = Encoding::ALL
            .into_iter()
            .filter_map(|encoding| Some((encoding, self.open_beneath(path, Some(encoding)).ok()?)))
            // Many tools copy the time of a file to the second.
            .filter(|(_, (_, coded))| coded.st_mtime >= stat.st_mtime)
            .collect();
        let varies = !coded.is_empty();
        let before = self.lock().files.peek(path).cloned();
        let before = before.filter(|file| file.coded.is_empty() != varies);
        let version = |encoding, file: &OwnedFd, stat: &Stat| {
            let identity = Identity::of(stat);
            let same = before.as_ref().and_then(|before| before.version(encoding));
            if let Some(same) = same.filter(|same| same.identity == identity) {
                return Ok(same.clone());
            }
            let coding = Coding { encoding, varies };
            Ok(Version { identity, kept: keep(path, file, identity, coding, now)? })
        };
        let found = File {
            plain: version(None, &plain, &stat)?,
            coded: coded
                .iter()
                .map(|(encoding, (file, stat))| {
                    Ok((*encoding, version(Some(*encoding), file, stat)?))
                })
                .collect::<Result<_, NoAsset>>()?,
            looked_at_ms: now.ms,
        };
        self.lock().put(path.clone(), found.clone());
        Ok(found)
    }

    /// Opens a file with openat2(2), which refuses to leave the root by any way there is.
    fn open_beneath(
        &self,
        path: &SitePath,
        encoding: Option<Encoding>,
    ) -> Result<(OwnedFd, Stat), NoAsset> {
        let mut name = file_name(path);
        if let Some(encoding) = encoding {
            name.to_mut().extend_from_slice(encoding.extension().as_bytes());
        }
        // A pipe that nobody writes to, or a terminal, must not hold us up.
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let beneath = ResolveFlags::BENEATH
            | ResolveFlags::NO_SYMLINKS
            | ResolveFlags::NO_MAGICLINKS
            | ResolveFlags::NO_XDEV;
        let open = || rustix::fs::openat2(&self.root, &*name, flags, Mode::empty(), beneath);
        let passing = |opened: &Result<_, Errno>| matches!(opened, Err(Errno::AGAIN | Errno::INTR));
        let opened = (0..ATTEMPTS).map(|_| open()).find(|opened| !passing(opened));
        let file = opened.unwrap_or(Err(Errno::AGAIN)).map_err(|errno| match errno {
            // Somebody holds a lease on the file, perhaps (fcntl(2)).
            Errno::MFILE | Errno::NFILE | Errno::NOMEM | Errno::AGAIN => NoAsset::Busy,
            Errno::IO => NoAsset::Unreadable,
            // What does not exist, may not be read, or lies behind a link looks the same from
            // outside.
            _ => NoAsset::Missing,
        })?;
        let stat = rustix::fs::fstat(&file).map_err(|_| NoAsset::Unreadable)?;
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => Ok((file, stat)),
            FileType::Directory if !path.is_folder() => Err(NoAsset::Folder),
            _ => Err(NoAsset::Missing),
        }
    }
}

/// The coding, whether there are several, and the file if it is kept.
type Choice = (Option<Encoding>, bool, Option<Asset>);

impl File {
    fn version(&self, encoding: Option<Encoding>) -> Option<&Version> {
        match encoding {
            None => Some(&self.plain),
            Some(encoding) => {
                self.coded.iter().find(|(this, _)| *this == encoding).map(|(_, version)| version)
            }
        }
    }

    fn choose(&self, encodings: Encodings) -> Choice {
        if self.coded.is_empty() {
            return (None, false, self.plain.kept.clone());
        }
        let coded = encodings.ranked().find_map(|encoding| {
            self.version(Some(encoding)).map(|version| (Some(encoding), version))
        });
        let (encoding, version) = coded.unwrap_or((None, &self.plain));
        (encoding, true, version.kept.clone())
    }

    /// What it costs to know it.
    fn bytes(&self) -> u64 {
        let versions = self.coded.iter().map(|(_, version)| version).chain([&self.plain]);
        let kept = versions.filter(|version| version.kept.is_some());
        ENTRY_BYTES + kept.map(|version| version.identity.len).sum::<u64>()
    }
}

impl Known {
    fn take(&mut self, path: &SitePath) -> Option<File> {
        let file = self.files.pop(path)?;
        self.bytes -= file.bytes();
        Some(file)
    }

    fn put(&mut self, path: SitePath, file: File) {
        self.take(&path);
        self.bytes += file.bytes();
        self.files.put(path, file);
        while self.bytes > KEPT_BYTES
            && let Some((_, oldest)) = self.files.pop_lru()
        {
            self.bytes -= oldest.bytes();
        }
    }
}

/// Reads a file into memory, if it is small.
fn keep(
    path: &SitePath,
    file: &OwnedFd,
    identity: Identity,
    coding: Coding,
    now: Moment,
) -> Result<Option<Asset>, NoAsset> {
    if identity.len > KEPT_FILE_BYTES {
        return Ok(None);
    }
    let bytes = read(file, identity.len).map_err(|_| NoAsset::Unreadable)?;
    // A file that is being changed may have become shorter; what was read is what is sent.
    let as_read = Identity { len: bytes.len() as u64, ..identity };
    let facts = facts(path, as_read, coding, now);
    Ok(Some(Asset::new(facts, Source::Memory(Cow::Owned(bytes)))))
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

fn facts(path: &SitePath, identity: Identity, coding: Coding, now: Moment) -> Facts {
    let tag = format!("{:x}-{:x}", identity.len, identity.modified_ns);
    let modified_s = u64::try_from(identity.modified_ns / 1_000_000_000).unwrap_or(0);
    // No file is newer than the answer that it is sent in (RFC 9110 §8.8.2.1).
    let modified_s = modified_s.min(now.unix_s);
    Facts::new(identity.len, modified_s, &tag, &content_type(&file_name(path)), coding)
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
