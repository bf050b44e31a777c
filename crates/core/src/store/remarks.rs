//! The remarks of a page as HTML, rendered once for all visitors.

use alloc::vec::Vec;

use crate::limits::{PAGES, REMARKS_PER_PAGE};
use crate::text::{decimal, escape};

/// The remarks of one page, and the links to the pages before and after, as HTML. The HTML depends
/// only on the store's reply, so it is rendered once for each reply, not for each visitor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remarks {
    html: Vec<u8>,
}

impl Remarks {
    /// Renders page `page`, counted from 1. `oldest_first` has its items, which can be any bytes.
    /// If there are older remarks, the first item is the newest of these and is not shown.
    pub fn new(page: u32, oldest_first: &[&[u8]]) -> Remarks {
        // Enough capacity if nothing has to be escaped.
        let entries = oldest_first.iter().map(|remark| remark.len() + MARKUP_BYTES);
        let mut html = Vec::with_capacity(entries.sum::<usize>() + NAVIGATION_BYTES);
        list(&mut html, page, oldest_first);
        let has_older = oldest_first.len() > REMARKS_PER_PAGE as usize;
        if has_older && page == PAGES {
            html.extend_from_slice(OLDER_ARE_HIDDEN);
        }
        navigation(&mut html, page, has_older && page < PAGES);
        Remarks { html }
    }

    /// The HTML.
    pub(crate) fn html(&self) -> &[u8] {
        &self.html
    }
}

/// The approximate length of the markup around a remark.
const MARKUP_BYTES: usize = 100;

/// The approximate length of the links below the remarks.
const NAVIGATION_BYTES: usize = 160;

/// The note below the last page if there are older remarks.
const OLDER_ARE_HIDDEN: &[u8] = b"<p class=\"guest-none\">The guestbook shows its newest 10,000 \
    remarks. Older remarks are kept, but no page shows them.</p>\n";

// The sentence above names this number.
const _: () = assert!(PAGES * REMARKS_PER_PAGE == 10_000);

fn list(out: &mut Vec<u8>, page: u32, oldest_first: &[&[u8]]) {
    for remark in oldest_first.iter().rev().take(REMARKS_PER_PAGE as usize) {
        entry(out, remark);
    }
    if oldest_first.is_empty() {
        let empty: &[u8] = match page {
            1 => b"<p class=\"guest-none\">Nobody has signed yet.</p>\n",
            _ => b"<p class=\"guest-none\">The guestbook is not that long.</p>\n",
        };
        out.extend_from_slice(empty);
    }
}

/// Writes an item of the store: a remark, a separator, and the name of the author after the last
/// separator. An item that another program wrote can lack a name.
///
/// Each part is in a `bdi` element, so that right-to-left letters, and controls such as U+202E, do
/// not reorder anything outside of it.
fn entry(out: &mut Vec<u8>, item: &[u8]) {
    let (remark, name) = match memchr::memmem::rfind(item, REMARK_SEPARATOR.as_bytes()) {
        Some(at) => (&item[..at], &item[at + REMARK_SEPARATOR.len()..]),
        None => (item, &b""[..]),
    };
    out.extend_from_slice(b"<p class=\"guest-entry\"><bdi>");
    escape(out, if name.is_empty() { item } else { remark });
    out.extend_from_slice(b"</bdi>");
    if !name.is_empty() {
        out.extend_from_slice(b"<span class=\"guest-name\">");
        out.extend_from_slice(REMARK_SEPARATOR.as_bytes());
        out.extend_from_slice(b"<bdi>");
        escape(out, name);
        out.extend_from_slice(b"</bdi></span>");
    }
    out.extend_from_slice(b"</p>\n");
}

/// The separator between a remark and its author's name, in the store and on the page.
pub(crate) const REMARK_SEPARATOR: &str = " - ";

fn navigation(out: &mut Vec<u8>, page: u32, has_older: bool) {
    if page == 1 && !has_older {
        return;
    }
    out.extend_from_slice(b"<nav class=\"pages\">");
    if page > 1 {
        out.extend_from_slice(b"<a rel=\"prev\" href=\"/guestbook");
        if page > 2 {
            out.extend_from_slice(b"?page=");
            decimal(out, u64::from(page - 1));
        }
        out.extend_from_slice(b"\">newer remarks</a> ");
    }
    if has_older {
        out.extend_from_slice(b"<a rel=\"next\" href=\"/guestbook?page=");
        decimal(out, u64::from(page + 1));
        out.extend_from_slice(b"\">older remarks</a>");
    }
    out.extend_from_slice(b"</nav>\n");
}
