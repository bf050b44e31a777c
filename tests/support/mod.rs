//! What every test of the running program needs: a server of its own, a store of its own, a client
//! that sends what it likes, and a way to wait.
//!
//! Whatever a test starts ends with it, also when it fails: see [`server::Server`].

// Each test program uses a part of this.
#![allow(dead_code, unused_imports)]

pub(crate) mod client;
pub(crate) mod forwarder;
pub(crate) mod process;
mod program;
pub(crate) mod redis;
pub(crate) mod script;
pub(crate) mod server;
pub(crate) mod store;
pub(crate) mod strace;

use std::any::Any;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

pub(crate) use client::Client;
pub(crate) use redis::Redis;
pub(crate) use server::Server;
pub(crate) use store::{Kind, Store};

/// No test waits this long for anything that works, on however busy a machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(40);

/// How often something is looked at that can only be looked at.
const GLANCE: Duration = Duration::from_millis(10);

/// The architecture that has one client at a time, which some promises therefore leave out.
pub(crate) const ONE_AT_A_TIME: &str = "iterative";

/// Waits for a condition, looking again and again; panics with what was waited for if it never
/// comes about. The only place in the tests that sleeps.
#[track_caller]
pub(crate) fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    wait_for(what, || condition().then_some(()));
}

/// Waits for something to be there, as [`wait_until`] does.
#[track_caller]
pub(crate) fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let give_up = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < give_up, "waited {PATIENCE:?} in vain: {what}");
        thread::sleep(GLANCE);
    }
}

/// The names of all architectures, as the program lists them.
pub(crate) fn architectures() -> &'static [String] {
    static NAMES: OnceLock<Vec<String>> = OnceLock::new();
    NAMES.get_or_init(|| {
        let listed = server::run(&["list"]);
        assert!(listed.status.success(), "zerohttpd list: {listed:?}");
        let text = String::from_utf8(listed.stdout).expect("a list in UTF-8");
        let names: Vec<_> =
            text.lines().filter_map(|line| Some(line.split_whitespace().next()?.into())).collect();
        assert!(!names.is_empty(), "zerohttpd list names nothing");
        names
    })
}

/// The ways in which an architecture's processes can share a port; none where it has but one.
pub(crate) fn ways_to_accept(arch: &str) -> Vec<&'static str> {
    let mut ways = vec!["reuseport", "shared", "exclusive"];
    ways.retain(|way| takes(arch, ["--accept", way]));
    ways
}

/// Whether an architecture can be told this.
fn takes(arch: &str, [option, value]: [&str; 2]) -> bool {
    // Clap ends with 2 where it does not; else this fails as there is no such folder.
    let words = [arch, "0", option, value, "--root", "/nowhere", "--store", "redis://[::1]:1"];
    server::run(&words).status.code() == Some(1)
}

/// Runs a test for each of these at once; says of all that fail which they are and why.
pub(crate) fn for_each<T: Sync>(
    items: &[T],
    name: impl Fn(&T) -> String,
    test: impl Fn(&T) + Sync,
) {
    let test = &test;
    let failures: Vec<String> = thread::scope(|scope| {
        let running: Vec<_> =
            items.iter().map(|item| (name(item), scope.spawn(move || test(item)))).collect();
        let ended = running.into_iter().map(|(name, thread)| (name, thread.join()));
        ended.filter_map(|(name, end)| Some(format!("{name}: {}", said(end.err()?)))).collect()
    });
    assert!(failures.is_empty(), "{} failed:\n{}", failures.len(), failures.join("\n"));
}

/// What a panic said.
fn said(panic: Box<dyn Any + Send>) -> String {
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string)).unwrap_or_default()
}

/// Runs a test for every architecture at once.
pub(crate) fn for_each_architecture(test: impl Fn(&str) + Sync) {
    for_each(architectures(), Clone::clone, |arch| test(arch));
}

/// Runs a test for every architecture on every kind of store at once.
pub(crate) fn for_each_pair(test: impl Fn(&str, Kind) + Sync) {
    let pairs: Vec<_> = architectures()
        .iter()
        .flat_map(|arch| [Kind::Embedded, Kind::Redis].map(|kind| (arch, kind)))
        .collect();
    for_each(
        &pairs,
        |(arch, kind)| format!("{arch} on {kind:?}"),
        |(arch, kind)| test(arch, *kind),
    );
}

/// The folder of this package.
pub(crate) fn package() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The document root of the scripts.
pub(crate) fn site() -> PathBuf {
    package().join("tests/scripts/site")
}

/// A folder of its own, with a short name (a Unix socket's has to be), gone when it is dropped.
pub(crate) struct TempDir(PathBuf);

impl TempDir {
    pub(crate) fn new() -> TempDir {
        TempDir::within(&std::env::temp_dir())
    }

    /// Where the program is too, so that it can be linked to.
    pub(crate) fn beside_program() -> TempDir {
        TempDir::within(Path::new(env!("CARGO_TARGET_TMPDIR")))
    }

    fn within(folder: &Path) -> TempDir {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("zh-{}-{}", std::process::id(), COUNT.fetch_add(1, Relaxed));
        let path = folder.join(name);
        fs::create_dir(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        TempDir(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    pub(crate) fn join(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Writes a file into it.
    pub(crate) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        let path = self.join(name);
        fs::write(&path, bytes).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    }
}

impl Drop for TempDir {
    fn drop(&mut self) {
        // A process that is being ended may still add a file.
        let _ = fs::remove_dir_all(&self.0).or_else(|_| fs::remove_dir_all(&self.0));
    }
}

/// Bytes of which no two stretches are alike, so that one that is missing or doubled shows.
pub(crate) fn pattern(len: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let words = std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_ne_bytes()
    });
    words.flatten().take(len).collect()
}
