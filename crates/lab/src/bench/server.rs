//! A server that the bench has started.

use std::fs::{self, File};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::child::ChildGroup;
use super::descendants::Descendants;
use super::interrupt::{Aborted, Interrupt};
use super::store::Store;
use super::subject::{Start, SubjectPlan};
use crate::host::cores::{self, Cores};
use crate::host::listening::listening;
use crate::host::proc;
use crate::text::scrub::scrubbed;

/// How long a server can take to start listening.
const START_TIMEOUT: Duration = Duration::from_secs(20);

/// How long a server can take to end.
const EXIT_TIMEOUT: Duration = Duration::from_secs(5);

/// How long `failure` waits for the end of a process that has closed its sockets.
const EXIT_DELAY: Duration = Duration::from_secs(1);

/// The pause between two checks whether the server listens.
const POLL_INTERVAL: Duration = Duration::from_millis(5);

/// The most characters of a server's output that a message quotes.
const MAX_QUOTED: usize = 400;

/// What the bench gives to each server that it starts.
pub struct Testbed<'a> {
    /// A folder for the server's files.
    pub folder: &'a Path,
    /// The guestbook to use.
    pub store: &'a Store,
    /// The cores of each process.
    pub cores: &'a Cores,
    /// The processes that servers have started.
    pub descendants: &'a Descendants,
    /// The signals that stop the bench.
    pub interrupt: &'a Interrupt,
}

/// A server that listens.
pub struct RunningServer<'a> {
    child: ChildGroup,
    testbed: Testbed<'a>,
    /// The file to which its output is written.
    output_path: PathBuf,
    /// The length of its output when it began to listen.
    startup_bytes: usize,
    is_peer: bool,
    /// The processes that must not end during a run: the children of a server of ours, and a Redis
    /// that was running before.
    required: Vec<(u32, &'static str)>,
    /// The URL to request.
    pub url: String,
}

impl<'a> RunningServer<'a> {
    /// Starts a server and waits until it listens.
    ///
    /// # Errors
    ///
    /// It does not listen (the error quotes its output), or Ctrl-C.
    pub fn start(
        entry: &SubjectPlan,
        path: &str,
        testbed: Testbed<'a>,
    ) -> Result<RunningServer<'a>, Aborted> {
        let output_path = testbed.folder.join("output");
        let output = File::create(&output_path)
            .map_err(|error| format!("can't write {}: {error}", output_path.display()))?;
        let mut command = match &entry.start {
            Start::ThisProgram(arguments) => this_program(arguments),
            Start::Peer { command, url } => {
                ensure_free(url)?;
                let mut shell = Command::new("/bin/sh");
                shell.arg("-c").arg(command);
                shell
            }
        };
        // The store's URL goes through the environment, because the process list must not show a
        // password. A peer that is a ZeroHTTPd must not use the user's own guestbook either.
        command.env("ZEROHTTPD_STORE", testbed.store.for_server(testbed.folder));
        let errors = output.try_clone().map_err(|error| error.to_string())?;
        command.stdin(Stdio::null()).stdout(output).stderr(errors);
        let child = ChildGroup::start(&mut command, &testbed.cores.server)
            .map_err(|error| format!("can't start {}: {error}", entry.subject.name))?;
        let is_peer = matches!(entry.start, Start::Peer { .. });
        let (url, required) = (String::new(), Vec::new());
        let (startup_bytes, path_of_output) = (0, output_path.clone());
        let mut server = RunningServer {
            child,
            testbed,
            output_path: path_of_output,
            startup_bytes,
            is_peer,
            required,
            url,
        };
        server.url = match &entry.start {
            Start::ThisProgram(_) => {
                server.await_listening(|| announced_address(&output_path))? + path
            }
            Start::Peer { url, .. } => {
                server.await_listening(|| connects(url).then(|| url.clone()))?
            }
        };
        server.startup_bytes = fs::metadata(&output_path).map_or(0, |file| file.len() as usize);
        server.place_store();
        server.required = server.find_required();
        Ok(server)
    }

    /// Calls `look` until it returns the URL of the server.
    fn await_listening(&self, look: impl Fn() -> Option<String>) -> Result<String, Aborted> {
        let give_up = Instant::now() + START_TIMEOUT;
        loop {
            let found = look();
            if let Some(how) = self.child.how_it_ended() {
                let words = match self.recent_output() {
                    words if words.is_empty() => format!("it ended at once ({how})"),
                    words => format!("it ended at once: {words}"),
                };
                return Err(Aborted::Failed(self.background_error(&how).unwrap_or(words)));
            }
            if let Some(found) = found {
                return Ok(found);
            }
            if Instant::now() > give_up {
                let words = match self.recent_output() {
                    words if words.is_empty() => "it printed nothing".into(),
                    words => words,
                };
                return Err(Aborted::Failed(format!("it does not listen: {words}")));
            }
            self.testbed.interrupt.pause(POLL_INTERVAL)?;
        }
    }

    /// The end of its output; once it listens, of what it has printed since.
    fn recent_output(&self) -> String {
        let output = fs::read(&self.output_path).unwrap_or_default();
        let since = output.get(self.startup_bytes..).unwrap_or_default();
        end_of_output(&String::from_utf8_lossy(since))
    }

    /// The error if a peer's first process ended successfully and left others to serve.
    fn background_error(&self, how: &str) -> Option<String> {
        let has_succeeded = self.is_peer && how == "exit status 0";
        (has_succeeded && !self.testbed.descendants.living_except(self.id()).is_empty())
            .then(|| "it went into the background; start it in the foreground".into())
    }

    /// The processes that must not end during a run, with a name for messages.
    fn find_required(&self) -> Vec<(u32, &'static str)> {
        let mut required: Vec<_> =
            self.testbed.store.processes().into_iter().map(|pid| (pid, "the store")).collect();
        if !self.is_peer {
            let processes = proc::processes().into_iter();
            let children = processes.filter(|process| process.parent == self.id());
            required.extend(children.map(|process| match proc::is_our_store(&process) {
                true => (process.pid, "its store"),
                false => (process.pid, "its server process"),
            }));
        }
        required
    }

    /// Why the numbers of a run are invalid, if they are: a process of the server has ended, or the
    /// server no longer listens.
    pub fn failure(&self) -> Option<String> {
        let still_listens = || !self.is_peer || listens(&self.url);
        if !still_listens() {
            self.child.wait_for_end(EXIT_DELAY);
        }
        if let Some(how) = self.child.how_it_ended() {
            let words = self.recent_output();
            let words = if words.is_empty() { words } else { format!(": {words}") };
            let ended = || format!("it ended ({how}) during the run{words}");
            return Some(self.background_error(&how).unwrap_or_else(ended));
        }
        let gone = self.required.iter().find(|(pid, _)| !proc::is_alive(*pid));
        if let Some((_, what)) = gone {
            return Some(format!("{what} ended during the run"));
        }
        (!still_listens()).then(|| "it stopped listening during the run".into())
    }

    /// The process id of its first process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Moves the embedded store, a child of the server, to its own cores if it has any.
    fn place_store(&self) {
        let cores = self.testbed.cores;
        if cores.store_is_with_server() {
            return;
        }
        for process in proc::family(&[self.id()], proc::processes()) {
            if proc::is_our_store(&process) {
                cores::pin_to(rustix::process::Pid::from_raw(process.pid as i32), &cores.store);
            }
        }
    }

    /// Ends the server and all processes that it has started. Waits until the port of a peer is
    /// free.
    fn stop(&mut self) {
        self.child.stop(EXIT_TIMEOUT);
        self.testbed.descendants.end(EXIT_TIMEOUT);
        let give_up = Instant::now() + EXIT_TIMEOUT;
        while self.is_peer && listens(&self.url) && Instant::now() < give_up {
            std::thread::sleep(POLL_INTERVAL);
        }
    }
}

impl Drop for RunningServer<'_> {
    fn drop(&mut self) {
        self.stop();
    }
}

/// The pidfd, which is readable once the server's first process has ended.
impl AsFd for RunningServer<'_> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.child.as_fd()
    }
}

fn this_program(arguments: &[String]) -> Command {
    let mut command = Command::new("/proc/self/exe");
    command.arg0("zerohttpd").args(arguments);
    command
}

/// The URL that a server of ours prints once it listens, without its last slash.
fn announced_address(output_path: &Path) -> Option<String> {
    let text = fs::read_to_string(output_path).ok()?;
    let (_, rest) = text.split_once("http://")?;
    let (address, _) = rest.split_once('/')?;
    Some(format!("http://{address}"))
}

fn addresses(url: &str) -> Vec<SocketAddr> {
    let rest = url.strip_prefix("http://").unwrap_or(url);
    let host_port = rest.split(['/', '?']).next().unwrap_or(rest);
    let has_port = host_port.rsplit_once(':').is_some_and(|(_, port)| !port.contains(']'));
    let host_port = if has_port { host_port.to_owned() } else { format!("{host_port}:80") };
    host_port.to_socket_addrs().map(Iterator::collect).unwrap_or_default()
}

fn connects(url: &str) -> bool {
    addresses(url).into_iter().any(|address| {
        let stream = TcpStream::connect_timeout(&address, Duration::from_millis(500));
        // A socket that connects to a free port can be connected to itself, if the kernel chooses
        // that port for it.
        stream.is_ok_and(|stream| stream.local_addr().ok() != Some(address))
    })
}

/// Whether a server listens at this URL: asks the kernel for this machine's sockets, and connects
/// if it finds none.
fn listens(url: &str) -> bool {
    addresses(url).into_iter().any(|address| !listening(address).is_empty()) || connects(url)
}

/// Fails if another program listens at this URL already: it would be measured instead of the peer.
fn ensure_free(url: &str) -> Result<(), Aborted> {
    match listens(url) {
        true => Err(Aborted::Failed(format!("another server listens at {url} already"))),
        false => Ok(()),
    }
}

/// The end of a server's output, in one line and without control characters.
fn end_of_output(output: &str) -> String {
    let words = output.split_whitespace().collect::<Vec<_>>().join(" ");
    let skipped = words.chars().count().saturating_sub(MAX_QUOTED);
    scrubbed(&words.chars().skip(skipped).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_has_an_address() {
        let first = |url: &str| addresses(url).first().map(ToString::to_string);
        assert_eq!(first("http://127.0.0.1:81/x"), Some("127.0.0.1:81".into()));
        assert_eq!(first("http://127.0.0.1?x"), Some("127.0.0.1:80".into()));
        assert_eq!(first("http://[::1]/"), Some("[::1]:80".into()));
        assert_eq!(first("http://"), None);
    }

    #[test]
    fn the_end_of_the_output_is_quoted_in_one_line() {
        assert_eq!(end_of_output("a\n  b\n"), "a b");
        assert_eq!(end_of_output(" \n"), "");
        assert_eq!(end_of_output("\x1b[31mred"), "\u{fffd}[31mred");
        let long = end_of_output(&"ä ".repeat(1000));
        assert_eq!(long.chars().count(), MAX_QUOTED);
    }

    #[test]
    fn the_address_is_read_from_the_output_once_it_is_complete() {
        let folder = tempfile::tempdir().unwrap();
        let output = folder.path().join("output");
        assert_eq!(announced_address(&output), None);
        fs::write(&output, "zerohttpd: x\n  address    http://127.0.0.1:8").unwrap();
        assert_eq!(announced_address(&output), None);
        fs::write(&output, "zerohttpd: x\n  address    http://127.0.0.1:8000/\n  site").unwrap();
        assert_eq!(announced_address(&output), Some("http://127.0.0.1:8000".into()));
    }
}
