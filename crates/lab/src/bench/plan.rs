//! The plan of a bench.

use std::path::PathBuf;

use super::store::Store;
use super::subject::SubjectPlan;
use crate::results::Settings;

/// What is to be measured.
pub struct BenchPlan {
    /// The servers.
    pub entries: Vec<SubjectPlan>,
    /// The settings.
    pub settings: Settings,
    /// The guestbook to use.
    pub store: Store,
    /// The folder for the results.
    pub out: PathBuf,
}
