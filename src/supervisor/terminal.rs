//! The terminal that a server was started from, if it was: when that is gone, so is who wanted it.

use rustix::fs::{Mode, OFlags};
use rustix::process::{Pid, Signal};

use crate::sys::session;
use crate::sys::signal::{self, Sender};

/// What SIGHUP means depends on it: that it was hung up, or that somebody asks to look again.
pub struct Terminal {
    /// Whether this process belonged to one at the start.
    was_there: bool,
    /// Whether it is to outlive it, as nohup(1) says.
    is_outlived: bool,
    /// The shell, mostly; none if it is outside our namespace.
    session_leader: Option<Pid>,
}

/// What SIGHUP means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hangup {
    /// Somebody asks to open the site, the templates and the log anew.
    Reload,
    /// The terminal is gone, and the server ends with it.
    Stop,
    /// The terminal is gone, and the server goes on.
    Nothing,
}

impl Terminal {
    pub fn of_this_process() -> Terminal {
        Terminal {
            was_there: is_there(),
            is_outlived: signal::is_ignored(Signal::HUP),
            session_leader: session::leader(),
        }
    }

    pub fn meaning_of_sighup(&self, sender: Sender) -> Hangup {
        self.meaning(sender, is_there())
    }

    /// A terminal that is hung up is told of by the kernel, or by a shell, which passes it on to
    /// all that it has started. It may also vanish without a word; SIGHUP then comes from somebody
    /// else.
    fn meaning(&self, sender: Sender, is_there: bool) -> Hangup {
        let is_told = match sender {
            Sender::Kernel => true,
            Sender::Process(pid) => pid.is_some() && pid == self.session_leader,
        };
        match self.was_there && !is_there && is_told {
            false => Hangup::Reload,
            true if self.is_outlived => Hangup::Nothing,
            true => Hangup::Stop,
        }
    }
}

/// Whether there is a terminal that this process belongs to (tty(4)).
fn is_there() -> bool {
    let flags = OFlags::RDONLY | OFlags::NOCTTY | OFlags::CLOEXEC;
    rustix::fs::open("/dev/tty", flags, Mode::empty()).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_terminal_that_was_hung_up_ends_a_server() {
        let (shell, other) = (Pid::from_raw(7), Pid::from_raw(8));
        let meaning = |was_there, is_outlived, is_there, sender| {
            Terminal { was_there, is_outlived, session_leader: shell }.meaning(sender, is_there)
        };
        for told in [Sender::Kernel, Sender::Process(shell)] {
            assert_eq!(meaning(true, false, false, told), Hangup::Stop);
            assert_eq!(meaning(true, true, false, told), Hangup::Nothing);
            assert_eq!(meaning(true, false, true, told), Hangup::Reload, "kill in a shell");
            assert_eq!(meaning(false, false, false, told), Hangup::Reload, "there was none");
        }
        for asked in [Sender::Process(other), Sender::Process(None)] {
            for there in [true, false] {
                assert_eq!(meaning(true, false, there, asked), Hangup::Reload);
                assert_eq!(meaning(true, true, there, asked), Hangup::Reload);
            }
        }
    }
}
