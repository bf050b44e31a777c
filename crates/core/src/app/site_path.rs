//! A path beneath the document root: decoded and normalised, so that it can't leave the root.

use alloc::vec::Vec;

use percent_encoding::{AsciiSet, percent_decode, percent_encode};

use crate::http::target::ESCAPE_IN_QUERY;

/// A path beneath the document root, such as `docs/index.html`.
///
/// It has no empty, `.` or `..` segment, no segment that begins with a dot except a `.well-known`
/// in front (RFC 8615), no NUL, and no leading slash. It ends in a slash if it is that of a folder.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct SitePath(Vec<u8>);

impl SitePath {
    /// Reads the path of a request target, whose escapes are known to be well formed. None if it
    /// leaves the root, names a dot-file, or hides a slash or a NUL in an escape.
    pub(crate) fn parse(path: &[u8]) -> Option<SitePath> {
        let mut decoded = Vec::with_capacity(path.len());
        for segment in path.split(|&byte| byte == b'/') {
            let start = decoded.len();
            decoded.extend(percent_decode(segment));
            match &decoded[start..] {
                // "//" and "/./" are "/" (RFC 3986 §5.2.4, and what file systems do).
                b"" | b"." => decoded.truncate(start),
                b".." => {
                    decoded.truncate(start);
                    let parent = decoded.strip_suffix(b"/")?;
                    let len = parent.iter().rposition(|&byte| byte == b'/').map_or(0, |at| at + 1);
                    decoded.truncate(len);
                }
                // The decoded name counts: its dot can be escaped, like any character.
                b".well-known" if start == 0 => decoded.push(b'/'),
                [b'.', ..] => return None,
                name if name.contains(&b'/') || name.contains(&0) => return None,
                _ => decoded.push(b'/'),
            }
        }
        let last = path.rsplit(|&byte| byte == b'/').next().unwrap_or_default();
        let is_folder =
            matches!(percent_decode(last).collect::<Vec<_>>()[..], [] | [b'.'] | [b'.', b'.']);
        if !is_folder {
            decoded.pop();
        }
        Some(SitePath(decoded))
    }

    /// The path of the site's own 404 page.
    pub(crate) fn not_found() -> SitePath {
        SitePath(b"404.html".to_vec())
    }

    /// The path, relative to the root; empty for the root itself.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Whether the path is that of a folder, whose index is served.
    pub fn is_folder(&self) -> bool {
        self.0.last().is_none_or(|&byte| byte == b'/')
    }

    /// Appends the path as a target of this server, with a slash before and after it. It never has
    /// two slashes in front, which a client would take for another host.
    pub(crate) fn write_folder_target(&self, out: &mut Vec<u8>) {
        out.push(b'/');
        out.extend(percent_encode(&self.0, ESCAPE_IN_PATH).flat_map(str::bytes));
        if !self.is_folder() {
            out.push(b'/');
        }
    }
}

impl core::fmt::Debug for SitePath {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "/{}", self.0.escape_ascii())
    }
}

/// The ASCII characters to escape in the path of a URI (RFC 3986 §3.3).
const ESCAPE_IN_PATH: &AsciiSet = &ESCAPE_IN_QUERY.add(b'%').add(b'?');

#[cfg(test)]
mod tests {
    use super::*;

    fn path(target: &str) -> Option<Vec<u8>> {
        SitePath::parse(target.as_bytes()).map(|path| path.0)
    }

    #[test]
    fn a_path_is_decoded_and_normalised() {
        assert_eq!(path("/").unwrap(), b"");
        assert_eq!(path("").unwrap(), b"");
        assert_eq!(path("/index.html").unwrap(), b"index.html");
        assert_eq!(path("/a/b%20c/").unwrap(), b"a/b c/");
        assert_eq!(path("//a//./b").unwrap(), b"a/b");
        assert_eq!(path("/a/../b").unwrap(), b"b");
        assert_eq!(path("/a/b/..").unwrap(), b"a/");
        assert_eq!(path("/a/b/%2e%2E/c").unwrap(), b"a/c");
        assert_eq!(path("/a/.").unwrap(), b"a/");
        assert_eq!(path("/%c3%a9").unwrap(), "é".as_bytes());
    }

    #[test]
    fn a_path_never_leaves_the_root_nor_shows_a_dot_file() {
        for target in [
            "/..",
            "/../etc/passwd",
            "/a/../../b",
            "/%2e%2e/x",
            "/%2e./x",
            "/.git/config",
            "/a/.env",
            "/a/.well-known/b",
            "/.well-known/.git",
            "/.well-known/.well-known/a",
            "/.well-known-not/a",
            "/.Well-Known/a",
            "/.well-known%2fa",
            "/..well-known/a",
            "/%2egit",
            "/...",
            "/a%2fb",
            "/a%2f..%2f..%2fb",
            "/a%00b",
        ] {
            assert_eq!(path(target), None, "{target}");
        }
    }

    #[test]
    fn well_known_is_allowed_as_the_first_segment_only() {
        for target in [
            "/.well-known/a",
            "/%2ewell-known/a",
            "/%2Ewell%2dknown/a",
            "//./.well-known//a",
            "/b/../.well-known/a",
            "/.well-known/b/../a",
        ] {
            assert_eq!(path(target).unwrap(), b".well-known/a", "{target}");
        }
        assert_eq!(path("/.well-known").unwrap(), b".well-known");
        assert_eq!(path("/.well-known/").unwrap(), b".well-known/");
        assert_eq!(path("/.well-known/../a").unwrap(), b"a");
    }

    #[test]
    fn a_folder_target_stays_on_this_host() {
        let mut out = Vec::new();
        SitePath::parse(b"//evil.example").unwrap().write_folder_target(&mut out);
        assert_eq!(out, b"/evil.example/");
        out.clear();
        SitePath::parse(b"/a%0a%3fb%c3%a9").unwrap().write_folder_target(&mut out);
        assert_eq!(out, b"/a%0A%3Fb%C3%A9/");
    }
}
