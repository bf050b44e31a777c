//! Why a file can't be served.

/// Why a file could not be opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AssetError {
    /// It does not exist, or must not be shown.
    Missing,
    /// It is a folder, and the path did not end in a slash.
    Folder,
    /// The path is that of a folder without an index, or of a folder that does not exist.
    NoIndex,
    /// The machine lacks a resource, for instance descriptors; a later attempt can succeed.
    Busy,
    /// It can't be read for another reason.
    Unreadable,
}
