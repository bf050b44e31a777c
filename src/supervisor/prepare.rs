//! Opening and checking what servers are made of.

use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use rustix::fs::{Access, AtFlags};
use rustix::process::{Resource, getrlimit, setrlimit};
use zero_core::app::BadTemplate;
use zero_core::store::StoreDown;
use zero_core::{App, Templates};

use crate::arch::Workers;
use crate::cli::Options;
use crate::clock;
use crate::crowd::Crowd;
use crate::listener::Listener;
use crate::log::{self, Format, Sink};
use crate::sandbox;
use crate::scoreboard::Scoreboard;
use crate::send_queue;
use crate::server::Server;
use crate::site::{self, Site};
use crate::store::address::{Address, Choice};
use crate::store::line::Line;

use super::{privileges, sockets};

/// Descriptors that are neither clients nor for listening: for the store, for files, log and root.
const OWN_DESCRIPTORS: u64 = 64;

/// How long a store may take to answer at the start.
const STORE_START_MS: u64 = 5000;

/// Says that it waits for the store when that takes longer than this.
const PATIENCE_MS: u64 = 1000;

/// What all servers have in common.
pub struct Shared<'a> {
    /// Standard output, if the log goes there.
    pub output: Option<&'a OwnedFd>,
    pub scoreboard: Scoreboard,
    pub generation: u64,
    pub stop: Arc<OwnedFd>,
    pub succeeded: Arc<OwnedFd>,
}

/// A generation of servers that are ready to accept.
pub fn servers(
    options: &Options,
    listeners: &[Arc<Listener>],
    store: Address,
    shared: Shared<'_>,
) -> Result<Vec<Server>, String> {
    let content = content(options, open_log(options, shared.output)?)?;
    for listener in listeners {
        listener
            .bound_delivery(&options.limits)
            .map_err(|error| format!("can't bound the time of delivery: {error}"))?;
    }
    let most_clients =
        most_clients(listeners.len()).min(options.clients.clients.unwrap_or(usize::MAX));
    let count = sockets::servers(options, listeners.len());
    content.site.share_among(count);
    send_queue::allow(count);
    let crowd = Crowd::new(options.clients, count)
        .map_err(|error| format!("can't share memory: {error}"))?;
    let crowd = Arc::new(crowd);
    let server = |index: usize| Server {
        listener: listeners[index % listeners.len()].clone(),
        listeners: listeners.to_vec(),
        sharing: options.sharing,
        app: content.app.clone(),
        site: content.site.clone(),
        store: store.clone(),
        log: content.log.clone(),
        habits: options.habits,
        scoreboard: shared.scoreboard,
        generation: shared.generation,
        index,
        crowd: crowd.clone(),
        stop: shared.stop.clone(),
        succeeded: shared.succeeded.clone(),
        workers: if options.arch.workers == Workers::Pool { options.workers } else { 1 },
        most_clients,
        exhausted: AtomicBool::new(false),
    };
    Ok((0..count).map(server).collect())
}

/// What is served, and where that is logged.
struct Content {
    app: Arc<App>,
    site: Arc<Site>,
    log: Arc<Sink>,
}

/// Opens everything as it is now.
fn content(options: &Options, log: Sink) -> Result<Content, String> {
    let site = match &options.root {
        None => Site::builtin(),
        Some(folder) => Site::open(folder, options.symlinks)
            .map_err(|error| no_folder("site", folder, &error))?,
    };
    let app = App {
        templates: templates(options)?,
        limits: options.limits.clone(),
        guestbook: true,
        listing: options.listing,
    };
    Ok(Content { app: Arc::new(app), site: Arc::new(site), log: Arc::new(log) })
}

fn open_log(options: &Options, output: Option<&OwnedFd>) -> Result<Sink, String> {
    match &options.log_file {
        Some(file) => Sink::open(file, options.log_format),
        None => Sink::onto_output(output, options.log_format),
    }
    .map_err(|error| no_log(options, &error))
}

fn no_log(options: &Options, error: &io::Error) -> String {
    let file = options.log_file.as_deref().unwrap_or(Path::new("standard output"));
    format!("can't log to {}: {error}", file.display())
}

/// Standard output, if the log goes there. It is kept for all generations of servers: once root was
/// given up it might not be opened again.
///
/// # Errors
///
/// It can't be written to without being waited for.
pub fn output(options: &Options) -> Result<Option<OwnedFd>, String> {
    if options.log_file.is_some() || options.log_format == Format::Off {
        return Ok(None);
    }
    match log::standard_output() {
        Ok(output) => Ok(Some(output)),
        Err(errno) => Err(format!("{}; name --log-file", no_log(options, &errno.into()))),
    }
}

/// Whether it could be served as the options say: everything is looked at, nothing is started or
/// made. Not looked at are the address, which may be in use by who asks, and whether Redis answers.
pub fn check(options: &Options) -> Result<(), String> {
    privileges::reduce(options)?;
    let silent = Sink::onto_output(None, Format::Off).map_err(|error| no_log(options, &error))?;
    content(options, silent)?;
    if let Some(file) = &options.log_file {
        could_write(file).map_err(|error| no_log(options, &error))?;
    }
    if let Choice::Embedded(file) = &options.store {
        // Its folders are made if need be. Whether the file is good is for the store to say.
        std::path::absolute(file)
            .and_then(|file| could_use(file.ancestors().skip(1)))
            .map_err(|error| format!("can't keep the store in {}: {error}", file.display()))?;
    }
    resolve(options)?;
    sandbox::check(options.sandbox)?;
    say!("zerohttpd: the options, the site and the templates are good");
    Ok(())
}

/// Whether a file could be written to, or made.
fn could_write(file: &Path) -> io::Result<()> {
    match file.try_exists()? {
        true if file.is_dir() => Err(io::ErrorKind::IsADirectory.into()),
        true => may(file, Access::WRITE_OK),
        false => could_use(std::path::absolute(file)?.ancestors().skip(1).take(1)),
    }
}

/// Whether files could be made in the first of these folders that there is.
fn could_use<'a>(mut folders: impl Iterator<Item = &'a Path>) -> io::Result<()> {
    let folder = folders.find(|folder| folder.exists()).ok_or(io::ErrorKind::NotFound)?;
    match folder.is_dir() {
        true => may(folder, Access::WRITE_OK | Access::EXEC_OK),
        false => Err(io::ErrorKind::NotADirectory.into()),
    }
}

fn may(path: &Path, access: Access) -> io::Result<()> {
    Ok(rustix::fs::accessat(rustix::fs::CWD, path, access, AtFlags::EACCESS)?)
}

fn no_folder(what: &str, folder: &Path, error: &io::Error) -> String {
    format!("can't serve the {what} in {}: {error}", folder.display())
}

/// The templates of the folder; those that it does not have are the ones that are compiled in.
fn templates(options: &Options) -> Result<Templates, String> {
    if let Some(folder) = options.templates.as_deref().filter(|folder| !folder.is_dir()) {
        return Err(no_folder("templates", folder, &io::ErrorKind::NotFound.into()));
    }
    let load = |name: &str| -> Result<Vec<u8>, TemplateError> {
        let Some(folder) = &options.templates else {
            return Ok(site::builtin_template(name).into());
        };
        match std::fs::read(folder.join(name)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Ok(site::builtin_template(name).into())
            }
            read => read.map_err(|error| TemplateError(format!("{name}: {error}"))),
        }
    };
    Templates::load(load).map_err(|TemplateError(message)| match &options.templates {
        None => message,
        Some(folder) => format!("{message} (in {})", folder.display()),
    })
}

struct TemplateError(String);

impl From<BadTemplate> for TemplateError {
    fn from(error: BadTemplate) -> TemplateError {
        TemplateError(error.to_string())
    }
}

/// As many clients as the process may have descriptors for; it is given all that it can get.
fn most_clients(listeners: usize) -> usize {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    let _ = setrlimit(Resource::Nofile, limit);
    let descriptors = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    let own = (OWN_DESCRIPTORS + listeners as u64).min(descriptors / 4);
    usize::try_from(descriptors.saturating_sub(own).max(1)).unwrap_or(usize::MAX)
}

fn resolve(options: &Options) -> Result<Vec<Address>, String> {
    let addresses = Address::resolve(&options.store)
        .map_err(|error| format!("can't find the store {}: {error}", shown(&options.store)))?;
    let nowhere = || format!("the store {} has no address", shown(&options.store));
    if addresses.is_empty() { Err(nowhere()) } else { Ok(addresses) }
}

/// The address of the store for whoever takes over: as the predecessor found it, be it there just
/// now or not. Neither a resolver nor the store is waited for, as clients wait meanwhile.
pub fn store_as_before(options: &Options, at: Option<SocketAddr>) -> Result<Address, String> {
    match at.and_then(|at| Address::found(&options.store, at)) {
        Some(address) => Ok(address),
        None => Ok(resolve(options)?.swap_remove(0)),
    }
}

/// The address at which the store answers.
pub fn store(options: &Options) -> Result<Address, String> {
    let addresses = resolve(options)?;
    let start_ms = clock::now().ms;
    let mut said = false;
    let mut reason = StoreDown::Unreachable;
    // Another server's embedded store may be changing hands just now.
    let retry = matches!(options.store, Choice::Embedded(_));
    while clock::now().ms < start_ms + STORE_START_MS {
        if !said && clock::now().ms > start_ms + PATIENCE_MS {
            say!("zerohttpd: waiting for the store {}", shown(&options.store));
            said = true;
        }
        for address in &addresses {
            // Each is given its share of the time.
            let share_ms = STORE_START_MS / addresses.len() as u64;
            match Line::open(address, clock::now().ms + share_ms) {
                Ok(_) => return Ok(address.clone()),
                Err(why) => reason = why,
            }
        }
        if !retry {
            break;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Err(format!("the store {} {reason}; {}", shown(&options.store), store_advice(reason)))
}

fn store_advice(reason: StoreDown) -> &'static str {
    match reason {
        StoreDown::NotAdmitted => "give --store redis://user:password@host/database",
        _ => "start it, name another, or leave it out for the embedded one",
    }
}

/// The store's name, without its password.
pub fn shown(choice: &Choice) -> String {
    match choice {
        Choice::Redis { host, port, credentials } => {
            format!("redis://{host}:{port}/{}", credentials.database)
        }
        Choice::RedisUnix { socket, .. } => format!("redis+unix://{}", socket.display()),
        Choice::Embedded(file) => format!("embedded:{}", file.display()),
    }
}
