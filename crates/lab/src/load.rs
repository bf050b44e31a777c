//! Puts load on a server: many clients that send the same request, what they observe, a verdict.
//!
//! ```text
//!   run ──► a LoadWorker in each thread ──► its LoadClients, one epoll loop over all of them
//!    │        │
//!    │        └──► ThreadCounts: latencies, failures by kind  ──┐
//!    └──► Observer: what the server and the machine used      ──┴──► LoadOutcome, with its verdict
//! ```
//!
//! First the clients connect and make a request each. When all have had an answer, the measurement
//! begins. In a *closed* loop a client sends its next request when it has its answer, so while the
//! server stalls, no further requests are sent that would measure the stall. In an *open* loop
//! requests are due at fixed times, and latency counts from these.

pub mod command;
pub mod idle;
pub mod latency;
pub mod outcome;
pub mod plan;
pub mod target;

mod alarm;
mod barrier;
mod chunks;
mod client;
mod counts;
mod deadlines;
mod evaluation;
mod exchange;
mod live;
mod malformed;
mod meter;
mod observer;
mod open_loop;
mod ramp;
mod response;
mod run;
mod schedule;
mod share;
mod socket;
mod summary;
mod timeline;
mod worker;
