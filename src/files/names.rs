//! The names in a folder.

use std::mem::MaybeUninit;
use std::ops::Range;
use std::os::fd::OwnedFd;

use rustix::fs::{FileType, RawDir};
use zerohttpd_core::AssetError;

use crate::files::opening::asset_error;

/// At most this many names of a folder are read; the listing says if there are more.
pub const MAX_NAMES: usize = 200_000;

/// At most this many bytes of names are read.
pub const MAX_NAMES_BYTES: usize = 8 * 1024 * 1024;

/// The buffer of getdents64(2), for about a thousand names at a time.
const BUFFER_BYTES: usize = 64 * 1024;

/// The names in a folder, sorted: folders first.
#[derive(Default)]
pub struct Names {
    text: Vec<u8>,
    spans: Vec<NameSpan>,
    /// Whether the folder has more names than were read.
    pub is_cut: bool,
}

/// The position of a name in the text, and whether the name sorts as a folder's. getdents64(2)
/// decides that: false for a symbolic link, and on file systems that do not report the type.
pub struct NameSpan {
    start: u32,
    len: u16,
    is_folder: bool,
}

impl Names {
    /// Reads a buffer of names, and keeps those of files and folders that can be served, at most
    /// `limit` in all. Returns whether there is more to read.
    ///
    /// # Errors
    ///
    /// Those of getdents64(2).
    pub fn read(
        &mut self,
        folder: &OwnedFd,
        follows_links: bool,
        limit: usize,
    ) -> Result<bool, AssetError> {
        let mut buffer = vec![MaybeUninit::uninit(); BUFFER_BYTES];
        let mut listing = RawDir::new(folder, &mut buffer);
        while let Some(entry) = listing.next() {
            let entry = entry.map_err(asset_error)?;
            let is_folder = match entry.file_type() {
                FileType::Directory => Some(true),
                FileType::RegularFile | FileType::Unknown => Some(false),
                FileType::Symlink if follows_links => Some(false),
                _ => None,
            };
            let name = entry.file_name().to_bytes();
            // Names that begin with a dot are not served, except /.well-known/, which needs no
            // listing. A request for a name with a line end is refused.
            let is_served =
                !name.starts_with(b".") && !name.iter().any(|byte| b"\r\n".contains(byte));
            if let Some(is_folder) = is_folder.filter(|_| is_served) {
                if self.spans.len() == limit || self.text.len() + name.len() > MAX_NAMES_BYTES {
                    self.is_cut = true;
                    return Ok(false);
                }
                let start = self.text.len() as u32;
                self.text.extend_from_slice(name);
                self.spans.push(NameSpan { start, len: name.len() as u16, is_folder });
            }
            if listing.is_buffer_empty() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Sorts the names: folders first, then byte by byte.
    pub fn sort(&mut self) {
        self.text.shrink_to_fit();
        self.spans.shrink_to_fit();
        let Names { text, spans, .. } = self;
        spans.sort_unstable_by(|a, b| {
            b.is_folder.cmp(&a.is_folder).then_with(|| a.within(text).cmp(b.within(text)))
        });
    }

    /// The number of names.
    pub fn len(&self) -> usize {
        self.spans.len()
    }

    /// The names with these indexes.
    pub fn range(&self, range: Range<usize>) -> impl Iterator<Item = &[u8]> {
        self.spans[range].iter().map(|name| name.within(&self.text))
    }

    /// How many bytes of memory the names take.
    pub fn bytes(&self) -> usize {
        self.text.capacity() + self.spans.capacity() * size_of::<NameSpan>()
    }
}

impl NameSpan {
    /// The name itself.
    fn within<'t>(&self, text: &'t [u8]) -> &'t [u8] {
        &text[self.start as usize..][..usize::from(self.len)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{self, File};

    #[test]
    fn names_are_sorted_and_too_many_are_reported() {
        let path = std::env::temp_dir().join(format!("zerohttpd-names-{}", std::process::id()));
        fs::create_dir_all(path.join("z-folder")).unwrap();
        for name in ["b", "a", "ab", ".hidden", "A", "line\nend"] {
            fs::write(path.join(name), "").unwrap();
        }
        let read = |limit| {
            let folder = OwnedFd::from(File::open(&path).unwrap());
            let mut names = Names::default();
            while names.read(&folder, false, limit).unwrap() {}
            names.sort();
            let all = names.range(0..names.len()).map(|name| String::from_utf8_lossy(name));
            (all.map(|name| name.into_owned()).collect::<Vec<_>>(), names.is_cut)
        };
        let (whole, cut) = (read(5), read(4));
        fs::remove_dir_all(&path).unwrap();
        assert_eq!(whole.0, ["z-folder", "A", "a", "ab", "b"]);
        assert_eq!((whole.1, cut.0.len(), cut.1), (false, 4, true));
    }
}
