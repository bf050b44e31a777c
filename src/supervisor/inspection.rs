//! The checks before a start. `--check` runs only these.
//!
//! After a successful `--check`, a start can fail only when it binds a port or connects to Redis,
//! and `--check` says that it tried neither. `--check` has no effect outside of its process: it
//! creates, binds, starts and writes nothing.

use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::process::{Resource, getrlimit};
use zerohttpd_core::Templates;
use zerohttpd_embedded as embedded;
use zerohttpd_sys::say;

use crate::observe::access_log::{self, Format, Sink};
use crate::options::Options;
use crate::sandbox;
use crate::store::address::StoreChoice;
use crate::supervisor::build;
use crate::supervisor::privileges;
use crate::supervisor::sockets::{self, Passed};
use crate::supervisor::upgrade_state::UpgradeState;

/// The fewest descriptors with which a server can serve and reload, besides those for listening
/// sockets.
const MIN_DESCRIPTORS: u64 = 32;

/// How many levels of the folder of templates are searched.
const MAX_DEPTH: usize = 8;

/// Checks whether a server could start with these options, and prints what it has checked.
///
/// # Errors
///
/// The errors of a start.
pub fn check(options: &Options) -> Result<(), String> {
    let mut received = UpgradeState::receive()?;
    let passed = sockets::passed(received.as_mut())?;
    before_binding(options, &passed)?;
    privileges::switch_user(options)?;
    before_serving(options, received.as_ref())?;
    let store = if options.has_guestbook() { "the store" } else { "no guestbook" };
    say!(
        "zerohttpd: good: the options, the user, descriptors, the site, templates, the log, \
         {store} and the sandbox"
    );
    let address = passed.has_none_for_clients().then_some(options.address);
    let admin = options.admin.filter(|_| passed.admin.is_empty());
    for address in address.iter().chain(&admin) {
        say!("  not tried  whether {address} can be bound");
    }
    match &options.store {
        StoreChoice::Embedded(_) | StoreChoice::None => {}
        store => {
            if let Err(error) = store.resolve() {
                // The name can have an address by the time of the start.
                say!("zerohttpd: the name of {store} can't be resolved now: {error}");
            }
            say!("  not tried  whether {store} answers and accepts the credentials");
        }
    }
    Ok(())
}

/// Checks what has to be checked before the sockets are bound and root's rights are given up.
/// Returns standard output if the log goes there.
///
/// # Errors
///
/// One line that says what can't be used, and what to do.
pub fn before_binding(options: &Options, passed: &Passed) -> Result<Option<OwnedFd>, String> {
    sockets::inspect(options, passed)?;
    let needed = MIN_DESCRIPTORS + sockets::listener_count(options, passed) as u64;
    let limit = getrlimit(Resource::Nofile).maximum.unwrap_or(u64::MAX);
    if limit < needed {
        return Err(format!(
            "a process can have {limit} descriptors here, and {needed} are needed; raise the limit \
             (ulimit -Hn, LimitNOFILE= in systemd.exec(5))"
        ));
    }
    build::open_output(options)
}

/// Checks everything else, with the rights that servers will have. For a successor, which has
/// `received`, checks neither the store nor a log that the predecessor passes on.
///
/// # Errors
///
/// One line that says what can't be used, and what to do.
pub fn before_serving(options: &Options, received: Option<&UpgradeState>) -> Result<(), String> {
    let no_log =
        Sink::onto_output(None, Format::Off).map_err(|error| build::log_error(options, &error))?;
    build::open_files(options, no_log)?;
    if options.root.is_none() && !options.has_guestbook() {
        return Err("with --no-guestbook there is nothing to serve, as there is no folder public \
            here; name a folder with --root"
            .into());
    }
    if let Some(folder) = &options.templates {
        reject_stray(folder, folder, MAX_DEPTH)?;
    }
    let has_log = received.is_some_and(|received| !received.log.is_empty());
    if let Some(file) = options.log_file.as_deref().filter(|_| !has_log) {
        access_log::check_can_open(file).map_err(|error| build::log_error(options, &error))?;
    }
    match &options.store {
        _ if received.is_some() => {}
        StoreChoice::Embedded(file) => embedded::inspect(file)?,
        StoreChoice::Redis { .. } | StoreChoice::RedisUnix { .. } | StoreChoice::None => {}
    }
    sandbox::check(options.sandbox)
}

/// Fails if the folder of templates has an HTML file that the server would never read: its name is
/// probably misspelt.
fn reject_stray(root: &Path, folder: &Path, depth: usize) -> Result<(), String> {
    let unreadable = |error| build::folder_error("templates", folder, &error);
    let entries = std::fs::read_dir(folder).map_err(unreadable)?;
    let mut entries = entries.collect::<Result<Vec<_>, _>>().map_err(unreadable)?;
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for path in entries.into_iter().map(|entry| entry.path()) {
        let is_hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes()[0] == b'.');
        if is_hidden {
            continue;
        }
        if path.is_dir() {
            if depth > 0 {
                reject_stray(root, &path, depth - 1)?;
            }
            continue;
        }
        let is_page = path.extension().is_some_and(|extension| {
            extension.eq_ignore_ascii_case("html") || extension.eq_ignore_ascii_case("htm")
        });
        let name = path.strip_prefix(root).unwrap_or(&path);
        if is_page && !Templates::NAMES.iter().any(|known| Path::new(known) == name) {
            return Err(format!(
                "can't serve the templates in {}: {} is none of {}; rename it, or take it out",
                root.display(),
                name.display(),
                Templates::NAMES.join(", ")
            ));
        }
    }
    Ok(())
}
