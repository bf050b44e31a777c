//! What the tests of the running program share: servers, stores, a client that can send any bytes,
//! and ways to wait.
//!
//! All processes that a test starts end with the test, even if it fails: see [`server::Server`].

// Each test program uses only a part of this module.
#![allow(dead_code, unused_imports)]

pub(crate) mod blocks;
pub(crate) mod cases;
pub(crate) mod client;
pub(crate) mod filter;
pub(crate) mod forwarder;
pub(crate) mod process;
pub(crate) mod program;
pub(crate) mod redis;
pub(crate) mod resources;
pub(crate) mod results;
pub(crate) mod script;
pub(crate) mod server;
pub(crate) mod store;
pub(crate) mod strace;

use std::any::Any;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

pub(crate) use client::Client;
pub(crate) use redis::Redis;
pub(crate) use server::Server;
pub(crate) use store::{Kind, Store};

/// How long a wait may take. Everything that works takes less, even on a busy machine.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(40);

/// The pause between two checks of a condition.
const POLL_INTERVAL: Duration = Duration::from_millis(10);

/// The architecture that serves one client at a time, which some tests leave out.
pub(crate) const ONE_AT_A_TIME: &str = "iterative";

/// Checks a condition until it holds; panics with `what`, its description, after [`TIMEOUT`].
#[track_caller]
pub(crate) fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    wait_for(what, || condition().then_some(()));
}

/// Calls `look` until it finds something, and returns that; panics with `what`, its description,
/// after [`TIMEOUT`]. The tests sleep only here.
#[track_caller]
pub(crate) fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let give_up = Instant::now() + TIMEOUT;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < give_up, "waited {TIMEOUT:?} in vain: {what}");
        thread::sleep(POLL_INTERVAL);
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

/// The values of `--accept` that an architecture knows; none if it lacks the option.
pub(crate) fn ways_to_accept(arch: &str) -> Vec<&'static str> {
    let mut ways = vec!["reuseport", "shared", "exclusive"];
    ways.retain(|way| accepts_option(arch, ["--accept", way]));
    ways
}

/// Whether an architecture accepts an option with this value.
fn accepts_option(arch: &str, [option, value]: [&str; 2]) -> bool {
    // If not, the exit status is 2; otherwise it is 1, because there is no folder of this name.
    let words = [arch, "0", option, value, "--root", "/nowhere", "--store", "redis://[::1]:1"];
    server::run(&words).status.code() == Some(1)
}

/// Runs a test for all items at the same time, and panics with the names and messages of those that
/// failed.
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
        ended
            .filter_map(|(name, end)| Some(format!("{name}: {}", panic_message(end.err()?))))
            .collect()
    });
    assert!(failures.is_empty(), "{} failed:\n{}", failures.len(), failures.join("\n"));
}

/// The message of a panic.
fn panic_message(panic: Box<dyn Any + Send>) -> String {
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string)).unwrap_or_default()
}

/// Runs a test for all architectures at the same time.
pub(crate) fn for_each_architecture(test: impl Fn(&str) + Sync) {
    for_each(architectures(), Clone::clone, |arch| test(arch));
}

/// Runs a test for all architectures on both kinds of store at the same time.
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

/// Says why a test can't run here. A release has to be tried, so then the test fails.
#[track_caller]
pub(crate) fn skip(why: &str) {
    let release = std::env::var_os("ZEROHTTPD_RELEASE");
    assert!(release.is_none(), "the release can't be tried: {why}");
    // Not by a macro, whose output libtest would keep to itself.
    let _ = writeln!(io::stderr(), "SKIPPED: {why}");
}

/// The folder of this package.
pub(crate) fn package() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The document root of the scripts.
pub(crate) fn site() -> PathBuf {
    package().join("tests/scripts/site")
}

/// A new folder, removed when this is dropped. Its path is short, as paths of Unix sockets must be.
pub(crate) struct TempDir(PathBuf);

impl TempDir {
    pub(crate) fn new() -> TempDir {
        TempDir::within(&std::env::temp_dir())
    }

    /// A folder on the program's file system, so that the program can be hard-linked into it.
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

    /// Writes a file in this folder.
    pub(crate) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        let path = self.join(name);
        fs::write(&path, bytes).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    }
}

impl Drop for TempDir {
    fn drop(&mut self) {
        // A process that is about to end can add a file meanwhile: then the second try succeeds.
        let _ = fs::remove_dir_all(&self.0).or_else(|_| fs::remove_dir_all(&self.0));
    }
}

/// Pseudo-random bytes, always the same ones. A part that is missing or sent twice is noticed,
/// because no two parts are equal.
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
