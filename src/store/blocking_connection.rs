//! A connection to the store, for workers that block while they wait for a reply.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::net::sockopt::{self, Timeout};
use rustix::net::{self, RecvFlags, SendFlags};
use zerohttpd_core::store::{Credentials, Pipeline, Query, Reply, StoreDown, StoreFailure};
use zerohttpd_sys::ready::timespec;

use crate::clock;
use crate::store::address::Address;

/// A worker that waits for the store checks its deadline this often.
const TICK_MS: u64 = 200;

/// The size of the read buffer. A page of short remarks fits; a longer page takes several reads.
const SCRATCH_BYTES: usize = 4096;

/// A connection on which every query so far has its reply.
pub struct BlockingConnection {
    socket: OwnedFd,
    pipeline: Pipeline<()>,
    /// The [epoch](crate::store::backoff::Backoff::epoch) in which it was opened.
    pub epoch: u64,
}

impl BlockingConnection {
    /// Connects and logs in, by the time `until_ms` of the monotonic clock at the latest.
    ///
    /// # Errors
    ///
    /// The store can't be reached, does not answer in time, or refuses the credentials.
    pub fn open(
        address: &Address,
        epoch: u64,
        until_ms: u64,
    ) -> Result<BlockingConnection, StoreFailure> {
        BlockingConnection::log_in(address.connect(), address.credentials(), epoch, until_ms)
    }

    /// Waits until a socket from [`Address::connect`] is connected, and logs in.
    ///
    /// # Errors
    ///
    /// Those of [`open`](BlockingConnection::open).
    pub fn log_in(
        socket: io::Result<OwnedFd>,
        credentials: &Credentials,
        epoch: u64,
        until_ms: u64,
    ) -> Result<BlockingConnection, StoreFailure> {
        let socket = socket.map_err(unreachable)?;
        if wait_writable(&socket, until_ms)? {
            sockopt::socket_error(&socket)
                .and_then(|connected| connected)
                .map_err(|errno| unreachable(errno.into()))?;
        }
        let mut connection =
            BlockingConnection { socket, pipeline: Pipeline::new(credentials), epoch };
        connection.make_blocking().map_err(unreachable)?;
        connection.exchange(until_ms, |pipeline| pipeline.is_greeting_accepted().then_some(()))?;
        Ok(connection)
    }

    /// Makes reads and writes block, for 200 ms at most.
    fn make_blocking(&self) -> io::Result<()> {
        let tick = Some(Duration::from_millis(TICK_MS));
        sockopt::set_socket_timeout(&self.socket, Timeout::Recv, tick)?;
        sockopt::set_socket_timeout(&self.socket, Timeout::Send, tick)?;
        Ok(rustix::io::ioctl_fionbio(&self.socket, false)?)
    }

    /// A connection that another process has opened, in the given epoch.
    pub fn from_socket(socket: OwnedFd, epoch: u64) -> BlockingConnection {
        BlockingConnection { socket, pipeline: Pipeline::greeted(), epoch }
    }

    /// The socket, to be passed to another process.
    pub fn socket(&self) -> &OwnedFd {
        &self.socket
    }

    /// Whether the store has kept the idle connection open, so that a query on it can succeed.
    pub fn is_usable(&self) -> bool {
        let flags = RecvFlags::PEEK | RecvFlags::DONTWAIT;
        matches!(net::recv(&self.socket, &mut [0; 1], flags), Err(Errno::AGAIN))
    }

    /// Sends one query and waits for its reply, until `until_ms`.
    ///
    /// # Errors
    ///
    /// Why there is no reply. Unless the store refused the query, the connection can't be used
    /// again: a late reply could come on it.
    pub fn ask(&mut self, query: Query, until_ms: u64) -> Result<Reply, StoreFailure> {
        self.pipeline.ask((), query);
        self.exchange(until_ms, Pipeline::reply)?.1
    }

    /// Writes and reads until `find` returns something, or until `until_ms`.
    // Not inlined, so that a forked child's stack contains the buffer only during this call.
    #[inline(never)]
    fn exchange<T>(
        &mut self,
        until_ms: u64,
        find: impl Fn(&mut Pipeline<()>) -> Option<T>,
    ) -> Result<T, StoreFailure> {
        let BlockingConnection { socket, pipeline, .. } = self;
        let mut scratch = [MaybeUninit::uninit(); SCRATCH_BYTES];
        loop {
            let left_ms = until_ms.saturating_sub(clock::now().ms);
            if left_ms == 0 {
                return Err(StoreDown::TimedOut.into());
            }
            let out = pipeline.outgoing();
            if left_ms < TICK_MS {
                // The socket's own time-out would end too late.
                let flags = if out.is_empty() { PollFlags::IN } else { PollFlags::OUT };
                match wait_ready(socket, flags, left_ms) {
                    Ok(true) => {}
                    Ok(false) => continue,
                    Err(errno) => return Err(broken(errno)),
                }
            }
            if !out.is_empty() {
                match net::send(&*socket, out, SendFlags::NOSIGNAL) {
                    Ok(count) => pipeline.wrote(count),
                    Err(Errno::AGAIN | Errno::INTR) => {}
                    Err(errno) => return Err(broken(errno)),
                }
                continue;
            }
            match net::recv(&*socket, &mut scratch, RecvFlags::empty()) {
                Ok((([], _), _)) => return Err(StoreDown::Broken.into()),
                Ok(((bytes, _), _)) => pipeline.received(bytes)?,
                Err(Errno::AGAIN | Errno::INTR) => {}
                Err(errno) => return Err(broken(errno)),
            }
            if let Some(found) = find(pipeline) {
                return Ok(found);
            }
        }
    }
}

/// The failure of an attempt to connect, for this reason.
pub(super) fn unreachable(error: io::Error) -> StoreFailure {
    StoreFailure::of_connection(StoreDown::Unreachable, &system_message(&error))
}

/// The failure of a connection, for this reason.
pub(super) fn broken(errno: Errno) -> StoreFailure {
    StoreFailure::of_connection(StoreDown::Broken, &system_message(&errno.into()))
}

/// The system's message, without the number that Rust adds.
fn system_message(error: &io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or_default().to_owned()
}

/// Waits until a connection is made or has failed. Returns false if poll(2) fails.
fn wait_writable(socket: &OwnedFd, until_ms: u64) -> Result<bool, StoreDown> {
    loop {
        let left_ms = until_ms.saturating_sub(clock::now().ms);
        if left_ms == 0 {
            return Err(StoreDown::TimedOut);
        }
        match wait_ready(socket, PollFlags::OUT, left_ms) {
            Ok(false) => {}
            Ok(true) => return Ok(true),
            Err(_) => return Ok(false),
        }
    }
}

/// Waits until a socket is ready, for `left_ms` at most. Returns whether it is.
fn wait_ready(socket: &OwnedFd, flags: PollFlags, left_ms: u64) -> Result<bool, Errno> {
    match poll(&mut [PollFd::new(socket, flags)], Some(&timespec(left_ms))) {
        Err(Errno::INTR) => Ok(false),
        ready => Ok(ready? > 0),
    }
}
