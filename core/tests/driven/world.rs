//! What stands around a connection: a site and a store in memory, templates, time, and chance.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use zero_core::app::{BadTemplate, Remarks};
use zero_core::store::{Query, Reply, StoreDown};
use zero_core::{
    App, Asset, Coding, Facts, FolderEntry, Limits, Listing, Moment, NoAsset, SitePath, Templates,
};

/// The time at which every test begins.
pub(crate) const START: Moment = Moment { ms: 1_000_000, unix_s: 784_111_777 };

/// Where the scripts are.
pub(crate) fn scripts_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/scripts")
}

/// An application with the shortest pages that show everything.
pub(crate) fn app(limits: Limits) -> App {
    let page = |name| -> Result<Vec<u8>, BadTemplate> {
        Ok(Vec::from(match name {
            Templates::GUESTBOOK => {
                "visitor $VISITOR_COUNT$ guest-name guest-remarks\n$GUEST_REMARKS$"
            }
            Templates::THANKS => "<a href=\"/guestbook\">back</a>",
            Templates::REFUSED => "<ul>$PROBLEMS$</ul>$GUEST_NAME$<textarea>$GUEST_REMARK$",
            Templates::LISTING => "<h1>$FOLDER$</h1>\n$ENTRIES$",
            _ => "$STATUS$ $REASON$: $EXPLANATION$",
        }))
    };
    let templates = Templates::load(page).expect("templates with every gap");
    App { templates, limits, guestbook: true, listing: false }
}

/// An open file.
#[derive(Clone, Debug)]
pub(crate) struct Handle(Arc<File>);

#[derive(Debug)]
struct File {
    facts: Facts,
    bytes: Vec<u8>,
}

impl Asset for Handle {
    fn facts(&self) -> &Facts {
        &self.0.facts
    }
}

impl Handle {
    pub(crate) fn new(bytes: Vec<u8>, content_type: &str) -> Handle {
        let facts =
            Facts::new(bytes.len() as u64, START.unix_s, "1f-2e", content_type, Coding::default());
        Handle::with(facts, bytes)
    }

    pub(crate) fn with(facts: Facts, bytes: Vec<u8>) -> Handle {
        Handle(Arc::new(File { facts, bytes }))
    }

    pub(crate) fn part(&self, from: u64, to: u64) -> &[u8] {
        &self.0.bytes[from as usize..to as usize]
    }
}

/// Files by their paths, folders included: those end in a slash and are none.
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

    /// Links are left out: the site of the scripts has only such as lead away.
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

    pub(crate) fn open(&self, path: &SitePath) -> Result<Handle, NoAsset> {
        let mut name = path.as_bytes().to_vec();
        if path.is_folder() {
            name.extend(b"index.html");
        }
        if let Some(Some(file)) = self.0.get(&name) {
            return Ok(file.clone());
        }
        if path.is_folder() {
            return Err(NoAsset::NoIndex);
        }
        name.push(b'/');
        Err(if self.0.contains_key(&name) { NoAsset::Folder } else { NoAsset::Missing })
    }

    /// A page of a folder, three entries to each.
    pub(crate) fn list(&self, path: &SitePath, page: u32) -> Result<Arc<Listing>, NoAsset> {
        let folder = path.as_bytes();
        if !folder.is_empty() && !self.0.contains_key(folder) {
            return Err(NoAsset::Missing);
        }
        let entry = |(name, file): (&Vec<u8>, &Option<Handle>)| {
            let name = name.strip_prefix(folder)?;
            let name = if file.is_none() { name.strip_suffix(b"/")? } else { name };
            let shown = !name.is_empty() && !name.starts_with(b".") && !name.contains(&b'/');
            shown.then(|| FolderEntry {
                name: name.to_vec(),
                len: file.as_ref().map(|file| file.facts().len()),
                modified_unix_s: START.unix_s,
            })
        };
        let all: Vec<_> = self.0.iter().filter_map(entry).collect();
        let pages = all.len().div_ceil(3).max(1) as u32;
        let entries = all.chunks(3).nth(page as usize - 1).unwrap_or_default().to_vec();
        let listing = Listing { page, pages, entries, is_cut: false };
        if page > pages { Err(NoAsset::Missing) } else { Ok(Arc::new(listing)) }
    }
}

/// A guestbook.
#[derive(Clone, Default)]
pub(crate) struct Store {
    pub(crate) visits: u64,
    pub(crate) remarks: Vec<Vec<u8>>,
    /// Why it does not answer, if it does not.
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
            Query::Visit { page, counts } => {
                self.visits += u64::from(*counts);
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

/// Chance that repeats itself: SplitMix64.
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
