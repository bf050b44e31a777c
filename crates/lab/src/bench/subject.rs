//! The subjects of a bench: our architectures, each in one setup or in several, and peers.

use crate::architecture::Architecture;
use crate::knobs::{self, Knob, Setup};
use crate::results::Subject;

/// A server to be measured, and how it is started.
#[derive(Clone, Debug)]
pub struct SubjectPlan {
    /// Its description.
    pub subject: Subject,
    /// How it is started.
    pub start: Start,
}

/// How a server is started.
#[derive(Clone, Debug)]
pub enum Start {
    /// This program, with these arguments.
    ThisProgram(Vec<String>),
    /// A shell command, and the URL to request.
    Peer {
        /// The command.
        command: String,
        /// The URL.
        url: String,
    },
}

/// The options of a bench from which its subjects are made.
pub struct SubjectOptions<'a> {
    /// The values of the knobs.
    pub base: &'a Setup,
    /// The knobs that are varied one at a time, while the others keep their values in `base`.
    pub varied: &'a [(&'static Knob, Vec<String>)],
    /// Whether the requested path needs the store.
    pub uses_store: bool,
}

/// The subjects of an architecture: one with these values, and one for each varied value.
///
/// # Errors
///
/// A knob does not have this value.
pub fn of_arch(
    arch: &Architecture,
    options: &SubjectOptions<'_>,
) -> Result<Vec<SubjectPlan>, String> {
    let mut entries = vec![plan_of(arch, arch.name.to_owned(), options.base, options)?];
    for (knob, values) in options.varied.iter().filter(|(knob, _)| knob.applies_to(arch)) {
        let base_value = options.base.get(knob.name);
        for value in values.iter().filter(|value| base_value != Some(value)) {
            let mut setup = options.base.clone();
            setup.insert(knob.name.to_owned(), value.clone());
            let name = format!("{} {}={value}", arch.name, knob.name);
            entries.push(plan_of(arch, name, &setup, options)?);
        }
    }
    Ok(entries)
}

fn plan_of(
    arch: &Architecture,
    name: String,
    setup: &Setup,
    options: &SubjectOptions<'_>,
) -> Result<SubjectPlan, String> {
    let setup = knobs::of_arch(setup, arch);
    let fixed = [arch.name, "0", "--bind", "127.0.0.1", "--access-log", "off"];
    let arguments: Vec<_> =
        fixed.into_iter().map(str::to_owned).chain(knobs::options(&setup)?).collect();
    let subject = Subject {
        name,
        is_peer: false,
        command: format!("zerohttpd {}", arguments.join(" ")),
        url: None,
        pool: knobs::pool(&setup),
        keeps_alive: knobs::keeps_alive(&setup),
        uses_store: options.uses_store,
        knobs: setup,
    };
    Ok(SubjectPlan { subject, start: Start::ThisProgram(arguments) })
}

/// Reads the value of `--peer`: `name=command @ url`.
///
/// # Errors
///
/// The name, the command or the URL is missing, or the URL does not begin with `http://`.
pub fn parse_peer(text: &str) -> Result<(String, String, String), String> {
    let (start, url) = text.rsplit_once(" @ ").ok_or("it has no ' @ ' before its URL")?;
    let (name, command) = start.split_once('=').ok_or("it has no = after its name")?;
    let (name, command, url) = (name.trim(), command.trim(), url.trim());
    if name.is_empty() || command.is_empty() {
        return Err("it lacks a name or a command".into());
    }
    if !url.starts_with("http://") {
        return Err("its URL does not begin with http://".into());
    }
    Ok((name.to_owned(), command.to_owned(), url.to_owned()))
}

/// The subject of a peer.
pub fn of_peer(
    (name, command, url): (String, String, String),
    options: &SubjectOptions<'_>,
) -> SubjectPlan {
    let subject = Subject {
        name,
        is_peer: true,
        command: command.clone(),
        url: Some(url.clone()),
        keeps_alive: knobs::keeps_alive(options.base),
        ..Subject::default()
    };
    SubjectPlan { subject, start: Start::Peer { command, url } }
}

/// Adds a number to each name that an earlier subject has too.
pub fn number_duplicates(entries: &mut [SubjectPlan]) {
    for index in 1..entries.len() {
        let name = entries[index].subject.name.clone();
        let is_taken = |name: &str, entries: &[SubjectPlan]| {
            entries[..index].iter().any(|other| other.subject.name == name)
        };
        let mut number = 1;
        while is_taken(&entries[index].subject.name, entries) {
            number += 1;
            entries[index].subject.name = format!("{name} #{number}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::architecture::SAMPLE;

    #[test]
    fn one_knob_is_varied_at_a_time() {
        let base = knobs::profile("fair");
        let varied = [
            knobs::parse("store=reused,per-request").unwrap(),
            knobs::parse("queue=10,100").unwrap(),
        ];
        let options = SubjectOptions { base: &base, varied: &varied, uses_store: true };
        let arch = &SAMPLE[0];
        let entries = of_arch(arch, &options).unwrap();
        let names: Vec<_> = entries.iter().map(|entry| entry.subject.name.clone()).collect();
        let expected = ["", " store=per-request", " queue=10", " queue=100"];
        assert_eq!(names, expected.map(|setting| format!("{}{setting}", arch.name)));
        let Start::ThisProgram(last) = &entries[3].start else { panic!("{:?}", entries[3].start) };
        assert!(last.join(" ").contains("--backlog 100"), "{last:?}");
        assert!(!last.join(" ").contains("per-request"), "{last:?}");
    }

    #[test]
    fn a_peer_has_a_name_a_command_and_a_url() {
        let parts = parse_peer("nginx=nginx -g 'daemon off;' @ http://127.0.0.1:8080/x").unwrap();
        assert_eq!(parts.0, "nginx");
        assert_eq!(parts.1, "nginx -g 'daemon off;'");
        assert_eq!(parts.2, "http://127.0.0.1:8080/x");
        // The command can also contain both separators.
        assert_eq!(parse_peer("a=b=c @ d @ http://e/").unwrap().1, "b=c @ d");
        for wrong in ["a", "a=b", "a=b@http://c/", "=b @ http://c/", "a= @ http://c/", "a=b @ c"] {
            assert!(parse_peer(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn two_subjects_of_the_same_setting_have_different_names() {
        let base = knobs::profile("fair");
        let options = SubjectOptions { base: &base, varied: &[], uses_store: true };
        let one = || of_peer(parse_peer("a=b @ http://c/").unwrap(), &options);
        let mut entries = [one(), one(), one()];
        number_duplicates(&mut entries);
        assert_eq!(entries.map(|entry| entry.subject.name), ["a", "a #2", "a #3"]);
    }
}
