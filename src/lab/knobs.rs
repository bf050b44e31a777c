//! What can be turned on our servers, and how it was turned in 2019. Each knob is a real option of
//! the server, so that the laboratory can turn one at a time and show what that one did.

use std::collections::BTreeMap;

use crate::arch::{Arch, Workers};

/// A knob.
pub struct Knob {
    /// What it is called.
    pub name: &'static str,
    /// What it does, for the help and the report.
    pub meaning: &'static str,
    /// What it can be turned to.
    pub values: Values,
    /// Where it stands in the profile `fair`: every architecture as good as it can be.
    pub fair: &'static str,
    /// Where it stood in the original.
    pub faithful: &'static str,
    /// Which architectures have it.
    of: Of,
}

/// What a knob can be turned to.
pub enum Values {
    /// One of these words, each with the options of the server that it stands for.
    Words(&'static [(&'static str, &'static [&'static str])]),
    /// A number, which this option of the server takes.
    Number(&'static str),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Of {
    All,
    Pools,
    Loops,
}

/// All of them.
pub const KNOBS: &[Knob] = &[
    Knob {
        name: "store",
        meaning: "connections to the store: used again, or one a request",
        values: Values::Words(&[
            ("reused", &[]),
            ("per-request", &["--store-connection", "per-request"]),
        ]),
        fair: "reused",
        faithful: "per-request",
        of: Of::All,
    },
    Knob {
        name: "queue",
        meaning: "clients that may wait to be accepted",
        values: Values::Number("--backlog"),
        fair: "4096",
        faithful: "10",
        of: Of::All,
    },
    Knob {
        name: "pool",
        meaning: "workers of a pool",
        values: Values::Number("--workers"),
        fair: "100",
        faithful: "100",
        of: Of::Pools,
    },
    Knob {
        name: "processes",
        meaning: "processes that run a loop each",
        values: Values::Number("--workers"),
        fair: "1",
        faithful: "1",
        of: Of::Loops,
    },
    Knob {
        name: KEEP_ALIVE,
        meaning: "whether a connection serves many requests",
        values: Values::Words(&[("on", &[]), (OFF, &["--keep-alive-timeout", "0"])]),
        fair: "on",
        faithful: OFF,
        of: Of::All,
    },
    Knob {
        name: "reads",
        meaning: "a request is read as it comes, or byte by byte",
        values: Values::Words(&[("whole", &[]), ("one-byte", &["--read-bytes", "1"])]),
        fair: "whole",
        faithful: "one-byte",
        of: Of::All,
    },
    Knob {
        name: "sends",
        meaning: "an answer goes out in one piece, or in several",
        values: Values::Words(&[("one", &[]), ("many", &["--sends", "many"])]),
        fair: "one",
        faithful: "many",
        of: Of::All,
    },
];

/// The knob that the load has to know of too.
const KEEP_ALIVE: &str = "keep-alive";
const OFF: &str = "off";

/// The profiles, and what each is.
pub const PROFILES: &[(&str, &str)] = &[
    ("fair", "every architecture tuned alike"),
    ("faithful-2019", "with the accidents of the original"),
];

/// Where the knobs stand.
pub type Setup = BTreeMap<String, String>;

impl Knob {
    /// Whether an architecture has it.
    pub fn applies_to(&self, arch: &Arch) -> bool {
        match self.of {
            Of::All => true,
            Of::Pools => arch.workers == Workers::Pool,
            Of::Loops => arch.workers == Workers::Processes,
        }
    }

    /// What the server is told where it stands at this value.
    ///
    /// # Errors
    ///
    /// It has no such value.
    pub fn options(&self, value: &str) -> Result<Vec<String>, String> {
        match &self.values {
            Values::Words(words) => {
                let found = words.iter().find(|(word, _)| *word == value);
                let (_, options) = found.ok_or_else(|| self.complaint(value))?;
                Ok(options.iter().map(ToString::to_string).collect())
            }
            Values::Number(option) => match value.parse::<u32>() {
                Ok(number) if number > 0 => Ok(vec![(*option).to_owned(), number.to_string()]),
                _ => Err(self.complaint(value)),
            },
        }
    }

    fn complaint(&self, value: &str) -> String {
        format!("the knob {} has no {value:?}; it is {}", self.name, self.choices())
    }

    /// What it can be turned to, in words.
    pub fn choices(&self) -> String {
        match &self.values {
            Values::Words(words) => {
                words.iter().map(|(word, _)| *word).collect::<Vec<_>>().join(" or ")
            }
            Values::Number(_) => "a number".into(),
        }
    }
}

/// The knob of that name.
///
/// # Errors
///
/// There is none.
pub fn named(name: &str) -> Result<&'static Knob, String> {
    KNOBS.iter().find(|knob| knob.name == name).ok_or_else(|| {
        let names: Vec<_> = KNOBS.iter().map(|knob| knob.name).collect();
        format!("there is no knob {name:?}; there are {}", names.join(", "))
    })
}

/// Where the knobs stand in a profile.
pub fn profile(name: &str) -> Setup {
    let value = |knob: &Knob| if name == PROFILES[0].0 { knob.fair } else { knob.faithful };
    KNOBS.iter().map(|knob| (knob.name.to_owned(), value(knob).to_owned())).collect()
}

/// What `--knob` says: `store=per-request,reused`.
///
/// # Errors
///
/// There is no such knob, or it has no such value.
pub fn parse(text: &str) -> Result<(&'static Knob, Vec<String>), String> {
    let (name, values) = text.split_once('=').ok_or("it is NAME=VALUE[,VALUE]")?;
    let knob = named(name)?;
    let values: Vec<_> = values.split(',').map(str::to_owned).collect();
    values.iter().try_for_each(|value| knob.options(value).map(|_| ()))?;
    Ok((knob, values))
}

/// The part of a setup that an architecture has.
pub fn of_arch(setup: &Setup, arch: &Arch) -> Setup {
    let has = |knob: &&Knob| knob.applies_to(arch);
    let pair = |knob: &Knob| Some((knob.name.to_owned(), setup.get(knob.name)?.clone()));
    KNOBS.iter().filter(has).filter_map(pair).collect()
}

/// The options of the server that a setup stands for.
///
/// # Errors
///
/// A knob has no such value.
pub fn options(setup: &Setup) -> Result<Vec<String>, String> {
    let mut options = Vec::new();
    for knob in KNOBS {
        if let Some(value) = setup.get(knob.name) {
            options.extend(knob.options(value)?);
        }
    }
    Ok(options)
}

/// The size of the pool, if there is one.
pub fn pool(setup: &Setup) -> Option<usize> {
    setup.get("pool")?.parse().ok()
}

/// Whether connections are kept.
pub fn keeps_alive(setup: &Setup) -> bool {
    setup.get(KEEP_ALIVE).is_none_or(|value| value != OFF)
}

/// Has connections not be kept.
pub fn keep_none_alive(setup: &mut Setup) {
    setup.insert(KEEP_ALIVE.to_owned(), OFF.to_owned());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arch;

    #[test]
    fn profiles_are_made_of_values_that_the_knobs_have() {
        for (name, _) in PROFILES {
            assert!(options(&profile(name)).is_ok(), "{name}");
        }
        assert_ne!(profile(PROFILES[0].0), profile(PROFILES[1].0));
    }

    #[test]
    fn an_architecture_is_told_only_what_it_has() {
        let setup = profile(PROFILES[0].0);
        for arch in arch::ALL {
            let options = options(&of_arch(&setup, arch)).unwrap();
            let is_told = options.iter().any(|option| option == "--workers");
            assert_eq!(is_told, arch.workers != Workers::None, "{}", arch.name);
        }
    }

    #[test]
    fn knobs_are_turned_by_name() {
        let (knob, values) = parse("store=per-request,reused").unwrap();
        assert_eq!((knob.name, values.len()), ("store", 2));
        assert_eq!(knob.options("per-request").unwrap(), ["--store-connection", "per-request"]);
        for wrong in ["store", "store=", "store=x", "pool=0", "pool=x", "nothing=1"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_load_learns_whether_connections_are_kept() {
        let mut setup = profile(PROFILES[0].0);
        assert!(keeps_alive(&setup) && keeps_alive(&Setup::new()));
        keep_none_alive(&mut setup);
        assert!(!keeps_alive(&setup));
        assert!(options(&setup).unwrap().contains(&"--keep-alive-timeout".to_owned()));
    }
}
