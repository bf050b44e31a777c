//! What is in a folder, a page at a time.
//!
//! To read and sort the names of a large folder takes much longer than to look at the files on one
//! page, and all other clients of a loop wait meanwhile. So the names are kept as long as the
//! folder does not change, and what stands on a page as long as what is known of a file is.

use std::collections::BTreeMap;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use lru::LruCache;
use rustix::fs::{FileType, OFlags, RawDir};
use zero_core::{FolderEntry, Listing, Moment, NoAsset, SitePath};

use super::folder::{ENTRY_BYTES, FRESH_MS};
use super::identity::Identity;
use super::root::{Root, reason};

/// Entries on a page: a screenful of them for whoever reads, and some 100 KB for whoever waits.
const PAGE_ENTRIES: usize = 500;

/// So many names of a folder are read at most; the listing says that there are more.
const NAMES: usize = 200_000;

/// So many bytes of names.
const NAMES_BYTES: usize = 8 * 1024 * 1024;

/// So much is kept of all folders at most, by all processes of a server together: room for what is
/// read of the largest, where there is one process.
const KEPT_BYTES: usize = 16 * 1024 * 1024;

/// For getdents64(2): some thousand names at a time.
const BUFFER_BYTES: usize = 64 * 1024;

const _: () = assert!(NAMES_BYTES + NAMES * size_of::<Name>() < KEPT_BYTES);

/// What is known of folders: the least recently used is forgotten first.
///
/// One is read at a time: what many ask for at once is read once, and takes its memory once.
pub struct Listings(Mutex<Known>);

struct Known {
    folders: LruCache<SitePath, Shown>,
    bytes: usize,
    /// No more than this is kept.
    most_bytes: usize,
}

/// A folder of which pages were shown.
struct Shown {
    names: Names,
    identity: Identity,
    /// A change after it was read would have changed its times too: they are coarse.
    is_settled: bool,
    pages: BTreeMap<u32, Arc<Listing>>,
    looked_at_ms: u64,
    /// What it costs to know it.
    bytes: usize,
}

/// The names in a folder, sorted: folders first.
#[derive(Default)]
struct Names {
    text: Vec<u8>,
    all: Vec<Name>,
    is_cut: bool,
}

/// Where a name stands, and whether the folder says that it is a folder's. Of a symbolic link, and
/// on a file system that does not say, that is found out when it is shown.
struct Name {
    start: u32,
    len: u16,
    is_folder: bool,
}

impl Listings {
    /// Nothing is known yet.
    pub fn new() -> Listings {
        let folders = LruCache::unbounded();
        Listings(Mutex::new(Known { folders, bytes: 0, most_bytes: KEPT_BYTES }))
    }

    /// Keeps no more than a share of what one of so many processes may.
    pub fn share_among(&self, processes: usize) {
        self.lock().most_bytes = KEPT_BYTES / processes.max(1);
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A page of a folder.
    pub fn page(
        &self,
        root: &Root,
        path: &SitePath,
        page: u32,
        now: Moment,
    ) -> Result<Arc<Listing>, NoAsset> {
        let mut known = self.lock();
        let mut shown = match known.take(path) {
            Some(shown) if now.ms < shown.looked_at_ms + FRESH_MS => shown,
            earlier => Shown::look(root, path, earlier, now)?,
        };
        let listing = shown.page(root, path, page);
        known.put(path.clone(), shown);
        listing
    }
}

impl Known {
    fn take(&mut self, path: &SitePath) -> Option<Shown> {
        let shown = self.folders.pop(path)?;
        self.bytes -= shown.bytes;
        Some(shown)
    }

    fn put(&mut self, path: SitePath, shown: Shown) {
        self.bytes += shown.bytes;
        self.folders.put(path, shown);
        while self.bytes > self.most_bytes
            && let Some((_, oldest)) = self.folders.pop_lru()
        {
            self.bytes -= oldest.bytes;
        }
    }
}

impl Shown {
    /// Opens a folder, and reads its names unless they are known.
    fn look(
        root: &Root,
        path: &SitePath,
        earlier: Option<Shown>,
        now: Moment,
    ) -> Result<Shown, NoAsset> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NONBLOCK;
        let (folder, stat) = root.find(path.as_bytes(), flags).map_err(reason)?;
        let identity = Identity::of(&stat);
        let same = earlier.filter(|earlier| earlier.is_settled && earlier.identity == identity);
        let (names, is_settled) = match same {
            Some(same) => (same.names, true),
            None => (Names::read(&folder, root.follows(), NAMES)?, identity.is_settled(now)),
        };
        let bytes = ENTRY_BYTES as usize + names.bytes();
        let pages = BTreeMap::new();
        Ok(Shown { names, identity, is_settled, pages, looked_at_ms: now.ms, bytes })
    }

    fn page(&mut self, root: &Root, path: &SitePath, page: u32) -> Result<Arc<Listing>, NoAsset> {
        if let Some(known) = self.pages.get(&page) {
            return Ok(Arc::clone(known));
        }
        let pages = self.names.all.len().div_ceil(PAGE_ENTRIES).max(1) as u32;
        if !(1..=pages).contains(&page) {
            return Err(NoAsset::Missing);
        }
        let start = (page as usize - 1) * PAGE_ENTRIES;
        let on_page = self.names.all[start..].iter().take(PAGE_ENTRIES);
        let entries: Vec<_> = on_page
            .filter_map(|name| entry(root, path, name.of(&self.names.text)).transpose())
            .collect::<Result<_, _>>()?;
        let cost = |entry: &FolderEntry| size_of_val(entry) + entry.name.len();
        self.bytes += ENTRY_BYTES as usize + entries.iter().map(cost).sum::<usize>();
        let listing = Arc::new(Listing { page, pages, entries, is_cut: self.names.is_cut });
        self.pages.insert(page, Arc::clone(&listing));
        Ok(listing)
    }
}

/// What there is to show of a name; none if it could not be served.
fn entry(root: &Root, path: &SitePath, name: &[u8]) -> Result<Option<FolderEntry>, NoAsset> {
    let found = root.look(&[path.as_bytes(), name].concat())?;
    Ok(found.map(|(kind, stat)| FolderEntry {
        name: name.to_vec(),
        len: (kind == FileType::RegularFile).then_some(stat.st_size as u64),
        modified_unix_s: u64::try_from(stat.st_mtime).unwrap_or(0),
    }))
}

impl Names {
    /// The names that may be those of files or folders that are served.
    fn read(folder: &OwnedFd, follows: bool, most: usize) -> Result<Names, NoAsset> {
        let mut names = Names::default();
        let mut buffer = vec![MaybeUninit::uninit(); BUFFER_BYTES];
        let mut listing = RawDir::new(folder, &mut buffer);
        while let Some(entry) = listing.next() {
            let entry = entry.map_err(reason)?;
            let is_folder = match entry.file_type() {
                FileType::Directory => true,
                FileType::RegularFile | FileType::Unknown => false,
                FileType::Symlink if follows => false,
                _ => continue,
            };
            let name = entry.file_name().to_bytes();
            // A dot-file is not served, and a target with an encoded line end is refused.
            if name.starts_with(b".") || name.iter().any(|byte| b"\r\n".contains(byte)) {
                continue;
            }
            if names.all.len() == most || names.text.len() + name.len() > NAMES_BYTES {
                names.is_cut = true;
                break;
            }
            let start = names.text.len() as u32;
            names.text.extend_from_slice(name);
            names.all.push(Name { start, len: name.len() as u16, is_folder });
        }
        names.text.shrink_to_fit();
        names.all.shrink_to_fit();
        let Names { text, all, .. } = &mut names;
        all.sort_unstable_by(|a, b| {
            b.is_folder.cmp(&a.is_folder).then_with(|| a.of(text).cmp(b.of(text)))
        });
        Ok(names)
    }

    fn bytes(&self) -> usize {
        self.text.capacity() + self.all.capacity() * size_of::<Name>()
    }
}

impl Name {
    /// The name itself.
    fn of<'t>(&self, text: &'t [u8]) -> &'t [u8] {
        &text[self.start as usize..][..usize::from(self.len)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{self, File};

    #[test]
    fn names_are_sorted_and_those_beyond_the_bound_are_owned_up_to() {
        let path = std::env::temp_dir().join(format!("zerohttpd-names-{}", std::process::id()));
        fs::create_dir_all(path.join("z-folder")).unwrap();
        for name in ["b", "a", "ab", ".hidden", "A", "line\nend"] {
            fs::write(path.join(name), "").unwrap();
        }
        let read = |most| {
            let folder = OwnedFd::from(File::open(&path).unwrap());
            let names = Names::read(&folder, false, most).unwrap();
            let all = names.all.iter().map(|name| String::from_utf8_lossy(name.of(&names.text)));
            (all.map(|name| name.into_owned()).collect::<Vec<_>>(), names.is_cut)
        };
        let (whole, cut) = (read(5), read(4));
        fs::remove_dir_all(&path).unwrap();
        assert_eq!(whole.0, ["z-folder", "A", "a", "ab", "b"]);
        assert_eq!((whole.1, cut.0.len(), cut.1), (false, 4, true));
    }
}
