//! The site: files of a folder, or those that are compiled in.

mod asset;
mod builtin;
mod folder;

use std::borrow::Cow;
use std::io;
use std::path::Path;

use zero_core::{Encodings, Moment, NoAsset, SitePath};

pub use asset::{Asset, Content};
pub use builtin::template as builtin_template;
use folder::Folder;

/// What a folder answers with.
const INDEX: &[u8] = b"index.html";

/// The files that are served.
pub enum Site {
    /// Those of a folder.
    Folder(Box<Folder>),
    /// Those that are compiled in.
    Builtin(Vec<(&'static str, Asset)>),
}

impl Site {
    /// The files beneath a folder.
    ///
    /// # Errors
    ///
    /// Those of open(2): there is no such folder, or it may not be searched.
    pub fn open(folder: &Path) -> io::Result<Site> {
        Ok(Site::Folder(Box::new(Folder::open(folder)?)))
    }

    /// The site that is compiled in.
    pub fn builtin() -> Site {
        Site::Builtin(builtin::site())
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
