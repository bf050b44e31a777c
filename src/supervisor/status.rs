//! The status that the service manager shows (`systemctl status`).

use sd_notify::NotifyState;

use crate::clock;
use crate::shared::scoreboard::Phase;
use crate::supervisor::state::Supervisor;

impl Supervisor<'_> {
    /// Tells the service manager these states and the status.
    pub fn tell_with_status(&mut self, states: &[NotifyState<'_>]) {
        let status = self.status();
        self.manager.tell_with_status(states, status);
    }

    /// Tells the service manager what is due.
    pub fn tell_what_is_due(&mut self) {
        // Taken out, since the status is that of all else.
        let mut manager = std::mem::take(&mut self.manager);
        manager.tell_what_is_due(clock::now().ms, || self.status());
        self.manager = manager;
    }

    /// One line: the architecture, the address, and how many clients there are.
    fn status(&self) -> String {
        let address = self.listeners.first().and_then(|listener| listener.address().ok());
        let at = address.map_or(String::new(), |address| format!(" at {address}"));
        let (name, generation) = (self.options.arch.name, self.generation);
        let clients = match self.scoreboard.gauges {
            Some(gauges) => gauges.clients().iter().map(|(_, count)| count).sum(),
            None => 0,
        };
        let clients = match clients {
            1 => "1 client".to_owned(),
            count => format!("{count} clients"),
        };
        let doing = match self.scoreboard.phase(generation) {
            Phase::Stopping => format!("stopping, {clients} left"),
            _ if self.drain_delay.is_running() => format!("draining, {clients}"),
            _ => clients,
        };
        format!("{name}{at}, generation {generation}: {doing}")
    }
}
