//! The site: the files of a folder, compiled-in files, or content generated for each request.

pub mod asset;
mod builtin;
mod cache;
mod denied;
mod folder;
mod identity;
mod index;
mod listing;
mod names;
mod opening;
mod root;
mod steps;
mod types;

use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::Arc;

use zerohttpd_core::{AssetError, Encodings, Listing, Now, SitePath};

pub use asset::{Asset, Content};
pub use builtin::template as builtin_template;
pub use denied::Denials;
use folder::Folder;
use index::file_name;

/// Generates the file with the given name. It is called for each request.
pub type Generator = Box<dyn Fn(&[u8], Now) -> Result<Asset, AssetError> + Send + Sync>;

/// The site that a server serves.
pub enum Site {
    /// A folder.
    Folder(Box<Folder>),
    /// The compiled-in site.
    Builtin(Vec<(&'static str, Asset)>),
    /// Content that is generated for each request.
    Generated(Generator),
}

impl Site {
    /// The files beneath a folder; with `symlinks` also the targets of links that stay in it.
    ///
    /// # Errors
    ///
    /// Those of open(2): the folder does not exist, or this process can't search it.
    pub fn open(folder: &Path, symlinks: bool) -> io::Result<Site> {
        Ok(Site::Folder(Box::new(Folder::open(folder, symlinks)?)))
    }

    /// The site that is compiled in.
    pub fn builtin() -> Site {
        Site::Builtin(builtin::site())
    }

    /// Sets where to report files that the server is not allowed to read.
    pub fn report_denials_to(&self, denials: Denials) {
        match self {
            Site::Folder(folder) => folder.report_denials_to(denials),
            Site::Builtin(_) | Site::Generated(_) => {}
        }
    }

    /// The folder, if the site is one.
    pub fn root(&self) -> Option<&OwnedFd> {
        match self {
            Site::Folder(folder) => Some(folder.root()),
            Site::Builtin(_) | Site::Generated(_) => None,
        }
    }

    /// For the banner: how the files of a folder are opened.
    pub fn resolution(&self) -> Option<&'static str> {
        match self {
            Site::Folder(folder) => Some(folder.resolution()),
            Site::Builtin(_) | Site::Generated(_) => None,
        }
    }

    /// Sets the number of processes that divide the memory for files. Each has its own cache.
    pub fn share_among(&self, processes: usize) {
        match self {
            Site::Folder(folder) => folder.share_among(processes),
            Site::Builtin(_) | Site::Generated(_) => {}
        }
    }

    /// Opens a file, in the best of these codings that exists.
    pub fn file(
        &self,
        path: &SitePath,
        encodings: Encodings,
        now: Now,
    ) -> Result<Asset, AssetError> {
        match self {
            Site::Folder(folder) => folder.file(path, encodings, now),
            Site::Builtin(files) => find_builtin(files, path),
            Site::Generated(generate) => generate(&file_name(path), now),
        }
    }

    /// A page of the listing of a folder.
    pub fn list(&self, path: &SitePath, page: u32, now: Now) -> Result<Arc<Listing>, AssetError> {
        match self {
            Site::Folder(folder) => folder.list(path, page, now),
            // Compiled-in and generated sites have one folder, and it has an index.
            Site::Builtin(_) | Site::Generated(_) => Err(AssetError::Missing),
        }
    }

    /// Like [`list`](Site::list), but returns `None` if the page is not ready after a slice of
    /// work. A loop then serves other clients and calls again.
    pub fn list_in_turns(
        &self,
        path: &SitePath,
        page: u32,
        now: Now,
    ) -> Option<Result<Arc<Listing>, AssetError>> {
        match self {
            Site::Folder(folder) => folder.list_in_turns(path, page, now),
            Site::Builtin(_) | Site::Generated(_) => Some(Err(AssetError::Missing)),
        }
    }
}

fn find_builtin(files: &[(&'static str, Asset)], path: &SitePath) -> Result<Asset, AssetError> {
    let name = file_name(path);
    if let Some((_, asset)) = files.iter().find(|(file, _)| file.as_bytes() == &*name) {
        return Ok(asset.clone());
    }
    let folder = [path.as_bytes(), b"/"].concat();
    let is_folder = files.iter().any(|(file, _)| file.as_bytes().starts_with(&folder));
    Err(if is_folder { AssetError::Folder } else { AssetError::Missing })
}
