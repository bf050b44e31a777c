//! A server that was started to be measured.

use std::fs::{self, File};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::child::Child;
use super::contestant::{Entry, Start};
use super::interrupt::{Interrupt, Stop};
use super::store::Store;
use crate::lab::cores::{self, Cores};
use crate::lab::proc;

/// How long a server may take to listen, and to end.
const START: Duration = Duration::from_secs(20);
const END: Duration = Duration::from_secs(5);

/// How often it is looked whether it listens.
const GLANCE: Duration = Duration::from_millis(5);

/// What a complaint has room for.
const SAID: usize = 400;

/// Where servers are started.
pub struct Place<'a> {
    /// A folder for what they write.
    pub folder: &'a Path,
    /// Where the guestbook is.
    pub store: &'a Store,
    /// Who runs where.
    pub cores: &'a Cores,
    /// Who may tell us to stop.
    pub interrupt: &'a Interrupt,
}

/// A server that listens.
pub struct Server {
    child: Child,
    /// What to ask for.
    pub url: String,
}

impl Server {
    /// Starts one and waits until it listens.
    ///
    /// # Errors
    ///
    /// It does not, with what it said; or Ctrl-C.
    pub fn start(entry: &Entry, path: &str, place: &Place<'_>) -> Result<Server, Stop> {
        let said = place.folder.join("said");
        let output = File::create(&said)
            .map_err(|error| format!("can't write {}: {error}", said.display()))?;
        let mut command = match &entry.start {
            Start::Ours(arguments) => ours(arguments),
            Start::Peer { command, url } => {
                is_free(url)?;
                let mut shell = Command::new("/bin/sh");
                shell.arg("-c").arg(command);
                shell
            }
        };
        // In the environment, since the list of processes is not to show a password. A peer that is
        // one of ours must not have the user's own guestbook either.
        command.env("ZEROHTTPD_STORE", place.store.for_server(place.folder));
        let errors = output.try_clone().map_err(|error| error.to_string())?;
        command.stdin(Stdio::null()).stdout(output).stderr(errors);
        let child = Child::start(&mut command, &place.cores.server)
            .map_err(|error| format!("can't start {}: {error}", entry.contestant.name))?;
        let mut server = Server { child, url: String::new() };
        server.url = match &entry.start {
            Start::Ours(_) => server.await_listening(&said, place, || address_said(&said))? + path,
            Start::Peer { url, .. } => {
                server.await_listening(&said, place, || connects(url).then(|| url.clone()))?
            }
        };
        server.place_store(place.cores);
        Ok(server)
    }

    fn await_listening(
        &mut self,
        said: &PathBuf,
        place: &Place<'_>,
        look: impl Fn() -> Option<String>,
    ) -> Result<String, Stop> {
        let give_up = Instant::now() + START;
        loop {
            if let Some(found) = look() {
                return Ok(found);
            }
            let words = || last_words(&fs::read_to_string(said).unwrap_or_default());
            if self.child.has_ended() {
                return Err(Stop::Trouble(format!("it ended at once: {}", words())));
            }
            if Instant::now() > give_up {
                return Err(Stop::Trouble(format!("it does not listen: {}", words())));
            }
            place.interrupt.pause(GLANCE)?;
        }
    }

    /// The number of its first process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// The embedded store is the server's child, and may have other cores.
    fn place_store(&self, cores: &Cores) {
        if cores.store_is_with_server() {
            return;
        }
        for process in proc::family(&[self.id()], proc::processes()) {
            if proc::is_our_store(&process) {
                cores::keep_to(rustix::process::Pid::from_raw(process.pid as i32), &cores.store);
            }
        }
    }

    /// Ends it.
    pub fn stop(mut self) {
        self.child.stop(END);
    }
}

fn ours(arguments: &[String]) -> Command {
    let mut command = Command::new("/proc/self/exe");
    command.arg0("zerohttpd").args(arguments);
    command
}

/// Where a server of ours says that it listens: the URL without its last slash.
fn address_said(said: &Path) -> Option<String> {
    let text = fs::read_to_string(said).ok()?;
    let (_, rest) = text.split_once("http://")?;
    let (address, _) = rest.split_once('/')?;
    Some(format!("http://{address}"))
}

fn addresses(url: &str) -> Vec<SocketAddr> {
    let rest = url.strip_prefix("http://").unwrap_or(url);
    let place = rest.split(['/', '?']).next().unwrap_or(rest);
    let has_port = place.rsplit_once(':').is_some_and(|(_, port)| !port.contains(']'));
    let place = if has_port { place.to_owned() } else { format!("{place}:80") };
    place.to_socket_addrs().map(Iterator::collect).unwrap_or_default()
}

fn connects(url: &str) -> bool {
    addresses(url)
        .into_iter()
        .any(|address| TcpStream::connect_timeout(&address, Duration::from_millis(500)).is_ok())
}

/// Whoever listens there already would be measured in place of the peer.
fn is_free(url: &str) -> Result<(), Stop> {
    match connects(url) {
        true => Err(Stop::Trouble(format!("another server listens at {url} already"))),
        false => Ok(()),
    }
}

/// The end of what a server has said.
fn last_words(said: &str) -> String {
    let words = said.split_whitespace().collect::<Vec<_>>().join(" ");
    let skipped = words.chars().count().saturating_sub(SAID);
    let last: String = words.chars().skip(skipped).collect();
    if last.is_empty() { "it said nothing".into() } else { last }
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
    fn what_was_said_last_is_told_in_a_line() {
        assert_eq!(last_words("a\n  b\n"), "a b");
        assert_eq!(last_words(" \n"), "it said nothing");
        let long = last_words(&"ä ".repeat(1000));
        assert_eq!(long.chars().count(), SAID);
    }

    #[test]
    fn ours_says_where_it_listens() {
        let folder = tempfile::tempdir().unwrap();
        let said = folder.path().join("said");
        assert_eq!(address_said(&said), None);
        fs::write(&said, "zerohttpd: x\n  address    http://127.0.0.1:8").unwrap();
        assert_eq!(address_said(&said), None);
        fs::write(&said, "zerohttpd: x\n  address    http://127.0.0.1:8000/\n  site").unwrap();
        assert_eq!(address_said(&said), Some("http://127.0.0.1:8000".into()));
    }
}
