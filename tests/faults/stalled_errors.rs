//! A standard error whose reader stops reading, for a while or for good.

use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;

use rustix::fs::{Mode, OFlags};
use rustix::io::{Errno, ioctl_fionbio};
use rustix::net::SendFlags;
use rustix::pipe::{PipeFlags, fcntl_setpipe_size, pipe_with};
use rustix::process::Signal;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use crate::support::cases::test;
use crate::support::client::last_request;
use crate::support::{ONE_AT_A_TIME, Server, Store, architectures, for_each, wait_until};

/// What standard error leads to.
#[derive(Clone, Copy, Debug)]
enum Kind {
    Pipe,
    Terminal,
    Socket,
}

/// A standard error with both its ends.
struct StandardError {
    kind: Kind,
    /// The end that the server writes to.
    near: OwnedFd,
    /// The end that the test reads from.
    far: OwnedFd,
    /// All that was read so far.
    said: String,
}

impl StandardError {
    fn new(kind: Kind) -> StandardError {
        let (far, near) = match kind {
            Kind::Pipe => {
                let (far, near) = pipe_with(PipeFlags::CLOEXEC).expect("a pipe");
                fcntl_setpipe_size(&near, 4096).expect("a small pipe");
                (far, near)
            }
            Kind::Terminal => {
                let far = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a terminal");
                grantpt(&far).and_then(|()| unlockpt(&far)).expect("a terminal");
                let name = ptsname(&far, Vec::new()).expect("a name");
                let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
                let near = rustix::fs::open(name, flags, Mode::empty()).expect("a terminal");
                (far, near)
            }
            Kind::Socket => {
                let (far, near) = UnixStream::pair().expect("sockets");
                (far.into(), near.into())
            }
        };
        // Only the far end: the near end's open file is shared with the server.
        ioctl_fionbio(&far, true).expect("an end that does not block");
        StandardError { kind, near, far, said: String::new() }
    }

    /// Makes further writes block: fills the pipe or socket, or stops the terminal's output.
    fn stall(&self) {
        match self.kind {
            Kind::Pipe => {
                let path = format!("/proc/self/fd/{}", self.near.as_raw_fd());
                let flags = OFlags::WRONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
                let pipe = rustix::fs::open(path, flags, Mode::empty()).expect("a pipe");
                fill(|| rustix::io::write(&pipe, b"x"));
            }
            // Ctrl-S.
            Kind::Terminal => drop(rustix::io::write(&self.far, b"\x13").expect("a terminal")),
            Kind::Socket => fill(|| rustix::net::send(&self.near, b"x", SendFlags::DONTWAIT)),
        }
    }

    /// Lets writes go on, and reads: all that was written so far.
    fn read(&mut self) -> &str {
        if let Kind::Terminal = self.kind {
            // Ctrl-Q.
            rustix::io::write(&self.far, b"\x11").expect("a terminal");
        }
        let mut bytes = [0; 4096];
        while let Ok(count @ 1..) = rustix::io::read(&self.far, &mut bytes) {
            self.said.push_str(&String::from_utf8_lossy(&bytes[..count]));
        }
        // On a terminal, some text is bold, and lines end with CRLF.
        for (from, to) in [("\r\n", "\n"), ("\x1b[1m", ""), ("\x1b[0m", "")] {
            self.said = self.said.replace(from, to);
        }
        &self.said
    }
}

fn fill(write: impl Fn() -> Result<usize, Errno>) {
    let end = std::iter::repeat_with(write).find_map(Result::err);
    assert_eq!(end, Some(Errno::AGAIN));
}

/// Sends a signal, and waits until it has replaced all server processes.
#[track_caller]
fn assert_replaces_servers(server: &Server, signal: Signal) {
    let before = server.servers();
    assert!(!before.is_empty());
    server.supervisor().signal(signal);
    wait_until(&format!("new servers after {signal:?}"), || {
        let servers = server.servers();
        !servers.is_empty() && servers.iter().all(|server| !before.contains(server))
    });
}

/// Checks that a server with a stalled standard error obeys signals, serves clients, and stops at
/// the signal `stop`.
fn check(arch: &str, kind: Kind, stop: Signal) {
    let store = Store::embedded();
    let mut stderr = StandardError::new(kind);
    let its_end = stderr.near.as_fd().try_clone_to_owned().expect("a descriptor");
    let words = ["--max-clients-per-address", "2"];
    let said = || stderr.read().to_string();
    let mut server = Server::start_with_stderr(its_end, said, (arch, &store.url(), &words));
    stderr.stall();
    for signal in [Signal::HUP, Signal::USR1, Signal::USR2] {
        assert_replaces_servers(&server, signal);
    }
    let mut clients = [server.client(), server.client()];
    let at_once = if arch == ONE_AT_A_TIME { 1 } else { 2 };
    let mut ask = || {
        for client in &mut clients[..at_once] {
            assert_eq!(client.get("/hello.txt").status, 200);
        }
    };
    ask();
    if arch != ONE_AT_A_TIME {
        // The server writes a message when it refuses a client.
        let mut third = server.client();
        third.send(last_request("/hello.txt"));
        assert_eq!(third.answer().status, 503);
    }
    ask();
    drop(clients);
    let lost = "lost here: nothing took them\n";
    wait_until("a message about lost lines", || stderr.read().contains(lost));
    assert_replaces_servers(&server, Signal::HUP);
    wait_until("a message about the reload", || stderr.read().contains("opened anew\n"));
    stderr.stall();
    server.supervisor().signal(stop);
    assert_eq!(server.wait().code(), Some(0));
    server.await_nothing_left();
}

test!(Once, an_unread_standard_error_blocks_nothing);
fn an_unread_standard_error_blocks_nothing() {
    let kinds =
        [(Kind::Pipe, Signal::TERM), (Kind::Terminal, Signal::INT), (Kind::Socket, Signal::QUIT)];
    let cases: Vec<_> = architectures()
        .iter()
        .flat_map(|arch| kinds.map(|(kind, signal)| (arch, kind, signal)))
        .collect();
    for_each(
        &cases,
        |(arch, kind, signal)| format!("{arch}, {kind:?}, {signal:?}"),
        |(arch, kind, signal)| check(arch, *kind, *signal),
    );
}
