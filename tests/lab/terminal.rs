//! The progress line that a load writes to a terminal.

use std::fs::File;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::process::Stdio;
use std::thread;

use rustix::fs::{Mode, OFlags, open};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

use crate::fake::{Behaviour, FakeServer};
use crate::support::server::program;

/// Runs a load whose standard error is a terminal with this width and this `TERM`; returns all that
/// it writes there.
fn terminal_output(columns: u16, term: &str) -> String {
    let fake = FakeServer::start(Behaviour::Good);
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a terminal");
    grantpt(&master).and_then(|()| unlockpt(&master)).expect("a terminal of ours");
    let name = ptsname(&master, Vec::new()).expect("its name");
    let terminal = open(name.as_c_str(), OFlags::RDWR | OFlags::NOCTTY, Mode::empty());
    let terminal: OwnedFd = terminal.expect("its other end");
    let size = Winsize { ws_row: 24, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    tcsetwinsize(&terminal, size).expect("a size");
    let reader = thread::spawn(move || {
        let (mut master, mut written, mut chunk) = (File::from(master), Vec::new(), [0; 4096]);
        // Reading fails once no process has the other end open.
        while let Ok(count @ 1..) = master.read(&mut chunk) {
            written.extend(&chunk[..count]);
        }
        String::from_utf8(written).expect("text")
    });
    let url = format!("http://127.0.0.1:{}/", fake.port);
    let mut command = program(&["load", &url, "-d", "1.6", "-c", "4"]);
    command.env("TERM", term).stdout(Stdio::null()).stderr(terminal);
    let status = command.status().expect("the program can be run");
    assert!(status.success(), "{status}");
    drop(command);
    reader.join().expect("a reader")
}

#[test]
fn the_progress_line_fits_the_terminal_and_is_erased() {
    for columns in [30, 60, 200] {
        let written = terminal_output(columns, "xterm");
        assert!(!written.contains('\u{1b}'), "{written:?}");
        let lines: Vec<_> = written.split('\r').collect();
        assert!(lines.iter().any(|line| line.contains("requests/s")), "{written:?}");
        let widest = lines.iter().map(|line| line.chars().count()).max().unwrap_or(0);
        assert!(widest < columns.into(), "{widest} of {columns}: {written:?}");
        // Each line covers the one before, and the last one is blank.
        let len = |line: &str| line.chars().count();
        let is_covered = |pair: &[&str]| len(pair[1]) >= len(pair[0].trim_end());
        assert!(lines.windows(2).all(is_covered), "{written:?}");
        assert!(lines[lines.len() - 2].trim().is_empty() && written.ends_with('\r'), "{written:?}");
    }
}

#[test]
fn a_dumb_terminal_gets_no_progress_line() {
    assert_eq!(terminal_output(80, "dumb"), "");
}
