//! The doctor: what on this machine would spoil a measurement, and the command that fixes it. It
//! changes nothing by itself.

mod check;
mod checks;
mod neighbours;

use std::fmt::Write as _;
use std::io;
use std::process::ExitCode;

use zerohttpd_sys::diagnostics::Terminal;

use crate::console::print;
use crate::report::agreement::Agreement;
use check::{Check, Severity};

/// Inspects this machine and prints the findings, among them how far the runs of one server agree,
/// if that was measured.
///
/// # Errors
///
/// Standard output can't be written to.
pub fn doctor(
    is_json: bool,
    agreement: Option<Result<Agreement, String>>,
) -> Result<ExitCode, String> {
    let mut checks = checks::all();
    checks.extend(agreement.map(checks::noise));
    let text = match is_json {
        true => serde_json::to_string_pretty(&checks).map_err(|error| error.to_string())? + "\n",
        false => in_words(&checks, Terminal::of(&io::stdout()).takes_colour),
    };
    print(&text).map_err(|error| format!("can't write what was found: {error}"))?;
    Ok(match worst(&checks) {
        Severity::Bad => ExitCode::FAILURE,
        Severity::Ok | Severity::Warn => ExitCode::SUCCESS,
    })
}

fn worst(checks: &[Check]) -> Severity {
    checks.iter().map(|check| check.verdict).max().unwrap_or(Severity::Ok)
}

fn in_words(checks: &[Check], in_colour: bool) -> String {
    let mut out = String::new();
    for check in checks {
        let (word, colour) = match check.verdict {
            Severity::Ok => ("ok  ", "32"),
            Severity::Warn => ("warn", "33"),
            Severity::Bad => ("BAD ", "31"),
        };
        let word = if in_colour { format!("\x1b[{colour}m{word}\x1b[0m") } else { word.into() };
        // Writing to a string can't fail.
        let _ = write!(out, "{word}  {:22}  {}", check.what, check.found);
        let _ = match check.verdict {
            Severity::Ok => writeln!(out),
            _ => writeln!(out, "; wanted: {}", check.wanted),
        };
        if let Some(why) = &check.why {
            let _ = writeln!(out, "      {why}");
        }
        if let Some(fix) = &check.fix {
            let _ = writeln!(out, "      $ {fix}");
        }
    }
    let last = match worst(checks) {
        Severity::Ok => "Nothing here would spoil a measurement.",
        Severity::Warn => {
            "Nothing here spoils a measurement, but what the warnings name makes some less exact."
        }
        Severity::Bad => "Some measurements would be spoilt.",
    };
    out + "\n" + last + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checks() -> Vec<Check> {
        let fine = Check::passed("a", "1", "1");
        let bad = Check::passed("b", "1", "2 or more");
        let fix = Some("sysctl -w b=2".to_owned());
        vec![fine, bad.unless(false, Severity::Bad, "It is too small.", fix)]
    }

    #[test]
    fn each_problem_is_reported_with_its_remedy() {
        let text = in_words(&checks(), false);
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines[0], "ok    a                       1");
        assert_eq!(lines[1], "BAD   b                       1; wanted: 2 or more");
        assert_eq!(lines[2..4], ["      It is too small.", "      $ sysctl -w b=2"]);
        assert!(text.ends_with("would be spoilt.\n"));
        assert!(in_words(&checks(), true).contains("\x1b[31mBAD \x1b[0m"));
    }

    #[test]
    fn a_passing_check_stays_ok() {
        let check = Check::passed("a", "1", "1").unless(true, Severity::Bad, "x", None);
        assert_eq!((check.verdict, check.why), (Severity::Ok, None));
        assert_eq!(worst(&checks()), Severity::Bad);
        assert_eq!(worst(&[]), Severity::Ok);
    }
}
