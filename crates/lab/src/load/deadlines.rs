//! The deadlines of requests. A client has at most one entry. If the client has had its answer and
//! has sent another request when the entry comes up, the entry is replaced by one for that request.
//! So a request that is answered in time costs nothing here.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// The clients to check, by time.
#[derive(Default)]
pub struct Deadlines(BinaryHeap<Reverse<(u64, u32)>>);

impl Deadlines {
    /// Adds an entry for a client.
    pub fn push(&mut self, at_ns: u64, client: u32) {
        self.0.push(Reverse((at_ns, client)));
    }

    /// Removes the next client whose time has come.
    pub fn pop(&mut self, now_ns: u64) -> Option<u32> {
        let entry = self.0.peek().filter(|Reverse((at_ns, _))| *at_ns <= now_ns);
        entry?;
        self.0.pop().map(|Reverse((_, client))| client)
    }

    /// The time of the next entry.
    pub fn next_ns(&self) -> Option<u64> {
        self.0.peek().map(|Reverse((at_ns, _))| *at_ns)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_come_up_in_the_order_of_their_deadlines_and_not_before() {
        let mut deadlines = Deadlines::default();
        for (at_ns, client) in [(30, 1), (10, 2), (20, 3)] {
            deadlines.push(at_ns, client);
        }
        assert_eq!(deadlines.next_ns(), Some(10));
        assert_eq!(deadlines.pop(9), None);
        assert_eq!(
            (deadlines.pop(20), deadlines.pop(20), deadlines.pop(20)),
            (Some(2), Some(3), None)
        );
        assert_eq!((deadlines.pop(30), deadlines.next_ns()), (Some(1), None));
    }
}
