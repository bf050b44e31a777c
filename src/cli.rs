//! What was typed, and what it means.

use std::fmt;
use std::io::{IsTerminal, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use clap::builder::{PossibleValue, PossibleValuesParser};
use clap::parser::ValueSource;
use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand, error::ErrorKind};
use rustix::process::Pid;
use zero_core::{Limits, limits};

use crate::arch::{self, Arch, Workers};
use crate::log::Format;
use crate::scoreboard::POOL_WORKERS;
use crate::store::address::Choice;

/// What is to be done.
pub enum Command {
    /// List the architectures.
    List,
    /// Be the embedded store, in this file, as long as the parent lives.
    Store(PathBuf, Option<Pid>),
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
    /// The folder of templates; none for those that are compiled in.
    pub templates: Option<PathBuf>,
    /// Which store.
    pub store: Choice,
    /// How many workers: of a pool, or processes.
    pub workers: usize,
    /// The bounds.
    pub limits: Limits,
    /// How the log looks.
    pub log_format: Format,
    /// Where it goes, if not to standard output.
    pub log_file: Option<PathBuf>,
    /// How long answers in flight may take once the server is to stop.
    pub grace_ms: u64,
}

const PORT: u16 = 8000;
const BACKLOG: i32 = 4096;
const POOL: usize = 100;
const DEFAULT_ARCH: &str = "epoll";

#[derive(Parser)]
#[command(
    name = "zerohttpd",
    version,
    about = "Serves files and a guestbook, through every architecture that Linux servers have had",
    args_conflicts_with_subcommands = true,
    after_help = "Without arguments: the same as `zerohttpd epoll --workers auto`.\n\
        SIGTERM stops it within the grace time; Ctrl-C at once, with an account of what it used."
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
    },
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
    /// Serve the files of this folder, but for what links and mounts in it lead to [default:
    /// public, or what is compiled in]
    #[arg(long, value_name = "DIR")]
    root: Option<PathBuf>,
    /// Take page templates from this folder [default: templates, or what is compiled in]
    #[arg(long, value_name = "DIR")]
    templates: Option<PathBuf>,
    /// Let so many clients wait to be accepted (at most net.core.somaxconn)
    #[arg(long, value_name = "N", default_value_t = BACKLOG,
        value_parser = clap::value_parser!(i32).range(1..))]
    backlog: i32,
    /// Which store
    #[arg(
        long,
        value_name = "STORE",
        env = "ZEROHTTPD_STORE",
        hide_env_values = true,
        help = "redis://[user:pass@]host[:port][/db], redis+unix:///path[?db=N] or embedded:FILE"
    )]
    store: Option<String>,
    /// Workers in a pool [default: 100], or processes of a loop [default: 1]; auto: one a core
    #[arg(long, value_name = "N|auto", value_parser = worker_count)]
    workers: Option<Count>,
    /// Close a connection that is idle for S seconds; 0: one request to a connection
    #[arg(long, value_name = "S", value_parser = seconds,
        default_value_t = Seconds(limits::KEEP_ALIVE_TIMEOUT_MS))]
    keep_alive_timeout: Seconds,
    /// Give a request head S seconds
    #[arg(long, value_name = "S", value_parser = some_seconds,
        default_value_t = Seconds(limits::HEADER_TIMEOUT_MS))]
    header_timeout: Seconds,
    /// Give a request body S seconds, and one more for each 500 bytes of it
    #[arg(long, value_name = "S", value_parser = some_seconds,
        default_value_t = Seconds(limits::BODY_TIMEOUT_MS))]
    body_timeout: Seconds,
    /// Give a client S seconds to take a page, or 256 KiB of a file
    #[arg(long, value_name = "S", value_parser = some_seconds,
        default_value_t = Seconds(limits::SEND_TIMEOUT_MS))]
    send_timeout: Seconds,
    /// Log requests [default: common on a terminal or to a file, else off]
    #[arg(long, value_name = "FORMAT")]
    access_log: Option<Format>,
    /// Append the log to this file instead of standard output
    #[arg(long, value_name = "FILE")]
    log_file: Option<PathBuf>,
    /// On SIGTERM, give answers in flight S seconds
    #[arg(long, value_name = "S", default_value_t = Seconds(10_000), value_parser = seconds)]
    grace: Seconds,
}

#[derive(Clone, Copy)]
enum Count {
    Of(usize),
    Auto,
}

fn architectures() -> PossibleValuesParser {
    PossibleValuesParser::new(
        arch::ALL.iter().map(|arch| PossibleValue::new(arch.name).help(arch.idea)),
    )
}

fn worker_count(text: &str) -> Result<Count, String> {
    match text {
        "auto" => Ok(Count::Auto),
        digits => match digits.parse() {
            Ok(count) if (1..=POOL_WORKERS).contains(&count) => Ok(Count::Of(count)),
            _ => Err(format!("it is auto, or a number from 1 to {POOL_WORKERS}")),
        },
    }
}

/// A number of seconds, kept in milliseconds.
#[derive(Clone, Copy)]
struct Seconds(u64);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0 as f64 / 1000.0)
    }
}

fn seconds(text: &str) -> Result<Seconds, String> {
    const YEAR_S: f64 = 31_536_000.0;
    match text.parse::<f64>() {
        Ok(seconds) if (0.0..=YEAR_S).contains(&seconds) => {
            Ok(Seconds((seconds * 1000.0).ceil() as u64))
        }
        _ => Err("it is a number of seconds, such as 15 or 0.5".into()),
    }
}

fn some_seconds(text: &str) -> Result<Seconds, String> {
    match seconds(text)? {
        Seconds(0) => Err("it must be more than 0".into()),
        some => Ok(some),
    }
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
        Some(Sub::Store { file, parent }) => Command::Store(file, parent.and_then(Pid::from_raw)),
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
        let workers = workers(arch, asked)?;
        let watched = std::io::stdout().is_terminal() || self.log_file.is_some();
        Ok(Options {
            arch,
            address: SocketAddr::new(self.bind, self.port),
            backlog: self.backlog,
            root: self.root.or_else(|| if_there("public")),
            templates: self.templates.or_else(|| if_there("templates")),
            store: store(self.redis, self.store)?,
            workers,
            limits: Limits {
                keep_alive_timeout_ms: self.keep_alive_timeout.0,
                header_timeout_ms: self.header_timeout.0,
                body_timeout_ms: self.body_timeout.0,
                send_timeout_ms: self.send_timeout.0,
                ..Limits::default()
            },
            log_format: self.access_log.unwrap_or(if watched {
                Format::Common
            } else {
                Format::Off
            }),
            log_file: self.log_file,
            grace_ms: self.grace.0,
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
