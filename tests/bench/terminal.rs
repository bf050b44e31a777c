//! The output of bench, report and doctor on narrow and wide terminals, without colours, and on a
//! pipe.

use std::process::Command;

use crate::runs::Bench;
use crate::screen::{Terminal, Written};
use crate::support::architectures;
use crate::support::results::{LONG_NAME, sample};
use crate::support::server::{program, run};

/// Draws the report on a terminal, with these environment variables.
#[track_caller]
fn draw_report(bench: &Bench, columns: u16, environment: &[(&str, &str)]) -> Written {
    let command = program(&["report", &bench.out().display().to_string()]);
    on_terminal(command, columns, environment)
}

/// Runs a command on a terminal, with these environment variables.
#[track_caller]
fn on_terminal(mut command: Command, columns: u16, environment: &[(&str, &str)]) -> Written {
    command.env_remove("NO_COLOR").env("TERM", "xterm").envs(environment.iter().copied());
    let (_, written) = Terminal::with_columns(columns).run(command, false);
    written
}

#[test]
fn a_report_fits_the_terminal() {
    let bench = Bench::new();
    bench.write_results(&sample());
    for columns in [60, 100, 200] {
        let lines = draw_report(&bench, columns, &[]).lines();
        let text = lines.join("\n");
        // Each architecture has a column in all three parts of the table.
        for name in architectures() {
            let headings = lines.iter().filter(|line| line.starts_with("clients"));
            let has = |line: &&String| line.split_whitespace().any(|word| word == name);
            assert_eq!(headings.filter(has).count(), 3, "{name}, {columns} columns:\n{text}");
        }
        let headings = lines.iter().filter(|line| line.starts_with("clients")).count();
        assert_eq!(headings > 3, columns < 90, "{columns} columns:\n{text}");
        assert!(text.contains("p99 latency") && text.contains("*100,00"), "{text}");
        assert!(text.contains(LONG_NAME), "{text}");
        let is_row = |line: &&String| line.trim_start().starts_with("15000 ");
        let rows = lines.iter().filter(is_row).filter(|line| !line.contains("client"));
        assert_eq!(rows.count(), headings, "{text}");
    }
}

#[test]
fn only_a_terminal_gets_colours_unless_the_environment_declines_them() {
    let bench = Bench::new();
    bench.write_results(&sample());
    let mut bare = None;
    for (environment, has_colours) in [
        (&[][..], true),
        (&[("NO_COLOR", "")], true),
        (&[("NO_COLOR", "1")], false),
        (&[("TERM", "dumb")], false),
    ] {
        let report = draw_report(&bench, 200, environment);
        assert_eq!(report.has_colours(), has_colours, "{environment:?}: {:?}", report.text);
        let lines = report.lines();
        assert_eq!(*bare.get_or_insert_with(|| lines.clone()), lines, "{environment:?}");
        let doctor = on_terminal(program(&["doctor", "--quick"]), 100, environment);
        assert_eq!(doctor.has_colours(), has_colours, "{environment:?}: {:?}", doctor.text);
    }
    let piped = run(&["report", &bench.out().display().to_string()]);
    assert!(!String::from_utf8_lossy(&piped.stdout).contains('\u{1b}'));
}

/// Runs a small bench with only its standard error on a terminal: what it wrote there.
#[track_caller]
fn bench_on_terminal(columns: u16, environment: &[(&str, &str)]) -> Written {
    let bench = Bench::new();
    let two = architectures()[..2].join(",");
    let words = ["--arch", &two, "--clients", "2", "--path", "/index.html", "--seconds", "0.1"];
    let mut command = bench.command(&[&words[..], &["--rounds", "1"]].concat());
    command.env_remove("NO_COLOR").env("TERM", "xterm").envs(environment.iter().copied());
    command.stdout(std::process::Stdio::null());
    let (status, written) = Terminal::with_columns(columns).run(command, true);
    bench.await_nothing_left();
    assert!(status.success(), "{:?}", written.text);
    written
}

#[test]
fn the_progress_line_is_erased_at_the_end() {
    for columns in [40, 60, 100] {
        let written = bench_on_terminal(columns, &[]);
        let lines = written.lines();
        // Only the announcement, which can take several rows, stays on the terminal.
        let text = lines.join("");
        assert!(text.starts_with("zerohttpd: 2 servers, 1 load, 1 round: 2 runs"), "{lines:#?}");
        assert!(!text.contains("now ") && !text.contains("clients"), "{lines:#?}");
        // A run that other processes disturbed is repeated.
        assert!(written.text.contains("\r\n1 of "), "{:?}", written.text);
    }
}

#[test]
fn a_dumb_terminal_gets_progress_in_lines_without_escape_codes() {
    let written = bench_on_terminal(100, &[("TERM", "dumb")]);
    assert!(!written.text.contains('\u{1b}'), "{:?}", written.text);
    assert!(written.text.contains("\r\n2/"), "{:?}", written.text);
    let written = bench_on_terminal(100, &[("NO_COLOR", "1")]);
    assert!(!written.has_colours(), "{:?}", written.text);
}
