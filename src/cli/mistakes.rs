//! Options that other programs have: each gets a line that says what to type here.

use clap::Error;
use clap::builder::StyledStr;
use clap::error::{ContextKind, ContextValue, ErrorKind};

/// Options of other programs, and what to type for them.
const ELSEWHERE: &[(&[&str], &str)] = &[
    (
        &["--threads", "--processes", "--procs", "--jobs", "--worker", "-w", "-j", "-t"],
        "the number of processes, or the size of a pool, is --workers N",
    ),
    (&["--redis", "--database", "--db"], "a Redis is named by --store redis://HOST"),
    (
        &["--dir", "--directory", "--docroot", "--document-root", "--www", "--public", "--site"],
        "the folder to serve is --root DIR",
    ),
    (
        &["--host", "--address", "--addr", "--listen", "--ip", "-b", "-l"],
        "the address is --bind ADDR, and the port --port PORT",
    ),
    (&["--arch", "--architecture", "--mode"], "the architecture is a word: zerohttpd threaded"),
    (
        &["--log", "--logfile", "--access-logs"],
        "the log is --access-log FORMAT and --log-file FILE",
    ),
    (
        &["--tls", "--ssl", "--https", "--cert", "--key"],
        "zerohttpd speaks no TLS; put a proxy in front of it that does (docs/operating.md)",
    ),
    (
        &["--daemon", "--daemonize", "--background", "-d", "-D"],
        "zerohttpd stays in the foreground; a service manager keeps it running (docs/operating.md)",
    ),
    (
        &["--config", "--conf", "-c", "-f"],
        "there is no configuration file; all settings are options: see `zerohttpd help all`",
    ),
    (&["--verbose", "--debug"], "requests are logged by --access-log common"),
    (&["-v"], "the version is -V; requests are logged by --access-log common"),
    (&["--index", "--autoindex", "--browse"], "folders are listed by --listing"),
    (&["--metrics", "--health", "--status"], "metrics and health are served by --admin 9100"),
];

/// Options of other programs that load servers, and what to type for them in `load`.
const LOADS_ELSEWHERE: &[(&[&str], &str)] = &[
    (&["--concurrency", "--connections"], "the number of clients is -c N"),
    (&["--duration", "-z"], "the time is -d SECONDS"),
    (&["-t"], "threads are --threads N, and the time is -d SECONDS"),
    (&["--number", "-N"], "the number of requests is -n N"),
    (&["--data", "--body", "--form", "-m"], "a form is sent by --post BODY"),
    (&["--keep-alive", "-k"], "connections are kept alive unless --no-keep-alive is given"),
    (&["--qps", "-q", "-R"], "the rate is --rate R"),
];

/// What is said of an option that is like none of ours.
const EVERYWHERE: &str =
    "zerohttpd help all has every option, and zerohttpd help COMMAND those of a command";

/// Adds what to type to the error about an unknown option.
pub fn advise(mut error: Error, command: Option<&str>) -> Error {
    let Some(ContextValue::String(typed)) = error.get(ContextKind::InvalidArg) else {
        return error;
    };
    let option = typed.split('=').next().unwrap_or(typed);
    let table = match command {
        None | Some("serve") => ELSEWHERE,
        Some("load") => LOADS_ELSEWHERE,
        Some(_) => &[],
    };
    if error.kind() != ErrorKind::UnknownArgument {
        return error;
    }
    let found = table.iter().find(|(options, _)| options.contains(&option));
    let advice = match (found, error.get(ContextKind::SuggestedArg)) {
        (Some((_, advice)), _) => Some(*advice),
        (None, None) => Some(EVERYWHERE),
        (None, Some(_)) => None,
    };
    if let Some(advice) = advice {
        error.remove(ContextKind::SuggestedArg);
        error.remove(ContextKind::SuggestedSubcommand);
        let advice = vec![StyledStr::from(advice)];
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(advice));
    }
    error
}
