//! Listings of folders: names are read and sorted once, and listed in pages.
//!
//! Pages are long, because programs that read listings (rclone, lftp, pip) read only the first
//! page. Names are read, and files looked up, in [slices](SLICE_NAMES), so that a loop can serve
//! other clients in between. Only one page is made at a time, and callers call again until their
//! page is ready. Names are kept until the folder changes, and a page is served until it is as old
//! as [`FRESH_MS`].

use std::collections::BTreeMap;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use zerohttpd_core::{AssetError, FolderEntry, Listing, Now, SitePath};

use crate::clock;
use crate::files::cache::{Cache, FRESH_MS};
use crate::files::identity::Identity;
use crate::files::names::{MAX_NAMES, MAX_NAMES_BYTES, NameSpan, Names};
use crate::files::opening::LIST_FLAGS;
use crate::files::root::Root;

/// The maximum number of names on a page: about 4 MB of HTML. Folders that programs read have fewer
/// names.
const PAGE_NAMES: usize = 25_000;

/// How many files a loop looks up in one turn, which takes 2 to 4 ms.
const SLICE_NAMES: usize = 1_000;

/// The maximum number of bytes of listings that all processes of a server keep together: enough for
/// a single process to keep the largest listing. Each process keeps at least its last two folders,
/// so that a client that waits for a page still finds it after the next page was made.
const KEPT_BYTES: u64 = 16 * 1024 * 1024;

/// A page in progress is dropped if no request has led to a slice of work on it for this long.
const ABANDONED_MS: u64 = 5000;

const _: () = assert!(MAX_NAMES_BYTES + MAX_NAMES * size_of::<NameSpan>() < KEPT_BYTES as usize);

/// The listings that are kept, and the page in progress. There is only one page in progress, so a
/// listing that many clients request at the same time is read once and takes memory once.
pub struct Listings(Mutex<KnownFolders>);

struct KnownFolders {
    folders: Cache<KnownFolder>,
    /// The page in progress.
    in_progress: Option<PageInProgress>,
    /// When the last slice was done. A loop does at most one slice in a turn.
    last_slice_ms: u64,
}

/// A folder whose names are known, with the pages of its listing that were made.
struct KnownFolder {
    names: Names,
    identity: Identity,
    /// Whether a further change would show in the folder's times.
    is_settled: bool,
    /// The pages by number, each with the time at which its files were looked up.
    pages: BTreeMap<u32, (Arc<Listing>, u64)>,
}

/// A page in progress.
struct PageInProgress {
    path: SitePath,
    page: u32,
    folder: OwnedFd,
    /// The folder's names and its other pages, to be kept together with this page.
    known_folder: KnownFolder,
    /// Whether names are still to be read.
    is_reading: bool,
    /// The page so far.
    listing: Option<Listing>,
    /// The index of the next name to look up.
    next: usize,
    started_ms: u64,
}

impl Listings {
    /// Listings without known folders and without a page in progress.
    pub fn new() -> Listings {
        Listings(Mutex::new(KnownFolders {
            folders: Cache::new(KEPT_BYTES, 2),
            in_progress: None,
            last_slice_ms: 0,
        }))
    }

    /// Sets the number of processes that divide the memory for listings.
    pub fn share_among(&self, processes: usize) {
        self.lock().folders.set_max_bytes(KEPT_BYTES / processes.max(1) as u64);
    }

    fn lock(&self) -> MutexGuard<'_, KnownFolders> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A page of a folder's listing, however long it takes to make it.
    pub fn page(
        &self,
        root: &Root,
        path: &SitePath,
        page: u32,
        now: Now,
    ) -> Result<Arc<Listing>, AssetError> {
        let mut known = self.lock();
        loop {
            if let Some(result) = known.advance(root, path, page, now) {
                return result;
            }
        }
    }

    /// A page of a folder's listing. `None` if it is not ready after a slice of work, and the
    /// caller has to call again.
    pub fn page_in_turns(
        &self,
        root: &Root,
        path: &SitePath,
        page: u32,
        now: Now,
    ) -> Option<Result<Arc<Listing>, AssetError>> {
        let mut known = self.lock();
        if let Some(fresh) = known.fresh(path, page, now) {
            return Some(Ok(fresh));
        }
        if now.ms <= known.last_slice_ms && known.in_progress.is_some() {
            return None;
        }
        known.advance(root, path, page, now)
    }
}

impl KnownFolders {
    /// The page, if it was made recently enough.
    fn fresh(&mut self, path: &SitePath, page: u32, now: Now) -> Option<Arc<Listing>> {
        let (listing, looked_at_ms) = self.folders.get(path)?.pages.get(&page)?;
        (now.ms < looked_at_ms + FRESH_MS).then(|| Arc::clone(listing))
    }

    /// Does a slice of work on the page in progress; if there is none, begins the given page.
    /// Returns `None` if the given page is not ready after that.
    fn advance(
        &mut self,
        root: &Root,
        path: &SitePath,
        page: u32,
        now: Now,
    ) -> Option<Result<Arc<Listing>, AssetError>> {
        if let Some(fresh) = self.fresh(path, page, now) {
            return Some(Ok(fresh));
        }
        let is_abandoned = now.ms >= self.last_slice_ms + ABANDONED_MS;
        let mut in_progress = match self.in_progress.take().filter(|_| !is_abandoned) {
            Some(in_progress) => in_progress,
            None => {
                let earlier = self.folders.take(path);
                match PageInProgress::open(root, path, page, earlier, now) {
                    Ok(in_progress) => in_progress,
                    Err(error) => return Some(Err(error)),
                }
            }
        };
        let is_requested = in_progress.path == *path && in_progress.page == page;
        let progress = in_progress.do_slice(root);
        self.last_slice_ms = clock::now().ms;
        match progress {
            Ok(None) => {
                self.in_progress = Some(in_progress);
                None
            }
            Ok(Some(listing)) => {
                let listing = self.put(in_progress, listing);
                is_requested.then_some(Ok(listing))
            }
            // If another page has failed, the next call begins the caller's own page.
            Err(error) => is_requested.then_some(Err(error)),
        }
    }

    /// Keeps a page. If it has not changed, the old copy stays in use, so that slow clients do not
    /// hold many copies.
    fn put(&mut self, in_progress: PageInProgress, listing: Listing) -> Arc<Listing> {
        let PageInProgress { path, page, mut known_folder, started_ms, .. } = in_progress;
        let old = known_folder.pages.remove(&page).map(|(old, _)| old);
        let listing = match old.filter(|old| **old == listing) {
            Some(old) => old,
            None => Arc::new(listing),
        };
        known_folder.pages.insert(page, (Arc::clone(&listing), started_ms));
        let bytes = known_folder.bytes() as u64;
        self.folders.put(path, known_folder, bytes);
        listing
    }
}

impl KnownFolder {
    /// How many bytes of memory the folder takes.
    fn bytes(&self) -> usize {
        let entry_bytes = |entry: &FolderEntry| size_of_val(entry) + entry.name.capacity();
        let page_bytes =
            |(page, _): &(Arc<Listing>, u64)| page.entries().iter().map(entry_bytes).sum::<usize>();
        let pages = self.pages.values().map(page_bytes).sum::<usize>();
        self.names.bytes() + pages
    }
}

impl PageInProgress {
    /// Opens a folder to make a page of its listing. The names in `earlier` are used if the folder
    /// has not changed.
    fn open(
        root: &Root,
        path: &SitePath,
        page: u32,
        earlier: Option<KnownFolder>,
        now: Now,
    ) -> Result<PageInProgress, AssetError> {
        let (folder, stat) = root
            .find(path.as_bytes(), LIST_FLAGS)
            .map_err(|errno| root.refusal(path.as_bytes(), errno))?;
        let identity = Identity::of(&stat);
        let (is_same, mut known_folder) = match earlier {
            Some(earlier) => (earlier.is_settled && earlier.identity == identity, earlier),
            None => (false, KnownFolder::new(identity)),
        };
        if !is_same {
            (known_folder.identity, known_folder.is_settled) = (identity, identity.is_settled(now));
            known_folder.names = Names::default();
            // The names have changed, so other pages would begin with other names.
            known_folder.pages.retain(|number, _| *number == page);
        }
        let (path, is_reading, started_ms) = (path.clone(), !is_same, now.ms);
        Ok(PageInProgress {
            path,
            page,
            folder,
            known_folder,
            is_reading,
            listing: None,
            next: 0,
            started_ms,
        })
    }

    /// Does a slice of work; returns the page once it is complete.
    fn do_slice(&mut self, root: &Root) -> Result<Option<Listing>, AssetError> {
        let names = &mut self.known_folder.names;
        if self.is_reading {
            self.is_reading = names.read(&self.folder, root.follows_links(), MAX_NAMES)?;
            if !self.is_reading {
                names.sort();
            }
            // A short listing is completed in the same slice.
            if self.is_reading || names.len() > SLICE_NAMES {
                return Ok(None);
            }
        }
        let start = (self.page as usize - 1) * PAGE_NAMES;
        let end = names.len().min(start + PAGE_NAMES);
        let mut listing = match self.listing.take() {
            Some(listing) => listing,
            None => {
                let pages = names.len().div_ceil(PAGE_NAMES).max(1) as u32;
                if self.page > pages {
                    return Err(AssetError::Missing);
                }
                self.next = start;
                Listing::new(self.page, pages, names.is_cut)
            }
        };
        let until = end.min(self.next + SLICE_NAMES);
        for name in names.range(self.next..until) {
            if let Some(entry) = entry(root, &self.folder, &self.path, name)? {
                listing.push(entry);
            }
        }
        self.next = until;
        if until == end {
            return Ok(Some(listing));
        }
        self.listing = Some(listing);
        Ok(None)
    }
}

impl KnownFolder {
    fn new(identity: Identity) -> KnownFolder {
        let (names, pages) = (Names::default(), BTreeMap::new());
        KnownFolder { names, identity, is_settled: false, pages }
    }
}

/// The entry for a name; `None` if a request for it would fail.
fn entry(
    root: &Root,
    folder: &OwnedFd,
    path: &SitePath,
    name: &[u8],
) -> Result<Option<FolderEntry>, AssetError> {
    let found = match root.quick_entry_info(folder, name) {
        Some(found) => Some(found),
        None => root.entry_info(&[path.as_bytes(), name].concat())?,
    };
    Ok(found.map(|found| FolderEntry {
        name: name.to_vec(),
        len: found.len,
        modified_unix_s: found.modified_unix_s,
    }))
}
