//! The compiled-in site and templates, for a binary without any other files.

use std::borrow::Cow;
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::os::unix::fs::MetadataExt;

use zerohttpd_core::{Coding, Metadata};

use crate::files::asset::{Asset, FileBytes};
use crate::files::types::content_type;

macro_rules! files {
    ($folder:literal: $($name:literal),* $(,)?) => {
        &[$(($name, include_bytes!(concat!("../../", $folder, "/", $name)))),*]
    };
}

/// All files in `public/`. A test checks the list.
const SITE: &[(&str, &[u8])] = files!("public": "favicon.svg", "index.html", "picture.png");

/// All files in `templates/`. A test checks the list.
const TEMPLATES: &[(&str, &[u8])] = files!("templates":
    "error.html", "guestbook/index.html", "guestbook/refused.html", "guestbook/thanks.html",
    "listing.html");

const _: () = assert!(SITE.len() == 3 && TEMPLATES.len() == 5);

/// The site's files by their names.
pub fn site() -> Vec<(&'static str, Asset)> {
    let built = std::fs::metadata("/proc/self/exe").map_or(0, |exe| exe.mtime());
    let built = u64::try_from(built).unwrap_or(0);
    SITE.iter().map(|(name, bytes)| (*name, asset(name, bytes, built))).collect()
}

fn asset(name: &str, bytes: &'static [u8], modified_s: u64) -> Asset {
    // The hasher has no random seed, so a file has the same tag in every process.
    let tag = BuildHasherDefault::<DefaultHasher>::default().hash_one(bytes);
    let len = bytes.len() as u64;
    let kind = content_type(name.as_bytes());
    let tag = format!("{len:x}-{tag:x}");
    let metadata = Metadata::new(len, modified_s, &tag, &kind, Coding::default());
    Asset::new(metadata, FileBytes::Memory(Cow::Borrowed(bytes)))
}

/// A template by its name, one of those in [`Templates`](zerohttpd_core::Templates).
pub fn template(name: &str) -> &'static [u8] {
    TEMPLATES.iter().find(|(file, _)| *file == name).map_or(&[], |(_, bytes)| bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;
    use zerohttpd_core::Templates;

    fn names(folder: &Path, prefix: &str, found: &mut Vec<String>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            let name = format!("{prefix}{}", entry.file_name().into_string().unwrap());
            match entry.file_type().unwrap().is_dir() {
                true => names(&entry.path(), &format!("{name}/"), found),
                false => found.push(name),
            }
        }
        found.sort();
    }

    #[test]
    fn every_file_is_compiled_in() {
        for (folder, built_in) in [("public", SITE), ("templates", TEMPLATES)] {
            let mut found = Vec::new();
            names(&Path::new(env!("CARGO_MANIFEST_DIR")).join(folder), "", &mut found);
            assert_eq!(found, built_in.iter().map(|(name, _)| *name).collect::<Vec<_>>());
        }
    }

    #[test]
    fn the_templates_are_valid() {
        let load = |name| Ok::<_, zerohttpd_core::app::BadTemplate>(template(name).to_vec());
        Templates::load(load).unwrap();
    }
}
