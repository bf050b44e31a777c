//! Pages that are written directly into the buffer that is sent.

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::guestbook::GuestbookPage;
use super::listing::ListingRendering;
use super::template::Templates;

/// A page that is written as it is sent.
#[derive(Debug)]
pub enum Rendering {
    /// A page of the guestbook, in one piece.
    Guestbook(GuestbookPage),
    /// A page of a listing, in pieces.
    Folder(Box<ListingRendering>),
}

impl Rendering {
    /// Appends the next piece. Returns how many bytes are still to come.
    pub(super) fn write(&mut self, templates: &Templates, out: &mut Vec<u8>) -> u64 {
        match self {
            Rendering::Guestbook(page) => {
                page.write(templates, out);
                0
            }
            Rendering::Folder(page) => {
                page.write(out);
                page.bytes_left()
            }
        }
    }
}
