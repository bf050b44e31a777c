//! One check of the doctor.

use serde::Serialize;

/// The result of one check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    /// What was checked.
    pub what: &'static str,
    /// What was found.
    pub found: String,
    /// What is wanted.
    pub wanted: String,
    /// The severity.
    pub verdict: Severity,
    /// The consequence, if the value is not as wanted.
    pub why: Option<String>,
    /// The command that fixes it, if there is one.
    #[serde(rename = "mend")]
    pub fix: Option<String>,
}

/// How much a check's value spoils measurements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// As it should be.
    Ok,
    /// It makes some measurements worse.
    Warn,
    /// It spoils measurements.
    Bad,
}

impl Check {
    /// A check whose value is as wanted.
    pub fn passed(
        what: &'static str,
        found: impl Into<String>,
        wanted: impl Into<String>,
    ) -> Check {
        Check {
            what,
            found: found.into(),
            wanted: wanted.into(),
            verdict: Severity::Ok,
            why: None,
            fix: None,
        }
    }

    /// The same check, with this severity unless the condition holds.
    pub fn unless(
        self,
        is_passed: bool,
        verdict: Severity,
        why: impl Into<String>,
        fix: Option<String>,
    ) -> Check {
        match is_passed {
            true => self,
            false => Check { verdict, why: Some(why.into()), fix, ..self },
        }
    }
}
