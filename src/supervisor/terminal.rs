//! The controlling terminal. A server that was started from a terminal ends when the terminal is
//! closed.

use rustix::fs::{Mode, OFlags};
use rustix::process::{Pid, Signal};
use zerohttpd_sys::session;
use zerohttpd_sys::signal::{self, Sender};

/// Distinguishes the two meanings of SIGHUP: the terminal was closed, or a reload is requested.
pub struct ControllingTerminal {
    /// Whether this process had a controlling terminal at the start.
    had_terminal: bool,
    /// Whether SIGHUP was ignored at the start: the server is to outlive the terminal (nohup(1)).
    ignores_hangup: bool,
    /// The session leader, usually the shell; `None` if it is outside of our PID namespace.
    session_leader: Option<Pid>,
}

/// What SIGHUP means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hangup {
    /// Open the site, the templates and the log anew.
    Reload,
    /// The terminal was closed, and the server is to end.
    Stop,
    /// The terminal was closed, and the server is to go on.
    Nothing,
}

impl ControllingTerminal {
    /// The terminal of this process, if it has one. Called at the start.
    pub fn of_this_process() -> ControllingTerminal {
        ControllingTerminal {
            had_terminal: has_terminal(),
            ignores_hangup: signal::is_ignored(Signal::HUP),
            session_leader: session::leader(),
        }
    }

    /// What a SIGHUP from this sender means.
    pub fn meaning_of_sighup(&self, sender: Sender) -> Hangup {
        self.meaning(sender, has_terminal())
    }

    /// When a terminal is closed, SIGHUP comes from the kernel, or from the shell, which sends it
    /// to all its jobs. A terminal can also disappear without a signal. A SIGHUP from another
    /// process then still means to reload.
    fn meaning(&self, sender: Sender, has_terminal: bool) -> Hangup {
        let is_from_terminal = match sender {
            Sender::Kernel => true,
            Sender::Process(pid) => pid.is_some() && pid == self.session_leader,
        };
        match self.had_terminal && !has_terminal && is_from_terminal {
            false => Hangup::Reload,
            true if self.ignores_hangup => Hangup::Nothing,
            true => Hangup::Stop,
        }
    }
}

/// Whether this process has a controlling terminal (tty(4)).
fn has_terminal() -> bool {
    let flags = OFlags::RDONLY | OFlags::NOCTTY | OFlags::CLOEXEC;
    rustix::fs::open("/dev/tty", flags, Mode::empty()).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_terminal_that_was_hung_up_ends_a_server() {
        let (shell, other) = (Pid::from_raw(7), Pid::from_raw(8));
        let meaning = |had_terminal, ignores_hangup, has_terminal, sender| {
            ControllingTerminal { had_terminal, ignores_hangup, session_leader: shell }
                .meaning(sender, has_terminal)
        };
        for sender in [Sender::Kernel, Sender::Process(shell)] {
            assert_eq!(meaning(true, false, false, sender), Hangup::Stop);
            assert_eq!(meaning(true, true, false, sender), Hangup::Nothing);
            assert_eq!(meaning(true, false, true, sender), Hangup::Reload, "kill in a shell");
            assert_eq!(meaning(false, false, false, sender), Hangup::Reload, "no terminal");
        }
        for sender in [Sender::Process(other), Sender::Process(None)] {
            for has_terminal in [true, false] {
                assert_eq!(meaning(true, false, has_terminal, sender), Hangup::Reload);
                assert_eq!(meaning(true, true, has_terminal, sender), Hangup::Reload);
            }
        }
    }
}
