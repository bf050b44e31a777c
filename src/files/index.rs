//! The file that is served for a folder.

use std::borrow::Cow;

use zerohttpd_core::SitePath;

/// The name of that file.
pub const INDEX: &[u8] = b"index.html";

/// The name of the file that a path stands for, beneath the root.
pub fn file_name(path: &SitePath) -> Cow<'_, [u8]> {
    match path.is_folder() {
        true => Cow::Owned([path.as_bytes(), INDEX].concat()),
        false => Cow::Borrowed(path.as_bytes()),
    }
}
