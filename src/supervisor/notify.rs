//! Notifications to the service manager: sd_notify(3), but with a time-out.

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

/// Notifies systemd, or another program that listens at `NOTIFY_SOCKET`, if any does.
pub fn tell_service_manager(states: &[NotifyState<'_>]) {
    if let Err(error) = notify(states) {
        say!("zerohttpd: can't notify the service manager: {error}");
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
