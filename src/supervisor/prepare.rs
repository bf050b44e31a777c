//! What is done once: opening, binding and checking at the start, accounting at the end.

use std::io::{self, IsTerminal};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use rustix::process::{Resource, getrlimit, setrlimit};
use zero_core::app::BadTemplate;
use zero_core::store::StoreDown;
use zero_core::{App, Templates};

use crate::arch::Workers;
use crate::cli::Options;
use crate::clock;
use crate::listener::Listener;
use crate::log::{Format, Sink};
use crate::scoreboard::Scoreboard;
use crate::server::Server;
use crate::site::{self, Site};
use crate::store::address::{Address, Choice};
use crate::store::embedded;
use crate::store::line::Line;
use crate::sys::wait::Used;

/// Descriptors that are not clients: for listening, for the store, for files, log and root.
const OWN_DESCRIPTORS: u64 = 64;

/// How long a store may take to answer at the start.
const STORE_START_MS: u64 = 5000;

/// Says that it waits for the store when that takes longer than this.
const PATIENCE_MS: u64 = 1000;

/// One socket for each process that accepts on its own, all bound to the same address.
pub fn listeners(options: &Options) -> Result<Vec<Listener>, String> {
    let count = match options.arch.workers {
        Workers::Processes => options.workers,
        Workers::None | Workers::Pool => 1,
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

/// Servers that are ready to accept, one on each of these sockets.
pub fn servers(
    options: &Options,
    listeners: Vec<Listener>,
    stop: OwnedFd,
    scoreboard: Scoreboard,
) -> Result<Vec<Server>, String> {
    let site = match &options.root {
        None => Site::builtin(),
        Some(folder) => Site::open(folder).map_err(|error| no_folder("site", folder, &error))?,
    };
    let log = Sink::open(options.log_file.as_deref(), options.log_format).map_err(|error| {
        let file = options.log_file.as_deref().unwrap_or(Path::new("standard output"));
        format!("can't log to {}: {error}", file.display())
    })?;
    let app = App { templates: templates(options)?, limits: options.limits.clone() };
    let (app, site, log, stop) = (Arc::new(app), Arc::new(site), Arc::new(log), Arc::new(stop));
    let store = store(options)?;
    let most_clients = most_clients();
    let server = |listener| Server {
        listener,
        app: app.clone(),
        site: site.clone(),
        store: store.clone(),
        log: log.clone(),
        scoreboard,
        stop: stop.clone(),
        workers: if options.arch.workers == Workers::Pool { options.workers } else { 1 },
        most_clients,
        exhausted: AtomicBool::new(false),
    };
    Ok(listeners.into_iter().map(server).collect())
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
fn most_clients() -> usize {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    let _ = setrlimit(Resource::Nofile, limit);
    let descriptors = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    let own = OWN_DESCRIPTORS.min(descriptors / 4);
    usize::try_from(descriptors.saturating_sub(own).max(1)).unwrap_or(usize::MAX)
}

/// The address at which the store answers.
fn store(options: &Options) -> Result<Address, String> {
    let addresses = Address::resolve(&options.store)
        .map_err(|error| format!("can't find the store {}: {error}", shown(&options.store)))?;
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
fn shown(choice: &Choice) -> String {
    match choice {
        Choice::Redis { host, port, credentials } => {
            format!("redis://{host}:{port}/{}", credentials.database)
        }
        Choice::RedisUnix { socket, .. } => format!("redis+unix://{}", socket.display()),
        Choice::Embedded(file) => format!("embedded:{}", file.display()),
    }
}

/// Says what serves, where, and how to stop it.
pub fn announce(options: &Options, server: &Server) {
    let bold = |text: &str| match io::stderr().is_terminal() {
        true => format!("\x1b[1m{text}\x1b[0m"),
        false => text.to_owned(),
    };
    let folder = |folder: &Option<std::path::PathBuf>| match folder {
        Some(folder) => folder.display().to_string(),
        None => "compiled in".into(),
    };
    let workers = match (options.arch.workers, options.workers) {
        (Workers::None, _) => String::new(),
        (Workers::Pool, count) => format!(", {count} workers"),
        (Workers::Processes, 1) => ", 1 process".into(),
        (Workers::Processes, count) => format!(", {count} processes"),
    };
    say!("zerohttpd: {}{workers}: {}", bold(options.arch.name), options.arch.idea);
    if let Ok(mut address) = server.listener.address() {
        let everywhere = address.ip().is_unspecified();
        if everywhere {
            address.set_ip(match address.ip().is_ipv4() {
                true => std::net::Ipv4Addr::LOCALHOST.into(),
                false => std::net::Ipv6Addr::LOCALHOST.into(),
            });
        }
        let also = if everywhere { " (and every other address of this machine)" } else { "" };
        say!("  address    {}{also}", bold(&format!("http://{address}/")));
    }
    say!("  site       {}", folder(&options.root));
    say!("  templates  {}", folder(&options.templates));
    say!("  guestbook  {}", shown(&options.store));
    if let Choice::Embedded(file) = &options.store {
        say!("             redis-cli -s {}", embedded::socket_path(file).display());
    }
    match (options.log_format, &options.log_file) {
        (Format::Off, _) => say!("  log        off"),
        (_, Some(file)) => say!("  log        {}", file.display()),
        (_, None) => say!("  log        standard output"),
    }
    say!("  Ctrl-C stops it");
}

/// Says what was served and what that cost, as the original did.
pub fn account(options: &Options, scoreboard: Scoreboard, used: Used) {
    let seconds = |time: Duration| time.as_secs_f64();
    let requests = scoreboard.requests.load(Relaxed);
    say!("\nzerohttpd: {}: {requests} requests served", options.arch.name);
    say!(
        "  CPU time   {:.2} s user, {:.2} s system, children included; the store not",
        seconds(used.user),
        seconds(used.system)
    );
    say!("  memory     {:.1} MiB, the most of one process", used.peak_kib as f64 / 1024.0);
    let lost = scoreboard.log_lines_lost.load(Relaxed);
    if lost > 0 {
        say!("  log        {lost} lines lost: nobody took them, or the disk is full");
    }
}
