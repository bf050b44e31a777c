//! A file that is served: what there is to say of it, and where its bytes are.

use std::borrow::Cow;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use zero_core::Facts;

/// A file, open or kept in memory.
#[derive(Clone, Debug)]
pub struct Asset(Arc<Document>);

#[derive(Debug)]
struct Document {
    facts: Facts,
    source: Source,
}

/// What keeps the bytes of a file.
#[derive(Debug)]
pub enum Source {
    /// Our memory.
    Memory(Cow<'static, [u8]>),
    /// The file.
    File(OwnedFd),
}

/// Where the bytes of a file are.
pub enum Content<'a> {
    /// Here.
    Memory(&'a [u8]),
    /// Beneath this descriptor.
    File(&'a OwnedFd),
}

impl Asset {
    /// A file of which these are the facts.
    pub fn new(facts: Facts, source: Source) -> Asset {
        Asset(Arc::new(Document { facts, source }))
    }

    /// Where its bytes are.
    pub fn content(&self) -> Content<'_> {
        match &self.0.source {
            Source::Memory(bytes) => Content::Memory(bytes),
            Source::File(file) => Content::File(file),
        }
    }
}

impl zero_core::Asset for Asset {
    fn facts(&self) -> &Facts {
        &self.0.facts
    }
}

/// The media type that a file's extension stands for, whatever its case. Text is UTF-8.
pub fn content_type(name: &[u8]) -> Cow<'static, str> {
    let extension = name.rsplit(|&byte| byte == b'.').next().unwrap_or_default();
    let extension = std::str::from_utf8(extension).unwrap_or_default();
    match mime_guess::from_ext(extension).first_raw() {
        None => Cow::Borrowed("application/octet-stream"),
        Some(kind) if is_text(kind) => Cow::Owned(format!("{kind}; charset=utf-8")),
        Some(kind) => Cow::Borrowed(kind),
    }
}

fn is_text(kind: &str) -> bool {
    kind.starts_with("text/") || matches!(kind, "application/javascript" | "application/json")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_by_extension_in_any_case() {
        assert_eq!(content_type(b"a/index.html"), "text/html; charset=utf-8");
        assert_eq!(content_type(b"A.HTML"), "text/html; charset=utf-8");
        assert_eq!(content_type(b"a.PnG"), "image/png");
        assert_eq!(content_type(b"a.svg"), "image/svg+xml");
        assert_eq!(content_type(b"a.js"), "text/javascript; charset=utf-8");
        assert_eq!(content_type(b"a.wasm"), "application/wasm");
        assert_eq!(content_type(b"a.unheard-of"), "application/octet-stream");
        assert_eq!(content_type(b"README"), "application/octet-stream");
    }
}
