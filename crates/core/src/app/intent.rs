//! The meaning of a request.

use super::site_path::SitePath;
use crate::http::Method;

/// What to do for a request, once its body is complete.
#[derive(Debug)]
pub enum Intent {
    /// Show a page of the guestbook.
    Visit {
        /// The page, from 1.
        page: u32,
        /// Whether the visitor is counted.
        is_counted: bool,
        /// Whether `If-None-Match: *` asks for a 304 if the page exists.
        is_unwanted: bool,
    },
    /// Store the remark in the body.
    Sign,
    /// Show the page that thanks the visitor for a remark.
    Thanks,
    /// Answer 304, since the request has `If-None-Match: *` and the page exists.
    Unmodified,
    /// Redirect to a page that was requested with a slash at its end.
    Moved(&'static [u8]),
    /// Serve a file, list a folder, or say which methods these allow.
    File {
        /// The path.
        path: SitePath,
        /// The method.
        method: Method,
    },
    /// Answer 404, with the site's own page if it has one.
    Missing,
    /// Say which methods a page, or the whole server, allows.
    Options(&'static str),
}
