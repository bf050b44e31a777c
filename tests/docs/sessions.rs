//! Runs the console blocks of each document in order, a server in one terminal and other commands
//! in a second one, and compares their output with the document by the rules in `rules.rs`.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use rustix::process::Signal;

use crate::rules::{ADMIN_PORT, HOME, PORT, agree, invariant, replace_word};
use crate::support::blocks::{Block, CONSOLE, ShownCommand, blocks, documents};
use crate::support::process::Process;
use crate::support::server::{PROGRAM, read};
use crate::support::{TempDir, architectures, for_each, package, wait_for};

/// The line of a server's block at which the reader types Ctrl-C. If a block has this line, the
/// whole output of the server is compared; if not, only the output at the start.
const CTRL_C: &str = "^C";

/// The last line of what a server prints at its start.
const STARTED: &str = "Ctrl-C stops it";

#[test]
fn every_console_prints_what_its_document_shows() {
    let has_console =
        |document: &String| blocks(document).iter().any(|block| block.language == CONSOLE);
    let documents: Vec<_> = documents().into_iter().filter(has_console).collect();
    assert!(documents.iter().any(|document| document == "README.md"), "{documents:?}");
    for_each(&documents, Clone::clone, |document| {
        let mut session = Session::new();
        for block in blocks(document).iter().filter(|block| block.language == CONSOLE) {
            session.run(block);
        }
        session.stop();
    });
}

/// The session of a reader who follows a document: a folder with the site and the program, and two
/// terminals.
struct Session {
    folder: TempDir,
    serving: Option<Serving>,
    port: Option<String>,
    admin_port: Option<String>,
}

/// A server in the first terminal.
struct Serving {
    child: Child,
    place: String,
    shown: ShownCommand,
}

impl Session {
    fn new() -> Session {
        let folder = TempDir::new();
        for name in ["home", "bin"] {
            fs::create_dir(folder.join(name)).expect("a folder");
        }
        for name in ["public", "templates"] {
            link(&package().join(name), &folder.join(name));
        }
        link(Path::new(PROGRAM), &folder.join("bin/zerohttpd"));
        Session { folder, serving: None, port: None, admin_port: None }
    }

    fn run(&mut self, block: &Block) {
        let commands = block.commands();
        match &commands[..] {
            [only] if starts_server(&only.command) => self.start_server(block, only),
            commands => self.run_to_the_end(block, commands),
        }
    }

    /// Starts a server in the first terminal, in place of an earlier one.
    fn start_server(&mut self, block: &Block, shown: &ShownCommand) {
        self.stop();
        // The kernel chooses the ports, and the banner shows them.
        (self.port, self.admin_port) = (Some("0".into()), Some("0".into()));
        let mut command = self.shell(&format!("exec {}", shown.command));
        let output = fs::File::create(self.folder.join("server")).expect("a file for output");
        command.stdout(output.try_clone().expect("the same file")).stderr(output);
        let child = command.spawn().expect("a shell");
        let (place, shown) = (block.place.clone(), shown.clone());
        self.serving = Some(Serving { child, place, shown });
        let started = wait_for("a server that has started", || {
            let output = read(&self.folder.join("server"));
            let (started, _) = output.split_once(STARTED)?;
            Some(format!("{started}{STARTED}"))
        });
        let port_after = |mark: &str, end: &str| {
            let (_, rest) = started.split_once(mark)?;
            let (address, _) = rest.split_once(end)?;
            address.rsplit(':').next().map(str::to_owned)
        };
        self.port = port_after("address    http://", "/");
        self.admin_port = port_after("admin      http://", "/metrics");
        if !self.is_shown_to_its_end() {
            let printed = self.printed(&started);
            self.compare(printed);
        }
    }

    fn is_shown_to_its_end(&self) -> bool {
        let serving = self.serving.as_ref().expect("a server");
        serving.shown.output.iter().any(|line| line == CTRL_C)
    }

    /// Compares what a server printed with what the document shows.
    fn compare(&self, printed: Vec<String>) {
        let Serving { place, shown, .. } = self.serving.as_ref().expect("a server");
        let lines = shown.output.iter().filter(|line| *line != CTRL_C).cloned().collect();
        let shown = ShownCommand { command: shown.command.clone(), output: lines };
        assert_agree(place, &shown, printed);
    }

    /// Types Ctrl-C in the first terminal if a server runs there.
    fn stop(&mut self) {
        let Some(serving) = &mut self.serving else { return };
        Process(serving.child.id()).signal(Signal::INT);
        serving.child.wait().expect("a child of ours");
        if self.is_shown_to_its_end() {
            let printed = self.printed(&read(&self.folder.join("server")));
            self.compare(printed);
        }
        self.serving = None;
    }

    /// Runs commands in the second terminal.
    fn run_to_the_end(&self, block: &Block, commands: &[ShownCommand]) {
        const MARK: &str = "--end of a command--";
        let lines: String =
            commands.iter().map(|shown| format!("{}\necho {MARK:?}\n", shown.command)).collect();
        let output = self.shell(&format!("exec 2>&1\n{lines}")).output().expect("a shell");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let end = format!("{MARK}\n");
        let mut printed = text.split(&end);
        for shown in commands {
            assert_agree(&block.place, shown, self.printed(printed.next().unwrap_or_default()));
        }
    }

    fn shell(&self, script: &str) -> Command {
        let mut shell = Command::new("/bin/bash");
        let path = std::env::var("PATH").unwrap_or_default();
        shell.arg("-c").arg(self.actual(script)).stdin(Stdio::null());
        shell.current_dir(self.folder.path()).env("HOME", self.home());
        shell.env("PATH", format!("{}:{path}", self.folder.join("bin").display()));
        for name in ["XDG_STATE_HOME", "ZEROHTTPD_STORE", "http_proxy", "all_proxy", "NO_PROXY"] {
            shell.env_remove(name);
        }
        shell
    }

    fn home(&self) -> String {
        self.folder.join("home").display().to_string()
    }

    /// Replaces the document's home folder and ports by those of this session.
    fn actual(&self, text: &str) -> String {
        let mut text = text.replace(HOME, &self.home());
        for (shown, port) in [(PORT, &self.port), (ADMIN_PORT, &self.admin_port)] {
            if let Some(port) = port {
                text = replace_word(&text, shown, port);
            }
        }
        text
    }

    /// The lines of an output, with the document's home folder and ports in place of this
    /// session's.
    fn printed(&self, text: &str) -> Vec<String> {
        let mut text = text.replace(&self.home(), HOME);
        for (shown, port) in [(PORT, &self.port), (ADMIN_PORT, &self.admin_port)] {
            if let Some(port) = port.as_ref().filter(|port| *port != "0") {
                text = replace_word(&text, port, shown);
            }
        }
        text.lines().map(str::to_owned).collect()
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // If the test failed, the supervisor still runs. Its children end when it is killed.
        if let Some(serving) = &mut self.serving {
            let _ = serving.child.kill();
            let _ = serving.child.wait();
        }
    }
}

fn link(target: &Path, name: &Path) {
    std::os::unix::fs::symlink(target, name)
        .unwrap_or_else(|error| panic!("{}: {error}", name.display()));
}

/// Whether a command starts a server, which runs until Ctrl-C.
fn starts_server(command: &str) -> bool {
    if command.ends_with(" --check") {
        return false;
    }
    let mut words = command.split_whitespace();
    let is_architecture = |word: &str| architectures().iter().any(|name| name == word);
    words.next() == Some("zerohttpd") && words.next().is_none_or(is_architecture)
}

#[track_caller]
fn assert_agree(place: &str, shown: &ShownCommand, printed: Vec<String>) {
    let [expected, actual] = [&shown.output, &printed].map(|output| {
        let mut lines = invariant(&shown.command, output);
        while lines.last().is_some_and(String::is_empty) {
            lines.pop();
        }
        lines
    });
    assert!(
        agree(&expected, &actual),
        "{place}: {}\nshown:\n{}\nprinted:\n{}\ncompared as:\n{}\nwith:\n{}",
        shown.command,
        shown.output.join("\n"),
        printed.join("\n"),
        expected.join("\n"),
        actual.join("\n")
    );
}
