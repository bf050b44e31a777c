//! The site: files of a folder, those that are compiled in, or the reports of the admin's server.

mod asset;
mod builtin;
mod folder;
mod identity;
mod listing;
mod reports;
mod root;

use std::borrow::Cow;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::Arc;

use zero_core::{Encodings, Listing, Moment, NoAsset, SitePath};

pub use asset::{Asset, Content};
pub use builtin::template as builtin_template;
use folder::Folder;
pub use reports::Reports;

/// What a folder answers with.
const INDEX: &[u8] = b"index.html";

/// The files that are served.
pub enum Site {
    /// Those of a folder.
    Folder(Box<Folder>),
    /// Those that are compiled in.
    Builtin(Vec<(&'static str, Asset)>),
    /// Reports on this server.
    Reports(Reports),
}

impl Site {
    /// The files beneath a folder; also what symbolic links in it lead to, if it lies there too.
    ///
    /// # Errors
    ///
    /// Those of open(2): there is no such folder, or it may not be searched.
    pub fn open(folder: &Path, symlinks: bool) -> io::Result<Site> {
        Ok(Site::Folder(Box::new(Folder::open(folder, symlinks)?)))
    }

    /// The site that is compiled in.
    pub fn builtin() -> Site {
        Site::Builtin(builtin::site())
    }

    /// The folder, if it is one.
    pub fn root(&self) -> Option<&OwnedFd> {
        match self {
            Site::Folder(folder) => Some(folder.root()),
            Site::Builtin(_) | Site::Reports(_) => None,
        }
    }

    /// Keeps no more of it in memory than one of so many processes may that serve it.
    pub fn share_among(&self, processes: usize) {
        match self {
            Site::Folder(folder) => folder.share_among(processes),
            Site::Builtin(_) | Site::Reports(_) => {}
        }
    }

    /// Opens a file, in one of these codings if it is there.
    pub fn file(
        &self,
        path: &SitePath,
        encodings: Encodings,
        now: Moment,
    ) -> Result<Asset, NoAsset> {
        match self {
            Site::Folder(folder) => folder.file(path, encodings, now),
            Site::Builtin(files) => find(files, path),
            Site::Reports(reports) => reports.file(path, now),
        }
    }

    /// A page of what is in a folder.
    pub fn list(&self, path: &SitePath, page: u32, now: Moment) -> Result<Arc<Listing>, NoAsset> {
        match self {
            Site::Folder(folder) => folder.list(path, page, now),
            // They have an index, and no other folder.
            Site::Builtin(_) | Site::Reports(_) => Err(NoAsset::Missing),
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
