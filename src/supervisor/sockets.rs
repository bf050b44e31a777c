//! The listening sockets: bound here, or passed on by the predecessor or a service manager.

use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use zerohttpd_sys::inherited;

use crate::arch::Workers;
use crate::net::listener::{Listener, Sharing};
use crate::options::Options;
use crate::supervisor::occupant;
use crate::supervisor::upgrade_state::UpgradeState;

/// The listening sockets.
pub struct Sockets {
    /// For clients: one socket that all processes share, or one for each process.
    pub listeners: Vec<Arc<Listener>>,
    /// For the admin server.
    pub admin: Option<Arc<Listener>>,
}

/// The name that a service manager gives to the socket for the admin server (`FileDescriptorName=`
/// in systemd.socket(5)).
const ADMIN: &str = "admin";

/// Listening sockets that were passed to this program.
pub struct Passed {
    /// For clients, bound by the predecessor.
    bound: Vec<OwnedFd>,
    /// For clients, from a service manager (socket activation, sd_listen_fds(3)).
    activated: Vec<OwnedFd>,
    /// For the admin server, from either source; at most one.
    pub admin: Vec<OwnedFd>,
}

/// The sockets that the predecessor or a service manager has passed on. They are known only by
/// their numbers, so this runs before anything else is opened.
///
/// # Errors
///
/// A descriptor is not open, or there are several sockets for the admin server.
pub fn passed(received: Option<&mut UpgradeState>) -> Result<Passed, String> {
    match received {
        Some(received) => Ok(Passed {
            bound: std::mem::take(&mut received.listeners),
            activated: std::mem::take(&mut received.activated),
            admin: std::mem::take(&mut received.admin),
        }),
        None => {
            let (activated, admin) = activated()?;
            Ok(Passed { bound: Vec::new(), activated, admin })
        }
    }
}

impl Passed {
    /// Whether no socket for clients was passed on, so that this program has to bind its own.
    pub fn has_none_for_clients(&self) -> bool {
        self.bound.is_empty() && self.activated.is_empty()
    }
}

/// How many sockets there will be for clients.
pub fn listener_count(options: &Options, passed: &Passed) -> usize {
    match (passed.bound.len() + passed.activated.len(), options.sharing) {
        (0, Sharing::Reuseport) => server_count(options, 1),
        (0, Sharing::Shared | Sharing::Exclusive) => 1,
        (passed, _) => passed,
    }
}

/// Checks that the sockets that were passed on can be used, and that the addresses that are still
/// to be bound do not collide. Changes no socket.
///
/// # Errors
///
/// One line that says what can't be listened on, and what to do.
pub fn inspect(options: &Options, passed: &Passed) -> Result<(), String> {
    let sockets = passed.bound.iter().chain(&passed.activated).chain(&passed.admin);
    for socket in sockets {
        Listener::check_listens(socket).map_err(|error| passed_socket_error(&error))?;
    }
    let count = passed.bound.len() + passed.activated.len();
    if count > 1 && options.arch.workers != Workers::Processes {
        return Err(format!(
            "{} accepts on one socket, and {count} were passed on; pass one (for IPv4 and IPv6 \
             both, BindIPv6Only=both in systemd.socket(5)), or take epoll",
            options.arch.name
        ));
    }
    match options.admin {
        Some(admin)
            if passed.has_none_for_clients()
                && passed.admin.is_empty()
                && occupant::collide(options.address, admin) =>
        {
            Err(format!(
                "can't listen on {admin} for the admin: {} is for clients; choose another port",
                options.address
            ))
        }
        _ => Ok(()),
    }
}

fn passed_socket_error(error: &io::Error) -> String {
    format!("can't listen on a socket that was passed on: {error}; pass TCP sockets")
}

/// The sockets on which this server listens.
///
/// # Errors
///
/// One line that says what can't be listened on, and what to do.
pub fn open(options: &Options, passed: Passed) -> Result<Sockets, String> {
    let count = listener_count(options, &passed);
    let Passed { bound, activated, admin } = passed;
    let blocking = options.arch.workers != Workers::Processes;
    let adopt = |sockets: Vec<OwnedFd>, is_own| {
        sockets.into_iter().map(move |socket| {
            Listener::adopt(socket, is_own, blocking).map_err(|error| passed_socket_error(&error))
        })
    };
    // `is_own` makes no difference here: no process calls shutdown(2) on the admin server's
    // socket.
    let admin = adopt(admin, false).next().or_else(|| options.admin.map(bind_admin));
    let listeners: Vec<Listener> =
        adopt(bound, true).chain(adopt(activated, false)).collect::<Result<_, _>>()?;
    let listeners = if listeners.is_empty() { bind(options, count)? } else { listeners };
    Ok(Sockets {
        listeners: listeners.into_iter().map(Arc::new).collect(),
        admin: admin.transpose()?.map(Arc::new),
    })
}

/// The number of servers. For loops, it is `--workers`, but at least one for each socket.
pub fn server_count(options: &Options, sockets: usize) -> usize {
    match options.arch.workers {
        Workers::Processes => options.workers.max(sockets),
        Workers::None | Workers::Pool => 1,
    }
}

/// The sockets of socket activation (sd_listen_fds(3)): for clients, and for the admin server.
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
    // Only a few monitoring programs connect, now and then.
    const BACKLOG: i32 = 64;
    Listener::bind(address, BACKLOG, false).map_err(|error| bind_error(address, &error))
}

fn bind(options: &Options, count: usize) -> Result<Vec<Listener>, String> {
    let bind = |address, shared| {
        Listener::bind(address, options.backlog, shared)
            .map_err(|error| bind_error(address, &error))
    };
    let first = bind(options.address, false)?;
    if count == 1 {
        return Ok(vec![first]);
    }
    // With SO_REUSEPORT, bind(2) would succeed even if another server of the same user listens on
    // the port. So the first socket is bound without the option, which fails if the port is taken,
    // and sets it afterwards.
    first.share_port().map_err(|error| format!("can't share a port: {error}"))?;
    let address = first.address().map_err(|error| error.to_string())?;
    let others = (1..count).map(|_| bind(address, true)).collect::<Result<Vec<_>, _>>()?;
    Ok([first].into_iter().chain(others).collect())
}

/// The message that an address can't be listened on, with what to do.
fn bind_error(address: SocketAddr, error: &io::Error) -> String {
    let why = match error.kind() {
        io::ErrorKind::AddrInUse => {
            let problem = occupant::describe(address);
            match occupant::free_port_after(address) {
                Some(port) => format!("{problem}, or try port {port}"),
                None => format!("{problem}, or choose another port"),
            }
        }
        io::ErrorKind::PermissionDenied if address.port() < 1024 => format!(
            "port {} needs root's rights: start it with sudo and --user www-data, or choose a port \
             from 1024 on, such as 8080",
            address.port()
        ),
        io::ErrorKind::PermissionDenied => {
            format!("{error}; a security module such as SELinux can forbid a port; choose another")
        }
        io::ErrorKind::AddrNotAvailable => "this machine has no such address; see `ip addr`".into(),
        _ => error.to_string(),
    };
    format!("can't listen on {address}: {why}")
}
