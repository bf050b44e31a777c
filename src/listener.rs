//! The listening socket, and the ways in which accept(2) can fail.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::sockopt::{self, Timeout};
use rustix::net::{self, AddressFamily, SocketFlags, SocketType};

use crate::client::Client;

/// A listening socket.
pub struct Listener {
    socket: OwnedFd,
}

/// What came of an accept.
pub enum Accepted {
    /// Somebody.
    Client(Client),
    /// Nobody, or one who left before we came.
    Nobody,
    /// The machine is short of descriptors or memory: it makes no sense to try again at once.
    /// Clients wait in the queue meanwhile.
    Exhausted(Errno),
}

/// A worker that blocks in accept looks up this often, to see whether it is to stop. It is a
/// time-out of accept itself, so that the kernel still wakes one worker for one client.
const ACCEPT_TIMEOUT: Duration = Duration::from_millis(500);

impl Listener {
    /// Binds and listens (socket(7), tcp(7)).
    ///
    /// What is set here holds for every accepted socket too: answers are sent whole, so nothing is
    /// won by holding back a last small packet (`TCP_NODELAY`).
    ///
    /// # Errors
    ///
    /// Those of bind(2): the address is in use, is not ours, or needs a privilege.
    pub fn bind(address: SocketAddr, backlog: i32, shared: bool) -> io::Result<Listener> {
        let family = match address {
            SocketAddr::V4(_) => AddressFamily::INET,
            SocketAddr::V6(_) => AddressFamily::INET6,
        };
        let socket = net::socket_with(family, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
        sockopt::set_socket_reuseaddr(&socket, true)?;
        if shared {
            sockopt::set_socket_reuseport(&socket, true)?;
        }
        if address.is_ipv6() {
            sockopt::set_ipv6_v6only(&socket, false)?;
        }
        sockopt::set_tcp_nodelay(&socket, true)?;
        sockopt::set_socket_timeout(&socket, Timeout::Recv, Some(ACCEPT_TIMEOUT))?;
        net::bind(&socket, &address)?;
        net::listen(&socket, backlog)?;
        Ok(Listener { socket })
    }

    /// The address that it is bound to, with the port that the kernel chose.
    ///
    /// # Errors
    ///
    /// Those of getsockname(2).
    pub fn address(&self) -> io::Result<SocketAddr> {
        SocketAddr::try_from(net::getsockname(&self.socket)?).map_err(io::Error::from)
    }

    /// Makes accept return at once where nobody waits. All processes that share the socket are
    /// concerned.
    ///
    /// # Errors
    ///
    /// Those of ioctl(2).
    pub fn set_nonblocking(&self) -> io::Result<()> {
        Ok(rustix::io::ioctl_fionbio(&self.socket, true)?)
    }

    /// Stops listening, for all processes that share the socket: shutdown(2).
    pub fn close(&self) {
        let _ = net::shutdown(&self.socket, net::Shutdown::Both);
    }

    /// The next client: accept4(2), which blocks for a while unless the socket is non-blocking.
    pub fn accept(&self) -> Accepted {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        match net::acceptfrom_with(&self.socket, flags) {
            Ok((socket, peer)) => {
                let peer = peer.and_then(|peer| SocketAddr::try_from(peer).ok());
                let unknown = IpAddr::from([0, 0, 0, 0]);
                let peer = peer.map_or(unknown, |peer| peer.ip().to_canonical());
                Accepted::Client(Client { socket, peer })
            }
            Err(errno @ (Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM)) => {
                Accepted::Exhausted(errno)
            }
            // Nobody came in time, a signal did, or a client left the queue. Linux also passes on
            // errors of the new socket's network here (accept(2)); none concerns the listener.
            Err(_) => Accepted::Nobody,
        }
    }

    /// Whether a client waits to be accepted.
    pub fn has_waiting(&self) -> bool {
        crate::client::is_ready(self.socket.as_fd(), rustix::event::PollFlags::IN)
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
