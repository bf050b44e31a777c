//! The arguments that start a server, and the [`Options`] that they mean.

use std::io::IsTerminal;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use clap::{Args, ValueHint};

use crate::arch::{self, Arch, Workers};
use crate::cli::ablations::AblationArgs;
use crate::cli::addresses::{address, address_with_port};
use crate::cli::clients::ClientArgs;
use crate::cli::headings;
use crate::cli::limits::LimitArgs;
use crate::cli::sharing::sharing;
use crate::cli::values::{Seconds, WorkerCount, seconds, whole, worker_count};
use crate::cli::words::{ArchitectureOrPort, Words, port};
use crate::net::listener::Sharing;
use crate::observe::access_log::Format;
use crate::options::{DEFAULT_ARCH, Options};
use crate::sandbox::Sandbox;
use crate::store::address::StoreChoice;

const DEFAULT_PORT: u16 = 8000;
const DEFAULT_BACKLOG: i32 = 4096;
const DEFAULT_POOL_WORKERS: usize = 100;

/// The arguments that start a server.
#[derive(Args)]
pub struct ServeArgs {
    /// The architecture [default: epoll --workers auto]
    #[arg(value_parser = ArchitectureOrPort)]
    arch: Option<String>,
    /// The port, without or after the architecture [default: 8000]
    #[arg(id = "port_word", value_name = "PORT")]
    second: Option<String>,
    /// The Redis server, as HOST or HOST:PORT [default: the embedded store]
    redis: Option<String>,
    #[arg(hide = true)]
    excess: Option<String>,
    /// Listen on this port [default: 8000]; 0 lets the kernel choose one
    #[arg(short, long, value_name = "PORT", value_parser = port)]
    port: Option<u16>,
    /// Listen at this address or name only; :: accepts both IPv6 and IPv4
    #[arg(long, value_name = "ADDR", value_parser = address,
        default_value_t = IpAddr::V4(Ipv4Addr::UNSPECIFIED))]
    bind: IpAddr,
    /// Queue up to N clients that wait to be accepted (at most net.core.somaxconn)
    #[arg(long, value_name = "N", default_value_t = DEFAULT_BACKLOG,
        value_parser = whole(1..=i32::MAX))]
    backlog: i32,
    /// Workers in a pool [default: 100], or processes of a loop [default: 1]; auto: one per core
    #[arg(long, value_name = "N|auto", value_parser = worker_count)]
    workers: Option<WorkerCount>,
    /// How the processes of a loop share the port [default: reuseport]
    #[arg(long, value_name = "HOW")]
    accept: Option<Sharing>,
    /// Serve the files of this folder; links and mounts in it are not followed [default: public if
    /// it exists, else the compiled-in site]
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath,
        help_heading = headings::SITE)]
    root: Option<PathBuf>,
    /// List the contents of folders that have no index.html
    #[arg(long, help_heading = headings::SITE)]
    listing: bool,
    /// Follow symbolic links that are relative and do not leave the root
    #[arg(long, help_heading = headings::SITE)]
    symlinks: bool,
    /// Take page templates from this folder [default: templates if it exists, else those that are
    /// compiled in]
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath,
        help_heading = headings::SITE)]
    templates: Option<PathBuf>,
    /// Which store
    #[arg(
        long,
        value_name = "STORE",
        env = "ZEROHTTPD_STORE",
        hide_env_values = true,
        help_heading = headings::SITE,
        help = "Keep the guestbook in redis://[user:pass@]host[:port][/db], \
            redis+unix:///path[?db=N] or embedded:FILE [default: embedded, in \
            ~/.local/state/zerohttpd]"
    )]
    pub store: Option<String>,
    /// Serve files only: no store is started or asked, and /guestbook is 404
    #[arg(long, help_heading = headings::SITE)]
    pub no_guestbook: bool,
    #[command(flatten)]
    limits: LimitArgs,
    #[command(flatten)]
    clients: ClientArgs,
    /// On SIGTERM, allow S seconds for answers in flight
    #[arg(long, value_name = "S", default_value_t = Seconds(10_000), value_parser = seconds,
        help_heading = headings::TIME_OUTS)]
    grace: Seconds,
    /// On SIGTERM, fail health and serve clients for S seconds before stopping
    #[arg(long, value_name = "S", default_value_t = Seconds(0), value_parser = seconds,
        help_heading = headings::TIME_OUTS)]
    drain: Seconds,
    /// Serve /metrics for Prometheus and /healthz at this address; a port alone is of 127.0.0.1
    #[arg(long, value_name = "[ADDR:]PORT", value_parser = address_with_port,
        help_heading = headings::OPERATION)]
    admin: Option<SocketAddr>,
    /// Log requests [default: common on a terminal or with --log-file, else off]
    #[arg(long, value_name = "FORMAT", help_heading = headings::OPERATION)]
    access_log: Option<Format>,
    /// Append the log to this file instead of standard output
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath,
        help_heading = headings::OPERATION)]
    log_file: Option<PathBuf>,
    /// Switch to this user and group once the sockets are bound
    #[arg(long, value_name = "USER[:GROUP]", help_heading = headings::OPERATION)]
    user: Option<String>,
    /// Confine the processes that parse what clients send: they can read the site's files, and
    /// connect by TCP to the store's port (Landlock)
    #[arg(long, value_name = "WHEN", default_value = "auto", help_heading = headings::OPERATION)]
    sandbox: Sandbox,
    /// Check whether a server could start, then exit; binds no port and asks no Redis
    #[arg(long, help_heading = None::<&str>)]
    check: bool,
    #[command(flatten)]
    ablations: AblationArgs,
}

impl ServeArgs {
    /// Whether a word names a Redis.
    pub fn names_redis(&self) -> bool {
        let words = [&self.arch, &self.second, &self.redis, &self.excess].map(Clone::clone);
        Words::read(words, self.port.is_some()).is_ok_and(|words| words.redis.is_some())
    }

    /// Turns the arguments into options.
    ///
    /// # Errors
    ///
    /// One line that says which argument is wrong.
    pub fn into_options(self) -> Result<Options, String> {
        let words = [self.arch, self.second, self.redis, self.excess];
        let words = Words::read(words, self.port.is_some())?;
        let default = || arch::named(DEFAULT_ARCH).ok_or("there is no such architecture");
        let requested = self.workers.or(words.arch.is_none().then_some(WorkerCount::Auto));
        let arch = words.arch.map_or_else(default, Ok)?;
        let port = match (words.port, self.port) {
            (Some(_), Some(_)) => return Err("the port is given twice; leave one out".into()),
            (word, option) => word.or(option).unwrap_or(DEFAULT_PORT),
        };
        let workers = self.clients.limit_workers(arch, workers(arch, requested)?);
        let logs_by_default = std::io::stdout().is_terminal() || self.log_file.is_some();
        Ok(Options {
            arch,
            address: SocketAddr::new(self.bind, port),
            backlog: self.backlog,
            root: self.root.or_else(|| existing_folder("public")),
            listing: self.listing,
            symlinks: self.symlinks,
            templates: self.templates.or_else(|| existing_folder("templates")),
            store: store(words.redis, self.store, self.no_guestbook)?,
            workers,
            sharing: sharing(arch, self.accept)?,
            limits: self.limits.limits(),
            clients: self.clients.limits(),
            admin: self.admin,
            log_format: self.access_log.unwrap_or(if logs_by_default {
                Format::Common
            } else {
                Format::Off
            }),
            log_file: self.log_file,
            drain_ms: self.drain.0,
            grace_ms: self.grace.0,
            ablations: self.ablations.into(),
            user: self.user,
            sandbox: self.sandbox,
            check: self.check,
        })
    }
}

fn workers(arch: &Arch, requested: Option<WorkerCount>) -> Result<usize, String> {
    let cores = || std::thread::available_parallelism().map_or(1, usize::from);
    match (arch.workers, requested) {
        (Workers::None, None) => Ok(1),
        (Workers::None, Some(_)) => {
            Err(format!("{} creates the workers that it needs; leave --workers out", arch.name))
        }
        (_, Some(WorkerCount::Number(count))) => Ok(count),
        (_, Some(WorkerCount::Auto)) => Ok(cores()),
        (Workers::Pool, None) => Ok(DEFAULT_POOL_WORKERS),
        (Workers::Processes, None) => Ok(1),
    }
}

/// The store, from the argument or the option. clap does not parse the text, which can contain a
/// password: clap's messages would repeat it.
fn store(
    argument: Option<String>,
    option: Option<String>,
    no_guestbook: bool,
) -> Result<StoreChoice, String> {
    let choice = match (argument, option) {
        (None, None) if no_guestbook => Ok(StoreChoice::None),
        (Some(_), Some(_)) => Err("REDIS and --store both name a store; leave one out".to_owned()),
        (Some(_), None) | (None, Some(_)) if no_guestbook => {
            Err("--no-guestbook needs no store; leave it or the store out".to_owned())
        }
        (Some(host), None) => {
            StoreChoice::parse_host(&host).map_err(|wrong| format!("REDIS: {wrong}"))
        }
        (None, Some(text)) => {
            StoreChoice::parse(&text).map_err(|wrong| format!("--store: {wrong}"))
        }
        (None, None) => embedded_store(),
    }?;
    Ok(match choice {
        // SQLite puts its write-ahead log beside the file itself, not beside a link to it.
        StoreChoice::Embedded(file) => {
            StoreChoice::Embedded(zerohttpd_sys::file_access::resolve_links(&file))
        }
        redis => redis,
    })
}

/// A folder in the current directory, if it exists.
fn existing_folder(folder: &str) -> Option<PathBuf> {
    let folder = PathBuf::from(folder);
    folder.is_dir().then_some(folder)
}

/// The default file of the embedded store, in the user's state directory (XDG Base Directory
/// Specification).
fn embedded_store() -> Result<StoreChoice, String> {
    let absolute =
        |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let state = absolute("XDG_STATE_HOME")
        .or_else(|| absolute("HOME").map(|home| home.join(".local/state")))
        .ok_or(
            "neither HOME nor XDG_STATE_HOME is set; name a store with --store embedded:FILE, or \
             serve files only with --no-guestbook",
        )?;
    Ok(StoreChoice::Embedded(state.join("zerohttpd/guestbook.db")))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Typed {
        #[command(flatten)]
        serve: ServeArgs,
    }

    #[test]
    fn a_password_is_never_repeated() {
        for store in ["redis://:s3cret@host:99999", "redis://u:s3cret@h/x", "redis://:s3cr/s3cret@"]
        {
            let wrong = options(&format!("z epoll --store {store}")).err().unwrap();
            assert!(wrong.starts_with("--store: ") && !wrong.contains("s3cr"), "{wrong}");
        }
    }

    fn options(words: &str) -> Result<Options, String> {
        let typed = Typed::try_parse_from(words.split(' ')).map_err(|error| error.to_string())?;
        typed.serve.into_options()
    }

    #[test]
    fn workers_mean_what_the_architecture_says() {
        assert_eq!(options("z preforked").unwrap().workers, 100);
        assert_eq!(options("z epoll").unwrap().workers, 1);
        assert_eq!(options("z epoll --workers 3").unwrap().workers, 3);
        assert!(
            options("z threaded --workers 3").is_err_and(|e| e.contains("leave --workers out"))
        );
        for words in ["z epoll --workers 0", "z epoll --workers 2000", "z epoll --workers x"] {
            assert!(options(words).is_err(), "{words}");
        }
    }

    #[test]
    fn seconds_can_have_fractions() {
        let limits = options("z epoll --keep-alive-timeout 0 --header-timeout 0.5").unwrap().limits;
        assert_eq!((limits.keep_alive_timeout_ms, limits.header_timeout_ms), (0, 500));
        for words in ["z epoll --header-timeout 0", "z epoll --grace -1", "z epoll --grace x"] {
            assert!(options(words).is_err(), "{words}");
        }
    }
}
