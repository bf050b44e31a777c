//! The application: a site of files and a guestbook. It decides what a request means. It does not
//! deal with sockets, and of HTTP it uses only methods, fields and statuses.

mod application;
mod asset_error;
mod config;
mod form;
mod guestbook;
mod intent;
mod listing;
mod methods;
mod operation;
mod pages;
mod rendering;
mod respond;
mod routes;
mod site_path;
mod template;
mod too_many_connections;

pub use asset_error::AssetError;
pub use config::App;
pub use listing::{FolderEntry, Listing};
pub use operation::{Completion, Operation};
pub use site_path::SitePath;
pub use template::{BadTemplate, Templates};
pub use too_many_connections::too_many_connections;
