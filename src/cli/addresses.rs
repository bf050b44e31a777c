//! The addresses of `--bind` and `--admin`: an IP address, or a name of this machine.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use zerohttpd_sys::resolver::addresses_of;

use crate::cli::words::port;
use crate::supervisor::upgrade_state::is_successor;

/// Reads an address to listen at. A name is resolved; of its addresses, the first for IPv4 is
/// taken, or else the first. A successor resolves no name, because it must neither wait nor fail:
/// its sockets are passed on to it, and it uses no address.
pub fn address(text: &str) -> Result<IpAddr, String> {
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    if let Ok(address) = bare.parse() {
        return Ok(address);
    }
    let (host, digits) = text.rsplit_once(':').unwrap_or(("", text));
    if port(digits).is_ok() && (text.parse::<SocketAddr>().is_ok() || !host.contains(':')) {
        let bind = if host.is_empty() { String::new() } else { format!("--bind {host} ") };
        return Err(format!("the port is a separate option: type {bind}--port {digits}"));
    }
    if is_successor() {
        return Ok(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
    }
    let found = addresses_of(text, 0).unwrap_or_default();
    let first = found.iter().find(|found| found.is_ipv4()).or(found.first());
    first.map(SocketAddr::ip).ok_or_else(|| {
        "it is neither an address of this machine nor a name that leads to one; `ip addr` lists \
         them, and 0.0.0.0 stands for all"
            .into()
    })
}

/// Reads an address with a port. A port alone means this machine only.
pub fn address_with_port(text: &str) -> Result<SocketAddr, String> {
    let (host, digits) = text.rsplit_once(':').unwrap_or(("", text));
    let number = port(digits).ok().filter(|_| text.parse::<IpAddr>().is_err());
    let number = number.ok_or("it has to end in a port, such as 9100 or 127.0.0.1:9100")?;
    let ip = match host {
        "" => IpAddr::V4(Ipv4Addr::LOCALHOST),
        host => address(host)?,
    };
    Ok(SocketAddr::new(ip, number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_or_explained() {
        for (text, expected) in
            [("127.0.0.1", "127.0.0.1"), ("::", "::"), ("[::1]", "::1"), ("localhost", "127.0.0.1")]
        {
            assert_eq!(address(text).unwrap().to_string(), expected, "{text}");
        }
        for (text, advice) in [
            ("127.0.0.1:80", "--bind 127.0.0.1 --port 80"),
            ("[::1]:80", "--bind [::1] --port 80"),
            ("localhost:80", "--bind localhost --port 80"),
            (":80", "type --port 80"),
            ("80", "type --port 80"),
            ("", "ip addr"),
            ("no such name", "ip addr"),
        ] {
            let wrong = address(text).unwrap_err();
            assert!(wrong.contains(advice), "{text}: {wrong}");
        }
    }

    #[test]
    fn a_port_alone_is_of_this_machine() {
        for (text, expected) in [
            ("9100", "127.0.0.1:9100"),
            (":9100", "127.0.0.1:9100"),
            ("localhost:9100", "127.0.0.1:9100"),
            ("10.0.0.1:0", "10.0.0.1:0"),
            ("[::1]:9100", "[::1]:9100"),
        ] {
            assert_eq!(address_with_port(text).unwrap().to_string(), expected, "{text}");
        }
        for text in ["", "127.0.0.1", "::1", "127.0.0.1:", "localhost", "127.0.0.1:70000"] {
            let wrong = address_with_port(text).unwrap_err();
            assert!(wrong.contains("such as 9100"), "{text}: {wrong}");
        }
    }
}
