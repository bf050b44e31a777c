//! What the laboratory knows of the server's architectures.

/// An architecture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Architecture {
    /// Its name on the command line.
    pub name: &'static str,
    /// What `--workers` sets.
    pub scaling: Scaling,
}

/// What `--workers` sets for an architecture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scaling {
    /// `--workers` has no effect: the architecture has one worker, or creates one for each client.
    None,
    /// The number of workers in a pool.
    Pool,
    /// The number of processes, each with a loop.
    Processes,
}

/// Architectures for tests: one without a pool, two with a pool, and two with loops.
#[cfg(test)]
pub const SAMPLE: &[Architecture] = &[
    Architecture { name: "unpooled", scaling: Scaling::None },
    Architecture { name: "pool-of-processes", scaling: Scaling::Pool },
    Architecture { name: "pool-of-threads", scaling: Scaling::Pool },
    Architecture { name: "first-loop", scaling: Scaling::Processes },
    Architecture { name: "second-loop", scaling: Scaling::Processes },
];
