//! How much of an answer the kernel takes before its client does.
//!
//! Little of most: what it holds unsent of a thousand clients who read slowly would use up the
//! memory that it has for TCP, and with that hurt every connection of the machine. Much of long
//! ones, where many are sent at once, as far as there is room for that: then each is looked after
//! less often, and the kernel sends from the queue as acknowledgements come in.

use std::fs;
use std::mem;
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use crate::sys::notsent_lowat::notsent_lowat;

/// What a queue holds unsent: half a piece of a file keeps a fast client busy while the next is
/// fetched.
pub const SHALLOW_BYTES: u32 = 128 * 1024;

/// What a deep one holds: as much as any that nobody has bounded (`tcp_wmem` in tcp(7)).
const DEEP_BYTES: u32 = 4 * 1024 * 1024;

/// An answer is long if so much of it is left when its client first has to be waited for.
const LONG_BYTES: u64 = 2 * DEEP_BYTES as u64;

/// Fewer long answers than this go out faster, and for less, from shallow queues.
const MANY: usize = 4;

/// More queues than this are not deep at once.
const MOST_DEEP: usize = 64;

/// Where the kernel does not say how much memory it has for TCP (a container's may not).
const DEEP_UNTOLD: usize = 4;

/// How many long answers this process is sending.
static LONG: AtomicUsize = AtomicUsize::new(0);

/// How many more of its queues may be deep.
static DEEP_LEFT: AtomicUsize = AtomicUsize::new(0);

/// The queue of one client's socket.
#[derive(Debug, Default)]
pub struct SendQueue(Depth);

#[derive(Debug, Default)]
enum Depth {
    #[default]
    Shallow,
    /// It is shallow, and has a long answer.
    Long(Counted),
    Deep(Counted, Right),
    /// It takes no more until it holds no more than a shallow one.
    Draining(Counted, Right),
}

/// A long answer, counted while it is sent.
#[derive(Debug)]
struct Counted;

/// The right to one deep queue.
#[derive(Debug)]
struct Right;

/// Allows each of so many processes, this one and those that it will fork, its share of as many
/// deep queues as fit into a quarter of the memory beyond which the kernel becomes economical
/// (`tcp_mem` in tcp(7)).
pub fn allow(processes: usize) {
    let text = fs::read_to_string("/proc/sys/net/ipv4/tcp_mem");
    let pages = text.ok().and_then(|text| text.split_whitespace().next()?.parse::<usize>().ok());
    let fit = |pages: usize| pages * rustix::param::page_size() / 4 / DEEP_BYTES as usize;
    let all = pages.map_or(DEEP_UNTOLD, fit).min(MOST_DEEP);
    DEEP_LEFT.store(all / processes.max(1), Relaxed);
}

impl SendQueue {
    /// What it may hold beyond what a shallow one does, in bytes.
    pub fn more_bytes(&self) -> u64 {
        match self.0 {
            Depth::Shallow | Depth::Long(_) => 0,
            Depth::Deep(..) | Depth::Draining(..) => u64::from(DEEP_BYTES - SHALLOW_BYTES),
        }
    }

    /// It is full, and so many bytes of the answer will follow: makes it deep if it may be. Returns
    /// whether it has room now.
    pub fn deepen(&mut self, socket: impl AsFd, rest: u64) -> bool {
        let counted = match mem::take(&mut self.0) {
            Depth::Shallow if rest >= LONG_BYTES => Counted::new(),
            Depth::Long(counted) if rest >= LONG_BYTES => counted,
            other => {
                self.0 = other;
                return false;
            }
        };
        let right = if LONG.load(Relaxed) >= MANY { Right::take() } else { None };
        self.0 = match right {
            Some(right) if notsent_lowat(socket, DEEP_BYTES).is_ok() => Depth::Deep(counted, right),
            _ => Depth::Long(counted),
        };
        matches!(self.0, Depth::Deep(..))
    }

    /// The last of the answer comes: it takes that when it is shallow again.
    pub fn drain(&mut self, socket: impl AsFd) {
        self.0 = match mem::take(&mut self.0) {
            Depth::Deep(counted, right) => {
                // Who is gone takes nothing anyway.
                let _ = notsent_lowat(socket, SHALLOW_BYTES);
                Depth::Draining(counted, right)
            }
            other => other,
        };
    }

    /// It has taken the last of the answer.
    pub fn drained(&mut self) {
        self.0 = Depth::Shallow;
    }
}

impl Counted {
    fn new() -> Counted {
        LONG.fetch_add(1, Relaxed);
        Counted
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        LONG.fetch_sub(1, Relaxed);
    }
}

impl Right {
    fn take() -> Option<Right> {
        let take = |left: usize| left.checked_sub(1);
        DEEP_LEFT.fetch_update(Relaxed, Relaxed, take).ok().map(|_| Right)
    }
}

impl Drop for Right {
    fn drop(&mut self) {
        DEEP_LEFT.fetch_add(1, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{TcpListener, TcpStream};

    /// One test, as the numbers are those of the whole process.
    #[test]
    fn queues_are_deep_if_there_are_many_and_as_far_as_there_is_room() {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let socket = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let deepen = |queue: &mut SendQueue| queue.deepen(&socket, LONG_BYTES);
        allow(0);
        let allowed = DEEP_LEFT.load(Relaxed);
        assert!((1..=MOST_DEEP).contains(&allowed));
        allow(allowed);
        assert_eq!(DEEP_LEFT.load(Relaxed), 1);
        let mut few: Vec<_> = (1..MANY).map(|_| SendQueue::default()).collect();
        assert!(!few.iter_mut().any(deepen) && !few.iter_mut().any(deepen), "they are few");
        let [mut next, mut last] = [SendQueue::default(), SendQueue::default()];
        assert!(!next.deepen(&socket, LONG_BYTES - 1), "that is not long");
        assert!(deepen(&mut next) && !deepen(&mut next), "it is deep by now");
        assert!(next.more_bytes() > 0);
        assert!(!deepen(&mut last) && !deepen(&mut few[0]), "there is room for one");
        assert_eq!(last.more_bytes(), 0);
        next.drain(&socket);
        assert!(!deepen(&mut few[0]), "it is not drained");
        next.drained();
        assert_eq!(next.more_bytes(), 0);
        assert!(deepen(&mut few[0]), "there are as many still");
        few.clear();
        last.drained();
        assert!(!deepen(&mut last), "there is room, but they are few now");
        last.drained();
        assert_eq!((LONG.load(Relaxed), DEEP_LEFT.load(Relaxed)), (0, 1));
    }
}
