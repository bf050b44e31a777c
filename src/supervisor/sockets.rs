//! The listening sockets: bound here, handed over by a predecessor, or passed by who starts us.

use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use crate::arch::Workers;
use crate::cli::Options;
use crate::listener::{Listener, Sharing};
use crate::sys::inherited;

use super::handover::Handover;

/// What is listened on.
pub struct Sockets {
    /// For clients: one, or one for each process that accepts on its own.
    pub listeners: Vec<Arc<Listener>>,
    /// For the admin.
    pub admin: Option<Arc<Listener>>,
}

/// What a service manager calls the socket for the admin (`FileDescriptorName=` in
/// systemd.socket(5)).
const ADMIN: &str = "admin";

/// Sockets that were there before this program.
pub struct Passed {
    /// Listening sockets that are ours to close.
    ours: Vec<OwnedFd>,
    /// Those of who started us, by socket activation (sd_listen_fds(3)).
    activated: Vec<OwnedFd>,
    /// Likewise, for the admin.
    admin: Vec<OwnedFd>,
}

/// What a predecessor has handed over, or who starts us has passed. It is known by its numbers, so
/// nothing else may have been opened yet.
///
/// # Errors
///
/// There is nothing of a number, or too much for the admin.
pub fn passed(handover: Option<&mut Handover>) -> Result<Passed, String> {
    match handover {
        Some(handover) => Ok(Passed {
            ours: std::mem::take(&mut handover.listeners),
            activated: std::mem::take(&mut handover.activated),
            admin: std::mem::take(&mut handover.admin),
        }),
        None => {
            let (activated, admin) = activated()?;
            Ok(Passed { ours: Vec::new(), activated, admin })
        }
    }
}

/// The sockets that this server listens on.
///
/// # Errors
///
/// One line that says what can't be listened on, and what to do.
pub fn open(options: &Options, passed: Passed) -> Result<Sockets, String> {
    let Passed { ours, activated, admin } = passed;
    let blocking = options.arch.workers != Workers::Processes;
    let adopt = |sockets: Vec<OwnedFd>, ours| {
        sockets.into_iter().map(move |socket| {
            Listener::adopt(socket, ours, blocking).map_err(|error| {
                format!("can't listen on a socket that was passed on: {error}; pass TCP sockets")
            })
        })
    };
    // Whose the admin's socket is does not matter: it is never shut, only closed.
    let admin = adopt(admin, false).next().or_else(|| options.admin.map(bind_admin));
    let listeners: Vec<Listener> =
        adopt(ours, true).chain(adopt(activated, false)).collect::<Result<_, _>>()?;
    let listeners = if listeners.is_empty() { bind(options)? } else { listeners };
    if listeners.len() > 1 && options.arch.workers != Workers::Processes {
        let (name, count) = (options.arch.name, listeners.len());
        return Err(format!(
            "{name} accepts on one socket, and {count} were passed on; pass one (for IPv4 and \
             IPv6 both, BindIPv6Only=both in systemd.socket(5)), or take epoll"
        ));
    }
    Ok(Sockets {
        listeners: listeners.into_iter().map(Arc::new).collect(),
        admin: admin.transpose()?.map(Arc::new),
    })
}

/// How many servers there are: as many as are asked for, and at least one to each socket.
pub fn servers(options: &Options, sockets: usize) -> usize {
    match options.arch.workers {
        Workers::Processes => options.workers.max(sockets),
        Workers::None | Workers::Pool => 1,
    }
}

/// The sockets of socket activation (sd_listen_fds(3)): for clients, and for the admin.
fn activated() -> Result<(Vec<OwnedFd>, Vec<OwnedFd>), String> {
    let wrong = |error: io::Error| {
        format!("can't use the sockets of LISTEN_FDS: {error}; unset it if it is left over")
    };
    let (mut clients, mut admin) = (Vec::new(), Vec::new());
    for (number, name) in sd_notify::listen_fds_with_names().map_err(wrong)? {
        let sockets = if name == ADMIN { &mut admin } else { &mut clients };
        sockets.push(inherited::take(number).map_err(wrong)?);
    }
    match admin.len() {
        0 | 1 => Ok((clients, admin)),
        count => Err(format!("{count} sockets named {ADMIN} were passed on; pass one")),
    }
}

fn bind_admin(address: SocketAddr) -> Result<Listener, String> {
    // A few monitors connect, now and then.
    const BACKLOG: i32 = 64;
    Listener::bind(address, BACKLOG, false)
        .map_err(|error| format!("can't listen on {address}: {}", bind_advice(&error)))
}

fn bind(options: &Options) -> Result<Vec<Listener>, String> {
    let count = match options.sharing {
        Sharing::Reuseport => servers(options, 1),
        Sharing::Shared | Sharing::Exclusive => 1,
    };
    let bind = |address, shared| {
        Listener::bind(address, options.backlog, shared)
            .map_err(|error| format!("can't listen on {address}: {}", bind_advice(&error)))
    };
    let alone = bind(options.address, false)?;
    if count == 1 {
        return Ok(vec![alone]);
    }
    // Sockets that share a port would share it with those of another server of ours too. That one
    // could be bound alone shows that there is none; it also has the port that the kernel chose.
    let address = alone.address().map_err(|error| error.to_string())?;
    drop(alone);
    (0..count).map(|_| bind(address, true)).collect()
}

fn bind_advice(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::AddrInUse => "something else does already; choose another port".into(),
        io::ErrorKind::PermissionDenied => "ports below 1024 need root; choose a higher one".into(),
        io::ErrorKind::AddrNotAvailable => "this machine has no such address; see `ip addr`".into(),
        _ => error.to_string(),
    }
}
