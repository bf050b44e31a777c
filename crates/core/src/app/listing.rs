//! The listing of a folder, as HTML for people or as JSON for programs.
//!
//! Names can contain any bytes. They are escaped for HTML and JSON. A link is `./` and the name,
//! with everything except letters, digits and `-._~` percent-encoded, so that no name leads
//! elsewhere.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::cell::Cell;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};

use super::site_path::SitePath;
use super::template::Templates;
use crate::http::accept::Form;
use crate::http::date;
use crate::limits;
use crate::text::{decimal, escape, json_string, size};

/// A page of a listing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listing {
    /// The number of the page, from 1.
    page: u32,
    /// The number of pages, at least 1.
    pages: u32,
    /// Folders first, then by the bytes of their names.
    entries: Vec<FolderEntry>,
    /// Whether the folder has more names than the server reads.
    is_truncated: bool,
    /// The lengths of the rows, as HTML and as JSON.
    html_bytes: u64,
    json_bytes: u64,
}

/// The rendering of a page of a listing. The text around its rows is rendered at once, and the
/// rows, which can be many, piece by piece.
#[derive(Debug)]
pub struct ListingRendering {
    listing: Arc<Listing>,
    form: Form,
    before: Vec<u8>,
    after: Vec<u8>,
    /// The index of the next entry to send.
    next: usize,
    /// The number of bytes still to send.
    bytes_left: u64,
}

/// A file or folder in a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FolderEntry {
    /// Its name: any bytes but `/`, NUL, CR and LF.
    pub name: Vec<u8>,
    /// The length of a file in bytes; none for a folder.
    pub len: Option<u64>,
    /// When it was last changed, in seconds since 1970.
    pub modified_unix_s: u64,
}

/// The ASCII characters to escape in a reference: all but the unreserved ones (RFC 3986 §2.3).
const ESCAPE_IN_REFERENCE: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

impl Listing {
    /// Page `page` of `pages`, without entries yet.
    pub fn new(page: u32, pages: u32, is_truncated: bool) -> Listing {
        Listing { page, pages, is_truncated, ..Listing::default() }
    }

    /// Adds an entry.
    pub fn push(&mut self, entry: FolderEntry) {
        let mut row = Vec::with_capacity(256);
        entry.html(&mut row);
        self.html_bytes += row.len() as u64;
        row.clear();
        // Every row except the first has a comma before it.
        row.extend_from_slice(if self.entries.is_empty() { b"\n" } else { b",\n" });
        entry.json(&mut row);
        self.json_bytes += row.len() as u64;
        self.entries.push(entry);
    }

    /// The entries of the page.
    pub fn entries(&self) -> &[FolderEntry] {
        &self.entries
    }

    /// The number of the page that follows, if there is one.
    pub(crate) fn next_page(&self) -> Option<u32> {
        (self.page < self.pages).then(|| self.page + 1)
    }

    /// Begins to render the page in this form. `path` is that of the folder.
    pub(crate) fn into_rendering(
        self: Arc<Listing>,
        form: Form,
        path: &SitePath,
        templates: &Templates,
    ) -> ListingRendering {
        let split = Cell::new(None);
        let mut before = match form {
            Form::Json => self.json(path, &split),
            Form::Html => templates.listing.fill(&[
                &|out| {
                    out.push(b'/');
                    escape(out, path.as_bytes());
                },
                &|out| self.html(out, path, &split),
            ]),
        };
        let after = before.split_off(split.get().unwrap_or(before.len()));
        let rows = match form {
            Form::Html => self.html_bytes,
            Form::Json => self.json_bytes,
        };
        let bytes_left = before.len() as u64 + rows + after.len() as u64;
        ListingRendering { listing: self, form, before, after, next: 0, bytes_left }
    }

    /// Writes the HTML around the rows. `split` gets the position of the rows.
    fn html(&self, out: &mut Vec<u8>, path: &SitePath, split: &Cell<Option<usize>>) {
        out.extend_from_slice(
            b"<table class=\"listing\">\n<thead><tr><th scope=\"col\">Name</th>\
              <th scope=\"col\">Size</th><th scope=\"col\">Changed (UTC)</th></tr></thead>\n\
              <tbody>\n",
        );
        if !path.as_bytes().is_empty() {
            out.extend_from_slice(
                b"<tr><td><a href=\"../\">the folder above</a></td><td></td><td></td></tr>\n",
            );
        }
        // If a template has the placeholder twice, only the first is filled with the rows.
        split.set(split.get().or(Some(out.len())));
        out.extend_from_slice(b"</tbody>\n</table>\n");
        if self.entries.is_empty() {
            out.extend_from_slice(b"<p class=\"note\">There is nothing here to be shown.</p>\n");
        }
        if self.is_truncated {
            out.extend_from_slice(
                b"<p class=\"note\">There is more in this folder than is listed.</p>\n",
            );
        }
        self.navigation(out);
    }

    fn navigation(&self, out: &mut Vec<u8>) {
        if self.pages == 1 {
            return;
        }
        out.extend_from_slice(b"<nav class=\"pages\">");
        if self.page > 1 {
            out.extend_from_slice(b"<a rel=\"prev\" href=\"");
            write_link(out, self.page - 1);
            out.extend_from_slice(b"\">previous page</a> ");
        }
        out.extend_from_slice(b"<span>page ");
        decimal(out, u64::from(self.page));
        out.extend_from_slice(b" of ");
        decimal(out, u64::from(self.pages));
        out.extend_from_slice(b"</span>");
        if let Some(next) = self.next_page() {
            out.extend_from_slice(b" <a rel=\"next\" href=\"");
            write_link(out, next);
            out.extend_from_slice(b"\">next page</a>");
        }
        out.extend_from_slice(b"</nav>\n");
    }

    /// The JSON around the rows. `split` gets the position of the rows.
    fn json(&self, path: &SitePath, split: &Cell<Option<usize>>) -> Vec<u8> {
        let mut out = Vec::with_capacity(256);
        out.extend_from_slice(b"{\"path\":");
        let mut target = Vec::new();
        path.write_folder_target(&mut target);
        json_string(&mut out, &target);
        out.extend_from_slice(b",\"page\":");
        decimal(&mut out, u64::from(self.page));
        out.extend_from_slice(b",\"pages\":");
        decimal(&mut out, u64::from(self.pages));
        out.extend_from_slice(b",\"next\":");
        match self.next_page() {
            Some(next) => {
                out.push(b'"');
                write_link(&mut out, next);
                out.push(b'"');
            }
            None => out.extend_from_slice(b"null"),
        }
        let truth = |is: bool| if is { &b"true"[..] } else { b"false" };
        out.extend_from_slice(b",\"is_complete\":");
        out.extend_from_slice(truth(self.pages == 1 && !self.is_truncated));
        out.extend_from_slice(b",\"is_truncated\":");
        out.extend_from_slice(truth(self.is_truncated));
        out.extend_from_slice(b",\"entries\":[");
        split.set(Some(out.len()));
        out.extend_from_slice(b"\n]}\n");
        out
    }
}

/// Writes a reference to a page of a folder, relative to the folder.
pub(crate) fn write_link(out: &mut Vec<u8>, page: u32) {
    out.extend_from_slice(b"./");
    if page > 1 {
        out.extend_from_slice(b"?page=");
        decimal(out, u64::from(page));
    }
}

impl ListingRendering {
    /// The number of bytes still to send.
    pub(crate) fn bytes_left(&self) -> u64 {
        self.bytes_left
    }

    /// Writes the next piece.
    pub(crate) fn write(&mut self, out: &mut Vec<u8>) {
        let start = out.len();
        out.append(&mut self.before);
        while out.len() - start < limits::LISTING_PIECE_BYTES
            && let Some(entry) = self.listing.entries.get(self.next)
        {
            match self.form {
                Form::Html => entry.html(out),
                Form::Json => {
                    out.extend_from_slice(if self.next == 0 { b"\n" } else { b",\n" });
                    entry.json(out);
                }
            }
            self.next += 1;
        }
        if self.next == self.listing.entries.len() {
            out.append(&mut self.after);
        }
        self.bytes_left -= (out.len() - start) as u64;
    }
}

impl FolderEntry {
    /// Writes a reference to the entry, relative to its folder.
    fn write_href(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"./");
        out.extend(percent_encode(&self.name, ESCAPE_IN_REFERENCE).flat_map(str::bytes));
        if self.len.is_none() {
            out.push(b'/');
        }
    }

    fn html(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"<tr><td><a href=\"");
        self.write_href(out);
        // A name with right-to-left letters must not reorder its row.
        out.extend_from_slice(b"\"><bdi>");
        escape(out, &self.name);
        out.extend_from_slice(b"</bdi>");
        if self.len.is_none() {
            out.push(b'/');
        }
        out.extend_from_slice(b"</a></td><td>");
        if let Some(len) = self.len {
            size(out, len);
        }
        out.extend_from_slice(b"</td><td><time datetime=\"");
        let start = out.len();
        date::append_rfc_3339(out, self.modified_unix_s);
        let (day, time) = (start..start + 10, start + 11..start + 16);
        out.extend_from_slice(b"\">");
        out.extend_from_within(day);
        out.push(b' ');
        out.extend_from_within(time);
        out.extend_from_slice(b"</time></td></tr>\n");
    }

    fn json(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"name\":");
        json_string(out, &self.name);
        out.extend_from_slice(b",\"href\":\"");
        self.write_href(out);
        match self.len {
            None => out.extend_from_slice(b"\",\"type\":\"directory\""),
            Some(len) => {
                out.extend_from_slice(b"\",\"type\":\"file\",\"size_bytes\":");
                decimal(out, len);
            }
        }
        out.extend_from_slice(b",\"modified_unix_s\":");
        decimal(out, self.modified_unix_s);
        out.push(b'}');
    }
}

#[cfg(test)]
#[path = "listing_tests.rs"]
mod tests;
