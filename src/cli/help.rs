//! The help: one page, all options, and a page for each command and each architecture.

use std::io::{self, Write};

use clap::Command;

use crate::arch::{Arch, Workers};

/// What the program is for.
pub const ABOUT: &str = match cfg!(feature = "lab") {
    true => {
        "Serves files and a guestbook through the architecture you choose, and measures servers"
    }
    false => "Serves files and a guestbook through the architecture you choose",
};

/// The last line of the one page: where the rest is.
const MORE: &str = "More: zerohttpd help all (every option), help WORD (a command or an \
    architecture), man (the manual)";

/// The topic of `zerohttpd help` that has every option.
pub const ALL: &str = "all";

/// The options that the help of one page has; the others are in the manual.
const COMMON: [&str; 17] = [
    "arch",
    "port_word",
    "redis",
    "port",
    "bind",
    "workers",
    "root",
    "listing",
    "store",
    "no_guestbook",
    "admin",
    "access_log",
    "log_file",
    "user",
    "check",
    "help",
    "version",
];

/// The layout of the server's help.
const TEMPLATE: &str = "{about-with-newline}\n{before-help}{usage-heading}\n  {usage}\n\n\
    {all-args}{after-help}";

const USAGE: &str = "zerohttpd [OPTIONS] [ARCH] [PORT] [REDIS]\n  zerohttpd <COMMAND>";

/// Examples: the words, and what they do.
pub const EXAMPLES: &[(&str, &str)] = &[
    ("zerohttpd", "serve ./public on port 8000, with epoll on all cores"),
    ("zerohttpd 8080 --root site --no-guestbook", "serve the files in site on port 8080"),
    ("zerohttpd threaded 8080 --bind localhost", "a thread for each client, for this machine only"),
    ("zerohttpd epoll 8080 redis-host", "keep the guestbook in a Redis"),
    ("sudo zerohttpd 80 --user www-data", "bind port 80, then give up root's rights"),
    #[cfg(feature = "lab")]
    ("zerohttpd load :8000/ -c 100 -d 5", "load a server with 100 clients for 5 seconds"),
];

/// A part of the whole help and of the manual that explains more than an option: its title, and
/// terms with their meanings.
pub type Section = (&'static str, &'static [(&'static str, &'static str)]);

pub const SECTIONS: &[Section] = &[
    (
        "Signals",
        &[
            (
                "SIGTERM, SIGQUIT",
                "Stop the server; with --drain, after that time, which a second signal ends; \
                 answers in flight have --grace seconds",
            ),
            (
                "SIGINT (Ctrl-C)",
                "Stop the server at once; it prints the CPU time and memory that it used",
            ),
            (
                "SIGHUP, SIGUSR1",
                "Reopen the site, the templates and the log; no connection is refused or reset",
            ),
            (
                "SIGUSR2",
                "Replace the running program with its new version; no connection is refused or \
                 reset",
            ),
        ],
    ),
    (
        "Exit status",
        &[
            ("0", "The server was stopped, or the command succeeded"),
            #[cfg(not(feature = "lab"))]
            ("1", "It could not start or go on, as standard error says"),
            #[cfg(feature = "lab")]
            (
                "1",
                "It could not start or go on, as standard error says; or what it measured failed",
            ),
            ("2", "The command line is wrong, as standard error says"),
            #[cfg(feature = "lab")]
            ("130", "Ctrl-C ended a measurement; what was measured until then is kept"),
        ],
    ),
    (
        "Environment",
        &[
            (
                "ZEROHTTPD_STORE",
                "The store, unless --store or REDIS names one; keeps a password out of the \
                 process list",
            ),
            (
                "LISTEN_FDS, LISTEN_PID, LISTEN_FDNAMES",
                "Sockets that systemd passes; the one named admin is for --admin",
            ),
            (
                "NOTIFY_SOCKET, WATCHDOG_USEC, WATCHDOG_PID",
                "Where, and how often, to report to systemd",
            ),
            ("NO_COLOR", "No colours on a terminal"),
        ],
    ),
    (
        "Files",
        &[
            (
                "public/, templates/",
                "The site and its templates, unless --root and --templates name others; \
                 compiled-in ones where there are none",
            ),
            ("~/.local/state/zerohttpd/guestbook.db", "The guestbook, an SQLite file"),
            (
                "~/.local/state/zerohttpd/guestbook.db.sock",
                "The socket on which it answers redis-cli while a server runs",
            ),
        ],
    ),
];

/// Hides rare options from the one page of the server's command.
pub fn hide_rare_options(command: Command) -> Command {
    command.mut_args(|arg| {
        let is_common = COMMON.contains(&arg.get_id().as_str());
        arg.hide_short_help(!is_common)
    })
}

/// Gives the server's command its examples and sections.
pub fn explain(command: Command) -> Command {
    command
        .help_template(TEMPLATE)
        .override_usage(USAGE)
        .before_help(examples())
        .after_help(MORE)
        .after_long_help(sections())
}

fn examples() -> String {
    let width = EXAMPLES.iter().map(|(words, _)| words.len()).max().unwrap_or_default();
    let line = |(words, what): &(&str, &str)| format!("  {words:width$}  {what}\n");
    format!("Examples:\n{}", EXAMPLES.iter().map(line).collect::<String>())
}

fn sections() -> String {
    let item = |(term, text): &(&str, &str)| format!("  {term}\n          {text}\n");
    let section = |(title, items): &Section| {
        format!("{title}:\n{}", items.iter().map(item).collect::<String>())
    };
    SECTIONS.iter().map(section).collect::<Vec<_>>().join("\n")
}

/// The page of an architecture: the opening of its source, and the options that matter to it.
pub fn architecture(arch: &Arch) -> String {
    let Arch { name, idea, source, .. } = arch;
    let mut page = format!("{name}: {idea}\n");
    let opening = source.lines().map_while(|line| line.strip_prefix("//!"));
    // The title, whose content the idea has, blank lines and the fences of drawings are left out.
    for line in opening.skip(2).map(|line| line.strip_prefix(' ').unwrap_or(line)) {
        match line.strip_prefix("# ") {
            Some(heading) => page += &format!("\n{heading}:\n"),
            None if line.is_empty() || line.starts_with("```") => {}
            None => page += &format!("  {}\n", line.replace('`', "")),
        }
    }
    page += "\nOptions that matter to it:\n";
    page += match arch.workers {
        Workers::None => "  --max-clients N   the most clients that it has at a time",
        Workers::Pool => "  --workers N       the size of the pool",
        Workers::Processes => "  --workers N|auto  how many processes run this loop",
    };
    if !arch.sharing.is_empty() {
        page += "\n  --accept HOW      how they share the port";
    }
    page + &format!("\n\nTo serve with it: zerohttpd {name} [PORT]\n")
}

/// Writes the page of a topic, all options, or without a topic the help of one page.
pub fn write(command: &mut Command, topic: Option<&str>) -> io::Result<()> {
    // The names of topics are in lower case, and are understood in any.
    let topic = topic.map(str::to_ascii_lowercase);
    match topic.as_deref() {
        None => command.print_help(),
        Some(ALL) => command.print_long_help(),
        Some(name) => match crate::arch::named(name) {
            Some(arch) => io::stdout().lock().write_all(architecture(arch).as_bytes()),
            None => {
                command.build();
                match command.find_subcommand_mut(name) {
                    Some(subcommand) => subcommand.print_help(),
                    None => command.print_help(),
                }
            }
        },
    }
}
