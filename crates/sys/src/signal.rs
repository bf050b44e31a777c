//! sigaction(2), sigprocmask(2) and signalfd(2): signals that are ignored, or read.

use std::io;
use std::mem::{MaybeUninit, offset_of};
use std::os::fd::{AsFd, FromRawFd, OwnedFd};

use rustix::process::{Pid, Signal};

use super::check;

/// Signals that only the supervisor acts on. Other processes get them too: from a terminal, which
/// signals all processes, or from a user who picks the wrong process.
pub const SUPERVISOR_SIGNALS: &[Signal] =
    &[Signal::TERM, Signal::QUIT, Signal::INT, Signal::HUP, Signal::USR1, Signal::USR2];

/// Ignores a signal.
pub fn ignore(signal: Signal) {
    handle(signal, libc::SIG_IGN);
}

/// Gives a signal its default action, which this process may not have inherited. A process that
/// ignores SIGCHLD can't wait for its children (wait(2)).
pub fn restore(signal: Signal) {
    handle(signal, libc::SIG_DFL);
}

fn handle(signal: Signal, handler: libc::sighandler_t) {
    // SAFETY: all zeroes are a valid sigaction: no flags (so no SA_RESTART) and an empty mask.
    let mut action: libc::sigaction = unsafe { MaybeUninit::zeroed().assume_init() };
    action.sa_sigaction = handler;
    // SAFETY: the handler is one of the two above, which are the kernel's; the pointers are valid.
    unsafe { libc::sigaction(signal.as_raw(), &raw const action, std::ptr::null_mut()) };
}

/// Whether a signal is ignored. nohup(1) ignores SIGHUP for the programs that it starts.
pub fn is_ignored(signal: Signal) -> bool {
    // SAFETY: all zeroes are a valid sigaction; without a new action, the call only writes to
    // `action`.
    let action = unsafe {
        let mut action: libc::sigaction = MaybeUninit::zeroed().assume_init();
        libc::sigaction(signal.as_raw(), std::ptr::null(), &raw mut action);
        action
    };
    action.sa_sigaction == libc::SIG_IGN
}

/// Unblocks every signal, in a child of a process that reads its signals.
pub fn unblock_all() {
    let none = set_of(&[]);
    // SAFETY: the pointer is to an initialised set, which lives through the call.
    unsafe { libc::sigprocmask(libc::SIG_SETMASK, &raw const none, std::ptr::null_mut()) };
}

/// The sender of a signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sender {
    /// The kernel.
    Kernel,
    /// A process; `None` if it is in another PID namespace.
    Process(Option<Pid>),
}

/// Signals that are read from a descriptor instead of being delivered.
pub struct Signals(OwnedFd);

impl Signals {
    /// Blocks these signals, to be read from the descriptor.
    ///
    /// # Errors
    ///
    /// Those of signalfd(2), for instance if no descriptor is left.
    pub fn take(signals: &[Signal]) -> io::Result<Signals> {
        let set = set_of(signals);
        let flags = libc::SFD_CLOEXEC | libc::SFD_NONBLOCK;
        // SAFETY: the pointer is to an initialised set, which lives through both calls.
        let fd = unsafe {
            check(libc::sigprocmask(libc::SIG_BLOCK, &raw const set, std::ptr::null_mut()))?;
            check(libc::signalfd(-1, &raw const set, flags))?
        };
        // SAFETY: the kernel just gave us this descriptor, and nothing else has it.
        Ok(Signals(unsafe { OwnedFd::from_raw_fd(fd) }))
    }

    /// The next signal that has come.
    pub fn next(&self) -> Option<Signal> {
        self.next_with_sender().map(|(signal, _)| signal)
    }

    /// The next signal that has come, and its sender.
    pub fn next_with_sender(&self) -> Option<(Signal, Sender)> {
        type Record = libc::signalfd_siginfo;
        let mut record = [0; size_of::<Record>()];
        let count = rustix::io::read(&self.0, &mut record).ok()?;
        let number = |at: usize| {
            let bytes = record.get(at..)?.first_chunk::<4>()?;
            Some(i32::from_ne_bytes(*bytes))
        };
        let signal = Signal::from_named_raw(number(offset_of!(Record, ssi_signo))?)?;
        let sender = match number(offset_of!(Record, ssi_code))? {
            libc::SI_KERNEL => Sender::Kernel,
            _ => Sender::Process(Pid::from_raw(number(offset_of!(Record, ssi_pid))?)),
        };
        (count == record.len()).then_some((signal, sender))
    }
}

impl AsFd for Signals {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.0.as_fd()
    }
}

fn set_of(signals: &[Signal]) -> libc::sigset_t {
    // SAFETY: sigemptyset initialises the set; the numbers are of real signals.
    unsafe {
        let mut set = MaybeUninit::uninit();
        libc::sigemptyset(set.as_mut_ptr());
        for signal in signals {
            libc::sigaddset(set.as_mut_ptr(), signal.as_raw());
        }
        set.assume_init()
    }
}
