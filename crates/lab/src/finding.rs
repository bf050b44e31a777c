//! Findings: each states one fact about a measurement in a sentence. In a list of findings, the
//! first says what limited the numbers.
//!
//! The load generator can observe little of a server; the kind of its findings is a [`diagnosis`].
//! The bench knows more about the servers that it starts; the kind of its findings is a [`limit`],
//! by which its table ranks servers.

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
