//! A folder whose files are served. Files are opened only beneath it, and small ones are kept in
//! memory.

use std::borrow::Cow;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::fs::{FileType, Stat};
use rustix::io::Errno;
use zerohttpd_core::{AssetError, Coding, Encoding, Encodings, Listing, Metadata, Now, SitePath};

use crate::files::asset::{Asset, FileBytes};
use crate::files::cache::{Cache, FRESH_MS};
use crate::files::denied::Denials;
use crate::files::identity::Identity;
use crate::files::index::file_name;
use crate::files::listing::Listings;
use crate::files::opening::READ_FLAGS;
use crate::files::root::Root;
use crate::files::types::{content_type, own_encoding};

/// Files up to this size are kept in memory and sent with their head in one call.
const KEPT_FILE_BYTES: u64 = 64 * 1024;

/// The maximum number of bytes of files that all processes of a server keep together.
const KEPT_BYTES: u64 = 64 * 1024 * 1024;

/// A folder of files.
pub struct Folder {
    root: Root,
    known: Mutex<Cache<KnownFile>>,
    listings: Listings,
}

/// A file, as the cache keeps it.
#[derive(Clone)]
struct KnownFile {
    plain: FileVersion,
    /// The precompressed versions.
    coded: Vec<(Encoding, FileVersion)>,
    /// When the file was last looked up on the disk.
    checked_at_ms: u64,
}

/// A file as it was found on the disk.
#[derive(Clone)]
struct FileVersion {
    identity: Identity,
    /// Whether a further change would show in the file's times. They come from a coarse clock, so a
    /// change too soon after another one leaves the times as they are.
    is_settled: bool,
    /// Its content, if it is small.
    kept: Option<Asset>,
}

impl Folder {
    /// The files beneath a folder; with `symlinks` also the targets of links that stay in it.
    ///
    /// # Errors
    ///
    /// Those of open(2): the folder does not exist, or this process can't search it.
    pub fn open(folder: &Path, symlinks: bool) -> io::Result<Folder> {
        let root = Root::open(folder, symlinks)?;
        let known = Mutex::new(Cache::new(KEPT_BYTES, 0));
        Ok(Folder { root, known, listings: Listings::new() })
    }

    /// Opens a file, in the coding that the client prefers among those that exist.
    pub fn file(
        &self,
        path: &SitePath,
        encodings: Encodings,
        now: Now,
    ) -> Result<Asset, AssetError> {
        let (encoding, varies, kept) = match self.fresh(path, encodings, now) {
            Some(choice) => choice,
            None => self.look_up(path, now)?.choose(encodings),
        };
        if let Some(asset) = kept {
            return Ok(asset);
        }
        // If the precompressed version was removed meanwhile, the file itself is sent.
        let coded = encoding.map(|encoding| self.open_coded(path, encoding)).transpose()?;
        let (encoding, (file, stat)) = match coded.flatten() {
            Some(coded) => (encoding, coded),
            None => (None, self.open_beneath(path, None)?),
        };
        let metadata = metadata(path, Identity::of(&stat), Coding { encoding, varies });
        Ok(Asset::new(metadata, FileBytes::File(file)))
    }

    /// Sets where to report files that the server is not allowed to read.
    pub fn report_denials_to(&self, denials: Denials) {
        self.root.report_denials_to(denials);
    }

    /// The folder itself.
    pub fn root(&self) -> &OwnedFd {
        self.root.folder()
    }

    /// For the banner: how files are opened.
    pub fn resolution(&self) -> &'static str {
        self.root.resolution()
    }

    /// A page of the listing of a folder.
    pub fn list(&self, path: &SitePath, page: u32, now: Now) -> Result<Arc<Listing>, AssetError> {
        self.listings.page(&self.root, path, page, now)
    }

    /// Like [`list`](Folder::list), but returns `None` if the page is not ready after a slice of
    /// work.
    pub fn list_in_turns(
        &self,
        path: &SitePath,
        page: u32,
        now: Now,
    ) -> Option<Result<Arc<Listing>, AssetError>> {
        self.listings.page_in_turns(&self.root, path, page, now)
    }

    /// Sets the number of processes that divide the memory for files.
    pub fn share_among(&self, processes: usize) {
        self.lock().set_max_bytes(KEPT_BYTES / processes.max(1) as u64);
        self.listings.share_among(processes);
    }

    fn lock(&self) -> MutexGuard<'_, Cache<KnownFile>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The version to send, if the file was looked up recently enough.
    fn fresh(&self, path: &SitePath, encodings: Encodings, now: Now) -> Option<ChosenVersion> {
        let mut known = self.lock();
        let file = known.get(path)?;
        (now.ms < file.checked_at_ms + FRESH_MS).then(|| file.choose(encodings))
    }

    /// Looks up a file and its precompressed versions on the disk. Ignores versions that are older
    /// than the file: they were made from an earlier state of the file.
    fn look_up(&self, path: &SitePath, now: Now) -> Result<KnownFile, AssetError> {
        let (plain, stat) = self.open_beneath(path, None)?;
        let identity = Identity::of(&stat);
        let mut coded = Vec::new();
        // A file that is compressed by its format has no other version.
        let may_vary = own_encoding(path.as_bytes()).is_none();
        for encoding in Encoding::ALL.into_iter().filter(|_| may_vary) {
            let found = self.open_coded(path, encoding)?;
            let is_current = |stat: &Stat| !Identity::of(stat).is_older_than(&identity);
            coded.extend(found.filter(|(_, stat)| is_current(stat)).map(|found| (encoding, found)));
        }
        let varies = !coded.is_empty();
        let known = self.lock().peek(path).cloned();
        // The metadata of a kept version says whether the file has others (`Vary`). If that has
        // changed, no kept version is used again.
        let known = known.filter(|file| file.coded.is_empty() != varies);
        let version = |encoding, file: &OwnedFd, stat: &Stat| {
            let identity = Identity::of(stat);
            let kept = known.as_ref().and_then(|known| known.version(encoding));
            if let Some(kept) = kept.filter(|kept| kept.is_settled && kept.identity == identity) {
                return Ok(kept.clone());
            }
            let coding = Coding { encoding, varies };
            FileVersion::read(path, file, identity, coding, now)
        };
        let found = KnownFile {
            plain: version(None, &plain, &stat)?,
            coded: coded
                .iter()
                .map(|(encoding, (file, stat))| {
                    Ok((*encoding, version(Some(*encoding), file, stat)?))
                })
                .collect::<Result<_, AssetError>>()?,
            checked_at_ms: now.ms,
        };
        self.lock().put(path.clone(), found.clone(), found.bytes());
        Ok(found)
    }

    /// Opens a precompressed version, if it exists. A lack of descriptors or memory is an error
    /// here. Otherwise the plain file would be sent as if it had no other version, without `Vary`.
    fn open_coded(
        &self,
        path: &SitePath,
        encoding: Encoding,
    ) -> Result<Option<(OwnedFd, Stat)>, AssetError> {
        match self.open_beneath(path, Some(encoding)) {
            Ok(found) => Ok(Some(found)),
            Err(AssetError::Busy) => Err(AssetError::Busy),
            Err(_) => Ok(None),
        }
    }

    /// Opens a file beneath the root: the file itself, or its version in the given encoding.
    fn open_beneath(
        &self,
        path: &SitePath,
        encoding: Option<Encoding>,
    ) -> Result<(OwnedFd, Stat), AssetError> {
        let mut name = file_name(path);
        if let Some(encoding) = encoding {
            name.to_mut().extend_from_slice(encoding.extension().as_bytes());
        }
        let (file, stat) = self.root.find(&name, READ_FLAGS).map_err(|errno| match errno {
            Errno::NOENT if path.is_folder() => self.root.why_no_index(&name),
            errno => self.root.refusal(&name, errno),
        })?;
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => Ok((file, stat)),
            FileType::Directory if !path.is_folder() => Err(AssetError::Folder),
            _ => Err(AssetError::Missing),
        }
    }
}

impl FileVersion {
    /// Reads a file into memory, if it is small.
    fn read(
        path: &SitePath,
        file: &OwnedFd,
        identity: Identity,
        coding: Coding,
        now: Now,
    ) -> Result<FileVersion, AssetError> {
        if identity.len > KEPT_FILE_BYTES {
            return Ok(FileVersion { identity, is_settled: true, kept: None });
        }
        let bytes = read(file, identity.len).map_err(|_| AssetError::Unreadable)?;
        // The file can have changed while it was read, or can still change within the same tick of
        // the clock.
        let after = rustix::fs::fstat(file).map_err(|_| AssetError::Unreadable)?;
        let is_settled = identity.is_settled(now) && Identity::of(&after) == identity;
        // If the file was truncated meanwhile, the bytes that were read are sent.
        let mut as_read = identity;
        as_read.len = bytes.len() as u64;
        let metadata = metadata(path, as_read, coding);
        let kept = Some(Asset::new(metadata, FileBytes::Memory(Cow::Owned(bytes))));
        Ok(FileVersion { identity, is_settled, kept })
    }
}

/// The version to send: its coding, whether the file has other versions (`Vary`), and its content
/// if that is kept in memory.
type ChosenVersion = (Option<Encoding>, bool, Option<Asset>);

impl KnownFile {
    fn version(&self, encoding: Option<Encoding>) -> Option<&FileVersion> {
        match encoding {
            None => Some(&self.plain),
            Some(encoding) => {
                self.coded.iter().find(|(known, _)| *known == encoding).map(|(_, version)| version)
            }
        }
    }

    /// The version to send to a client that accepts these encodings.
    fn choose(&self, encodings: Encodings) -> ChosenVersion {
        if self.coded.is_empty() {
            return (None, false, self.plain.kept.clone());
        }
        let coded = encodings.ranked().find_map(|encoding| {
            self.version(Some(encoding)).map(|version| (Some(encoding), version))
        });
        let (encoding, version) = coded.unwrap_or((None, &self.plain));
        (encoding, true, version.kept.clone())
    }

    /// How many bytes its kept contents take.
    fn bytes(&self) -> u64 {
        let versions = self.coded.iter().map(|(_, version)| version).chain([&self.plain]);
        let kept = versions.filter(|version| version.kept.is_some());
        kept.map(|version| version.identity.len).sum::<u64>()
    }
}

/// The first `len` bytes of a file, or all of it if it is shorter.
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

fn metadata(path: &SitePath, identity: Identity, mut coding: Coding) -> Metadata {
    let name = file_name(path);
    let (modified_s, content_type) = (identity.modified_unix_s(), content_type(&name));
    coding.encoding = coding.encoding.or(own_encoding(&name));
    Metadata::new(identity.len, modified_s, &identity.tag(), &content_type, coding)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::asset::Content;
    use crate::files::builtin;
    use std::fs;
    use zerohttpd_core::{App, Connection, Limits, Operation, Templates, Want};

    /// The path of a page, as the core makes it.
    fn path() -> SitePath {
        let load =
            |name: &str| Ok::<_, zerohttpd_core::app::BadTemplate>(builtin::template(name).into());
        let templates = Templates::load(load).unwrap();
        let app = App { templates, limits: Limits::default(), guestbook: false, listing: false };
        let mut connection = Connection::<App, Asset>::new();
        assert!(matches!(connection.poll(&app, Now::default()), Want::Read));
        connection.received(b"GET /page HTTP/1.0\r\n\r\n");
        match connection.poll(&app, Now::default()) {
            Want::Perform(_, Operation::Open(path, _)) => path,
            want => panic!("{want:?}"),
        }
    }

    /// A file that is written twice within a tick of the clock has the same times after both
    /// writes.
    #[test]
    fn a_file_that_was_read_too_soon_after_a_change_is_read_again() {
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
        let earlier = folder.lock().get(&path).cloned().unwrap();
        assert!(!earlier.plain.is_settled, "it was written just now");
        for (is_settled, text) in [(true, "old"), (false, "now")] {
            let old = Metadata::new(3, 0, "0", "text/plain", Coding::default());
            let kept = Some(Asset::new(old, FileBytes::Memory(Cow::Borrowed(b"old"))));
            let mut known = earlier.clone();
            known.plain = FileVersion { is_settled, kept, ..known.plain };
            let bytes = known.bytes();
            folder.lock().put(path.clone(), known, bytes);
            now.ms += FRESH_MS;
            assert_eq!(show(now), text.as_bytes());
        }
        now.unix_s += 3;
        now.ms += FRESH_MS;
        assert_eq!(show(now), b"now");
        assert!(folder.lock().get(&path).unwrap().plain.is_settled, "read after a while");
        fs::remove_dir_all(&root).unwrap();
    }
}
