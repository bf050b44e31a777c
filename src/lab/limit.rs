//! What can limit a server under a load: the words of a verdict.

use serde::{Deserialize, Serialize};

/// What can limit a server, or the measure of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Limit {
    /// No request was good.
    NothingMeasured,
    /// The load had nothing to spare: it measured itself.
    LoadGenerator,
    /// The load had no ports left.
    Ports,
    /// The load had no descriptors left.
    LoadDescriptors,
    /// The server had no descriptors left.
    ServerDescriptors,
    /// Many requests failed.
    Errors,
    /// The queue of connections that wait to be accepted was full.
    AcceptQueue,
    /// The server's processor time.
    ServerCpu,
    /// The store: its processor time, or what it waits for.
    Store,
    /// The clients that a server has at once.
    Pool,
    /// Something that was waited for, and can't be seen.
    Waiting,
    /// The rate that was asked for: the server did all of it.
    Rate,
    /// Nothing but the time that one thing takes after the other.
    Nothing,
    /// Others on this machine took a part of it. It is told beside what limited, or is all that can
    /// be said.
    Neighbours,
}

/// What is said of a number beside its limit.
pub const DISTURBED: &str = "other processes took a part of the machine meanwhile";

impl Limit {
    /// In a word or two, for a table.
    pub fn label(self) -> &'static str {
        match self {
            Limit::NothingMeasured => "nothing",
            Limit::LoadGenerator => "load",
            Limit::Ports => "ports",
            Limit::LoadDescriptors => "load fds",
            Limit::ServerDescriptors => "no fds",
            Limit::Errors => "errors",
            Limit::AcceptQueue => "queue",
            Limit::ServerCpu => "cpu",
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
            Limit::NothingMeasured => "no request was answered well",
            Limit::LoadGenerator => {
                "the load generator had no processor time left: the number is its own, not the \
                 server's, and is not ranked"
            }
            Limit::Ports => "the load had no ports left to connect from; not ranked",
            Limit::LoadDescriptors => "the load had no descriptors left; not ranked",
            Limit::ServerDescriptors => "the server had no descriptors left, and accepted nobody",
            Limit::Errors => "many requests failed; not ranked",
            Limit::AcceptQueue => {
                "the queue of connections overflowed, and clients slept before they tried again"
            }
            Limit::ServerCpu => "the server had no processor time left",
            Limit::Store => "the store was busy, or what it waited for",
            Limit::Pool => "all workers had a client, and the other clients waited",
            Limit::Waiting => "answers waited for something that could not be seen",
            Limit::Rate => "the server did all that was asked of it",
            Limit::Nothing => {
                "nobody was busy all the time: more clients would have had more answers"
            }
            Limit::Neighbours => {
                "other processes took a part of the machine meanwhile, and nothing else is seen to \
                 limit; not ranked"
            }
        }
    }

    /// Whether a number so limited is one of the server, to be compared with others.
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
