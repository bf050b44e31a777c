//! A terminal of a given width, and the lines that it shows after it has obeyed the escape
//! sequences of the program (console_codes(4)).

use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};
use std::process::{Command, ExitStatus};
use std::thread;

use rustix::fs::{Mode, OFlags, open};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

/// A pseudoterminal (pty(7)).
pub(crate) struct Terminal {
    columns: u16,
    /// The end that a program writes to.
    end: OwnedFd,
    /// Reads all that is written to the terminal.
    reader: thread::JoinHandle<String>,
}

impl Terminal {
    #[track_caller]
    pub(crate) fn with_columns(columns: u16) -> Terminal {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a terminal");
        grantpt(&master).and_then(|()| unlockpt(&master)).expect("a terminal of ours");
        let name = ptsname(&master, Vec::new()).expect("its name");
        let end = open(name.as_c_str(), OFlags::RDWR | OFlags::NOCTTY, Mode::empty());
        let end: OwnedFd = end.expect("its other end");
        let size = Winsize { ws_row: 50, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(end.as_fd(), size).expect("a size");
        let reader = thread::spawn(move || {
            let (mut master, mut written, mut some) = (File::from(master), Vec::new(), [0; 4096]);
            // Reading fails once no process has the other end open.
            while let Ok(count @ 1..) = master.read(&mut some) {
                written.extend(&some[..count]);
            }
            String::from_utf8(written).expect("text")
        });
        Terminal { columns, end, reader }
    }

    /// Runs a command with its output, or only its standard error, on this terminal: the exit
    /// status, and all that was written.
    #[track_caller]
    pub(crate) fn run(self, mut command: Command, only_errors: bool) -> (ExitStatus, Written) {
        let other = self.end.try_clone().expect("a descriptor");
        if only_errors {
            drop(self.end);
        } else {
            command.stdout(self.end);
        }
        let status = command.stderr(other).status().expect("the program can be run");
        // The command has copies of the descriptors.
        drop(command);
        let text = self.reader.join().expect("a reader");
        (status, Written { columns: self.columns.into(), text })
    }
}

/// What was written to a terminal.
pub(crate) struct Written {
    columns: usize,
    /// All bytes, with their escape sequences.
    pub(crate) text: String,
}

impl Written {
    /// The lines that the terminal shows, and those that it has scrolled out, without the blanks at
    /// their ends.
    #[track_caller]
    pub(crate) fn lines(&self) -> Vec<String> {
        let (mut rows, mut row, mut column) = (vec![Vec::new()], 0_usize, 0);
        let mut rest = self.text.chars();
        while let Some(c) = rest.next() {
            match c {
                '\r' => column = 0,
                '\n' => (row, column) = (row + 1, 0),
                '\u{1b}' => {
                    assert_eq!(rest.next(), Some('['), "{:?}", self.text);
                    let digits: String = rest.by_ref().take_while(|c| !c.is_alphabetic()).collect();
                    // take_while has also consumed the letter that ends the sequence.
                    let at = self.text.len() - rest.as_str().len() - 1;
                    let number = digits.parse().unwrap_or(1);
                    match self.text.as_bytes()[at] {
                        b'A' => row = row.saturating_sub(number),
                        b'K' => rows[row].truncate(column),
                        b'J' => {
                            rows.truncate(row + 1);
                            rows[row].truncate(column);
                        }
                        b'm' => {}
                        other => panic!("{} in {:?}", other as char, self.text),
                    }
                }
                c => {
                    if column == self.columns {
                        (row, column) = (row + 1, 0);
                    }
                    rows.resize(rows.len().max(row + 1), Vec::new());
                    let len = rows[row].len().max(column + 1);
                    rows[row].resize(len, ' ');
                    rows[row][column] = c;
                    column += 1;
                }
            }
            rows.resize(rows.len().max(row + 1), Vec::new());
        }
        let line = |row: Vec<char>| row.into_iter().collect::<String>().trim_end().to_owned();
        let mut lines: Vec<_> = rows.into_iter().map(line).collect();
        while lines.last().is_some_and(String::is_empty) {
            lines.pop();
        }
        lines
    }

    /// Whether a sequence sets a colour or another attribute.
    pub(crate) fn has_colours(&self) -> bool {
        let is_digit = |c: char| c.is_ascii_digit() || c == ';';
        let mut sequences = self.text.split("\u{1b}[").skip(1);
        sequences.any(|sequence| sequence.trim_start_matches(is_digit).starts_with('m'))
    }
}
