//! sigaction(2), sigprocmask(2) and signalfd(2): signals as something to read, or to be woken by.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, FromRawFd, OwnedFd};

use rustix::process::Signal;

use super::check;

/// Ignores a signal.
pub fn ignore(signal: Signal) {
    handle(signal, libc::SIG_IGN);
}

/// Lets a signal interrupt whatever system call blocks, and do nothing else.
pub fn interrupt_by(signal: Signal) {
    extern "C" fn nothing(_: libc::c_int) {}
    handle(signal, nothing as *const () as libc::sighandler_t);
}

fn handle(signal: Signal, handler: libc::sighandler_t) {
    // SAFETY: all zeroes are a valid sigaction: no flags (so no SA_RESTART) and an empty mask.
    let mut action: libc::sigaction = unsafe { MaybeUninit::zeroed().assume_init() };
    action.sa_sigaction = handler;
    // SAFETY: the handler is one of the above, which are safe at any time; the pointers are valid.
    unsafe { libc::sigaction(signal.as_raw(), &raw const action, std::ptr::null_mut()) };
}

/// Lets every signal through again, for a child of a process that reads its signals.
pub fn unblock_all() {
    let none = set_of(&[]);
    // SAFETY: the pointer is to an initialised set, which lives through the call.
    unsafe { libc::sigprocmask(libc::SIG_SETMASK, &raw const none, std::ptr::null_mut()) };
}

/// Signals that are read instead of being delivered.
pub struct Signals(OwnedFd);

impl Signals {
    /// Takes these signals out of delivery.
    ///
    /// # Errors
    ///
    /// Those of signalfd(2): no descriptor is left.
    pub fn take(signals: &[Signal]) -> io::Result<Signals> {
        let set = set_of(signals);
        let flags = libc::SFD_CLOEXEC | libc::SFD_NONBLOCK;
        // SAFETY: the pointer is to an initialised set, which lives through both calls.
        let fd = unsafe {
            check(libc::sigprocmask(libc::SIG_BLOCK, &raw const set, std::ptr::null_mut()))?;
            check(libc::signalfd(-1, &raw const set, flags))?
        };
        // SAFETY: the kernel just gave us this descriptor, and nobody else has it.
        Ok(Signals(unsafe { OwnedFd::from_raw_fd(fd) }))
    }

    /// The next signal that has come.
    pub fn next(&self) -> Option<Signal> {
        const SIZE: usize = size_of::<libc::signalfd_siginfo>();
        let mut record = [0; SIZE];
        let count = rustix::io::read(&self.0, &mut record).ok()?;
        // The number of the signal comes first in the record.
        let number = i32::from_ne_bytes(record[..4].try_into().ok()?);
        (count == SIZE).then(|| Signal::from_named_raw(number)).flatten()
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
