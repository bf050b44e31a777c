//! What was typed, and what it means.

mod bounds;
mod clients;
mod sharing;
mod values;

use std::io::{IsTerminal, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use clap::builder::{PossibleValue, PossibleValuesParser};
use clap::parser::ValueSource;
use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand, error::ErrorKind};
use rustix::process::Pid;
use zero_core::Limits;

use crate::arch::{self, Arch, Workers};
use crate::crowd;
use crate::habits::Habits;
use crate::lab;
use crate::listener::Sharing;
use crate::log::Format;
use crate::sandbox::Sandbox;
use crate::store::address::Choice;
use bounds::Bounds;
use clients::Clients;
use sharing::sharing;
use values::{Count, Seconds, seconds, worker_count};

/// What is to be done.
pub enum Command {
    /// List the architectures.
    List,
    /// Be the embedded store, in this file, as long as the parent lives.
    Store { file: PathBuf, parent: Option<Pid>, sandbox: Sandbox },
    /// Measure servers.
    Lab(Box<lab::Command>),
    /// Serve.
    Serve(Box<Options>),
}

/// How to serve.
pub struct Options {
    /// By which architecture.
    pub arch: &'static Arch,
    /// Where.
    pub address: SocketAddr,
    /// Clients that may wait to be accepted.
    pub backlog: i32,
    /// The document root; none for the site that is compiled in.
    pub root: Option<PathBuf>,
    /// Folders that have no index show what is in them.
    pub listing: bool,
    /// Symbolic links that stay beneath the root are followed.
    pub symlinks: bool,
    /// The folder of templates; none for those that are compiled in.
    pub templates: Option<PathBuf>,
    /// Which store.
    pub store: Choice,
    /// How many workers: of a pool, or processes.
    pub workers: usize,
    /// How those that are processes share the port.
    pub sharing: Sharing,
    /// The bounds.
    pub limits: Limits,
    /// How many clients there may be.
    pub clients: crowd::Bounds,
    /// How to go about it.
    pub habits: Habits,
    /// Where to report on all of this.
    pub admin: Option<SocketAddr>,
    /// How the log looks.
    pub log_format: Format,
    /// Where it goes, if not to standard output.
    pub log_file: Option<PathBuf>,
    /// How long answers in flight may take once the server is to stop.
    pub grace_ms: u64,
    /// The user to become once the sockets are bound, and the group after a colon.
    pub user: Option<String>,
    /// Whether to confine what parses clients' bytes.
    pub sandbox: Sandbox,
    /// Only look whether it could be served so.
    pub check: bool,
}

const PORT: u16 = 8000;
const BACKLOG: i32 = 4096;
const POOL: usize = 100;
/// What serves where nothing else is asked for.
pub const DEFAULT_ARCH: &str = "epoll";

// The parts of the help.
const SITE: &str = "Site and store";
const TIME_OUTS: &str = "Time-outs";
const LIMITS: &str = "Limits";
const LOG: &str = "Log";
const RIGHTS: &str = "Rights";

#[derive(Parser)]
#[command(
    name = "zerohttpd",
    version,
    about = "Serves files and a guestbook, through every architecture that Linux servers have had",
    args_conflicts_with_subcommands = true,
    after_help = "Without arguments: the same as `zerohttpd epoll --workers auto`.\n\
        SIGTERM stops it within the grace time; Ctrl-C at once, with an account of what it used.\n\
        SIGHUP opens the site, the templates and the log anew; SIGUSR2 lets a new version of the\n\
        program take over. Neither loses a connection."
)]
struct Cli {
    #[command(subcommand)]
    command: Option<Sub>,
    #[command(flatten)]
    serve: Serve,
}

#[derive(Subcommand)]
enum Sub {
    /// List the architectures, a sentence each
    List,
    /// Be the embedded store: answer RESP2 at FILE.sock from the SQLite database FILE
    Store {
        /// The database; it is made if need be
        file: PathBuf,
        /// End when this process, which is the parent, does
        #[arg(long, value_name = "PID", hide = true)]
        parent: Option<i32>,
        /// Confine it to the folder of FILE
        #[arg(long, value_name = "WHEN", default_value = "auto")]
        sandbox: Sandbox,
    },
    #[command(flatten)]
    Lab(Box<lab::Command>),
}

#[derive(Args)]
struct Serve {
    /// The architecture
    #[arg(value_parser = architectures())]
    arch: Option<String>,
    /// The port; 0 lets the kernel choose one
    #[arg(default_value_t = PORT)]
    port: u16,
    /// The Redis server, as HOST or HOST:PORT [default: the embedded store]
    redis: Option<String>,
    /// Listen at this address only; :: for IPv6 and IPv4 both
    #[arg(long, value_name = "ADDR", default_value_t = IpAddr::V4(Ipv4Addr::UNSPECIFIED))]
    bind: IpAddr,
    /// Let so many clients wait to be accepted (at most net.core.somaxconn)
    #[arg(long, value_name = "N", default_value_t = BACKLOG,
        value_parser = clap::value_parser!(i32).range(1..))]
    backlog: i32,
    /// Workers in a pool [default: 100], or processes of a loop [default: 1]; auto: one a core
    #[arg(long, value_name = "N|auto", value_parser = worker_count)]
    workers: Option<Count>,
    /// How the processes of a loop share the port [default: reuseport]
    #[arg(long, value_name = "HOW")]
    accept: Option<Sharing>,
    /// Serve the files of this folder, but for what links and mounts in it lead to [default:
    /// public, or what is compiled in]
    #[arg(long, value_name = "DIR", help_heading = SITE)]
    root: Option<PathBuf>,
    /// Show what is in a folder that has no index.html
    #[arg(long, help_heading = SITE)]
    listing: bool,
    /// Follow symbolic links that are relative and do not leave the root
    #[arg(long, help_heading = SITE)]
    symlinks: bool,
    /// Take page templates from this folder [default: templates, or what is compiled in]
    #[arg(long, value_name = "DIR", help_heading = SITE)]
    templates: Option<PathBuf>,
    /// Which store
    #[arg(
        long,
        value_name = "STORE",
        env = "ZEROHTTPD_STORE",
        hide_env_values = true,
        help_heading = SITE,
        help = "redis://[user:pass@]host[:port][/db], redis+unix:///path[?db=N] or embedded:FILE"
    )]
    store: Option<String>,
    #[command(flatten)]
    bounds: Bounds,
    #[command(flatten)]
    clients: Clients,
    /// On SIGTERM, give answers in flight S seconds
    #[arg(long, value_name = "S", default_value_t = Seconds(10_000), value_parser = seconds,
        help_heading = TIME_OUTS)]
    grace: Seconds,
    /// Serve /metrics, for Prometheus, and /healthz at this address
    #[arg(long, value_name = "IP:PORT", help_heading = LOG)]
    admin: Option<SocketAddr>,
    /// Log requests [default: common on a terminal or to a file, else off]
    #[arg(long, value_name = "FORMAT", help_heading = LOG)]
    access_log: Option<Format>,
    /// Append the log to this file instead of standard output
    #[arg(long, value_name = "FILE", help_heading = LOG)]
    log_file: Option<PathBuf>,
    /// Become this user, and group, once the sockets are bound
    #[arg(long, value_name = "USER[:GROUP]", help_heading = RIGHTS)]
    user: Option<String>,
    /// Confine what parses the bytes of clients: of files, to the site; by TCP, to the store's port
    /// (Landlock)
    #[arg(long, value_name = "WHEN", default_value = "auto", help_heading = RIGHTS)]
    sandbox: Sandbox,
    /// Look whether all of this could be served, and end; the port and Redis are not tried
    #[arg(long)]
    check: bool,
    #[command(flatten)]
    habits: Habits,
}

fn architectures() -> PossibleValuesParser {
    PossibleValuesParser::new(
        arch::ALL.iter().map(|arch| PossibleValue::new(arch.name).help(arch.idea)),
    )
}

/// Reads the command line. Where it can't be understood, says so and ends the process with 2.
pub fn parse() -> Command {
    let matches = Cli::command().get_matches();
    let mut cli = Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    // What is in the environment may be overruled or empty; what is typed twice is a mistake.
    let typed = |name| matches.value_source(name) == Some(ValueSource::CommandLine);
    let refuse = |message: String| -> ! {
        let message = match typed("store") {
            true => message,
            false => message.replace("--store: ", "ZEROHTTPD_STORE: "),
        };
        Cli::command().error(ErrorKind::ArgumentConflict, message).exit()
    };
    if !typed("store") {
        cli.serve.store = cli.serve.store.filter(|store| !store.is_empty());
    }
    if cli.command.is_none() && typed("redis") && typed("store") {
        refuse("REDIS and --store both name a store; leave one of them out".to_owned());
    }
    match cli.command {
        Some(Sub::List) => Command::List,
        Some(Sub::Store { file, parent, sandbox }) => {
            Command::Store { file, parent: parent.and_then(Pid::from_raw), sandbox }
        }
        Some(Sub::Lab(command)) => Command::Lab(command),
        None => {
            let options = cli.serve.into_options().unwrap_or_else(|message| refuse(message));
            Command::Serve(Box::new(options))
        }
    }
}

/// Prints the architectures.
///
/// # Errors
///
/// Standard output can't be written to.
pub fn list() -> Result<(), String> {
    let mut out = std::io::stdout().lock();
    arch::ALL
        .iter()
        .try_for_each(|arch| writeln!(out, "{:12} {}", arch.name, arch.idea))
        .map_err(|error| format!("can't write the list: {error}"))
}

impl Serve {
    fn into_options(self) -> Result<Options, String> {
        let name = self.arch.as_deref().unwrap_or(DEFAULT_ARCH);
        let arch = arch::named(name).ok_or("there is no such architecture")?;
        let asked = self.workers.or(self.arch.is_none().then_some(Count::Auto));
        let workers = self.clients.bound_workers(arch, workers(arch, asked)?);
        let watched = std::io::stdout().is_terminal() || self.log_file.is_some();
        Ok(Options {
            arch,
            address: SocketAddr::new(self.bind, self.port),
            backlog: self.backlog,
            root: self.root.or_else(|| if_there("public")),
            listing: self.listing,
            symlinks: self.symlinks,
            templates: self.templates.or_else(|| if_there("templates")),
            store: store(self.redis, self.store)?,
            workers,
            sharing: sharing(arch, self.accept)?,
            limits: self.bounds.limits(),
            clients: self.clients.bounds(),
            admin: self.admin,
            log_format: self.access_log.unwrap_or(if watched {
                Format::Common
            } else {
                Format::Off
            }),
            log_file: self.log_file,
            grace_ms: self.grace.0,
            habits: self.habits,
            user: self.user,
            sandbox: self.sandbox,
            check: self.check,
        })
    }
}

fn workers(arch: &Arch, asked: Option<Count>) -> Result<usize, String> {
    let cores = || std::thread::available_parallelism().map_or(1, usize::from);
    match (arch.workers, asked) {
        (Workers::None, None) => Ok(1),
        (Workers::None, Some(_)) => {
            Err(format!("{} makes the workers that it needs; leave --workers out", arch.name))
        }
        (_, Some(Count::Of(count))) => Ok(count),
        (_, Some(Count::Auto)) => Ok(cores()),
        (Workers::Pool, None) => Ok(POOL),
        (Workers::Processes, None) => Ok(1),
    }
}

/// The store, by the argument or by the option. A password in it is not to be shown, so no message
/// repeats the whole of it, as the parser of the command line would.
fn store(argument: Option<String>, option: Option<String>) -> Result<Choice, String> {
    match (argument, option) {
        (Some(host), _) => Choice::parse_host(&host).map_err(|wrong| format!("REDIS: {wrong}")),
        (None, Some(text)) => Choice::parse(&text).map_err(|wrong| format!("--store: {wrong}")),
        (None, None) => embedded_store(),
    }
}

/// A folder of the current directory, if it is there.
fn if_there(folder: &str) -> Option<PathBuf> {
    let folder = PathBuf::from(folder);
    folder.is_dir().then_some(folder)
}

/// The file of the embedded store, unless one is named: in the user's state directory (XDG Base
/// Directory Specification).
fn embedded_store() -> Result<Choice, String> {
    let absolute =
        |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let state = absolute("XDG_STATE_HOME")
        .or_else(|| absolute("HOME").map(|home| home.join(".local/state")))
        .ok_or("neither HOME nor XDG_STATE_HOME is set; name a store with --store embedded:FILE")?;
    Ok(Choice::Embedded(state.join("zerohttpd/guestbook.db")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
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
        let cli = Cli::try_parse_from(words.split(' ')).map_err(|error| error.to_string())?;
        cli.serve.into_options()
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
    fn seconds_may_have_fractions() {
        let limits = options("z epoll --keep-alive-timeout 0 --header-timeout 0.5").unwrap().limits;
        assert_eq!((limits.keep_alive_timeout_ms, limits.header_timeout_ms), (0, 500));
        for words in ["z epoll --header-timeout 0", "z epoll --grace -1", "z epoll --grace x"] {
            assert!(options(words).is_err(), "{words}");
        }
    }
}
