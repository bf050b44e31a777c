//! Constants that several pages share.

use crate::http::{ErrorResponse, Status};

/// The methods of a file, and of a page that accepts no form.
pub(super) const FILE_METHODS: &str = "GET, HEAD, OPTIONS";

/// The methods of the guestbook.
pub(super) const GUESTBOOK_METHODS: &str = "GET, HEAD, POST, OPTIONS";

/// The answer to a condition that requires a certain version of a page: pages have no versions.
pub(super) const NO_SUCH_VERSION: ErrorResponse = ErrorResponse::new(
    Status::PRECONDITION_FAILED,
    "The page is made anew each time; there is no version of it to insist on.",
);
