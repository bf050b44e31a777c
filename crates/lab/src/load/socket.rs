//! Client sockets: they connect without blocking and, where possible, from several addresses of
//! this machine, because each address has only some 28,000 ports.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::fd::OwnedFd;

use rustix::io::Errno;
use rustix::net::{self, AddressFamily, SocketFlags, SocketType, sockopt};
use zerohttpd_sys::source_address;

/// The most clients from one address. The more ports of an address are taken, the longer the
/// kernel searches for a free one. Up to this many clients use the address that the kernel
/// chooses.
const CLIENTS_PER_SOURCE: usize = 500;

/// The most addresses. If each request has its own connection, even few clients use this many,
/// because a closed connection holds its port for a while (`TIME_WAIT`, tcp(7)).
const MAX_SOURCES: usize = 64;

/// The most bytes of a request that surely fit one packet. For longer requests `TCP_NODELAY` is
/// set: otherwise the last packet would wait until those before it are acknowledged (tcp(7)).
const ONE_PACKET: usize = 1400;

/// The local addresses and the remote address of connections.
pub struct Route {
    to: SocketAddr,
    /// How many local addresses are used; with 0 or 1 the kernel chooses the address.
    sources: u32,
    is_large: bool,
}

impl Route {
    /// The route for this many clients, with requests of this length in bytes.
    pub fn new(to: SocketAddr, clients: usize, keep_alive: bool, request_len: usize) -> Route {
        let sources = match to.ip() {
            // All of 127.0.0.0/8 belongs to this machine.
            IpAddr::V4(ip) if ip.is_loopback() => match keep_alive {
                true => clients.div_ceil(CLIENTS_PER_SOURCE).min(MAX_SOURCES) as u32,
                false => MAX_SOURCES as u32,
            },
            _ => 0,
        };
        Route { to, sources, is_large: request_len > ONE_PACKET }
    }

    /// The route for this many idle clients. Each keeps its port, so there are as many addresses
    /// as they need.
    pub fn for_idle(to: SocketAddr, clients: usize, request_len: usize) -> Route {
        const MAX: usize = 1 << 16;
        let route = Route::new(to, clients, true, request_len);
        let sources = clients.div_ceil(CLIENTS_PER_SOURCE).min(MAX) as u32;
        Route { sources: if route.sources > 1 { sources } else { route.sources }, ..route }
    }

    /// Begins to connect a client, given its number: connect(2), which does not block.
    ///
    /// # Errors
    ///
    /// Those of socket(2), bind(2) and connect(2).
    pub fn connect(&self, client: u32) -> Result<OwnedFd, Errno> {
        let family = match self.to {
            SocketAddr::V4(_) => AddressFamily::INET,
            SocketAddr::V6(_) => AddressFamily::INET6,
        };
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let socket = net::socket_with(family, SocketType::STREAM, flags, None)?;
        if self.is_large {
            sockopt::set_tcp_nodelay(&socket, true)?;
        }
        // The kernel chooses the first address by default.
        if self.sources > 1 {
            let number = client % self.sources;
            let source = Ipv4Addr::from_bits(Ipv4Addr::LOCALHOST.to_bits() + number);
            let deferred = source_address::leave_port_to_connect(&socket);
            deferred.map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::INVAL))?;
            net::bind(&socket, &SocketAddr::from((source, 0)))?;
        }
        match net::connect(&socket, &self.to) {
            Ok(()) | Err(Errno::INPROGRESS | Errno::INTR) => Ok(socket),
            Err(errno) => Err(errno),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    fn route(to: &str, clients: usize, keep_alive: bool) -> Route {
        Route::new(to.parse().unwrap(), clients, keep_alive, 100)
    }

    #[test]
    fn many_clients_of_this_machine_come_from_several_addresses() {
        assert_eq!(route("127.0.0.1:1", 50, true).sources, 1);
        assert_eq!(route("127.0.0.1:1", 15_000, true).sources, 30);
        assert_eq!(route("127.0.0.1:1", 500_000, true).sources, 64);
        assert_eq!(route("127.0.0.1:1", 1, false).sources, 64);
        assert_eq!(Route::for_idle("127.0.0.1:1".parse().unwrap(), 1_000_000, 1).sources, 2000);
        assert_eq!(route("[::1]:1", 50_000, true).sources, 0);
        assert_eq!(route("192.0.2.1:1", 50_000, false).sources, 0);
    }

    #[test]
    fn a_client_connects_from_its_own_address() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let route = Route::new(address, 1, false, 100_000);
        let sockets: Vec<_> = (0..3).map(|client| route.connect(client).unwrap()).collect();
        let mut peers: Vec<_> = (0..3).map(|_| listener.accept().unwrap().1.ip()).collect();
        peers.sort_unstable();
        assert_eq!(peers, [1, 2, 3].map(|last| IpAddr::from([127, 0, 0, last])));
        assert_eq!(sockets.len(), 3);
    }
}
