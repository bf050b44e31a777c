//! The number of clients by address: a hash table for each server, in shared memory.
//!
//! A slot is one number: the hash of an address in the upper bits, the count of its clients in the
//! lower bits. The hash selects a few slots, and the address has one of them until its count is
//! zero. Addresses with the same hash share a limit. The hash has a secret key, so that an attacker
//! can't choose addresses with the same hash.

use std::hash::{BuildHasher, RandomState};
use std::io;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

use zerohttpd_sys::shared_memory::Shared;

/// The slots of all tables together: more than a process can have descriptors.
const SLOTS: usize = 64 * 1024;

/// The fewest slots of one table.
const MIN_SLOTS: usize = 4096;

/// An address can use this many slots, beginning with the one that its hash selects. If other
/// addresses have all these slots, its clients are not counted.
const WINDOW: usize = 16;

/// The bits of a slot that hold the count. The other bits hold the hash.
const COUNT_BITS: u32 = 24;

/// The hash tables.
pub struct Addresses {
    slots: Shared,
    slots_per_table: usize,
    key: RandomState,
}

impl Addresses {
    /// Empty tables.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub fn new(tables: usize) -> io::Result<Addresses> {
        let slots_per_table = (SLOTS / tables.max(1)).next_power_of_two().max(MIN_SLOTS);
        Ok(Addresses {
            slots: Shared::new(tables * slots_per_table)?,
            slots_per_table,
            key: RandomState::new(),
        })
    }

    /// The number that stands for an address: a hash, never 0. All addresses of an IPv6 network
    /// with a prefix of 64 bits have the same number, because a single host can use all of them.
    pub fn number(&self, peer: IpAddr) -> u64 {
        let hash = match peer {
            IpAddr::V4(peer) => self.key.hash_one(peer.octets()),
            IpAddr::V6(peer) => self.key.hash_one(&peer.octets()[..8]),
        };
        (hash >> COUNT_BITS).max(1)
    }

    /// Adds a client of an address to a table. Returns false if there is no slot for the address.
    pub fn enter(&self, table: usize, address: u64) -> bool {
        let window = || self.window(table, address);
        let known = window().any(|slot| change(slot, address, |count| count + 1));
        known || window().any(|slot| claim(slot, address))
    }

    /// Removes a client of an address from a table.
    pub fn leave(&self, table: usize, address: u64) {
        let _ = self.window(table, address).any(|slot| change(slot, address, |count| count - 1));
    }

    /// The number of clients of an address, in all tables.
    pub fn count(&self, address: u64) -> usize {
        let tables = self.slots.len() / self.slots_per_table;
        let slots = (0..tables).flat_map(|table| self.window(table, address));
        slots.map(|slot| count_of(slot.load(SeqCst), address).unwrap_or(0) as usize).sum()
    }

    /// Empties a table.
    pub fn forget(&self, table: usize) {
        let first = table * self.slots_per_table;
        self.slots[first..first + self.slots_per_table]
            .iter()
            .for_each(|slot| slot.store(0, SeqCst));
    }

    /// The slots of a table that an address can use.
    fn window(&self, table: usize, address: u64) -> impl Iterator<Item = &AtomicU64> {
        let first = table * self.slots_per_table;
        (0..WINDOW as u64).map(move |step| {
            &self.slots[first + (address.wrapping_add(step) as usize) % self.slots_per_table]
        })
    }
}

/// The count in a slot, if the address has that slot.
fn count_of(slot: u64, address: u64) -> Option<u64> {
    (slot >> COUNT_BITS == address).then_some(slot & ((1 << COUNT_BITS) - 1))
}

/// Changes the count in a slot, if the address has that slot. Returns whether it has.
fn change(slot: &AtomicU64, address: u64, new: impl Fn(u64) -> u64) -> bool {
    slot.fetch_update(SeqCst, SeqCst, |old| match new(count_of(old, address)?) {
        0 => Some(0),
        count => Some(address << COUNT_BITS | count),
    })
    .is_ok()
}

/// Takes a slot for the first client of an address, if the slot is free. Returns whether it was.
fn claim(slot: &AtomicU64, address: u64) -> bool {
    slot.compare_exchange(0, address << COUNT_BITS | 1, SeqCst, SeqCst).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_counted_and_forgotten() {
        let addresses = Addresses::new(2).unwrap();
        let [ada, bob] = ["192.0.2.1", "192.0.2.2"]
            .map(|text| addresses.number(text.parse::<IpAddr>().unwrap()));
        assert!(addresses.enter(0, ada) && addresses.enter(1, ada) && addresses.enter(1, bob));
        assert_eq!((addresses.count(ada), addresses.count(bob)), (2, 1));
        addresses.leave(0, ada);
        addresses.leave(0, ada);
        assert_eq!(addresses.count(ada), 1, "a client that is not in a table can't leave it");
        addresses.forget(1);
        assert_eq!((addresses.count(ada), addresses.count(bob)), (0, 0));
        assert!(addresses.slots.iter().all(|slot| slot.load(SeqCst) == 0));
    }

    #[test]
    fn an_ipv6_network_of_64_bits_counts_as_one_address() {
        let addresses = Addresses::new(1).unwrap();
        let number = |text: &str| addresses.number(text.parse().unwrap());
        assert_eq!(number("2001:db8::1"), number("2001:db8::ffff:2"));
        assert_ne!(number("2001:db8::1"), number("2001:db8:0:1::1"));
        assert_ne!(number("192.0.2.1"), number("192.0.2.2"));
    }

    #[test]
    fn an_address_without_a_free_slot_is_not_counted() {
        let addresses = Addresses::new(1).unwrap();
        let size = addresses.slots_per_table as u64;
        assert!((1..=WINDOW as u64).all(|lap| addresses.enter(0, 5 + lap * size)));
        assert!(!addresses.enter(0, 5));
        assert_eq!(addresses.count(5), 0);
        addresses.leave(0, 5 + 3 * size);
        assert!(addresses.enter(0, 5));
    }
}
