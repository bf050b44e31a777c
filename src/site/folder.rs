//! A folder of files: opened beneath it and nowhere else, small ones kept in memory.

use std::borrow::Cow;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use lru::LruCache;
use rustix::fs::{FileType, OFlags, Stat};
use rustix::io::Errno;
use zero_core::{Coding, Encoding, Encodings, Facts, Listing, Moment, NoAsset, SitePath};

use super::asset::{Asset, Source, content_type};
use super::file_name;
use super::identity::Identity;
use super::listing::Listings;
use super::root::{Root, reason};

/// Files up to this size are kept in memory and sent with their head in one call.
const KEPT_FILE_BYTES: u64 = 64 * 1024;

/// So much of files is kept at most, by all processes of a server together.
const KEPT_BYTES: u64 = 64 * 1024 * 1024;

/// A path that costs this little to remember is counted as this much, so that many empty files, or
/// large ones of which nothing is kept, are bounded too.
pub(super) const ENTRY_BYTES: u64 = 1024;

/// What is known of a file is looked at again when this old: a change shows within a second.
pub(super) const FRESH_MS: u64 = 900;

/// A folder of files.
pub struct Folder {
    root: Root,
    known: Mutex<Known>,
    listings: Listings,
}

/// What is known of files: the least recently used is forgotten first.
struct Known {
    files: LruCache<SitePath, File>,
    bytes: u64,
    /// No more than this is kept.
    most_bytes: u64,
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
    /// A change after it was read would have changed its times too: they are coarse.
    is_settled: bool,
    /// It, if it is small.
    kept: Option<Asset>,
}

impl Folder {
    /// The files beneath a folder; also what symbolic links in it lead to, if it lies there too.
    ///
    /// # Errors
    ///
    /// Those of open(2): there is no such folder, or it may not be searched.
    pub fn open(folder: &Path, symlinks: bool) -> io::Result<Folder> {
        let root = Root::open(folder, symlinks)?;
        let known =
            Mutex::new(Known { files: LruCache::unbounded(), bytes: 0, most_bytes: KEPT_BYTES });
        Ok(Folder { root, known, listings: Listings::new() })
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
        let coded = encoding.map(|encoding| self.open_coded(path, encoding)).transpose()?;
        let (encoding, (file, stat)) = match coded.flatten() {
            Some(coded) => (encoding, coded),
            None => (None, self.open_beneath(path, None)?),
        };
        let facts = facts(path, Identity::of(&stat), Coding { encoding, varies });
        Ok(Asset::new(facts, Source::File(file)))
    }

    /// The folder itself.
    pub fn root(&self) -> &OwnedFd {
        self.root.folder()
    }

    /// A page of what is in a folder.
    pub fn list(&self, path: &SitePath, page: u32, now: Moment) -> Result<Arc<Listing>, NoAsset> {
        self.listings.page(&self.root, path, page, now)
    }

    /// Keeps no more than a share of what one of so many processes may.
    pub fn share_among(&self, processes: usize) {
        self.lock().most_bytes = KEPT_BYTES / processes.max(1) as u64;
        self.listings.share_among(processes);
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
        let identity = Identity::of(&stat);
        let mut coded = Vec::new();
        for encoding in Encoding::ALL {
            let found = self.open_coded(path, encoding)?;
            let is_current = |stat: &Stat| !Identity::of(stat).is_older_than(&identity);
            coded.extend(found.filter(|(_, stat)| is_current(stat)).map(|found| (encoding, found)));
        }
        let varies = !coded.is_empty();
        let before = self.lock().files.peek(path).cloned();
        let before = before.filter(|file| file.coded.is_empty() != varies);
        let version = |encoding, file: &OwnedFd, stat: &Stat| {
            let identity = Identity::of(stat);
            let same = before.as_ref().and_then(|before| before.version(encoding));
            if let Some(same) = same.filter(|same| same.is_settled && same.identity == identity) {
                return Ok(same.clone());
            }
            let coding = Coding { encoding, varies };
            Version::read(path, file, identity, coding, now)
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

    /// Opens a file in a coding, if it is there. If the machine is short of something nobody knows
    /// that, and the file itself would go out as if there were no other.
    fn open_coded(
        &self,
        path: &SitePath,
        encoding: Encoding,
    ) -> Result<Option<(OwnedFd, Stat)>, NoAsset> {
        match self.open_beneath(path, Some(encoding)) {
            Ok(found) => Ok(Some(found)),
            Err(NoAsset::Busy) => Err(NoAsset::Busy),
            Err(_) => Ok(None),
        }
    }

    /// Opens a file.
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
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY;
        let (file, stat) = self.root.find(&name, flags).map_err(|errno| match errno {
            Errno::NOENT if path.is_folder() => self.root.absence(&name),
            errno => reason(errno),
        })?;
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => Ok((file, stat)),
            FileType::Directory if !path.is_folder() => Err(NoAsset::Folder),
            _ => Err(NoAsset::Missing),
        }
    }
}

impl Version {
    /// Reads a file into memory, if it is small.
    fn read(
        path: &SitePath,
        file: &OwnedFd,
        identity: Identity,
        coding: Coding,
        now: Moment,
    ) -> Result<Version, NoAsset> {
        if identity.len > KEPT_FILE_BYTES {
            return Ok(Version { identity, is_settled: true, kept: None });
        }
        let bytes = read(file, identity.len).map_err(|_| NoAsset::Unreadable)?;
        // It may have been changed meanwhile, or be changed again at once.
        let after = rustix::fs::fstat(file).map_err(|_| NoAsset::Unreadable)?;
        let is_settled = identity.is_settled(now) && Identity::of(&after) == identity;
        // One that is being changed may have become shorter; what was read is what is sent.
        let mut as_read = identity;
        as_read.len = bytes.len() as u64;
        let facts = facts(path, as_read, coding);
        let kept = Some(Asset::new(facts, Source::Memory(Cow::Owned(bytes))));
        Ok(Version { identity, is_settled, kept })
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
        while self.bytes > self.most_bytes
            && let Some((_, oldest)) = self.files.pop_lru()
        {
            self.bytes -= oldest.bytes();
        }
    }
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

fn facts(path: &SitePath, identity: Identity, coding: Coding) -> Facts {
    let (modified_s, content_type) = (identity.modified_unix_s(), content_type(&file_name(path)));
    Facts::new(identity.len, modified_s, &identity.tag(), &content_type, coding)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::site::{Content, builtin_template};
    use std::fs;
    use zero_core::{App, Connection, Limits, Templates, Want};

    /// The path of a page, as the core makes it.
    fn path() -> SitePath {
        let load = |name: &str| Ok::<_, zero_core::app::BadTemplate>(builtin_template(name).into());
        let templates = Templates::load(load).unwrap();
        let app = App { templates, limits: Limits::default(), guestbook: false, listing: false };
        let mut connection = Connection::<Asset>::new();
        assert!(matches!(connection.poll(&app, Moment::default()), Want::Read));
        connection.received(b"GET /page HTTP/1.0\r\n\r\n");
        match connection.poll(&app, Moment::default()) {
            Want::Open(path, _) => path,
            want => panic!("{want:?}"),
        }
    }

    /// A file that is written twice within a tick of the clock has the same times afterwards.
    #[test]
    fn what_was_read_too_soon_after_a_change_is_read_again() {
        let root = std::env::temp_dir().join(format!("zerohttpd-settled-{}", std::process::id()));
        fs::create_dir_all(&root).unwrap();
        fs::write(root.join("page"), "now").unwrap();
        let (folder, path) = (Folder::open(&root, false).unwrap(), path());
        let show = |now| match folder.file(&path, Encodings::default(), now).unwrap().content() {
            Content::Memory(bytes) => bytes.to_vec(),
            Content::File(_) => panic!("a small file that is not kept"),
        };
        let mut now = crate::clock::now();
        assert_eq!(show(now), b"now");
        let earlier = folder.lock().files.get(&path).cloned().unwrap();
        assert!(!earlier.plain.is_settled, "it was written just now");
        for (is_settled, text) in [(true, "old"), (false, "now")] {
            let old = Facts::new(3, 0, "0", "text/plain", Coding::default());
            let kept = Some(Asset::new(old, Source::Memory(Cow::Borrowed(b"old"))));
            let mut known = earlier.clone();
            known.plain = Version { is_settled, kept, ..known.plain };
            folder.lock().put(path.clone(), known);
            now.ms += FRESH_MS;
            assert_eq!(show(now), text.as_bytes());
        }
        now.unix_s += 3;
        now.ms += FRESH_MS;
        assert_eq!(show(now), b"now");
        assert!(folder.lock().files.get(&path).unwrap().plain.is_settled, "read after a while");
        fs::remove_dir_all(&root).unwrap();
    }
}
