//! The listening socket, and the ways in which accept(2) can fail.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use clap::ValueEnum;
use rustix::io::Errno;
use rustix::net::sockopt::{self, Timeout};
use rustix::net::{self, AddressFamily, SocketFlags, SocketType};
use zero_core::Limits;

use crate::client::Client;
use crate::send_queue;
use crate::sys::defer_accept::defer_accept;
use crate::sys::notsent_lowat::notsent_lowat;

/// How loops that are processes of their own share a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Sharing {
    /// A socket each; the kernel deals clients out by a hash of their addresses and ports
    Reuseport,
    /// One socket; all who wait are woken, and the fastest gets the client
    Shared,
    /// One socket; one who waits is woken, mostly the same one
    Exclusive,
}

/// A listening socket.
pub struct Listener {
    socket: OwnedFd,
    is_ours: bool,
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

/// A client that has sent nothing is not accepted for so long (the kernel rounds it to when it
/// would repeat its part of the handshake): most have sent their request by then, and are served at
/// once, without being waited for. Silent ones use no descriptor and no worker meanwhile.
const DEFER_ACCEPT_S: i32 = 1;

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
        prepare(&socket)?;
        net::bind(&socket, &address)?;
        net::listen(&socket, backlog)?;
        Ok(Listener { socket, is_ours: true })
    }

    /// A socket that listens already. It is ours to close, or somebody else's, who goes on
    /// listening; accept blocks or not.
    ///
    /// # Errors
    ///
    /// `InvalidInput` if it is no TCP socket that listens; those of setsockopt(2).
    pub fn adopt(socket: OwnedFd, is_ours: bool, blocks: bool) -> io::Result<Listener> {
        let domain = sockopt::socket_domain(&socket)?;
        let is_tcp = (domain == AddressFamily::INET || domain == AddressFamily::INET6)
            && sockopt::socket_type(&socket)? == SocketType::STREAM;
        if !is_tcp || !sockopt::socket_acceptconn(&socket)? {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "it does not listen for TCP"));
        }
        prepare(&socket)?;
        rustix::io::ioctl_fionbio(&socket, !blocks)?;
        Ok(Listener { socket, is_ours })
    }

    /// Bounds how long the kernel goes on offering a client what it does not take, also when we
    /// have closed the connection (`TCP_USER_TIMEOUT` in tcp(7)): as long as a piece of a file may
    /// take. Otherwise that would be some minutes.
    ///
    /// # Errors
    ///
    /// Those of setsockopt(2).
    pub fn bound_delivery(&self, limits: &Limits) -> io::Result<()> {
        let timeout_ms = u32::try_from(limits.piece_timeout_ms()).unwrap_or(u32::MAX);
        Ok(sockopt::set_tcp_user_timeout(&self.socket, timeout_ms)?)
    }

    /// Whether it is ours to close.
    pub fn is_ours(&self) -> bool {
        self.is_ours
    }

    /// The socket, under another number.
    ///
    /// # Errors
    ///
    /// `EMFILE`.
    pub fn try_clone(&self) -> io::Result<OwnedFd> {
        self.socket.try_clone()
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

    /// Stops listening, for all processes that share the socket: shutdown(2). One that is somebody
    /// else's goes on.
    pub fn close(&self) {
        if self.is_ours {
            let _ = net::shutdown(&self.socket, net::Shutdown::Both);
        }
    }

    /// The next client: accept4(2), which blocks for a while unless the socket is non-blocking.
    pub fn accept(&self) -> Accepted {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        match net::acceptfrom_with(&self.socket, flags) {
            Ok((socket, peer)) => {
                let peer = peer.and_then(|peer| SocketAddr::try_from(peer).ok());
                let unknown = IpAddr::from([0, 0, 0, 0]);
                let peer = peer.map_or(unknown, |peer| peer.ip().to_canonical());
                Accepted::Client(Client { socket, peer, entry: None })
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

/// What holds for a listening socket of ours, and for each that it accepts.
fn prepare(socket: &OwnedFd) -> io::Result<()> {
    sockopt::set_tcp_nodelay(socket, true)?;
    defer_accept(socket, DEFER_ACCEPT_S)?;
    notsent_lowat(socket, send_queue::SHALLOW_BYTES)?;
    Ok(sockopt::set_socket_timeout(socket, Timeout::Recv, Some(ACCEPT_TIMEOUT))?)
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
