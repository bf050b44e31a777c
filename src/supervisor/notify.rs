//! Notifications to the service manager: sd_notify(3), but with a time-out.
//!
//! The supervisor sends its status when that changes, and a sign of life at half the interval that
//! the service manager asks for (`WATCHDOG_USEC`). It does so only in a turn of its own loop, so
//! that a missing sign means a supervisor that hangs: the manager then kills it, with it all
//! children, and starts the service again.

use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

use sd_notify::NotifyState;
use zerohttpd_sys::say;

/// If the manager does not read, sending blocks for this long, and the supervisor reads no signals
/// meanwhile.
const WRITE_TIMEOUT: Duration = Duration::from_millis(250);

/// How often the supervisor looks whether its status has changed.
const STATUS_INTERVAL_MS: u64 = 5000;

/// The service manager, and what it was told. By default there is none.
#[derive(Default)]
pub struct ServiceManager {
    /// `None` without a manager.
    status: Option<Interval>,
    /// `None` without a watchdog.
    watchdog: Option<Interval>,
    /// The status that was sent last.
    last_status: String,
    /// Whether the last notification could not be sent.
    has_failed: bool,
}

/// Something that is done at intervals.
struct Interval {
    length_ms: u64,
    next_ms: u64,
}

impl Interval {
    fn every(length_ms: u64) -> Interval {
        Interval { length_ms: length_ms.max(1), next_ms: 0 }
    }

    /// Whether it is time to do it. If so, the next interval begins.
    fn is_due(&mut self, now_ms: u64) -> bool {
        let is_due = self.next_ms <= now_ms;
        if is_due {
            self.next_ms = now_ms + self.length_ms;
        }
        is_due
    }
}

impl ServiceManager {
    /// The service manager that has started this process, if one has.
    pub fn of_this_process() -> ServiceManager {
        let is_there = std::env::var_os("NOTIFY_SOCKET").is_some();
        let watchdog = sd_notify::watchdog_enabled().filter(|_| is_there);
        ServiceManager::new(is_there, watchdog)
    }

    fn new(is_there: bool, watchdog: Option<Duration>) -> ServiceManager {
        ServiceManager {
            status: is_there.then(|| Interval::every(STATUS_INTERVAL_MS)),
            watchdog: watchdog.map(|interval| Interval::every(interval.as_millis() as u64 / 2)),
            last_status: String::new(),
            has_failed: false,
        }
    }

    /// Whether there is a service manager.
    pub fn is_there(&self) -> bool {
        self.status.is_some()
    }

    /// Notifies the manager, if there is one. Of several failures in a row, only the first is
    /// reported: `NOTIFY_SOCKET` can be left over, and notifications are frequent.
    pub fn tell(&mut self, states: &[NotifyState<'_>]) {
        if !self.is_there() {
            return;
        }
        let result = notify(states);
        if let Err(error) = &result
            && !self.has_failed
        {
            say!("zerohttpd: can't notify the service manager: {error}");
        }
        self.has_failed = result.is_err();
    }

    /// Sends a sign of life, if there is a watchdog.
    pub fn tell_alive(&mut self) {
        if self.watchdog.is_some() {
            self.tell(&[NotifyState::Watchdog]);
        }
    }

    /// Notifies the manager of these states and of the status.
    pub fn tell_with_status(&mut self, states: &[NotifyState<'_>], status: String) {
        self.tell(&[states, &[NotifyState::Status(&status)]].concat());
        self.last_status = status;
    }

    /// Sends what is due: a sign of life, the status if it has changed.
    pub fn tell_what_is_due(&mut self, now_ms: u64, status: impl FnOnce() -> String) {
        let (is_alive, status) = self.due(now_ms, status);
        let sign = is_alive.then_some(NotifyState::Watchdog);
        let states = sign.into_iter().chain(status.as_deref().map(NotifyState::Status));
        let states: Vec<_> = states.collect();
        if !states.is_empty() {
            self.tell(&states);
        }
    }

    /// Whether a sign of life is due, and the status if that is due and has changed.
    fn due(&mut self, now_ms: u64, status: impl FnOnce() -> String) -> (bool, Option<String>) {
        let is_alive = self.watchdog.as_mut().is_some_and(|watchdog| watchdog.is_due(now_ms));
        let mut new = None;
        if self.status.as_mut().is_some_and(|status| status.is_due(now_ms)) {
            new = Some(status()).filter(|status| *status != self.last_status);
        }
        self.last_status = new.clone().unwrap_or_else(|| std::mem::take(&mut self.last_status));
        (is_alive, new)
    }

    /// When something is due next.
    pub fn next_ms(&self) -> Option<u64> {
        let intervals = self.status.iter().chain(&self.watchdog);
        intervals.map(|interval| interval.next_ms).min()
    }
}

fn notify(states: &[NotifyState<'_>]) -> io::Result<()> {
    let Some(name) = std::env::var_os("NOTIFY_SOCKET") else { return Ok(()) };
    let address = match name.as_bytes() {
        [b'@', name @ ..] => SocketAddr::from_abstract_name(name)?,
        _ => SocketAddr::from_pathname(&name)?,
    };
    let text: String = states.iter().map(|state| format!("{state}\n")).collect();
    let socket = UnixDatagram::unbound()?;
    socket.set_write_timeout(Some(WRITE_TIMEOUT))?;
    socket.send_to_addr(text.as_bytes(), &address).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sign_of_life_is_due_at_half_the_interval_and_a_status_when_it_changes() {
        let mut manager = ServiceManager::new(true, Some(Duration::from_secs(3)));
        let mut due = |now_ms, status: &str| manager.due(now_ms, || status.into());
        assert_eq!(due(100, "a"), (true, Some("a".into())));
        assert_eq!(due(1599, "b"), (false, None), "the status is not due yet");
        assert_eq!(due(1600, "b"), (true, None));
        assert_eq!(due(5099, "b"), (true, None));
        assert_eq!(due(5100, "b"), (false, Some("b".into())));
        assert_eq!(due(10_100, "b"), (true, None), "it has not changed");
        assert_eq!(manager.next_ms(), Some(11_600));
    }

    #[test]
    fn without_a_manager_or_a_watchdog_nothing_is_due() {
        let mut manager = ServiceManager::new(false, None);
        assert_eq!(manager.due(100, || unreachable!()), (false, None));
        assert_eq!(manager.next_ms(), None);
        let mut manager = ServiceManager::new(true, None);
        assert_eq!(manager.due(100, || "a".into()), (false, Some("a".into())));
        assert_eq!(manager.next_ms(), Some(5100));
    }
}
