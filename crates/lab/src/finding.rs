//! Findings: each states one fact about a measurement in a sentence. In a list of findings, the
//! first says what limited the numbers.
//!
//! The load can observe little of a server, and its findings have a [`diagnosis`] as their kind.
//! The bench knows more about the servers that it starts; its findings have a [`limit`], which its
//! table uses to rank servers.

pub mod diagnosis;
pub mod limit;

use serde::{Deserialize, Serialize};

/// One fact about a measurement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding<K> {
    /// The kind. In JSON it is a field beside the text, named by the kind's type: `kind` or
    /// `limit`.
    #[serde(flatten)]
    pub kind: K,
    /// The sentence.
    pub text: String,
}

/// Makes a finding.
pub fn finding<K>(kind: K, text: impl Into<String>) -> Finding<K> {
    Finding { kind, text: text.into() }
}
