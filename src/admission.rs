//! Limits on the number of clients, in all and by address, in shared memory.
//!
//! All servers and workers of a generation share one [`Admission`]. The next generation has its
//! own.
//!
//! ```text
//!   reserve   before accept(2), if there is room for one more client
//!     admit   after accept(2), if the client's address is within its limit
//!       Permit, as long as the client is connected
//! ```

mod addresses;
mod overload;

use std::io;
use std::net::IpAddr;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::{Relaxed, SeqCst};
use std::time::Duration;

use zerohttpd_sys::futex;
use zerohttpd_sys::shared_memory::Shared;

use addresses::Addresses;
pub use overload::Overload;

/// The maximum number of workers of a server: processes or threads of a pool, or loops.
pub const MAX_WORKERS: usize = 1024;

/// How many numbers of 64 bits fill a cache line.
const CACHE_LINE: usize = 8;

/// How many clients can be connected at a time. `None` means no limit.
#[derive(Clone, Copy, Debug, Default)]
pub struct ClientLimits {
    /// In all.
    pub clients: Option<usize>,
    /// From one address.
    pub per_address: Option<usize>,
}

/// The worker or server for which a client is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slot {
    /// A worker of a pool, which has one client at a time.
    Pool(u32),
    /// A server, which has many clients.
    Server(u32),
}

/// Counts the clients of a generation, and limits them.
pub struct Admission {
    limits: ClientLimits,
    /// For each worker of a pool, the hash of its client's address; 0 for no client.
    busy: Shared,
    /// For each server, a cache line with two numbers: how many clients it has, and 1 while it
    /// waits for room.
    servers: Shared,
    /// The number of clients by address; `None` if that number is not limited.
    addresses: Option<Addresses>,
    /// The servers that can't accept.
    pub overload: Overload,
}

/// Room for one client, reserved before the client is accepted.
#[must_use]
pub struct Reservation<'a> {
    admission: &'a Admission,
    slot: Slot,
}

/// The admission of one client. Dropping it makes room for another.
pub struct Permit<'a> {
    admission: &'a Admission,
    slot: Slot,
    /// The hash of the client's address if [`Addresses`] counts this client; otherwise 0.
    address: u64,
}

/// The client's address has reached its limit.
pub struct TooMany;

/// In [`Admission::busy`], marks a worker that has a client while addresses are not counted.
const ANY_ADDRESS: u64 = 1;

impl Admission {
    /// An admission without clients, for `servers` servers. This process forks them later.
    ///
    /// # Errors
    ///
    /// `EMFILE` or `ENOMEM`.
    pub fn new(limits: ClientLimits, servers: usize) -> io::Result<Admission> {
        Ok(Admission {
            limits,
            busy: Shared::new(MAX_WORKERS)?,
            servers: Shared::new(servers * CACHE_LINE)?,
            addresses: limits.per_address.map(|_| Addresses::new(servers)).transpose()?,
            overload: Overload::new(servers)?,
        })
    }

    /// Reserves room for one more client. `None` if the server has `limit` clients already, or if
    /// all servers together have reached their limit.
    ///
    /// A server counts the new client before it adds up the clients of all servers. Two servers
    /// that try to reserve room for the last client at the same time can both fail, but can't both
    /// succeed.
    pub fn reserve(&self, slot: Slot, limit: usize) -> Option<Reservation<'_>> {
        if let Slot::Server(server) = slot {
            let own = self.count_of(server).fetch_add(1, SeqCst) as usize;
            let reservation = Reservation { admission: self, slot };
            let has_room = || self.limits.clients.is_none_or(|limit| self.clients() <= limit);
            return (own < limit && has_room()).then_some(reservation);
        }
        Some(Reservation { admission: self, slot })
    }

    /// How many clients and reservations a server has.
    pub fn clients_of(&self, server: u32) -> usize {
        self.count_of(server).load(Relaxed) as usize
    }

    /// Sleeps until the server has fewer than `limit` clients, but no longer than `timeout`.
    pub fn wait_for_room(&self, slot: Slot, limit: usize, timeout: Duration) {
        let Slot::Server(server) = slot else { return };
        let limit = limit.min(self.limits.clients.unwrap_or(limit)) as u64;
        self.waiting_flag(server).store(1, SeqCst);
        // The flag is set before the count is read. A client that leaves before the count is read
        // is not counted; a client that leaves later finds the flag and wakes this process.
        if self.count_of(server).load(SeqCst) >= limit {
            futex::wait(self.waiting_flag(server), 1, timeout);
        }
    }

    /// Whether each of the first `workers` of a pool has a client.
    pub fn is_pool_full(&self, workers: usize) -> bool {
        self.busy[..workers].iter().all(|busy| busy.load(Relaxed) != 0)
    }

    /// Removes the client of a pool's worker: the client has left, or the worker has died.
    pub fn vacate(&self, worker: usize) {
        self.busy[worker].store(0, Relaxed);
    }

    /// Removes all clients of a server, which has ended and is about to be started again.
    pub fn forget(&self, server: usize) {
        // A pool has only one server, so all of `busy` belongs to it.
        self.busy.iter().for_each(|busy| busy.store(0, Relaxed));
        self.count_of(server as u32).store(0, SeqCst);
        self.overload.note(server, false);
        if let Some(addresses) = &self.addresses {
            addresses.forget(server);
        }
    }

    /// How many clients and reservations all servers have.
    fn clients(&self) -> usize {
        let counts = self.servers.iter().step_by(CACHE_LINE);
        counts.map(|count| count.load(SeqCst) as usize).sum()
    }

    fn count_of(&self, server: u32) -> &AtomicU64 {
        &self.servers[server as usize * CACHE_LINE]
    }

    fn waiting_flag(&self, server: u32) -> &AtomicU64 {
        &self.servers[server as usize * CACHE_LINE + 1]
    }

    /// Removes one client or reservation of a server.
    fn release(&self, server: u32) {
        self.count_of(server).fetch_sub(1, SeqCst);
        let waiting = self.waiting_flag(server);
        if waiting.load(SeqCst) != 0 && waiting.swap(0, SeqCst) != 0 {
            futex::wake_one(waiting);
        }
    }
}

impl<'a> Reservation<'a> {
    /// Admits the client that was accepted, which has the address `peer`.
    ///
    /// The client is counted before the clients of its address are added up. Of two clients that
    /// come at the same time while one more is allowed, both can be refused, but not both admitted.
    ///
    /// # Errors
    ///
    /// [`TooMany`] if the address has reached its limit.
    pub fn admit(self, peer: IpAddr) -> Result<Permit<'a>, TooMany> {
        let (admission, slot) = (self.admission, self.slot);
        // From here on, dropping the permit releases the room.
        std::mem::forget(self);
        let mut permit = Permit { admission, slot, address: 0 };
        let Some(addresses) = &admission.addresses else {
            if let Slot::Pool(worker) = slot {
                admission.busy[worker as usize].store(ANY_ADDRESS, Relaxed);
            }
            return Ok(permit);
        };
        let address = addresses.number(peer);
        let count = match slot {
            Slot::Pool(worker) => {
                admission.busy[worker as usize].store(address, SeqCst);
                admission.busy.iter().filter(|other| other.load(SeqCst) == address).count()
            }
            Slot::Server(server) => {
                if addresses.enter(server as usize, address) {
                    permit.address = address;
                }
                addresses.count(address)
            }
        };
        match admission.limits.per_address.is_none_or(|limit| count <= limit) {
            true => Ok(permit),
            false => Err(TooMany),
        }
    }
}

impl Drop for Reservation<'_> {
    fn drop(&mut self) {
        if let Slot::Server(server) = self.slot {
            self.admission.release(server);
        }
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        match (self.slot, &self.admission.addresses) {
            (Slot::Pool(worker), _) => self.admission.vacate(worker as usize),
            (Slot::Server(server), addresses) => {
                if let Some(addresses) = addresses
                    && self.address != 0
                {
                    addresses.leave(server as usize, self.address);
                }
                self.admission.release(server);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const UNLIMITED: usize = usize::MAX;

    fn peer(last: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, last])
    }

    fn admission(clients: usize, per_address: usize) -> Admission {
        let limits = ClientLimits { clients: Some(clients), per_address: Some(per_address) };
        Admission::new(limits, 2).unwrap()
    }

    fn enter(admission: &Admission, slot: Slot, last: u8) -> Option<Permit<'_>> {
        admission.reserve(slot, UNLIMITED)?.admit(peer(last)).ok()
    }

    #[test]
    fn an_address_is_limited_in_a_pool() {
        let admission = admission(8, 2);
        let _first = enter(&admission, Slot::Pool(0), 1).unwrap();
        let second = enter(&admission, Slot::Pool(1), 1).unwrap();
        assert!(enter(&admission, Slot::Pool(2), 1).is_none());
        let _other = enter(&admission, Slot::Pool(2), 2).unwrap();
        drop(second);
        let _again = enter(&admission, Slot::Pool(3), 1).unwrap();
        assert!(!admission.is_pool_full(4));
        let _last = enter(&admission, Slot::Pool(1), 3).unwrap();
        assert!(admission.is_pool_full(4));
        admission.vacate(3);
        assert!(!admission.is_pool_full(4));
    }

    #[test]
    fn an_address_is_limited_over_all_servers() {
        let admission = admission(8, 2);
        let first = enter(&admission, Slot::Server(0), 1).unwrap();
        let _second = enter(&admission, Slot::Server(1), 1).unwrap();
        assert!(enter(&admission, Slot::Server(0), 1).is_none());
        let _other = enter(&admission, Slot::Server(0), 2).unwrap();
        drop(first);
        let again = enter(&admission, Slot::Server(1), 1).unwrap();
        assert!(enter(&admission, Slot::Server(0), 1).is_none());
        // The process of the second server dies, and its clients are gone.
        std::mem::forget(again);
        admission.forget(1);
        assert!(enter(&admission, Slot::Server(0), 1).is_some());
    }

    #[test]
    fn the_clients_of_all_servers_are_limited_together() {
        let admission = admission(3, 9);
        let (first, second) = (Slot::Server(0), Slot::Server(1));
        let _kept = [enter(&admission, first, 1).unwrap(), enter(&admission, first, 2).unwrap()];
        let reservation = admission.reserve(second, UNLIMITED).unwrap();
        assert!(admission.reserve(first, UNLIMITED).is_none());
        assert!(admission.reserve(second, UNLIMITED).is_none());
        assert_eq!((admission.clients_of(0), admission.clients_of(1)), (2, 1));
        drop(reservation);
        assert!(admission.reserve(second, UNLIMITED).is_some(), "the reservation was dropped");
    }

    #[test]
    fn a_server_has_its_own_limit_and_wakes_up_when_a_client_leaves() {
        let admission = Admission::new(ClientLimits::default(), 1).unwrap();
        let slot = Slot::Server(0);
        let permit = enter(&admission, slot, 1).unwrap();
        assert!(admission.reserve(slot, 1).is_none());
        std::thread::scope(|scope| {
            scope.spawn(|| drop(permit));
            while admission.reserve(slot, 1).is_none() {
                admission.wait_for_room(slot, 1, Duration::from_secs(60));
            }
        });
    }
}
