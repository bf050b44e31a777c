//! An open loop: requests begin when they are due, as long as clients are free to send them.

use super::counts::TOLERANCE_NS;
use super::meter::now_ns;
use super::schedule::own_lateness_ns;
use super::worker::LoadWorker;

impl LoadWorker<'_> {
    /// Begins the requests that are due, as long as clients are free.
    pub(super) fn keep_schedule(&mut self) {
        let (Some((_, end_ns)), Some(mut schedule)) = (self.period, self.schedule.take()) else {
            return;
        };
        while self.requests_left > 0
            && let Some(&client) = self.idle.front()
            && let Some(due_ns) = schedule.take(self.now_ns.min(end_ns - 1))
        {
            self.idle.pop_front();
            // Sending the requests before this one took time.
            self.now_ns = now_ns();
            let own_ns = own_lateness_ns(due_ns, self.idle_since_ns, self.now_ns);
            self.counts.own_lateness.saturating_record(own_ns / 1000);
            self.counts.own_late += u64::from(own_ns > TOLERANCE_NS);
            self.counts.late += u64::from(self.now_ns > due_ns + TOLERANCE_NS);
            self.begin(client, due_ns);
        }
        // Requests for which no client became free before the end never begin.
        if self.requests_left > 0 && self.now_ns >= end_ns {
            self.counts.unsent = schedule.untaken_before(end_ns).min(self.requests_left);
            self.requests_left = 0;
        }
        self.schedule = Some(schedule);
    }

    /// Adds a client to the free ones.
    pub(super) fn set_idle(&mut self, client: u32) {
        if self.idle.is_empty() {
            self.idle_since_ns = self.now_ns;
        }
        self.idle.push_back(client);
    }

    /// When the next request is due, if a client is free to send it then.
    pub(super) fn due_ns(&self) -> Option<u64> {
        let (_, end_ns) = self.period?;
        let due_ns = self.schedule.as_ref()?.next_ns();
        (self.requests_left > 0 && !self.idle.is_empty() && due_ns < end_ns).then_some(due_ns)
    }
}
