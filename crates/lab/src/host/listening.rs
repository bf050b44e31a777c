//! Listening sockets of this machine, and how many clients wait at each: sock_diag(7).
//!
//! sock_diag(7) returns listening sockets only. `/proc/net/tcp` has them too, among tens of
//! thousands of connections that were just closed, and takes long to read.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, netlink, recv, send, socket_with,
};

/// A listening socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listening {
    /// Its inode, which the links in `/proc/PID/fd` name.
    pub inode: u64,
    /// Connections that wait to be accepted.
    pub waiting: u64,
    /// The most connections that can wait.
    pub max_waiting: u64,
    /// Connections that it has dropped so far, mostly because its queue was full.
    pub drops: u64,
}

/// The kernel answers at once, so after this time no answer will come.
const TIMEOUT: Duration = Duration::from_secs(1);

// From linux/netlink.h, linux/sock_diag.h, linux/inet_diag.h and linux/tcp_states.h.
const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
const NLM_F_REQUEST_AND_DUMP: u16 = 0x301;
const SOCK_DIAG_BY_FAMILY: u16 = 20;
const AF_INET: u8 = 2;
const AF_INET6: u8 = 10;
const IPPROTO_TCP: u8 = 6;
const TCP_LISTEN: u32 = 10;
const INET_DIAG_SKMEMINFO: u16 = 7;
const SK_MEMINFO_DROPS: usize = 8;
const HEADER: usize = 16;
const REQUEST: usize = HEADER + 56;
const ANSWER: usize = 72;

/// The listening sockets that accept connections to an address of this machine; none if the kernel
/// does not report them.
pub fn listening(address: SocketAddr) -> Vec<Listening> {
    let mut found = Vec::new();
    for family in [AF_INET, AF_INET6] {
        let _ = ask(family, &mut |local, listening| {
            let ip = local.ip().to_canonical();
            let is_match = ip == address.ip().to_canonical() || ip.is_unspecified();
            if is_match && local.port() == address.port() {
                found.push(listening);
            }
        });
    }
    found
}

/// The listening sockets at a path of this machine's file system, without the number of waiting
/// clients.
pub fn listening_at(path: &str) -> Vec<Listening> {
    let table = std::fs::read("/proc/net/unix").unwrap_or_default();
    let table = String::from_utf8_lossy(&table);
    let inodes = table.lines().skip(1).filter_map(|line| unix_row(line, path));
    inodes.map(|inode| Listening { inode, waiting: 0, max_waiting: 0, drops: 0 }).collect()
}

/// The inode in a row of `/proc/net/unix`, if its socket listens at that path.
fn unix_row(line: &str, path: &str) -> Option<u64> {
    /// `__SO_ACCEPTCON`.
    const LISTENING: &str = "00010000";
    let columns: Vec<_> = line.split_whitespace().collect();
    let is_match = columns.get(3) == Some(&LISTENING) && columns.get(7) == Some(&path);
    if is_match { columns.get(6)?.parse().ok() } else { None }
}

/// Calls `found` with the local address of each listening TCP socket of a family.
fn ask(family: u8, found: &mut dyn FnMut(SocketAddr, Listening)) -> io::Result<()> {
    let flags = SocketFlags::CLOEXEC;
    let protocol = Some(netlink::SOCK_DIAG);
    let socket = socket_with(AddressFamily::NETLINK, SocketType::DGRAM, flags, protocol)?;
    set_socket_timeout(&socket, Timeout::Recv, Some(TIMEOUT))?;
    send(&socket, &request(family), SendFlags::empty())?;
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let (count, _) = recv(&socket, &mut buffer[..], RecvFlags::empty())?;
        let mut rest = &buffer[..count];
        while let Some((kind, body, next)) = message(rest) {
            match kind {
                NLMSG_DONE | NLMSG_ERROR => return Ok(()),
                _ => {
                    if let Some((address, listening)) = answer(body) {
                        found(address, listening);
                    }
                }
            }
            rest = next;
        }
        if count == 0 {
            return Ok(());
        }
    }
}

/// `struct nlmsghdr` and `struct inet_diag_req_v2`.
fn request(family: u8) -> [u8; REQUEST] {
    let mut request = [0; REQUEST];
    request[..4].copy_from_slice(&(REQUEST as u32).to_ne_bytes());
    request[4..6].copy_from_slice(&SOCK_DIAG_BY_FAMILY.to_ne_bytes());
    request[6..8].copy_from_slice(&NLM_F_REQUEST_AND_DUMP.to_ne_bytes());
    request[HEADER] = family;
    request[HEADER + 1] = IPPROTO_TCP;
    request[HEADER + 2] = 1 << (INET_DIAG_SKMEMINFO - 1);
    request[HEADER + 4..HEADER + 8].copy_from_slice(&(1_u32 << TCP_LISTEN).to_ne_bytes());
    request
}

/// Splits off the first message: returns its kind, its payload, and the bytes that follow.
fn message(bytes: &[u8]) -> Option<(u16, &[u8], &[u8])> {
    let len = number(bytes, 0)? as usize;
    let kind = u16::from_ne_bytes(bytes.get(4..6)?.try_into().ok()?);
    let body = bytes.get(HEADER..len)?;
    // Each message begins at a multiple of four (netlink(3), NLMSG_ALIGN).
    Some((kind, body, bytes.get(len.next_multiple_of(4)..).unwrap_or_default()))
}

/// Reads a `struct inet_diag_msg` and the attributes that follow it.
fn answer(body: &[u8]) -> Option<(SocketAddr, Listening)> {
    let (body, attributes) = body.split_at_checked(ANSWER)?;
    let port = u16::from_be_bytes([body[4], body[5]]);
    let ip: IpAddr = match body[0] {
        AF_INET => Ipv4Addr::from(<[u8; 4]>::try_from(&body[8..12]).ok()?).into(),
        _ => Ipv6Addr::from(<[u8; 16]>::try_from(&body[8..24]).ok()?).into(),
    };
    let listening = Listening {
        waiting: u64::from(number(body, 56)?),
        max_waiting: u64::from(number(body, 60)?),
        inode: u64::from(number(body, 68)?),
        drops: drops(attributes).unwrap_or_default(),
    };
    Some((SocketAddr::new(ip, port), listening))
}

/// The number of dropped connections, which kernels since 4.14 report with a socket's memory.
fn drops(mut attributes: &[u8]) -> Option<u64> {
    // `struct rtattr`: a length, which includes these four bytes, and a kind.
    const HEADER: usize = 4;
    loop {
        let len = usize::from(u16::from_ne_bytes(attributes.get(..2)?.try_into().ok()?));
        let kind = u16::from_ne_bytes(attributes.get(2..HEADER)?.try_into().ok()?);
        if kind == INET_DIAG_SKMEMINFO {
            let numbers = attributes.get(HEADER..len)?;
            return number(numbers, SK_MEMINFO_DROPS * 4).map(u64::from);
        }
        attributes = attributes.get(len.max(HEADER).next_multiple_of(4)..)?;
    }
}

fn number(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{TcpListener, TcpStream};
    use std::os::fd::AsRawFd;

    #[test]
    fn a_socket_its_queue_and_its_inode_are_found() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        rustix::net::listen(&listener, 7).unwrap();
        let address = listener.local_addr().unwrap();
        let _waiting = TcpStream::connect(address).unwrap();
        let [found] = listening(address)[..] else { panic!("{:?}", listening(address)) };
        assert_eq!((found.waiting, found.max_waiting), (1, 7));
        let link = std::fs::read_link(format!("/proc/self/fd/{}", listener.as_raw_fd())).unwrap();
        assert_eq!(link.to_str().unwrap(), format!("socket:[{}]", found.inode));
        drop(listener);
        assert_eq!(listening(address), []);
    }

    #[test]
    fn a_socket_bound_to_every_address_is_found_by_one_of_them() {
        for any in ["[::]:0", "0.0.0.0:0"] {
            let listener = TcpListener::bind(any).unwrap();
            let port = listener.local_addr().unwrap().port();
            let address = SocketAddr::from(([127, 0, 0, 1], port));
            assert_eq!(listening(address).len(), 1, "{any}");
        }
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        assert_eq!(listening(SocketAddr::from(([127, 0, 0, 2], port))), []);
    }

    #[test]
    fn a_socket_in_the_file_system_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s");
        let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
        let _client = std::os::unix::net::UnixStream::connect(&path).unwrap();
        let [found] = listening_at(path.to_str().unwrap())[..] else { panic!("not one") };
        let link = std::fs::read_link(format!("/proc/self/fd/{}", listener.as_raw_fd())).unwrap();
        assert_eq!(link.to_str().unwrap(), format!("socket:[{}]", found.inode));
    }

    #[test]
    fn messages_that_are_cut_short_are_ignored() {
        let whole = request(AF_INET);
        assert!(message(&whole).is_some());
        for len in 0..whole.len() {
            assert!(message(&whole[..len]).is_none(), "{len}");
        }
        assert!(answer(&[0; ANSWER - 1]).is_none());
    }

    #[test]
    fn drops_are_found_among_attributes() {
        let attribute = |kind: u16, content: &[u8]| {
            let len = (content.len() + 4) as u16;
            [&len.to_ne_bytes()[..], &kind.to_ne_bytes(), content].concat()
        };
        let mut memory = [0; 36];
        memory[32..].copy_from_slice(&7_u32.to_ne_bytes());
        let memory = attribute(INET_DIAG_SKMEMINFO, &memory);
        let other = [attribute(8, b"x").as_slice(), &[0; 3]].concat();
        assert_eq!(drops(&[other.clone(), memory.clone()].concat()), Some(7));
        assert_eq!((drops(&other), drops(&[]), drops(&[0; 8])), (None, None, None));
        for len in 0..memory.len() {
            assert_eq!(drops(&memory[..len]), None, "{len}");
        }
    }
}
