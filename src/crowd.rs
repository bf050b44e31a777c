//! What the workers of a generation know of each other's clients: numbers in shared memory.
//!
//! Servers that follow each other, when the site is read anew, have a crowd each.

mod addresses;
mod relief;

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering::{Relaxed, SeqCst};

use crate::sys::shared_memory::Shared;
use addresses::Addresses;
pub use relief::Relief;

/// As large as a pool of processes or threads may be.
pub const POOL_WORKERS: usize = 1024;

/// How many clients there may be; none where there may be any number.
#[derive(Clone, Copy, Debug, Default)]
pub struct Bounds {
    /// In all.
    pub clients: Option<usize>,
    /// Of one address.
    pub per_address: Option<usize>,
}

/// Where a client is counted among those of its address.
#[derive(Clone, Copy, Debug)]
pub enum Desk {
    /// At a worker's place in a pool: it has one client.
    Place(usize),
    /// In the table of a server that has many.
    Table(usize),
}

/// The clients of all workers.
pub struct Crowd {
    bounds: Bounds,
    /// What each worker of a pool has: no client, 0; or one, whose address has this number.
    busy: Shared,
    /// How many clients each server has, where that is bounded.
    clients: Option<Shared>,
    /// Whose they are, where that is bounded.
    addresses: Option<Addresses>,
    /// Who can't accept just now.
    pub relief: Relief,
}

/// A client's entry in a table: it is counted for as long as this is kept.
pub struct Entry {
    crowd: Arc<Crowd>,
    table: usize,
    address: u64,
}

/// Its address has as many clients as it may have.
pub struct TooMany;

/// The number of any address, where they are not told apart.
const SOMEBODY: u64 = 1;

impl Crowd {
    /// A crowd of nobody, for this process and the servers that it will fork.
    ///
    /// # Errors
    ///
    /// `EMFILE` or `ENOMEM`.
    pub fn new(bounds: Bounds, servers: usize) -> io::Result<Crowd> {
        Ok(Crowd {
            bounds,
            busy: Shared::new(POOL_WORKERS)?,
            clients: bounds.clients.map(|_| Shared::new(servers)).transpose()?,
            addresses: bounds.per_address.map(|_| Addresses::new(servers)).transpose()?,
            relief: Relief::new(servers)?,
        })
    }

    /// The most clients that there may be in all.
    pub fn most(&self) -> usize {
        self.bounds.clients.unwrap_or(usize::MAX)
    }

    /// A client comes to a desk: it is entered there, unless its address has enough clients.
    ///
    /// It is entered before the others are counted, so that of two who come at once to the last
    /// free place both may be sent away, but never both let in.
    ///
    /// # Errors
    ///
    /// [`TooMany`].
    pub fn enter(self: &Arc<Crowd>, desk: Desk, peer: IpAddr) -> Result<Option<Entry>, TooMany> {
        let Some(addresses) = &self.addresses else {
            if let Desk::Place(place) = desk {
                self.busy[place].store(SOMEBODY, Relaxed);
            }
            return Ok(None);
        };
        let address = addresses.number(peer);
        let (entry, count) = match desk {
            Desk::Place(place) => {
                self.busy[place].store(address, SeqCst);
                let same = self.busy.iter().filter(|other| other.load(SeqCst) == address);
                (None, same.count())
            }
            Desk::Table(table) => {
                let counted = addresses.enter(table, address);
                let entry = counted.then(|| Entry { crowd: self.clone(), table, address });
                (entry, addresses.count(address))
            }
        };
        if self.bounds.per_address.is_none_or(|most| count <= most) {
            return Ok(entry);
        }
        self.leave(desk);
        Err(TooMany)
    }

    /// The client of a desk leaves. One that was entered in a table leaves with its [`Entry`].
    pub fn leave(&self, desk: Desk) {
        if let Desk::Place(place) = desk {
            self.busy[place].store(0, Relaxed);
        }
    }

    /// Whether each of the first `workers` of a pool has a client.
    pub fn is_full(&self, workers: usize) -> bool {
        self.busy[..workers].iter().all(|busy| busy.load(Relaxed) != 0)
    }

    /// Whether a server that has so many clients may have one more; it is counted already then.
    pub fn has_room(&self, server: usize, clients: usize) -> bool {
        let Some(numbers) = &self.clients else { return true };
        numbers[server].store(clients as u64 + 1, SeqCst);
        let all: u64 = numbers.iter().map(|number| number.load(SeqCst)).sum();
        all <= self.most() as u64
    }

    /// A server has so many clients now.
    pub fn note(&self, server: usize, clients: usize) {
        if let Some(numbers) = &self.clients {
            numbers[server].store(clients as u64, SeqCst);
        }
    }

    /// A server is about to be started again: its clients are gone with the process that had them.
    pub fn forget(&self, server: usize) {
        self.busy.iter().for_each(|busy| busy.store(0, Relaxed));
        self.note(server, 0);
        self.relief.note(server, false);
        if let Some(addresses) = &self.addresses {
            addresses.forget(server);
        }
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        if let Some(addresses) = &self.crowd.addresses {
            addresses.leave(self.table, self.address);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(last: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, last])
    }

    fn crowd(clients: usize, per_address: usize) -> Arc<Crowd> {
        let bounds = Bounds { clients: Some(clients), per_address: Some(per_address) };
        Arc::new(Crowd::new(bounds, 2).unwrap())
    }

    #[test]
    fn an_address_has_its_share_of_a_pool() {
        let crowd = crowd(8, 2);
        assert!(crowd.enter(Desk::Place(0), peer(1)).is_ok());
        assert!(crowd.enter(Desk::Place(1), peer(1)).is_ok());
        assert!(crowd.enter(Desk::Place(2), peer(1)).is_err());
        assert!(crowd.enter(Desk::Place(2), peer(2)).is_ok());
        crowd.leave(Desk::Place(1));
        assert!(crowd.enter(Desk::Place(3), peer(1)).is_ok());
        assert!(!crowd.is_full(4));
        assert!(crowd.enter(Desk::Place(1), peer(3)).is_ok());
        assert!(crowd.is_full(4));
    }

    #[test]
    fn an_address_has_its_share_of_all_tables() {
        let crowd = crowd(8, 2);
        let first = crowd.enter(Desk::Table(0), peer(1)).ok().unwrap().unwrap();
        let _second = crowd.enter(Desk::Table(1), peer(1)).ok().unwrap();
        assert!(crowd.enter(Desk::Table(0), peer(1)).is_err());
        assert!(crowd.enter(Desk::Table(0), peer(2)).is_ok());
        drop(first);
        let again = crowd.enter(Desk::Table(1), peer(1)).ok().unwrap();
        assert!(crowd.enter(Desk::Table(0), peer(1)).is_err());
        // The process of the second table dies, and leaves nobody.
        std::mem::forget(again);
        crowd.forget(1);
        assert!(crowd.enter(Desk::Table(0), peer(1)).is_ok());
    }

    #[test]
    fn the_clients_of_all_servers_are_bounded_together() {
        let crowd = crowd(3, 9);
        assert!(crowd.has_room(0, 0) && crowd.has_room(0, 1) && crowd.has_room(1, 0));
        assert!(!crowd.has_room(1, 1));
        crowd.note(1, 1);
        crowd.forget(0);
        assert!(crowd.has_room(1, 1) && crowd.has_room(1, 2));
        assert!(!crowd.has_room(0, 0));
    }
}
