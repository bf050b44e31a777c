//! The application: a site of files and a guestbook. It decides what a request means; it knows
//! nothing of sockets, and of HTTP only methods, fields and statuses.

mod answer;
mod asset;
mod crowded;
mod form;
mod guestbook;
mod listing;
mod remarks;
mod routes;
mod site_path;
mod template;

pub(crate) use answer::{Answer, Content, Part};
pub use asset::{Asset, Coding, Facts, NoAsset};
pub use crowded::crowded;
pub use listing::{FolderEntry, Listing};
pub use remarks::Remarks;
pub(crate) use routes::{Outcome, Plan, Step, plan};
pub use site_path::SitePath;
pub use template::{BadTemplate, Templates};

use crate::limits::Limits;

/// Everything about the application that an operator may choose.
#[derive(Debug)]
pub struct App {
    /// The pages.
    pub templates: Templates,
    /// The bounds.
    pub limits: Limits,
    /// Whether there is a guestbook beside the files.
    pub guestbook: bool,
    /// A folder that has no index shows what is in it.
    pub listing: bool,
}
