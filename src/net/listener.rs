//! The listening socket, and the ways in which accept(2) can fail.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::sockopt::{self, Timeout};
use rustix::net::{self, AddressFamily, SocketFlags, SocketType};
use zerohttpd_core::Limits;
use zerohttpd_sys::defer_accept::defer_accept;
use zerohttpd_sys::notsent_lowat::notsent_lowat;

use crate::net::stream::Stream;

/// How several processes that each run a loop share a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sharing {
    /// One socket per process; the kernel distributes clients by a hash of addresses and ports.
    Reuseport,
    /// One socket; the kernel wakes every process that waits, and the fastest gets the client.
    Shared,
    /// One socket; the kernel wakes one process that waits, mostly the same process.
    Exclusive,
}

/// A listening socket.
pub struct Listener {
    socket: OwnedFd,
    /// Whether no other program listens on the socket.
    is_own: bool,
}

/// The result of accept(2).
pub enum Accepted {
    /// A client.
    Client(Stream),
    /// No client waits.
    None,
    /// The machine is short of descriptors or memory, or a firewall rule forbids the connection.
    /// Another call right now would fail again, so the caller has to pause.
    Failed(Errno),
}

/// A worker that blocks in accept wakes up this often to see whether it is to stop. This is a
/// time-out of accept itself (`SO_RCVTIMEO`), so that the kernel still wakes one worker for one
/// client.
const ACCEPT_TIMEOUT: Duration = Duration::from_millis(500);

/// The kernel holds back a client that sends nothing for this long, rounded to a retransmission of
/// the handshake (`TCP_DEFER_ACCEPT` in tcp(7)). So most clients have sent their request when they
/// are accepted, and meanwhile silent clients use no descriptor and no worker.
const DEFER_ACCEPT_S: i32 = 1;

/// The kernel buffers at most this much of a response that it has not sent yet
/// (`TCP_NOTSENT_LOWAT`). This is half a piece of a file: enough to keep a fast client busy until
/// the server sends more. Without a limit, a thousand slow readers use up the kernel's memory for
/// TCP (`tcp_mem` in tcp(7)).
const UNSENT_BYTES: u32 = 128 * 1024;

impl Listener {
    /// Binds and listens (socket(7), tcp(7)). With `shared`, further sockets can have the same
    /// port.
    ///
    /// Accepted sockets inherit the options. `TCP_NODELAY` is set: responses are sent whole, so
    /// holding back a last small packet would gain nothing.
    ///
    /// # Errors
    ///
    /// From bind(2): the address is in use, is not one of this machine, or needs a privilege.
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
        set_options(&socket)?;
        net::bind(&socket, &address)?;
        net::listen(&socket, backlog)?;
        Ok(Listener { socket, is_own: true })
    }

    /// Lets further sockets of the same user have this port if they ask for it (`SO_REUSEPORT`).
    ///
    /// # Errors
    ///
    /// Those of setsockopt(2).
    pub fn share_port(&self) -> io::Result<()> {
        Ok(sockopt::set_socket_reuseport(&self.socket, true)?)
    }

    /// Takes a socket that listens already. `is_own` is false if another program goes on listening
    /// on the socket, so that it must not be shut. `blocks` says whether accept waits.
    ///
    /// # Errors
    ///
    /// `InvalidInput` if it is not a listening TCP socket; those of setsockopt(2).
    pub fn adopt(socket: OwnedFd, is_own: bool, blocks: bool) -> io::Result<Listener> {
        Listener::check_listens(&socket)?;
        set_options(&socket)?;
        rustix::io::ioctl_fionbio(&socket, !blocks)?;
        Ok(Listener { socket, is_own })
    }

    /// Checks that a socket listens.
    ///
    /// # Errors
    ///
    /// `InvalidInput` if it is not a listening TCP socket.
    pub fn check_listens(socket: &OwnedFd) -> io::Result<()> {
        let domain = sockopt::socket_domain(socket)?;
        let is_tcp = (domain == AddressFamily::INET || domain == AddressFamily::INET6)
            && sockopt::socket_type(socket)? == SocketType::STREAM;
        match is_tcp && sockopt::socket_acceptconn(socket)? {
            true => Ok(()),
            false => Err(io::Error::new(io::ErrorKind::InvalidInput, "it does not listen for TCP")),
        }
    }

    /// Sets how long the kernel keeps sending to a client that acknowledges nothing, even after the
    /// connection was closed (`TCP_USER_TIMEOUT` in tcp(7)): the time that the limits allow for a
    /// piece of a file. The kernel's default is several minutes.
    ///
    /// # Errors
    ///
    /// Those of setsockopt(2).
    pub fn limit_delivery(&self, limits: &Limits) -> io::Result<()> {
        let timeout_ms = u32::try_from(limits.piece_timeout_ms()).unwrap_or(u32::MAX);
        Ok(sockopt::set_tcp_user_timeout(&self.socket, timeout_ms)?)
    }

    /// Whether no other program listens on the socket.
    pub fn is_own(&self) -> bool {
        self.is_own
    }

    /// Another descriptor for the socket.
    ///
    /// # Errors
    ///
    /// `EMFILE`.
    pub fn try_clone(&self) -> io::Result<OwnedFd> {
        self.socket.try_clone()
    }

    /// The address to which the socket is bound, with the port that the kernel chose.
    ///
    /// # Errors
    ///
    /// Those of getsockname(2).
    pub fn address(&self) -> io::Result<SocketAddr> {
        SocketAddr::try_from(net::getsockname(&self.socket)?).map_err(io::Error::from)
    }

    /// Makes accept return at once if no client waits, for all processes that share the socket.
    ///
    /// # Errors
    ///
    /// Those of ioctl(2).
    pub fn set_nonblocking(&self) -> io::Result<()> {
        Ok(rustix::io::ioctl_fionbio(&self.socket, true)?)
    }

    /// Stops listening, for all processes that share the socket: shutdown(2). A socket on which
    /// another program listens is left alone.
    pub fn close(&self) {
        if self.is_own {
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
                Accepted::Client(Stream { socket, peer })
            }
            // No client came in time, or a signal came first.
            Err(Errno::AGAIN | Errno::INTR) => Accepted::None,
            // On Linux, a client that has left while it was in the queue is still accepted, and a
            // read finds the end of the connection.
            Err(errno) => Accepted::Failed(errno),
        }
    }

    /// Whether a client waits to be accepted.
    pub fn has_waiting(&self) -> bool {
        zerohttpd_sys::ready::is_ready(self.socket.as_fd(), rustix::event::PollFlags::IN)
    }
}

/// Sets the options of a listening socket, which accepted sockets inherit.
fn set_options(socket: &OwnedFd) -> io::Result<()> {
    sockopt::set_tcp_nodelay(socket, true)?;
    defer_accept(socket, DEFER_ACCEPT_S)?;
    notsent_lowat(socket, UNSENT_BYTES)?;
    Ok(sockopt::set_socket_timeout(socket, Timeout::Recv, Some(ACCEPT_TIMEOUT))?)
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
