//! A page's remarks as HTML: written once, for all who are shown them.

use alloc::vec::Vec;

use crate::limits::{PAGES, REMARKS_PER_PAGE};
use crate::text::{decimal, escape};

/// The remarks of one page, and the ways to its neighbours. They depend on what the store holds
/// alone, so that whoever reads it writes them, and not each visitor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remarks {
    html: Vec<u8>,
}

impl Remarks {
    /// The remarks of that page, counted from 1: any bytes, the oldest first, with one older remark
    /// before them if there is one.
    pub fn new(page: u32, oldest_first: &[&[u8]]) -> Remarks {
        // As much as it takes if nothing has to be escaped.
        let entries = oldest_first.iter().map(|remark| remark.len() + AROUND_A_REMARK);
        let mut html = Vec::with_capacity(entries.sum::<usize>() + NAVIGATION);
        list(&mut html, page, oldest_first);
        let has_older = oldest_first.len() > REMARKS_PER_PAGE as usize && page < PAGES;
        navigation(&mut html, page, has_older);
        Remarks { html }
    }

    /// What stands in the page.
    pub(crate) fn html(&self) -> &[u8] {
        &self.html
    }
}

/// What stands around each remark.
const AROUND_A_REMARK: usize = b"<p class=\"guest-entry\"></p>\n".len();

/// What stands below them all.
const NAVIGATION: usize = 160;

fn list(out: &mut Vec<u8>, page: u32, oldest_first: &[&[u8]]) {
    for remark in oldest_first.iter().rev().take(REMARKS_PER_PAGE as usize) {
        out.extend_from_slice(b"<p class=\"guest-entry\">");
        escape(out, remark);
        out.extend_from_slice(b"</p>\n");
    }
    if oldest_first.is_empty() {
        let nobody: &[u8] = match page {
            1 => b"<p class=\"guest-none\">Nobody has signed yet.</p>\n",
            _ => b"<p class=\"guest-none\">The guestbook is not that long.</p>\n",
        };
        out.extend_from_slice(nobody);
    }
}

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
