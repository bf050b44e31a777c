//! What the load generator finds out about itself and the server: the kinds of its findings.

use serde::{Deserialize, Serialize};

/// A diagnosis.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Diagnosis {
    /// No request was good.
    NothingMeasured,
    /// Good answers came at the rate of the open loop.
    KeptUp,
    /// Good answers came more slowly than the rate of the open loop.
    FellBehind,
    /// The load generator began requests late although clients were free.
    GeneratorLate,
    /// Requests were answered before they were sent completely.
    AnsweredEarly,
    /// The load generator's own threads were busy all the time.
    GeneratorBusy,
    /// Other processes had the cores that the load generator's threads were ready to use.
    GeneratorStarved,
    /// The load generator had no port left.
    PortsRanOut,
    /// The load generator had no descriptor left.
    DescriptorsRanOut,
    /// The server's accept queue was full.
    AcceptQueueOverflowed,
    /// The server had no descriptor left to accept with.
    ServerDescriptorsRanOut,
    /// All of the server's processor time was used.
    ServerBusy,
    /// Other processes had the cores that the server was ready to use.
    ServerStarved,
    /// The server and the load generator used up the cores that the server may use.
    MachineBusy,
    /// Other processes used cores that the server can use.
    Disturbed,
    /// All workers of the server had a client, while processor time was left.
    WorkersTaken,
    /// The clients' think time took most of the time.
    ClientsPaused,
    /// Nothing on this machine was busy.
    NothingBusy,
    /// The server is on another machine, or its processes can't be seen.
    OutOfSight,
    /// Some requests failed.
    SomeFailed,
}
