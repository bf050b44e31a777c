//! A file that is served: its metadata, and its bytes or the open file.

use std::borrow::Cow;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use zerohttpd_core::Metadata;

/// A file, open or kept in memory.
#[derive(Clone, Debug)]
pub struct Asset(Arc<Document>);

#[derive(Debug)]
struct Document {
    metadata: Metadata,
    source: FileBytes,
}

/// What owns the bytes of a file.
#[derive(Debug)]
pub enum FileBytes {
    /// Memory.
    Memory(Cow<'static, [u8]>),
    /// The open file.
    File(OwnedFd),
}

/// The source from which the bytes of a file are sent.
pub enum Content<'a> {
    /// From memory.
    Memory(&'a [u8]),
    /// From this open file.
    File(&'a OwnedFd),
}

impl Asset {
    /// A file with this metadata and these bytes.
    pub fn new(metadata: Metadata, source: FileBytes) -> Asset {
        Asset(Arc::new(Document { metadata, source }))
    }

    /// The source from which its bytes are sent.
    pub fn content(&self) -> Content<'_> {
        match &self.0.source {
            FileBytes::Memory(bytes) => Content::Memory(bytes),
            FileBytes::File(file) => Content::File(file),
        }
    }
}

impl zerohttpd_core::Representation for Asset {
    fn metadata(&self) -> &Metadata {
        &self.0.metadata
    }
}
