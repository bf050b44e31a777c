//! Knobs: the options of our servers that the laboratory varies, and the values that the programs
//! of 2019 had. The bench varies one knob at a time, to show the effect of each.

use std::collections::BTreeMap;

use crate::architecture::{Architecture, Scaling};

/// A knob.
pub struct Knob {
    /// The name.
    pub name: &'static str,
    /// What it does, for the help and the report.
    pub meaning: &'static str,
    /// The values that it can have.
    pub values: Values,
    /// Its value in the profile `fair`: the one with which architectures do best.
    pub fair: &'static str,
    /// Its value in the profile `faithful-2019`: what the programs of 2019 did.
    pub faithful: &'static str,
    /// The architectures to which it applies.
    scope: KnobScope,
}

/// The values that a knob can have.
pub enum Values {
    /// One of these words; each has the server's options for it.
    Words(&'static [(&'static str, &'static [&'static str])]),
    /// A number, which becomes the value of this option of the server.
    Number(&'static str),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum KnobScope {
    All,
    Pools,
    Loops,
}

/// All knobs.
pub const KNOBS: &[Knob] = &[
    Knob {
        name: "store",
        meaning: "connections to the store: reused, or one per request",
        values: Values::Words(&[
            ("reused", &[]),
            ("per-request", &["--store-connection", "per-request"]),
        ]),
        fair: "reused",
        faithful: "per-request",
        scope: KnobScope::All,
    },
    Knob {
        name: "queue",
        meaning: "clients that can wait to be accepted",
        values: Values::Number("--backlog"),
        fair: "4096",
        faithful: "10",
        scope: KnobScope::All,
    },
    Knob {
        name: "pool",
        meaning: "workers of a pool",
        values: Values::Number("--workers"),
        fair: "100",
        faithful: "100",
        scope: KnobScope::Pools,
    },
    Knob {
        name: "processes",
        meaning: "processes, each of which runs a loop",
        values: Values::Number("--workers"),
        fair: "1",
        faithful: "1",
        scope: KnobScope::Loops,
    },
    Knob {
        name: KEEP_ALIVE,
        meaning: "whether a connection serves many requests",
        values: Values::Words(&[("on", &[]), (OFF, &["--keep-alive-timeout", "0"])]),
        fair: "on",
        faithful: OFF,
        scope: KnobScope::All,
    },
    Knob {
        name: "reads",
        meaning: "a request is read as it arrives, or byte by byte",
        values: Values::Words(&[("whole", &[]), ("one-byte", &["--read-bytes", "1"])]),
        fair: "whole",
        faithful: "one-byte",
        scope: KnobScope::All,
    },
    Knob {
        name: "sends",
        meaning: "an answer is sent in one call, or in many",
        values: Values::Words(&[("one", &[]), ("many", &["--sends", "many"])]),
        fair: "one",
        faithful: "many",
        scope: KnobScope::All,
    },
];

/// The knob that the load generator has to know as well.
const KEEP_ALIVE: &str = "keep-alive";
const OFF: &str = "off";

/// The profiles, each with a description.
pub const PROFILES: &[(&str, &str)] = &[
    ("fair", "every architecture tuned alike"),
    ("faithful-2019", "every option as the programs of 2019 had it"),
];

/// The value of each knob.
pub type Setup = BTreeMap<String, String>;

impl Knob {
    /// Whether it applies to an architecture.
    pub fn applies_to(&self, arch: &Architecture) -> bool {
        match self.scope {
            KnobScope::All => true,
            KnobScope::Pools => arch.scaling == Scaling::Pool,
            KnobScope::Loops => arch.scaling == Scaling::Processes,
        }
    }

    /// The server's options for a value.
    ///
    /// # Errors
    ///
    /// The knob does not have this value.
    pub fn options(&self, value: &str) -> Result<Vec<String>, String> {
        match &self.values {
            Values::Words(words) => {
                let found = words.iter().find(|(word, _)| *word == value);
                let (_, options) = found.ok_or_else(|| self.value_error(value))?;
                Ok(options.iter().map(ToString::to_string).collect())
            }
            Values::Number(option) => match value.parse::<u32>() {
                Ok(number) if number > 0 => Ok(vec![(*option).to_owned(), number.to_string()]),
                _ => Err(self.value_error(value)),
            },
        }
    }

    fn value_error(&self, value: &str) -> String {
        format!("the knob {} has no value {value:?}; it can be {}", self.name, self.choices())
    }

    /// The possible values, in words.
    pub fn choices(&self) -> String {
        match &self.values {
            Values::Words(words) => {
                words.iter().map(|(word, _)| *word).collect::<Vec<_>>().join(" or ")
            }
            Values::Number(_) => "a number".into(),
        }
    }
}

/// The knob with this name.
///
/// # Errors
///
/// There is no such knob.
pub fn find(name: &str) -> Result<&'static Knob, String> {
    KNOBS.iter().find(|knob| knob.name == name).ok_or_else(|| {
        let names: Vec<_> = KNOBS.iter().map(|knob| knob.name).collect();
        format!("there is no knob {name:?}; there are {}", names.join(", "))
    })
}

/// The values of a profile.
pub fn profile(name: &str) -> Setup {
    let value = |knob: &Knob| if name == PROFILES[0].0 { knob.fair } else { knob.faithful };
    KNOBS.iter().map(|knob| (knob.name.to_owned(), value(knob).to_owned())).collect()
}

/// Reads the value of `--knob`, such as `store=per-request,reused`.
///
/// # Errors
///
/// There is no such knob, or it does not have such a value.
pub fn parse(text: &str) -> Result<(&'static Knob, Vec<String>), String> {
    let (name, values) = text.split_once('=').ok_or("expected NAME=VALUE[,VALUE]")?;
    let knob = find(name)?;
    let values: Vec<_> = values.split(',').map(str::to_owned).collect();
    values.iter().try_for_each(|value| knob.options(value).map(|_| ()))?;
    Ok((knob, values))
}

/// The knobs of a setup that apply to an architecture.
pub fn of_arch(setup: &Setup, arch: &Architecture) -> Setup {
    let has = |knob: &&Knob| knob.applies_to(arch);
    let pair = |knob: &Knob| Some((knob.name.to_owned(), setup.get(knob.name)?.clone()));
    KNOBS.iter().filter(has).filter_map(pair).collect()
}

/// The server's options for a setup.
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

/// Whether connections are kept alive.
pub fn keeps_alive(setup: &Setup) -> bool {
    setup.get(KEEP_ALIVE).is_none_or(|value| value != OFF)
}

/// Turns keep-alive off.
pub fn turn_keep_alive_off(setup: &mut Setup) {
    setup.insert(KEEP_ALIVE.to_owned(), OFF.to_owned());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::architecture::SAMPLE;

    #[test]
    fn profiles_are_made_of_values_that_the_knobs_have() {
        for (name, _) in PROFILES {
            assert!(options(&profile(name)).is_ok(), "{name}");
        }
        assert_ne!(profile(PROFILES[0].0), profile(PROFILES[1].0));
    }

    #[test]
    fn an_architecture_gets_only_the_options_that_apply_to_it() {
        let setup = profile(PROFILES[0].0);
        for arch in SAMPLE {
            let options = options(&of_arch(&setup, arch)).unwrap();
            let has_workers = options.iter().any(|option| option == "--workers");
            assert_eq!(has_workers, arch.scaling != Scaling::None, "{}", arch.name);
        }
    }

    #[test]
    fn knobs_are_parsed_by_name() {
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
        turn_keep_alive_off(&mut setup);
        assert!(!keeps_alive(&setup));
        assert!(options(&setup).unwrap().contains(&"--keep-alive-timeout".to_owned()));
    }
}
