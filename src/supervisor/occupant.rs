//! Which process listens at an address, and which port is free, for the message that a port is in
//! use.

use std::fs;
use std::net::{IpAddr, SocketAddr, TcpListener};

/// How many ports are tried.
const TRIED: u16 = 100;

/// The name of a service manager, which listens for its socket units (systemd.socket(5)).
const SERVICE_MANAGER: &str = "systemd";

/// Whether sockets at these two addresses could not both listen.
pub fn collide(first: SocketAddr, second: SocketAddr) -> bool {
    let covers = |wide: IpAddr, ip: IpAddr| {
        wide == ip || wide.is_unspecified() && (wide.is_ipv6() || ip.is_ipv4())
    };
    let (a, b) = (first.ip().to_canonical(), second.ip().to_canonical());
    first.port() != 0 && first.port() == second.port() && (covers(a, b) || covers(b, a))
}

/// Which process listens at the address, and how to end that.
pub fn describe(address: SocketAddr) -> String {
    match of(address) {
        Some((_, name)) if name == SERVICE_MANAGER => {
            "a socket unit of systemd does already (`systemctl list-sockets`); stop that unit"
                .into()
        }
        Some((process, name)) => format!("process {process} ({name}) does already; end it"),
        None => "something else does already; end it".into(),
    }
}

/// The process that listens at the address and its name, as far as this user is allowed to see it.
fn of(address: SocketAddr) -> Option<(u32, String)> {
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
    Some((process, name.trim_end().to_owned()))
}

/// The sockets of a table in `/proc/net` that listen at the address, named as in `/proc/PID/fd`.
fn listening(table: &str, address: SocketAddr) -> Vec<String> {
    const LISTENS: &str = "0A";
    let text = fs::read_to_string(format!("/proc/net/{table}")).unwrap_or_default();
    let is_there = |text| parse_address(text).is_some_and(|other| collide(other, address));
    let rows = text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    rows.filter(|row| row.len() > 9 && row[3] == LISTENS && is_there(row[1]))
        .map(|row| format!("socket:[{}]", row[9]))
        .collect()
}

/// Reads an address of these tables. The kernel prints each 32 bits of an IP address as a number in
/// the byte order of this machine.
fn parse_address(text: &str) -> Option<SocketAddr> {
    let (ip, port) = text.split_once(':')?;
    let word = |at| u32::from_str_radix(ip.get(at..at + 8)?, 16).ok().map(u32::to_ne_bytes);
    let bytes = (0..ip.len()).step_by(8).map(word).collect::<Option<Vec<_>>>()?.concat();
    let ip = match <[u8; 4]>::try_from(&*bytes) {
        Ok(bytes) => IpAddr::from(bytes),
        Err(_) => IpAddr::from(<[u8; 16]>::try_from(&*bytes).ok()?),
    };
    Some(SocketAddr::new(ip, u16::from_str_radix(port, 16).ok()?))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_collide_if_a_second_socket_could_not_listen() {
        let address = |text: &str| text.parse::<SocketAddr>().unwrap();
        for (one, other, expected) in [
            ("127.0.0.1:80", "127.0.0.1:80", true),
            ("127.0.0.1:80", "127.0.0.1:81", false),
            ("127.0.0.1:0", "127.0.0.1:0", false),
            ("127.0.0.1:80", "127.0.0.2:80", false),
            ("0.0.0.0:80", "127.0.0.1:80", true),
            ("[::]:80", "127.0.0.1:80", true),
            ("[::1]:80", "127.0.0.1:80", false),
            ("[::ffff:127.0.0.1]:80", "127.0.0.1:80", true),
            ("[::]:80", "0.0.0.0:80", true),
            ("0.0.0.0:80", "[::1]:80", false),
        ] {
            assert_eq!(collide(address(one), address(other)), expected, "{one} {other}");
            assert_eq!(collide(address(other), address(one)), expected, "{other} {one}");
        }
    }

    #[test]
    fn addresses_of_listening_sockets_are_found() {
        for text in ["127.0.0.1:0", "127.0.0.2:0", "[::1]:0"] {
            let Ok(socket) = TcpListener::bind(text) else { continue }; // No IPv6 here.
            let address = socket.local_addr().unwrap();
            let table = if address.is_ipv4() { "tcp" } else { "tcp6" };
            assert_eq!(listening(table, address).len(), 1, "{address}");
        }
        assert_eq!(parse_address("00000000:0050"), "0.0.0.0:80".parse().ok());
        assert_eq!(parse_address("0:50"), None);
    }
}
