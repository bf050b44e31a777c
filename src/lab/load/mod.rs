//! A load on a server: many clients that ask for one thing, and an account of what came of it that
//! can be believed.
//!
//! ```text
//!   run ──► a Worker a thread ──► its Clients, one epoll loop over all of them
//!    │        │
//!    │        └──► Tally: latencies, failures by kind      ──┐
//!    └──► Witness: what the server and the machine used    ──┴──► Outcome, with its verdict
//! ```
//!
//! First the clients are let in; when all have had an answer, what counts begins. In a *closed*
//! loop a client asks again when it has its answer, so whatever holds the server up holds up those
//! who would have noticed. In an *open* loop requests are due at fixed times, and latency counts
//! from there.

pub mod cli;

mod chunks;
mod client;
mod exchange;
mod failure;
mod gate;
mod idle;
mod live;
mod meter;
mod outcome;
mod plan;
mod pulse;
mod ramp;
mod response;
mod run;
mod schedule;
mod socket;
mod summary;
mod tally;
mod target;
mod verdict;
mod witness;
mod worker;
