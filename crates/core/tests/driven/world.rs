//! The environment of a connection: a site and a store in memory, templates, time, and random
//! numbers.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use zerohttpd_core::app::BadTemplate;
use zerohttpd_core::store::{Query, Remarks, Reply, StoreDown};
use zerohttpd_core::{
    App, AssetError, Coding, Completion, FolderEntry, Limits, Listing, Metadata, Now, Operation,
    Representation, SitePath, Templates,
};

/// The time at which every test begins.
pub(crate) const START: Now = Now { ms: 1_000_000, us: 0, unix_s: 784_111_777 };

/// The folder of the conformance scripts.
pub(crate) fn scripts_folder() -> PathBuf {
    // The fuzz targets, which are in another folder, include this file too.
    let folders = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors();
    let mut scripts = folders.map(|folder| folder.join("tests/scripts"));
    scripts.find(|scripts| scripts.is_dir()).expect("a folder of scripts")
}

/// An application with short templates that have every placeholder.
pub(crate) fn app(limits: Limits) -> App {
    let page = |name| -> Result<Vec<u8>, BadTemplate> {
        Ok(Vec::from(match name {
            Templates::GUESTBOOK => {
                "visitor $VISITOR_COUNT$ guest-name guest-remarks\n$GUEST_REMARKS$"
            }
            Templates::THANKS => "<a href=\"/guestbook\">back</a>",
            Templates::REFUSED => {
                "$HEADING$<ul>$PROBLEMS$</ul>$GUEST_NAME$<textarea>$GUEST_REMARK$"
            }
            Templates::LISTING => "<h1>$FOLDER$</h1>\n$ENTRIES$",
            _ => "$STATUS$ $REASON$: $EXPLANATION$",
        }))
    };
    let templates = Templates::load(page).expect("templates with every placeholder");
    App { templates, limits, guestbook: true, listing: false }
}

/// An open file.
#[derive(Clone, Debug)]
pub(crate) struct Handle(Arc<File>);

#[derive(Debug)]
struct File {
    metadata: Metadata,
    bytes: Vec<u8>,
}

impl Representation for Handle {
    fn metadata(&self) -> &Metadata {
        &self.0.metadata
    }
}

impl Handle {
    pub(crate) fn new(bytes: Vec<u8>, content_type: &str) -> Handle {
        let metadata = Metadata::new(
            bytes.len() as u64,
            START.unix_s,
            "1f-2e",
            content_type,
            Coding::default(),
        );
        Handle::with(metadata, bytes)
    }

    pub(crate) fn with(metadata: Metadata, bytes: Vec<u8>) -> Handle {
        Handle(Arc::new(File { metadata, bytes }))
    }

    pub(crate) fn part(&self, from: u64, to: u64) -> &[u8] {
        &self.0.bytes[from as usize..to as usize]
    }
}

/// Files and folders by their paths. The path of a folder ends in a slash, and its value is `None`.
#[derive(Clone)]
pub(crate) struct Site(Arc<BTreeMap<Vec<u8>, Option<Handle>>>);

impl Site {
    /// The site of the scripts.
    pub(crate) fn of_the_scripts() -> Site {
        static SITE: OnceLock<Site> = OnceLock::new();
        let load = || {
            let mut site = Site(Arc::default());
            site.add_folder(&scripts_folder().join("site"), "");
            site
        };
        SITE.get_or_init(load).clone()
    }

    /// Adds the files and folders of a folder. Links are left out, since they lead out of the site.
    fn add_folder(&mut self, folder: &Path, prefix: &str) {
        for entry in fs::read_dir(folder).expect("the site of the scripts") {
            let entry = entry.expect("a folder entry");
            let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
            let kind = entry.file_type().expect("the type of a folder entry");
            if kind.is_dir() {
                self.add_folder(&entry.path(), &format!("{name}/"));
                Arc::make_mut(&mut self.0).insert(format!("{name}/").into_bytes(), None);
            } else if kind.is_file() {
                self.add(&name, fs::read(entry.path()).expect("a file of the site"));
            }
        }
    }

    pub(crate) fn add(&mut self, name: &str, bytes: Vec<u8>) {
        let content_type = match name.to_ascii_lowercase().rsplit('.').next() {
            Some("html") => "text/html; charset=utf-8",
            Some("txt") => "text/plain; charset=utf-8",
            _ => "application/octet-stream",
        };
        let file = Handle::new(bytes, content_type);
        Arc::make_mut(&mut self.0).insert(name.as_bytes().to_vec(), Some(file));
    }

    pub(crate) fn add_empty_folder(&mut self, name: &str) {
        Arc::make_mut(&mut self.0).insert(format!("{name}/").into_bytes(), None);
    }

    pub(crate) fn open(&self, path: &SitePath) -> Result<Handle, AssetError> {
        let mut name = path.as_bytes().to_vec();
        if path.is_folder() {
            name.extend(b"index.html");
        }
        if let Some(Some(file)) = self.0.get(&name) {
            return Ok(file.clone());
        }
        if path.is_folder() {
            return Err(AssetError::NoIndex);
        }
        name.push(b'/');
        Err(if self.0.contains_key(&name) { AssetError::Folder } else { AssetError::Missing })
    }

    /// A page of a folder, with three entries on each page.
    pub(crate) fn list(&self, path: &SitePath, page: u32) -> Result<Arc<Listing>, AssetError> {
        let folder = path.as_bytes();
        if !folder.is_empty() && !self.0.contains_key(folder) {
            return Err(AssetError::Missing);
        }
        let entry = |(name, file): (&Vec<u8>, &Option<Handle>)| {
            let name = name.strip_prefix(folder)?;
            let name = if file.is_none() { name.strip_suffix(b"/")? } else { name };
            let shown = !name.is_empty() && !name.starts_with(b".") && !name.contains(&b'/');
            shown.then(|| FolderEntry {
                name: name.to_vec(),
                len: file.as_ref().map(|file| file.metadata().len()),
                modified_unix_s: START.unix_s,
            })
        };
        let all: Vec<_> = self.0.iter().filter_map(entry).collect();
        let pages = all.len().div_ceil(3).max(1) as u32;
        let entries = all.chunks(3).nth(page as usize - 1).unwrap_or_default().to_vec();
        let mut listing = Listing::new(page, pages, false);
        entries.into_iter().for_each(|entry| listing.push(entry));
        if page > pages { Err(AssetError::Missing) } else { Ok(Arc::new(listing)) }
    }
}

/// A store in memory.
#[derive(Clone, Default)]
pub(crate) struct Store {
    pub(crate) visits: u64,
    pub(crate) remarks: Vec<Vec<u8>>,
    /// The failure of every query, if the store is down.
    pub(crate) down: Option<StoreDown>,
}

impl Store {
    pub(crate) fn ask(&mut self, query: &Query) -> Result<Reply, StoreDown> {
        if let Some(why) = self.down {
            return Err(why);
        }
        match query {
            Query::Sign(item) => {
                self.remarks.push(item.clone());
                Ok(Reply::Signed)
            }
            Query::Visit { page, is_counted } => {
                self.visits += u64::from(*is_counted);
                let newer = (*page as usize - 1) * 20;
                let end = self.remarks.len().saturating_sub(newer);
                let shown = &self.remarks[end.saturating_sub(21)..end];
                let shown: Vec<&[u8]> = shown.iter().map(Vec::as_slice).collect();
                let remarks = Arc::new(Remarks::new(*page, &shown));
                Ok(Reply::Visited { number: self.visits, remarks })
            }
        }
    }
}

/// Performs an operation at once.
pub(crate) fn perform(site: &Site, store: &mut Store, operation: Operation) -> Completion<Handle> {
    match operation {
        Operation::Open(path, _) => Completion::Opened(site.open(&path)),
        Operation::List(path, page) => Completion::Listed(site.list(&path, page)),
        Operation::Ask(query) => Completion::Answered(store.ask(&query)),
    }
}

/// Reproducible random numbers: SplitMix64.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number less than `bound`, which is not 0.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.roll() % bound
    }

    /// True once in `times`.
    pub(crate) fn once_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }
}
