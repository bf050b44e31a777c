//! The words without an option: `[ARCH] [PORT] [REDIS]`. A word that means something else gets a
//! line that says what to type.

use std::path::Path;

use clap::builder::{PossibleValuesParser, StringValueParser, TypedValueParser};
use clap::{Arg, Command, Error};

use crate::arch::{self, Arch};
use crate::cli::suggestion;

/// All commands.
pub const COMMANDS: &[&str] = &[
    "completions",
    "help",
    "list",
    "man",
    "serve",
    "store",
    "version",
    #[cfg(feature = "lab")]
    "bench",
    #[cfg(feature = "lab")]
    "doctor",
    #[cfg(feature = "lab")]
    "load",
    #[cfg(feature = "lab")]
    "report",
];

/// The message about an empty word.
const EMPTY: &str = "a word is empty; it may come from a variable that is not set";

/// What the words mean.
pub struct Words {
    /// The architecture.
    pub arch: Option<&'static Arch>,
    /// The port.
    pub port: Option<u16>,
    /// The host of a Redis, or its URL.
    pub redis: Option<String>,
}

impl Words {
    /// Reads the words. The architecture can be left out: the first word is then the port. With
    /// `has_port`, which says that the port is an option, the Redis follows the architecture.
    ///
    /// # Errors
    ///
    /// What to type instead.
    pub fn read(words: [Option<String>; 4], has_port: bool) -> Result<Words, String> {
        let mut words = words.into_iter().flatten().peekable();
        let is_port = words.peek().is_some_and(|word| is_number(word));
        let arch = match words.next_if(|_| !is_port) {
            Some(word) => Some(arch::named(&word).ok_or_else(|| no_architecture(&word, has_port))?),
            None => None,
        };
        let name = arch.map_or("", |arch| arch.name);
        let port = words.next_if(|word| !has_port || is_number(word));
        let port = port.map(|word| port_after(name, &word)).transpose()?;
        let redis = words.next();
        if let Some(word) = redis.as_deref().filter(|word| is_number(word)) {
            return Err(format!(
                "{word} is not the host of a Redis; leave it out, or type the host too, as in \
                 redis-host:{word}"
            ));
        }
        match (redis.as_deref().and_then(arch::named), words.next()) {
            (Some(arch), _) => Err(format!(
                "the architecture comes before the port: zerohttpd {} {}",
                arch.name,
                port.unwrap_or_default()
            )),
            (None, Some(_)) => {
                Err("there are too many words: they are [ARCH] [PORT] [REDIS], and a \
                port of Redis follows its host, as in redis-host:6379"
                    .into())
            }
            (None, None) => Ok(Words { arch, port, redis }),
        }
    }
}

/// A parser that accepts every word. Completions offer the architectures.
#[derive(Clone)]
pub struct ArchitectureOrPort;

impl TypedValueParser for ArchitectureOrPort {
    type Value = String;

    fn parse_ref(
        &self,
        command: &Command,
        arg: Option<&Arg>,
        value: &std::ffi::OsStr,
    ) -> Result<String, Error> {
        StringValueParser::new().parse_ref(command, arg, value)
    }

    fn possible_values(
        &self,
    ) -> Option<Box<dyn Iterator<Item = clap::builder::PossibleValue> + '_>> {
        let values: Vec<_> = architectures().possible_values()?.collect();
        Some(Box::new(values.into_iter()))
    }
}

/// The architectures, as the help names them.
pub fn architectures() -> PossibleValuesParser {
    use clap::builder::PossibleValue;
    PossibleValuesParser::new(
        arch::ALL.iter().map(|arch| PossibleValue::new(arch.name).help(arch.idea)),
    )
}

/// Reads a port.
///
/// # Errors
///
/// It is not a number up to 65535.
pub fn port(word: &str) -> Result<u16, &'static str> {
    let number = word.parse().ok().filter(|_| is_number(word));
    number.ok_or("it must be a number up to 65535; 0 lets the kernel choose")
}

fn is_number(word: &str) -> bool {
    !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit())
}

/// Reads the port that follows an architecture.
fn port_after(name: &str, word: &str) -> Result<u16, String> {
    if is_number(word) {
        return port(word).map_err(|why| format!("{word} is not a port: {why}"));
    }
    Err(match (word.strip_prefix(':'), word.rsplit_once(':')) {
        _ if word.is_empty() => EMPTY.into(),
        _ if Path::new(word).is_dir() || word.contains("://") || is_store(word) => instead(word),
        (Some(digits), _) if port(digits).is_ok() => {
            format!("{word} is not a port; type zerohttpd {name} {digits}")
        }
        (None, Some((host, digits))) if port(digits).is_ok() => format!(
            "{word} is not a port; to listen there, type zerohttpd {name} {digits} --bind {host}"
        ),
        _ => format!(
            "{word} is not a port; if it is the host of a Redis, type zerohttpd {name} 8000 {word}"
        ),
    })
}

/// The message about a first word that is no architecture.
fn no_architecture(word: &str, has_port: bool) -> String {
    let names = arch::ALL.iter().map(|arch| arch.name);
    let list = names.clone().collect::<Vec<_>>().join(", ");
    match suggestion::of(word, names.chain(COMMANDS.iter().copied())) {
        _ if word.is_empty() => EMPTY.into(),
        _ if word.contains(['/', ':', '.', '@']) || Path::new(word).exists() => instead(word),
        Some(command) if command == word => {
            format!("{word} is a command, and comes first: type zerohttpd {word}")
        }
        Some(meant) => {
            format!("there is no architecture {word:?}; did you mean {meant}? There are {list}")
        }
        None => {
            let redis = if has_port { "; the host of a Redis follows one of them" } else { "" };
            format!("there is no architecture or command {word:?}; architectures are {list}{redis}")
        }
    }
}

fn is_store(word: &str) -> bool {
    word.starts_with("embedded:") || word.contains('@')
}

/// What to type instead of a word that names something.
fn instead(word: &str) -> String {
    let path = Path::new(word);
    if word.starts_with("redis") && word.contains("://") || is_store(word) {
        // The word can contain a password, so it is not repeated.
        return "a store is named by an option: type zerohttpd --store and then its URL".into();
    }
    if word.starts_with("http://") || word.starts_with("https://") {
        let advice = match cfg!(feature = "lab") {
            true => format!("; to load that server: zerohttpd load {word}"),
            false => String::new(),
        };
        return format!("{word} is no architecture{advice}");
    }
    if path.is_dir() {
        return format!("{word} is a folder; to serve it, type zerohttpd --root {word}");
    }
    if path.is_file() {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let folder = folder.unwrap_or(Path::new(".")).display();
        return format!("{word} is a file; to serve its folder, type zerohttpd --root {folder}");
    }
    match word.rsplit_once(':') {
        Some(("", digits)) if port(digits).is_ok() => {
            format!("{word} is no architecture; for that port, type zerohttpd {digits}")
        }
        Some((host, digits)) if port(digits).is_ok() => format!(
            "{word} is no architecture; to listen there, type zerohttpd {digits} --bind {host}"
        ),
        _ if word.parse::<std::net::IpAddr>().is_ok() => {
            format!("{word} is no architecture; to listen there, type zerohttpd --bind {word}")
        }
        _ => format!("{word} is no architecture, and there is no such folder to serve with --root"),
    }
}
