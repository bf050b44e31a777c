//! Which process listens on a port, and which port is free, for the message that a port is in use.

use std::fs;
use std::net::{SocketAddr, TcpListener};

/// How many ports are tried.
const TRIED: u16 = 100;

/// The process that listens on the port, as far as this user is allowed to see it.
pub fn of(address: SocketAddr) -> Option<String> {
    let sockets: Vec<_> =
        ["tcp", "tcp6"].iter().flat_map(|table| listening(table, address)).collect();
    let mut processes: Vec<u32> = fs::read_dir("/proc")
        .ok()?
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .collect();
    // The parent of a server's processes, which has the lowest number, is the one to end.
    processes.sort_unstable();
    let process = processes.into_iter().find(|process| holds(*process, &sockets))?;
    let name = fs::read_to_string(format!("/proc/{process}/comm")).ok()?;
    Some(format!("process {process} ({})", name.trim_end()))
}

/// The sockets of a table in `/proc/net` that listen on the port, named as in `/proc/PID/fd`.
fn listening(table: &str, address: SocketAddr) -> Vec<String> {
    const LISTENS: &str = "0A";
    let text = fs::read_to_string(format!("/proc/net/{table}")).unwrap_or_default();
    let port = format!(":{:04X}", address.port());
    let rows = text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    rows.filter(|row| row.len() > 9 && row[1].ends_with(&port) && row[3] == LISTENS)
        .map(|row| format!("socket:[{}]", row[9]))
        .collect()
}

fn holds(process: u32, sockets: &[String]) -> bool {
    let listing = fs::read_dir(format!("/proc/{process}/fd")).into_iter().flatten().flatten();
    let mut targets = listing.filter_map(|entry| fs::read_link(entry.path()).ok());
    targets.any(|target| sockets.iter().any(|socket| target.as_os_str() == socket.as_str()))
}

/// The next port at this address on which nothing listens.
pub fn free_port_after(address: SocketAddr) -> Option<u16> {
    let ports = address.port().checked_add(1)?..=address.port().saturating_add(TRIED);
    ports.into_iter().find(|port| TcpListener::bind((address.ip(), *port)).is_ok())
}
