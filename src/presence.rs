//! A client's presence, as it is counted: that it came, what it waits for, and how it left.

use zero_core::{Closing, Deadline};

use crate::seats::{Seat, State};
use crate::tally::{Count, Tally};

/// Where a worker counts.
#[derive(Clone, Copy)]
pub struct Post {
    /// What has happened.
    pub tally: Tally,
    /// What is now; none if nobody would look at it.
    pub seat: Option<Seat>,
}

/// A client is there for as long as this is.
pub struct Presence {
    post: Post,
    state: State,
    why: Closing,
}

impl Presence {
    /// A client was accepted.
    pub fn new(post: Post) -> Presence {
        post.tally.count(Count::Connections);
        if let Some(seat) = post.seat {
            seat.enter(State::Reading);
        }
        // That is what it will have been if nobody comes to say why it ends.
        Presence { post, state: State::Reading, why: Closing::Bug }
    }

    /// It has to be waited for, until that deadline.
    pub fn waits(&mut self, deadline: Option<Deadline>) {
        let (Some(seat), Some(deadline)) = (self.post.seat, deadline) else { return };
        let state = deadline.on.into();
        if state != self.state {
            seat.leave(self.state);
            seat.enter(state);
            self.state = state;
        }
    }

    /// It is about to end.
    pub fn ends(&mut self, why: Closing) {
        self.why = why;
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        self.post.tally.closed(self.why);
        if let Some(seat) = self.post.seat {
            seat.leave(self.state);
        }
    }
}
