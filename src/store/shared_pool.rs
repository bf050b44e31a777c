//! Connections to the store that the children of one process share.
//!
//! A child needs a permit to use a connection: one of a few slots in shared memory, in which it
//! writes its process id. If the child is killed, the kernel closes its connection, even in the
//! middle of a query, and its parent frees the slot. A permit is therefore never lost.
//!
//! Idle connections wait in a queue: each is a message in a socket pair (`SCM_RIGHTS` in unix(7)).
//! The queue is only a cache: a connection that is lost with a child costs another connect(2).

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::{
    self, AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketFlags, SocketType,
};
use rustix::process::{Pid, getpid};
use zerohttpd_core::store::StoreDown;
use zerohttpd_sys::futex;
use zerohttpd_sys::shared_memory::Shared;

use crate::clock;
use crate::store::blocking::ConnectionSource;
use crate::store::blocking_connection::BlockingConnection;

/// The number of permits. With more connections, queries would only queue in the store.
const PERMITS: usize = 16;

/// A child that waits for a permit checks again this often. A process that frees a permit wakes the
/// child, unless the process is killed first.
const TICK: Duration = Duration::from_millis(100);

/// The pool, for the parent and its children.
pub struct SharedPool {
    /// The process id of each permit's owner; 0 while the permit is free.
    slots: Shared,
    /// See [`SharedPool::wait_flag`].
    flag: Shared,
    /// The end of the socket pair to which idle connections are sent.
    queue_in: OwnedFd,
    /// The end from which idle connections are received.
    queue_out: OwnedFd,
}

/// The pool as one child uses it.
pub struct Member<'a> {
    pool: &'a SharedPool,
    pid: u64,
    /// The index of the permit that the child has.
    slot: Option<usize>,
}

impl SharedPool {
    /// A pool with all permits free and without connections.
    ///
    /// # Errors
    ///
    /// Those of socketpair(2) and mmap(2).
    pub fn new() -> io::Result<SharedPool> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let (queue_in, queue_out) =
            net::socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)?;
        let (slots, flag) = (Shared::new(PERMITS)?, Shared::new(1)?);
        Ok(SharedPool { slots, flag, queue_in, queue_out })
    }

    /// The pool for the calling process.
    pub fn member(&self) -> Member<'_> {
        Member { pool: self, pid: pid_number(getpid()), slot: None }
    }

    /// Frees the permit of a child that has ended. The parent calls this before it forks again, so
    /// no other child can have the same process id yet.
    pub fn reclaim(&self, child: Pid) {
        let child = pid_number(child);
        for slot in 0..PERMITS {
            if self.slots[slot].load(SeqCst) == child {
                self.free(slot);
            }
        }
    }

    /// Claims a free permit, if there is one. Returns its index.
    fn claim(&self, pid: u64) -> Option<usize> {
        let claim = |slot: &AtomicU64| slot.compare_exchange(0, pid, SeqCst, SeqCst).is_ok();
        self.slots.iter().position(claim)
    }

    /// Claims a permit, and waits for one until `until_ms`.
    fn claim_until(&self, pid: u64, until_ms: u64) -> Option<usize> {
        if let Some(slot) = self.claim(pid) {
            return Some(slot);
        }
        loop {
            // The flag is set before the claim. So the claim finds a permit that was freed without
            // a wake-up before the flag was set.
            self.wait_flag().store(1, SeqCst);
            if let Some(slot) = self.claim(pid) {
                // The flag stays set, because other children can be waiting. Of two permits that
                // were freed at once, only the first woke a child, so this child wakes another.
                futex::wake_one(self.wait_flag());
                return Some(slot);
            }
            let left_ms = until_ms.saturating_sub(clock::now().ms);
            if left_ms == 0 {
                return None;
            }
            futex::wait(self.wait_flag(), 1, TICK.min(Duration::from_millis(left_ms)));
        }
    }

    fn free(&self, slot: usize) {
        self.slots[slot].store(0, SeqCst);
        if self.wait_flag().load(SeqCst) != 0 && self.wait_flag().swap(0, SeqCst) != 0 {
            futex::wake_one(self.wait_flag());
        }
    }

    /// The futex on which children wait for a permit: 1 if a child can be waiting.
    fn wait_flag(&self) -> &AtomicU64 {
        &self.flag[0]
    }

    /// Puts an idle connection into the queue. If the queue has no room, the connection is closed.
    fn put(&self, connection: &BlockingConnection) {
        let descriptors = [connection.socket().as_fd()];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut ancillary = SendAncillaryBuffer::new(&mut space);
        ancillary.push(SendAncillaryMessage::ScmRights(&descriptors));
        let epoch = connection.epoch.to_ne_bytes();
        let epoch = [IoSlice::new(&epoch)];
        let _ = net::sendmsg(&self.queue_in, &epoch, &mut ancillary, SendFlags::NOSIGNAL);
    }

    /// Takes an idle connection of this epoch from the queue. Connections of other epochs are
    /// closed, because they have probably failed.
    fn take_idle(&self, epoch: u64) -> Result<Option<BlockingConnection>, Errno> {
        loop {
            let mut opened_in = [0; size_of::<u64>()];
            let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
            let mut ancillary = RecvAncillaryBuffer::new(&mut space);
            let mut message = [IoSliceMut::new(&mut opened_in)];
            let flags = RecvFlags::CMSG_CLOEXEC;
            match net::recvmsg(&self.queue_out, &mut message, &mut ancillary, flags) {
                Ok(_) => {}
                Err(Errno::AGAIN) => return Ok(None),
                Err(Errno::INTR) => continue,
                Err(errno) => return Err(errno),
            }
            // If this process can't have another descriptor, the connection is lost (unix(7)).
            let socket = ancillary.drain().find_map(|message| match message {
                RecvAncillaryMessage::ScmRights(mut descriptors) => descriptors.next(),
                _ => None,
            });
            if u64::from_ne_bytes(opened_in) == epoch
                && let Some(socket) = socket
            {
                return Ok(Some(BlockingConnection::from_socket(socket, epoch)));
            }
        }
    }
}

impl ConnectionSource for Member<'_> {
    fn take(&mut self, epoch: u64, until_ms: u64) -> Result<Option<BlockingConnection>, StoreDown> {
        let slot = self.slot.or_else(|| self.pool.claim_until(self.pid, until_ms));
        self.slot = Some(slot.ok_or(StoreDown::TimedOut)?);
        // A connection is opened only with a permit, so there are no more connections than permits.
        self.pool.take_idle(epoch).map_err(|_| {
            self.give_back(None);
            StoreDown::Unreachable
        })
    }

    fn give_back(&mut self, connection: Option<BlockingConnection>) {
        // In this order, the next owner of the permit finds the connection.
        connection.iter().for_each(|connection| self.pool.put(connection));
        if let Some(slot) = self.slot.take() {
            self.pool.free(slot);
        }
    }
}

fn pid_number(pid: Pid) -> u64 {
    u64::from(pid.as_raw_nonzero().get().unsigned_abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn takes_permit(member: &mut Member<'_>) -> bool {
        match member.take(0, 0) {
            Ok(connection) => connection.is_none(),
            Err(why) => panic!("{why:?}"),
        }
    }

    #[test]
    fn a_permit_has_one_owner_and_is_free_again_once_its_owner_has_ended() {
        let pool = SharedPool::new().unwrap();
        let mut members: Vec<_> = (0..PERMITS).map(|_| pool.member()).collect();
        assert!(members.iter_mut().all(takes_permit));
        let mut late = pool.member();
        assert!(matches!(late.take(0, 0), Err(StoreDown::TimedOut)));
        members[3].give_back(None);
        assert!(takes_permit(&mut late));
        // All permits have this process as their owner.
        pool.reclaim(getpid());
        assert!((0..PERMITS).all(|_| takes_permit(&mut pool.member())));
        assert!(matches!(pool.member().take(0, 0), Err(StoreDown::TimedOut)));
    }

    #[test]
    fn a_child_that_waits_gets_the_next_permit_that_is_free() {
        let pool = SharedPool::new().unwrap();
        let mut members: Vec<_> = (0..PERMITS).map(|_| pool.member()).collect();
        assert!(members.iter_mut().all(takes_permit));
        let until_ms = clock::now().ms + 60_000;
        std::thread::scope(|scope| {
            let waiting: Vec<_> = (0..3)
                .map(|_| {
                    scope.spawn(|| {
                        let mut late = pool.member();
                        late.take(0, until_ms).unwrap();
                        late.give_back(None);
                    })
                })
                .collect();
            members[7].give_back(None);
            waiting.into_iter().for_each(|late| late.join().unwrap());
        });
    }

    #[test]
    fn the_next_owner_gets_an_idle_connection_unless_it_is_of_another_epoch() {
        let pool = SharedPool::new().unwrap();
        let pair = || {
            let flags = SocketFlags::CLOEXEC;
            net::socketpair(AddressFamily::UNIX, SocketType::STREAM, flags, None).unwrap()
        };
        let (near, far) = pair();
        let mut member = pool.member();
        assert!(takes_permit(&mut member));
        member.give_back(Some(BlockingConnection::from_socket(near, 0)));
        let connection = pool.member().take(0, 0).unwrap().unwrap();
        assert!(connection.is_usable());
        member.give_back(Some(connection));
        let (near, _far) = pair();
        member.give_back(Some(BlockingConnection::from_socket(near, 1)));
        assert!(member.take(1, 0).unwrap().is_some_and(|connection| connection.is_usable()));
        assert!(rustix::io::write(&far, b"!").is_err(), "its other end is closed");
        assert!(pool.member().take(1, 0).unwrap().is_none());
    }
}
