//! The command line: reads the arguments and decides what to do. Only this module uses clap.

mod ablations;
mod choices;
mod clients;
mod headings;
mod limits;
mod serve;
mod sharing;
mod values;

use std::io::Write;
use std::path::PathBuf;

use clap::parser::ValueSource;
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand, error::ErrorKind};
use rustix::process::Pid;

use crate::arch;
use crate::options::Options;
use crate::sandbox::Sandbox;
use serve::ServeArgs;
#[cfg(feature = "lab")]
use serve::architectures;

/// What the program is to do.
pub enum Invocation {
    /// List the architectures.
    List,
    /// Run the embedded store on this file, until `parent` ends.
    Store { file: PathBuf, parent: Option<Pid>, sandbox: Sandbox },
    /// Measure servers.
    #[cfg(feature = "lab")]
    Lab(Box<zerohttpd_lab::Command>),
    /// Serve.
    Serve(Box<Options>),
}

#[derive(Parser)]
#[command(
    name = "zerohttpd",
    version,
    about = "Serves static files and a guestbook through the server architecture that you choose, \
        and measures servers",
    args_conflicts_with_subcommands = true,
    after_help = "Without arguments: the same as `zerohttpd epoll --workers auto`.\n\
        SIGTERM stops the server within the grace time; Ctrl-C stops it at once, and it prints\n\
        the CPU time and memory that it used. SIGHUP reopens the site, the templates and the log;\n\
        SIGUSR2 replaces the running program with its new version. Neither loses a connection."
)]
struct Cli {
    #[command(subcommand)]
    command: Option<Commands>,
    #[command(flatten)]
    serve: ServeArgs,
}

#[derive(Subcommand)]
enum Commands {
    /// List the architectures, one sentence each
    List,
    /// Run the embedded store: answer RESP2 at FILE.sock from the SQLite database FILE
    Store {
        /// The database file; it is created if it is missing
        file: PathBuf,
        /// End when this process, which is the parent, does
        #[arg(long, value_name = "PID", hide = true)]
        parent: Option<i32>,
        /// Confine the store to the folder of FILE
        #[arg(long, value_name = "WHEN", default_value = "auto")]
        sandbox: Sandbox,
    },
    #[cfg(feature = "lab")]
    #[command(flatten)]
    Lab(Box<zerohttpd_lab::Command>),
}

/// The whole command line. Its `bench` command gets the names of the architectures here, as the
/// laboratory's crate does not know them.
fn command() -> clap::Command {
    let command = Cli::command();
    #[cfg(feature = "lab")]
    let command = command.mut_subcommand("bench", |bench| {
        bench.mut_arg("arch", |arch| arch.value_parser(architectures()))
    });
    command
}

/// Reads the command line. If it is wrong, prints why and exits with 2.
pub fn parse() -> Invocation {
    let matches = command().get_matches();
    let mut cli = Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    // ZEROHTTPD_STORE can be empty, and an argument overrides it. Two arguments are an error.
    let is_typed = |name| matches.value_source(name) == Some(ValueSource::CommandLine);
    let refuse = |message: String| -> ! {
        let message = match is_typed("store") {
            true => message,
            false => message.replace("--store: ", "ZEROHTTPD_STORE: "),
        };
        command().error(ErrorKind::ArgumentConflict, message).exit()
    };
    if !is_typed("store") {
        cli.serve.store = cli.serve.store.filter(|store| !store.is_empty());
    }
    if cli.command.is_none() && is_typed("redis") && is_typed("store") {
        refuse("REDIS and --store both name a store; leave one out".to_owned());
    }
    match cli.command {
        Some(Commands::List) => Invocation::List,
        Some(Commands::Store { file, parent, sandbox }) => {
            Invocation::Store { file, parent: parent.and_then(Pid::from_raw), sandbox }
        }
        #[cfg(feature = "lab")]
        Some(Commands::Lab(command)) => Invocation::Lab(command),
        None => {
            let options = cli.serve.into_options().unwrap_or_else(|message| refuse(message));
            Invocation::Serve(Box::new(options))
        }
    }
}

/// Prints the architectures, a line each.
///
/// # Errors
///
/// Standard output can't be written to.
pub fn list() -> Result<(), String> {
    let mut out = std::io::stdout().lock();
    arch::ALL
        .iter()
        .try_for_each(|arch| writeln!(out, "{:12} {}", arch.name, arch.idea))
        .map_err(|error| format!("can't print the list: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        command().debug_assert();
    }
}
