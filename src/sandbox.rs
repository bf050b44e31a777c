//! The sandbox: of files, every process that parses what clients send may read the site; by TCP, it
//! may connect to the port of its store, and listen nowhere (Landlock, landlock(7)).
//!
//! Landlock does not confine UDP, nor connecting to Unix sockets that have a name in the file
//! system; those are confined by the rights of the user alone, so that root had better be given up.
//!
//! It is put on before a process has threads, and after everything was opened that is elsewhere:
//! the log, the listening socket, the stop descriptors. What was opened before stays usable. The
//! supervisor parses nothing that a client sent, and is not confined: it opens the log anew.

use std::fmt;
use std::os::fd::BorrowedFd;
use std::path::Path;

use clap::ValueEnum;
use landlock::{
    ABI, Access, AccessFs, AccessNet, CompatLevel, Compatible, NetPort, PathBeneath, PathFd,
    Ruleset, RulesetAttr, RulesetCreated, RulesetCreatedAttr, RulesetError, RulesetStatus, Scope,
};

/// Whether to confine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Sandbox {
    /// As far as the kernel can
    Auto,
    /// As far as the kernel can; don't serve if it can't
    Always,
    /// Not at all
    Off,
}

/// What is asked for: the newest of the interface that brought something to ask for. An older
/// kernel gives what it has.
const WANTED: ABI = ABI::V6;

/// All that have brought something new, newest first.
const KNOWN: [ABI; 6] = [ABI::V6, ABI::V5, ABI::V4, ABI::V3, ABI::V2, ABI::V1];

impl Sandbox {
    /// What it is called on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Sandbox::Auto => "auto",
            Sandbox::Always => "always",
            Sandbox::Off => "off",
        }
    }
}

/// What will confine the servers, in words.
pub struct Confinement(Option<ABI>);

impl fmt::Display for Confinement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            None => f.write_str("none: this kernel has no Landlock"),
            Some(abi) => {
                let net = if abi >= ABI::V4 { "; by TCP, connect to the store's port" } else { "" };
                write!(f, "Landlock: of files, servers may read the site{net} (ABI {})", abi as i32)
            }
        }
    }
}

/// What this kernel has.
pub fn available() -> Confinement {
    Confinement(
        KNOWN.into_iter().find(|abi| {
            handling(*abi, CompatLevel::HardRequirement).and_then(Ruleset::create).is_ok()
        }),
    )
}

/// Whether the kernel has what must be.
///
/// # Errors
///
/// It has not, and one can do without by `--sandbox off`.
pub fn check(wanted: Sandbox) -> Result<(), String> {
    match (wanted, available()) {
        (Sandbox::Always, Confinement(None)) => {
            Err("this kernel has no Landlock to make a sandbox of; take --sandbox auto".into())
        }
        _ => Ok(()),
    }
}

fn handling(abi: ABI, level: CompatLevel) -> Result<Ruleset, RulesetError> {
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

/// Confines a server, with all threads and children that it will have: to its site, and to a store
/// that is reached by TCP. One that is reached by a name in the file system can be anyway.
///
/// # Errors
///
/// The kernel refuses, though it should not.
pub fn confine_server(
    wanted: Sandbox,
    root: Option<BorrowedFd<'_>>,
    store_port: Option<u16>,
) -> Result<(), String> {
    let reads = AccessFs::ReadFile | AccessFs::ReadDir;
    confine(wanted, |mut rules| {
        if let Some(root) = root {
            rules = rules.add_rule(PathBeneath::new(root, reads))?;
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
/// The kernel refuses, or the folder can't be opened.
pub fn confine_store(wanted: Sandbox, folder: &Path) -> Result<(), String> {
    let changes = AccessFs::from_all(WANTED) & !AccessFs::Execute;
    let open = |path: &Path| PathFd::new(path).map_err(|error| error.to_string());
    let folder = open(folder)?;
    // SQLite takes its random numbers from there.
    let random = open(Path::new("/dev/urandom")).ok();
    confine(wanted, |mut rules| {
        rules = rules.add_rule(PathBeneath::new(folder, changes))?;
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
    let confined = handling(WANTED, CompatLevel::BestEffort)
        .and_then(Ruleset::create)
        .and_then(permit)
        .and_then(RulesetCreated::restrict_self)
        .map_err(|error| format!("can't be confined: {error}; take --sandbox off"))?;
    match (wanted, confined.ruleset) {
        (Sandbox::Always, RulesetStatus::NotEnforced) => {
            Err("can't be confined: this kernel has no Landlock".into())
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

    /// Runs in a thread of its own: only that is confined.
    fn apart(test: impl FnOnce() + Send + 'static) {
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
        let lacks = available().0.is_none_or(|there| there < abi);
        if lacks {
            say!("this kernel has no Landlock that could be tried: {}", available());
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
        apart(move || {
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
        assert!(fs::read("/etc/passwd").is_ok(), "others are not confined");
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn the_store_changes_its_folder_and_no_other() {
        if lacks(ABI::V1) {
            return assert!(check(Sandbox::Always).is_err());
        }
        let (mine, other) = (folder("store"), folder("other"));
        let (inside, outside) = (mine.clone(), other.clone());
        apart(move || {
            confine_store(Sandbox::Always, &inside).unwrap();
            fs::write(inside.join("new"), "made").unwrap();
            fs::remove_file(inside.join("new")).unwrap();
            assert!(is_denied(fs::read(outside.join("file"))));
            assert!(is_denied(fs::write(outside.join("new"), "made")));
        });
        fs::remove_dir_all(mine).unwrap();
        fs::remove_dir_all(other).unwrap();
    }

    #[test]
    fn who_wants_none_has_none() {
        apart(|| {
            confine_server(Sandbox::Off, None, None).unwrap();
            assert!(fs::read("/etc/passwd").is_ok());
        });
    }
}
