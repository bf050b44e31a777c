//! The sandbox (Landlock, landlock(7)): a process that parses what clients send can read the site's
//! files and no others, connect by TCP only to the store's port, and listen nowhere.
//!
//! Landlock confines neither UDP nor connections to Unix sockets with a name in the file system.
//! For these, only the rights of the process's user count, which is a reason to give up root's
//! rights.
//!
//! A process is confined before it has threads, and after it has opened everything else: the log,
//! the listening socket, the stop descriptors. Open descriptors stay usable. The supervisor is not
//! confined, because it has to open the log again. It parses nothing that clients send.

use std::fmt;
use std::os::fd::BorrowedFd;
use std::path::Path;

use landlock::{
    ABI, Access, AccessFs, AccessNet, CompatLevel, Compatible, NetPort, PathBeneath, PathFd,
    Ruleset, RulesetAttr, RulesetCreated, RulesetCreatedAttr, RulesetError, RulesetStatus, Scope,
};

/// Whether to confine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sandbox {
    /// As far as the kernel supports it.
    Auto,
    /// As far as the kernel supports it; refuse to start where it has no Landlock.
    Always,
    /// No sandbox.
    Off,
}

/// The newest Landlock version whose features this program uses. On an older kernel, it uses the
/// features that the kernel has.
const WANTED_ABI: ABI = ABI::V6;

/// The reason that there is no sandbox. A filter of system calls that does not know Landlock makes
/// its calls fail; the kernel itself can support it.
const NO_LANDLOCK: &str = "this kernel has no Landlock, or a filter of system calls refuses it";

/// All versions that added a feature this program uses, the newest first.
const KNOWN_ABIS: [ABI; 6] = [ABI::V6, ABI::V5, ABI::V4, ABI::V3, ABI::V2, ABI::V1];

impl Sandbox {
    /// The name of this choice on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Sandbox::Auto => "auto",
            Sandbox::Always => "always",
            Sandbox::Off => "off",
        }
    }
}

/// What confines the servers, for the banner.
pub struct Confinement {
    /// The Landlock version, if there is one.
    abi: Option<ABI>,
    has_store: bool,
}

impl fmt::Display for Confinement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.abi {
            None => write!(f, "none: {NO_LANDLOCK}"),
            Some(abi) => {
                let net = match abi >= ABI::V4 && self.has_store {
                    true => " and connect by TCP to the store's port",
                    false => "",
                };
                write!(f, "Landlock: servers can read the site's files{net} (ABI {})", abi as i32)
            }
        }
    }
}

/// What confines the servers here.
pub fn available(has_store: bool) -> Confinement {
    Confinement { abi: newest_abi(), has_store }
}

/// The newest of the [`KNOWN_ABIS`] versions that this kernel supports.
fn newest_abi() -> Option<ABI> {
    KNOWN_ABIS
        .into_iter()
        .find(|abi| ruleset(*abi, CompatLevel::HardRequirement).and_then(Ruleset::create).is_ok())
}

/// Checks that the kernel supports the wanted sandbox.
///
/// # Errors
///
/// `wanted` is [`Sandbox::Always`], and the kernel has no Landlock.
pub fn check(wanted: Sandbox) -> Result<(), String> {
    match (wanted, newest_abi()) {
        (Sandbox::Always, None) => Err(format!("{NO_LANDLOCK}; use --sandbox auto")),
        _ => Ok(()),
    }
}

/// A ruleset that denies everything that this version can deny and no rule permits.
fn ruleset(abi: ABI, level: CompatLevel) -> Result<Ruleset, RulesetError> {
    let mut rules =
        Ruleset::default().set_compatibility(level).handle_access(AccessFs::from_all(abi))?;
    if abi >= ABI::V4 {
        rules = rules.handle_access(AccessNet::from_all(abi))?;
    }
    if abi >= ABI::V6 {
        rules = rules.scope(Scope::from_all(abi))?;
    }
    Ok(rules)
}

/// Confines a server, with all threads and children that it will have, to its site and to the port
/// of a store that is reached by TCP. A store with a Unix socket can be reached anyway.
///
/// # Errors
///
/// The kernel refuses to confine the process.
pub fn confine_server(
    wanted: Sandbox,
    root: Option<BorrowedFd<'_>>,
    store_port: Option<u16>,
) -> Result<(), String> {
    let read_access = AccessFs::ReadFile | AccessFs::ReadDir;
    confine(wanted, |mut rules| {
        if let Some(root) = root {
            rules = rules.add_rule(PathBeneath::new(root, read_access))?;
        }
        if let Some(port) = store_port {
            rules = rules.add_rule(NetPort::new(port, AccessNet::ConnectTcp))?;
        }
        Ok(rules)
    })
}

/// Confines the embedded store to the folder of its file.
///
/// # Errors
///
/// The kernel refuses to confine the process, or the folder can't be opened.
pub fn confine_store(wanted: Sandbox, folder: &Path) -> Result<(), String> {
    let change_access = AccessFs::from_all(WANTED_ABI) & !AccessFs::Execute;
    let open = |path: &Path| PathFd::new(path).map_err(|error| error.to_string());
    let folder = open(folder)?;
    // SQLite reads its random numbers from this file.
    let random = open(Path::new("/dev/urandom")).ok();
    confine(wanted, |mut rules| {
        rules = rules.add_rule(PathBeneath::new(folder, change_access))?;
        if let Some(random) = random {
            rules = rules.add_rule(PathBeneath::new(random, AccessFs::ReadFile))?;
        }
        Ok(rules)
    })
}

fn confine(
    wanted: Sandbox,
    permit: impl FnOnce(RulesetCreated) -> Result<RulesetCreated, RulesetError>,
) -> Result<(), String> {
    if wanted == Sandbox::Off {
        return Ok(());
    }
    let confined = ruleset(WANTED_ABI, CompatLevel::BestEffort)
        .and_then(Ruleset::create)
        .and_then(permit)
        .and_then(RulesetCreated::restrict_self)
        .map_err(|error| format!("can't be confined: {error}; use --sandbox off"))?;
    match (wanted, confined.ruleset) {
        (Sandbox::Always, RulesetStatus::NotEnforced) => {
            Err(format!("can't be confined: {NO_LANDLOCK}"))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::io::ErrorKind::PermissionDenied;
    use std::net::{TcpListener, TcpStream};
    use std::os::fd::AsFd;
    use std::path::PathBuf;
    use std::thread;

    /// Runs a test in its own thread, so that only that thread is confined.
    fn in_own_thread(test: impl FnOnce() + Send + 'static) {
        thread::spawn(test).join().unwrap();
    }

    fn folder(name: &str) -> PathBuf {
        let name = format!("zerohttpd-sandbox-{}-{name}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path).unwrap();
        fs::write(path.join("file"), "inside").unwrap();
        path
    }

    fn is_denied<T>(result: std::io::Result<T>) -> bool {
        result.is_err_and(|error| error.kind() == PermissionDenied)
    }

    fn lacks(abi: ABI) -> bool {
        let lacks = newest_abi().is_none_or(|supported| supported < abi);
        if lacks {
            zerohttpd_sys::say!(
                "this kernel has no Landlock that could be tried: {}",
                available(true)
            );
        }
        lacks
    }

    #[test]
    fn a_server_reads_its_site_and_connects_to_its_store_and_no_more() {
        if lacks(ABI::V4) {
            return assert!(check(Sandbox::Auto).is_ok());
        }
        let folder = folder("server");
        let store = TcpListener::bind("127.0.0.1:0").unwrap();
        let other = TcpListener::bind("127.0.0.1:0").unwrap();
        let (store_at, other_at) = (store.local_addr().unwrap(), other.local_addr().unwrap());
        let inside = folder.clone();
        in_own_thread(move || {
            let root = fs::File::open(&inside).unwrap();
            let port = Some(store_at.port());
            confine_server(Sandbox::Always, Some(root.as_fd()), port).unwrap();
            assert_eq!(fs::read(inside.join("file")).unwrap(), b"inside");
            assert!(fs::read_dir(&inside).is_ok());
            assert!(is_denied(fs::write(inside.join("file"), "changed")));
            assert!(is_denied(fs::write(inside.join("new"), "made")));
            assert!(is_denied(fs::read("/etc/passwd")));
            assert!(is_denied(fs::read_dir("/")));
            assert!(TcpStream::connect(store_at).is_ok());
            assert!(is_denied(TcpStream::connect(other_at)));
            assert!(is_denied(TcpListener::bind("127.0.0.1:0")));
            let shell = std::process::Command::new("/bin/sh").arg("-c").arg("true").status();
            assert!(is_denied(shell));
        });
        assert!(fs::read("/etc/passwd").is_ok(), "other threads are not confined");
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn the_store_changes_its_folder_and_no_other() {
        if lacks(ABI::V1) {
            return assert!(check(Sandbox::Always).is_err());
        }
        let (own, other) = (folder("store"), folder("other"));
        let (inside, outside) = (own.clone(), other.clone());
        in_own_thread(move || {
            confine_store(Sandbox::Always, &inside).unwrap();
            fs::write(inside.join("new"), "made").unwrap();
            fs::remove_file(inside.join("new")).unwrap();
            assert!(is_denied(fs::read(outside.join("file"))));
            assert!(is_denied(fs::write(outside.join("new"), "made")));
        });
        fs::remove_dir_all(own).unwrap();
        fs::remove_dir_all(other).unwrap();
    }

    #[test]
    fn a_sandbox_that_is_off_confines_nothing() {
        in_own_thread(|| {
            confine_server(Sandbox::Off, None, None).unwrap();
            assert!(fs::read("/etc/passwd").is_ok());
        });
    }
}
