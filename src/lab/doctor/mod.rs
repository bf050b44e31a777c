//! The doctor: what on this machine would spoil a measurement, and the command that mends it. It
//! changes nothing by itself.

mod checks;
mod neighbours;

use std::fmt::Write as _;
use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;

use clap::Args;
use serde::Serialize;

/// How to look.
#[derive(Args)]
#[command(after_help = "It looks for a second, changes nothing, and ends with 0 if nothing would \
    spoil a measurement,\nwith 1 if something would. What is only worth knowing does not count.")]
pub struct DoctorArgs {
    /// Write the findings as JSON
    #[arg(long)]
    json: bool,
}

/// What there is to be said of one thing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    /// What was looked at.
    pub what: &'static str,
    /// What was found.
    pub found: String,
    /// What is wanted.
    pub wanted: String,
    /// How bad it is.
    pub verdict: Verdict,
    /// What comes of it, if it is not well.
    pub why: Option<String>,
    /// The command that mends it, if there is one.
    pub mend: Option<String>,
}

/// How bad something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// As it should be.
    Ok,
    /// Some measurements are worse for it.
    Warn,
    /// It spoils measurements.
    Bad,
}

impl Check {
    /// Something that is as it should be.
    fn well(what: &'static str, found: impl Into<String>, wanted: impl Into<String>) -> Check {
        Check {
            what,
            found: found.into(),
            wanted: wanted.into(),
            verdict: Verdict::Ok,
            why: None,
            mend: None,
        }
    }

    /// The same if it is not.
    fn unless(
        self,
        is_well: bool,
        verdict: Verdict,
        why: impl Into<String>,
        mend: Option<String>,
    ) -> Check {
        match is_well {
            true => self,
            false => Check { verdict, why: Some(why.into()), mend, ..self },
        }
    }
}

/// Looks at this machine, and says what it found.
///
/// # Errors
///
/// It can't be said.
pub fn doctor(args: &DoctorArgs) -> Result<ExitCode, String> {
    let checks = checks::all();
    let text = match args.json {
        true => serde_json::to_string_pretty(&checks).map_err(|error| error.to_string())? + "\n",
        false => told(&checks, io::stdout().is_terminal()),
    };
    match io::stdout().lock().write_all(text.as_bytes()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            return Err(format!("can't write what was found: {error}"));
        }
        _ => {}
    }
    Ok(match worst(&checks) {
        Verdict::Bad => ExitCode::FAILURE,
        Verdict::Ok | Verdict::Warn => ExitCode::SUCCESS,
    })
}

fn worst(checks: &[Check]) -> Verdict {
    checks.iter().map(|check| check.verdict).max().unwrap_or(Verdict::Ok)
}

fn told(checks: &[Check], in_colour: bool) -> String {
    let mut out = String::new();
    for check in checks {
        let (word, colour) = match check.verdict {
            Verdict::Ok => ("ok  ", "32"),
            Verdict::Warn => ("warn", "33"),
            Verdict::Bad => ("BAD ", "31"),
        };
        let word = if in_colour { format!("\x1b[{colour}m{word}\x1b[0m") } else { word.into() };
        // A string takes whatever is written.
        let _ = write!(out, "{word}  {:22}  {}", check.what, check.found);
        let _ = match check.verdict {
            Verdict::Ok => writeln!(out),
            _ => writeln!(out, "; wanted: {}", check.wanted),
        };
        if let Some(why) = &check.why {
            let _ = writeln!(out, "      {why}");
        }
        if let Some(mend) = &check.mend {
            let _ = writeln!(out, "      $ {mend}");
        }
    }
    let last = match worst(checks) {
        Verdict::Ok => "Nothing here would spoil a measurement.",
        Verdict::Warn => "Nothing here spoils a measurement; some are worse for what is above.",
        Verdict::Bad => "Some measurements would be spoilt.",
    };
    out + "\n" + last + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checks() -> Vec<Check> {
        let fine = Check::well("a", "1", "1");
        let bad = Check::well("b", "1", "2 or more");
        let mend = Some("sysctl -w b=2".to_owned());
        vec![fine, bad.unless(false, Verdict::Bad, "It is too small.", mend)]
    }

    #[test]
    fn what_is_wrong_is_told_with_what_mends_it() {
        let text = told(&checks(), false);
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines[0], "ok    a                       1");
        assert_eq!(lines[1], "BAD   b                       1; wanted: 2 or more");
        assert_eq!(lines[2..4], ["      It is too small.", "      $ sysctl -w b=2"]);
        assert!(text.ends_with("would be spoilt.\n"));
        assert!(told(&checks(), true).contains("\x1b[31mBAD \x1b[0m"));
    }

    #[test]
    fn what_is_well_stays_so() {
        let check = Check::well("a", "1", "1").unless(true, Verdict::Bad, "x", None);
        assert_eq!((check.verdict, check.why), (Verdict::Ok, None));
        assert_eq!(worst(&checks()), Verdict::Bad);
        assert_eq!(worst(&[]), Verdict::Ok);
    }
}
