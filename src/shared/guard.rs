//! The guard of a connection: the client is admitted and counted as long as the guard exists.

use zerohttpd_core::{CloseReason, Deadline};

use crate::admission::Permit;
use crate::shared::counters::{Count, ThreadCounters};
use crate::shared::gauges::{ClientState, ProcessGauges};

/// The counters and gauges of a thread.
#[derive(Clone, Copy)]
pub struct MetricsHandle {
    /// The counters.
    pub counters: ThreadCounters,
    /// The gauges; `None` without `--admin`, as nothing would report them.
    pub gauges: Option<ProcessGauges>,
}

/// The guard of a connection. Dropping it returns the permit and counts the connection as closed,
/// however the connection ends, a panic included.
pub struct ConnectionGuard<'a> {
    _permit: Option<Permit<'a>>,
    metrics: &'a MetricsHandle,
    state: ClientState,
    reason: CloseReason,
}

impl<'a> ConnectionGuard<'a> {
    /// The guard of a client that was admitted. It counts the client as connected.
    pub fn new(permit: Option<Permit<'a>>, metrics: &'a MetricsHandle) -> ConnectionGuard<'a> {
        metrics.counters.count(Count::Connections);
        let state = ClientState::Reading;
        if let Some(gauges) = metrics.gauges {
            gauges.enter(state);
        }
        // A connection that ends without a reason was ended by a panic.
        ConnectionGuard { _permit: permit, metrics, state, reason: CloseReason::Bug }
    }

    /// Moves the client to the gauge of what it waits for, as its deadline tells.
    pub fn waits_for(&mut self, deadline: Option<Deadline>) {
        let (Some(gauges), Some(deadline)) = (self.metrics.gauges, deadline) else { return };
        let state = deadline.on.into();
        if state != self.state {
            gauges.leave(self.state);
            gauges.enter(state);
            self.state = state;
        }
    }

    /// Notes why the connection ends.
    pub fn set_close_reason(&mut self, reason: CloseReason) {
        self.reason = reason;
    }
}

impl Drop for ConnectionGuard<'_> {
    fn drop(&mut self) {
        self.metrics.counters.count_closed(self.reason);
        if let Some(gauges) = self.metrics.gauges {
            gauges.leave(self.state);
        }
    }
}
