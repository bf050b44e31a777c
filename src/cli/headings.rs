//! The sections of the help.

pub const SITE: &str = "Site and guestbook";
pub const TIME_OUTS: &str = "Time-outs";
pub const LIMITS: &str = "Limits";
pub const OPERATION: &str = "Operation";
pub const ABLATIONS: &str =
    "Ablations: do one thing as the programs of 2019 did, to measure its cost";
