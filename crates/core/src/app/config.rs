//! The operator's settings of the application.

use super::template::Templates;
use crate::limits::Limits;

/// The application as an operator has configured it.
#[derive(Debug)]
pub struct App {
    /// The page templates.
    pub templates: Templates,
    /// The limits.
    pub limits: Limits,
    /// Whether there is a guestbook.
    pub guestbook: bool,
    /// Whether a folder without an index is listed.
    pub listing: bool,
}
