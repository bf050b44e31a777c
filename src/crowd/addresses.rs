//! How many clients each address has: a table for each server, in shared memory.
//!
//! An entry is one number, a hash of the address above a count. It stands in one of a few slots
//! that the hash selects, and is free again when its count comes to nothing. Two addresses whose
//! hashes are the same share their bound; the hash has a secret key, so that nobody can arrange
//! that.

use std::hash::{BuildHasher, RandomState};
use std::io;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

use crate::sys::shared_memory::Shared;

/// Slots of all tables together, and the least of one: twice as many as a process has descriptors
/// here.
const SLOTS: usize = 64 * 1024;
const LEAST_SLOTS: usize = 4096;

/// An address is looked for in so many slots. One that finds all of them taken is not counted.
const WINDOW: usize = 16;

/// Bits of the count; the rest are the hash's.
const COUNT_BITS: u32 = 24;

/// The tables.
pub struct Addresses {
    slots: Shared,
    of_table: usize,
    key: RandomState,
}

impl Addresses {
    /// So many tables, all empty.
    pub fn new(tables: usize) -> io::Result<Addresses> {
        let of_table = (SLOTS / tables.max(1)).next_power_of_two().max(LEAST_SLOTS);
        Ok(Addresses { slots: Shared::new(tables * of_table)?, of_table, key: RandomState::new() })
    }

    /// The number of an address, never 0. Those of an IPv6 network of 64 bits have one in common,
    /// as whoever has one of them has them all.
    pub fn number(&self, peer: IpAddr) -> u64 {
        let hash = match peer {
            IpAddr::V4(peer) => self.key.hash_one(peer.octets()),
            IpAddr::V6(peer) => self.key.hash_one(&peer.octets()[..8]),
        };
        (hash >> COUNT_BITS).max(1)
    }

    /// Counts one more client of an address in a table; false if there is no slot for it.
    pub fn enter(&self, table: usize, address: u64) -> bool {
        let window = || self.window(table, address);
        let known = window().any(|slot| change(slot, address, |count| count + 1));
        known || window().any(|slot| claim(slot, address))
    }

    /// Counts one less.
    pub fn leave(&self, table: usize, address: u64) {
        let _ = self.window(table, address).any(|slot| change(slot, address, |count| count - 1));
    }

    /// The clients of an address in all tables.
    pub fn count(&self, address: u64) -> usize {
        let tables = self.slots.len() / self.of_table;
        let slots = (0..tables).flat_map(|table| self.window(table, address));
        slots.map(|slot| count_of(slot.load(SeqCst), address).unwrap_or(0) as usize).sum()
    }

    /// Empties a table.
    pub fn forget(&self, table: usize) {
        let first = table * self.of_table;
        self.slots[first..first + self.of_table].iter().for_each(|slot| slot.store(0, SeqCst));
    }

    fn window(&self, table: usize, address: u64) -> impl Iterator<Item = &AtomicU64> {
        let first = table * self.of_table;
        (0..WINDOW as u64).map(move |step| {
            &self.slots[first + (address.wrapping_add(step) as usize) % self.of_table]
        })
    }
}

/// The count in a slot, if it is that address' slot.
fn count_of(slot: u64, address: u64) -> Option<u64> {
    (slot >> COUNT_BITS == address).then_some(slot & ((1 << COUNT_BITS) - 1))
}

/// Changes the count in a slot, if it is that address'.
fn change(slot: &AtomicU64, address: u64, new: impl Fn(u64) -> u64) -> bool {
    slot.fetch_update(SeqCst, SeqCst, |old| match new(count_of(old, address)?) {
        0 => Some(0),
        count => Some(address << COUNT_BITS | count),
    })
    .is_ok()
}

/// Takes a slot for a first client, if it is free.
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
        assert_eq!(addresses.count(ada), 1, "who is not in a table can't leave it");
        addresses.forget(1);
        assert_eq!((addresses.count(ada), addresses.count(bob)), (0, 0));
        assert!(addresses.slots.iter().all(|slot| slot.load(SeqCst) == 0));
    }

    #[test]
    fn a_network_of_64_bits_counts_as_one() {
        let addresses = Addresses::new(1).unwrap();
        let number = |text: &str| addresses.number(text.parse().unwrap());
        assert_eq!(number("2001:db8::1"), number("2001:db8::ffff:2"));
        assert_ne!(number("2001:db8::1"), number("2001:db8:0:1::1"));
        assert_ne!(number("192.0.2.1"), number("192.0.2.2"));
    }

    #[test]
    fn where_all_slots_are_taken_one_is_not_counted() {
        let addresses = Addresses::new(1).unwrap();
        let size = addresses.of_table as u64;
        assert!((1..=WINDOW as u64).all(|lap| addresses.enter(0, 5 + lap * size)));
        assert!(!addresses.enter(0, 5));
        assert_eq!(addresses.count(5), 0);
        addresses.leave(0, 5 + 3 * size);
        assert!(addresses.enter(0, 5));
    }
}
