//! Who is measured: our architectures, each set up in one way or in several, and peers.

use crate::arch::Arch;
use crate::lab::knobs::{self, Knob, Setup};
use crate::lab::results::Contestant;

/// A server to be measured, and how it is started.
#[derive(Clone, Debug)]
pub struct Entry {
    /// What is said of it.
    pub contestant: Contestant,
    /// How it is started.
    pub start: Start,
}

/// How a server is started.
#[derive(Clone, Debug)]
pub enum Start {
    /// This program, with these arguments.
    Ours(Vec<String>),
    /// A command for the shell, and what to ask for.
    Peer {
        /// The command.
        command: String,
        /// The URL.
        url: String,
    },
}

/// What is needed to know to make entries.
pub struct Common<'a> {
    /// Where the knobs stand.
    pub base: &'a Setup,
    /// The knobs of which each is turned while the others stand there.
    pub varied: &'a [(&'static Knob, Vec<String>)],
    /// Whether what is asked for needs the store.
    pub uses_store: bool,
}

/// The entries of an architecture: as the knobs stand, and with each turned.
///
/// # Errors
///
/// A knob has no such value.
pub fn of_arch(arch: &Arch, common: &Common<'_>) -> Result<Vec<Entry>, String> {
    let mut entries = vec![entry(arch, arch.name.to_owned(), common.base, common)?];
    for (knob, values) in common.varied.iter().filter(|(knob, _)| knob.applies_to(arch)) {
        let stands_at = common.base.get(knob.name);
        for value in values.iter().filter(|value| stands_at != Some(value)) {
            let mut setup = common.base.clone();
            setup.insert(knob.name.to_owned(), value.clone());
            let name = format!("{} {}={value}", arch.name, knob.name);
            entries.push(entry(arch, name, &setup, common)?);
        }
    }
    Ok(entries)
}

fn entry(arch: &Arch, name: String, setup: &Setup, common: &Common<'_>) -> Result<Entry, String> {
    let setup = knobs::of_arch(setup, arch);
    let fixed = [arch.name, "0", "--bind", "127.0.0.1", "--access-log", "off"];
    let arguments: Vec<_> =
        fixed.into_iter().map(str::to_owned).chain(knobs::options(&setup)?).collect();
    let contestant = Contestant {
        name,
        is_peer: false,
        command: format!("zerohttpd {}", arguments.join(" ")),
        url: None,
        pool: knobs::pool(&setup),
        keeps_alive: knobs::keeps_alive(&setup),
        uses_store: common.uses_store,
        knobs: setup,
    };
    Ok(Entry { contestant, start: Start::Ours(arguments) })
}

/// What `--peer` says: `name=command @ url`.
///
/// # Errors
///
/// A part of it is missing.
pub fn peer(text: &str) -> Result<(String, String, String), String> {
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

/// The entry of a peer.
pub fn of_peer((name, command, url): (String, String, String), common: &Common<'_>) -> Entry {
    let contestant = Contestant {
        name,
        is_peer: true,
        command: command.clone(),
        url: Some(url.clone()),
        keeps_alive: knobs::keeps_alive(common.base),
        ..Contestant::default()
    };
    Entry { contestant, start: Start::Peer { command, url } }
}

/// Gives those a number that have the name of one before them.
pub fn tell_apart(entries: &mut [Entry]) {
    for at in 1..entries.len() {
        let name = entries[at].contestant.name.clone();
        let is_taken = |name: &str, entries: &[Entry]| {
            entries[..at].iter().any(|other| other.contestant.name == name)
        };
        let mut number = 1;
        while is_taken(&entries[at].contestant.name, entries) {
            number += 1;
            entries[at].contestant.name = format!("{name} #{number}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arch;

    #[test]
    fn one_knob_is_turned_at_a_time() {
        let base = knobs::profile("fair");
        let varied = [
            knobs::parse("store=reused,per-request").unwrap(),
            knobs::parse("queue=10,100").unwrap(),
        ];
        let common = Common { base: &base, varied: &varied, uses_store: true };
        let arch = &arch::ALL[0];
        let entries = of_arch(arch, &common).unwrap();
        let names: Vec<_> = entries.iter().map(|entry| entry.contestant.name.clone()).collect();
        let expected = ["", " store=per-request", " queue=10", " queue=100"];
        assert_eq!(names, expected.map(|turned| format!("{}{turned}", arch.name)));
        let Start::Ours(last) = &entries[3].start else { panic!("{:?}", entries[3].start) };
        assert!(last.join(" ").contains("--backlog 100"), "{last:?}");
        assert!(!last.join(" ").contains("per-request"), "{last:?}");
    }

    #[test]
    fn a_peer_has_a_name_a_command_and_a_url() {
        let parts = peer("nginx=nginx -g 'daemon off;' @ http://127.0.0.1:8080/x").unwrap();
        assert_eq!(parts.0, "nginx");
        assert_eq!(parts.1, "nginx -g 'daemon off;'");
        assert_eq!(parts.2, "http://127.0.0.1:8080/x");
        // The command may have both signs in it.
        assert_eq!(peer("a=b=c @ d @ http://e/").unwrap().1, "b=c @ d");
        for wrong in ["a", "a=b", "a=b@http://c/", "=b @ http://c/", "a= @ http://c/", "a=b @ c"] {
            assert!(peer(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_same_twice_has_two_names() {
        let base = knobs::profile("fair");
        let common = Common { base: &base, varied: &[], uses_store: true };
        let one = || of_peer(peer("a=b @ http://c/").unwrap(), &common);
        let mut entries = [one(), one(), one()];
        tell_apart(&mut entries);
        assert_eq!(entries.map(|entry| entry.contestant.name), ["a", "a #2", "a #3"]);
    }
}
