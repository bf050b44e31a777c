//! The limits that a verdict can name.

use serde::{Deserialize, Serialize};

/// What can limit a server, or the measurement of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "limit")]
pub enum Limit {
    /// No request was good.
    NothingMeasured,
    /// The load generator was busy all the time, so it measured itself.
    LoadGenerator,
    /// The load generator had no ports left.
    Ports,
    /// The load generator had no descriptors left.
    LoadDescriptors,
    /// The server had no descriptors left.
    ServerDescriptors,
    /// Many requests failed.
    Errors,
    /// The accept queue was full.
    AcceptQueue,
    /// The server's processor time.
    ServerCpu,
    /// The processor time of cores that server and load generator share.
    SharedCpu,
    /// The store: its processor time, or the time that the server waits for it.
    Store,
    /// The number of clients that a server can have at once.
    Pool,
    /// The server waited for something that the laboratory can't see.
    Waiting,
    /// The rate that was asked for; the server achieved it.
    Rate,
    /// No resource: only the time that the steps of a request take one after the other.
    Nothing,
    /// Other processes used the cores. This is the limit itself, or a remark on another limit.
    Neighbours,
}

/// A remark about a number, in addition to its limit.
pub const DISTURBED: &str = "other processes used the same cores meanwhile";

impl Limit {
    /// The label, in a word or two, for a table.
    pub fn label(self) -> &'static str {
        match self {
            Limit::NothingMeasured => "failed",
            Limit::LoadGenerator => "load",
            Limit::Ports => "ports",
            Limit::LoadDescriptors => "load fds",
            Limit::ServerDescriptors => "no fds",
            Limit::Errors => "errors",
            Limit::AcceptQueue => "queue",
            Limit::ServerCpu => "cpu",
            Limit::SharedCpu => "shared",
            Limit::Store => "store",
            Limit::Pool => "pool full",
            Limit::Waiting => "waiting",
            Limit::Rate => "kept up",
            Limit::Nothing => "latency",
            Limit::Neighbours => "disturbed",
        }
    }

    /// What the label means.
    pub fn meaning(self) -> &'static str {
        match self {
            Limit::NothingMeasured => "no request was good; not ranked",
            Limit::LoadGenerator => {
                "the load generator had no processor time left: the number is its own, not the \
                 server's, and is not ranked"
            }
            Limit::Ports => "the load generator had no ports left; not ranked",
            Limit::LoadDescriptors => "the load generator had no descriptors left; not ranked",
            Limit::ServerDescriptors => "the server had no descriptors left for further clients",
            Limit::Errors => {
                "requests failed; the cell shows what share of them, and how; not ranked"
            }
            Limit::AcceptQueue => {
                "the accept queue overflowed, and clients waited before they tried again"
            }
            Limit::ServerCpu => "the server had no processor time left",
            Limit::SharedCpu => {
                "the cores that server and load generator share had no time left: the number is \
                 that of both together"
            }
            Limit::Store => {
                "the store was busy, or answers that need it waited for something other than a \
                 processor"
            }
            Limit::Pool => {
                "clients waited to be accepted: all workers had one, or the server had no time to \
                 accept"
            }
            Limit::Waiting => "answers waited for something other than a processor",
            Limit::Rate => "all requests that were due had a good answer",
            Limit::Nothing => {
                "nothing was busy all the time: server, store and load generator waited for each \
                 other"
            }
            Limit::Neighbours => {
                "other processes had the cores that server or load generator were ready to use; \
                 only a much larger difference is ranked"
            }
        }
    }

    /// Whether a number with this limit is the server's own, and can be compared with others.
    pub fn is_of_the_server(self) -> bool {
        !matches!(
            self,
            Limit::NothingMeasured
                | Limit::LoadGenerator
                | Limit::Ports
                | Limit::LoadDescriptors
                | Limit::Errors
                | Limit::Neighbours
        )
    }
}
