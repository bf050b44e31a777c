//! The command line: reads the arguments and decides what to do. Only this module uses clap.

mod ablations;
mod addresses;
mod choices;
mod clients;
mod completions;
mod headings;
mod help;
mod limits;
mod manual;
mod mistakes;
mod serve;
mod sharing;
mod suggestion;
mod values;
mod words;

use std::io::Write;
use std::path::PathBuf;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{
    ArgAction, ArgMatches, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum, ValueHint,
};
use clap_complete::Shell;
use rustix::process::Pid;

use crate::arch;
use crate::options::Options;
use crate::sandbox::Sandbox;
use serve::ServeArgs;

/// What the program is to do.
pub enum Invocation {
    /// Print what explains the program.
    Print(Explanation),
    /// Run the embedded store on this file, until `parent` ends.
    Store { file: PathBuf, parent: Option<Pid>, sandbox: Sandbox },
    /// Measure servers.
    #[cfg(feature = "lab")]
    Lab(Box<zerohttpd_lab::Command>),
    /// Serve.
    Serve(Box<Options>),
}

/// What explains the program.
pub enum Explanation {
    /// The architectures, a line each.
    List,
    /// The help on a topic, or without one the help of one page.
    Help(Option<String>),
    /// The version.
    Version,
    /// The completions of a shell.
    Completions(Shell),
    /// The manual page of the program or of a command.
    Manual(Option<String>),
    /// All manual pages, as files of a folder.
    ManualPages(PathBuf),
    /// All commands and options, in Markdown.
    Markdown,
}

#[derive(Parser)]
#[command(
    name = "zerohttpd",
    version,
    about = help::ABOUT,
    args_conflicts_with_subcommands = true,
    disable_help_subcommand = true,
    disable_help_flag = true
)]
struct Cli {
    #[command(subcommand)]
    command: Option<Commands>,
    #[command(flatten)]
    serve: ServeArgs,
    /// Print this page
    #[arg(short, long, global = true, action = ArgAction::HelpShort,
        help_heading = None::<&str>)]
    help: Option<bool>,
}

#[derive(Subcommand)]
enum Commands {
    /// Serve, as without this word
    #[command(hide = true)]
    Serve(Box<ServeArgs>),
    /// List the architectures, one sentence each
    List,
    /// Explain a command or an architecture; `help all` has every option
    Help {
        /// What to explain
        #[arg(hide_possible_values = true, ignore_case = true)]
        topic: Option<String>,
    },
    #[cfg(feature = "lab")]
    #[command(flatten)]
    Lab(Box<zerohttpd_lab::Command>),
    /// Run the embedded store: answer RESP2 at FILE.sock from the SQLite database FILE
    Store {
        /// The database file; it is created if it is missing
        #[arg(value_hint = ValueHint::FilePath)]
        file: PathBuf,
        /// End when this process, which is the parent, does
        #[arg(long, value_name = "PID", hide = true)]
        parent: Option<i32>,
        /// Confine the store to the folder of FILE
        #[arg(long, value_name = "WHEN", default_value = "auto")]
        sandbox: Sandbox,
    },
    /// Print completions for a shell: bash, zsh or fish
    #[command(after_help = "Where each shell looks for them:\n  \
        bash  /etc/bash_completion.d/zerohttpd, if bash-completion is installed\n  \
        zsh   _zerohttpd in a folder of $fpath, such as /usr/local/share/zsh/site-functions\n  \
        fish  ~/.config/fish/completions/zerohttpd.fish")]
    Completions {
        /// The shell
        #[arg(value_parser = shells())]
        shell: Shell,
    },
    /// Print the manual page of the program or of a command
    #[command(after_help = "Examples:\n  \
        zerohttpd man | man -l -\n  \
        zerohttpd man store | man -l -\n  \
        zerohttpd man --out /usr/local/share/man/man1")]
    Man {
        /// The command [default: the program]
        #[arg(hide_possible_values = true)]
        command: Option<String>,
        /// Write all pages into this folder, as zerohttpd.1, zerohttpd-load.1 and so on
        #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath,
            conflicts_with = "command")]
        out: Option<PathBuf>,
        /// Print docs/cli.md: all commands and options in Markdown
        #[arg(long, conflicts_with_all = ["command", "out"])]
        markdown: bool,
    },
    /// Print the version
    #[command(hide = true)]
    Version,
}

/// The shells for which there are completions.
fn shells() -> impl TypedValueParser<Value = Shell> {
    PossibleValuesParser::new(["bash", "zsh", "fish"]).try_map(|name| Shell::from_str(&name, false))
}

/// The whole command line. Its `bench` command gets the names of the architectures here, as the
/// laboratory's crate does not know them.
fn definition() -> clap::Command {
    let command = help::explain(Cli::command()).mut_subcommand("serve", help::explain);
    let commands = command.get_subcommands().map(|command| command.get_name().to_owned());
    let commands: Vec<_> = commands.collect();
    let architectures = arch::ALL.iter().map(|arch| arch.name.to_owned());
    let topics = [help::ALL.to_owned()].into_iter().chain(architectures).chain(commands.clone());
    let topics = PossibleValuesParser::new(topics);
    let commands = PossibleValuesParser::new(commands);
    let command = command
        .mut_subcommand("help", |help| help.mut_arg("topic", |topic| topic.value_parser(topics)))
        .mut_subcommand("man", |man| man.mut_arg("command", |of| of.value_parser(commands)));
    #[cfg(feature = "lab")]
    let command = command.mut_subcommand("bench", |bench| {
        bench.mut_arg("arch", |arch| arch.value_parser(words::architectures()))
    });
    command
}

/// The definition for reading arguments and printing the help.
fn command() -> clap::Command {
    // The parser of a number says what is wrong with a negative one.
    let allow_minus = |command: clap::Command| {
        command.mut_args(|arg| match arg.get_action().takes_values() {
            true => arg.allow_negative_numbers(true),
            false => arg,
        })
    };
    let command = allow_minus(definition()).mut_subcommands(allow_minus);
    help::hide_rare_options(command).mut_subcommand("serve", help::hide_rare_options)
}

/// Reads the command line. If it is wrong, prints why and exits with 2.
pub fn parse() -> Invocation {
    let matches = command().try_get_matches().unwrap_or_else(|error| {
        let first = std::env::args_os().nth(1).and_then(|word| word.into_string().ok());
        let is_command = |name: &&str| definition().find_subcommand(name).is_some();
        mistakes::advise(error, first.as_deref().filter(is_command)).exit()
    });
    let cli = Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    let explain = Invocation::Print;
    match cli.command {
        Some(Commands::List) => explain(Explanation::List),
        Some(Commands::Help { topic }) => explain(Explanation::Help(topic)),
        Some(Commands::Version) => explain(Explanation::Version),
        Some(Commands::Completions { shell }) => explain(Explanation::Completions(shell)),
        Some(Commands::Man { markdown: true, .. }) => explain(Explanation::Markdown),
        Some(Commands::Man { out: Some(folder), .. }) => explain(Explanation::ManualPages(folder)),
        Some(Commands::Man { command, .. }) => explain(Explanation::Manual(command)),
        Some(Commands::Store { file, parent, sandbox }) => {
            Invocation::Store { file, parent: parent.and_then(Pid::from_raw), sandbox }
        }
        #[cfg(feature = "lab")]
        Some(Commands::Lab(command)) => Invocation::Lab(command),
        Some(Commands::Serve(serve)) => {
            let matches = matches.subcommand_matches("serve").unwrap_or(&matches);
            Invocation::Serve(Box::new(options(*serve, matches)))
        }
        None => Invocation::Serve(Box::new(options(cli.serve, &matches))),
    }
}

/// The options of a server. If they contradict each other, prints why and exits with 2.
fn options(mut serve: ServeArgs, matches: &ArgMatches) -> Options {
    // ZEROHTTPD_STORE can be empty, and an argument overrides it. Two arguments are an error.
    let is_typed = |name| matches.value_source(name) == Some(ValueSource::CommandLine);
    if !is_typed("store") {
        let is_used = !serve.no_guestbook && !serve.names_redis();
        serve.store = serve.store.filter(|store| is_used && !store.is_empty());
    }
    serve.into_options().unwrap_or_else(|message| {
        let message = match is_typed("store") {
            true => message,
            false => message.replace("--store: ", "ZEROHTTPD_STORE: "),
        };
        clap::Error::raw(ErrorKind::ArgumentConflict, format!("{message}\n")).exit()
    })
}

/// Prints what explains the program, or writes it into a folder.
///
/// # Errors
///
/// Standard output or the folder can't be written to.
pub fn print(what: Explanation) -> Result<(), String> {
    let mut command = command();
    let mut out = std::io::stdout().lock();
    match what {
        Explanation::List => {
            arch::ALL.iter().try_for_each(|arch| writeln!(out, "{:12} {}", arch.name, arch.idea))
        }
        Explanation::Help(topic) => help::write(&mut command, topic.as_deref()),
        Explanation::Version => out.write_all(command.render_version().as_bytes()),
        Explanation::Completions(shell) => {
            out.write_all(&completions::script(&definition(), shell))
        }
        Explanation::Manual(of) => {
            manual::page(definition(), of.as_deref()).and_then(|page| out.write_all(&page))
        }
        Explanation::Markdown => out.write_all(manual::markdown(definition()).as_bytes()),
        Explanation::ManualPages(folder) => {
            return manual::write_pages(definition(), &folder).map_err(|error| {
                format!("can't write the manual into {}: {error}", folder.display())
            });
        }
    }
    .map_err(|error| format!("can't print that: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        command().debug_assert();
    }

    #[test]
    fn each_command_can_be_suggested() {
        let definition = definition();
        let mut names: Vec<_> = definition.get_subcommands().map(|it| it.get_name()).collect();
        names.sort_unstable();
        let mut suggested = words::COMMANDS.to_vec();
        suggested.sort_unstable();
        assert_eq!(suggested, names);
    }
}
