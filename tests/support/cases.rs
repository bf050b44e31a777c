//! Tests that have a name for each architecture and store: `hangups::a_client_leaves::epoll`.
//!
//! The names of architectures come from `zerohttpd list` at run time, so the harness is
//! libtest-mimic, not the built-in one. The line `test!(…);` above a test registers it.

use std::thread;

use libtest_mimic::{Arguments, Conclusion, Failed, Trial};

use super::filter::{BY_COMPONENTS, BY_OPENAT2, deny_openat2};
use super::{Kind, architectures, panic_message};

/// How many tests run at once, unless the command line says otherwise. They mostly wait for
/// processes; with more of them, some time out on two cores.
const TESTS_AT_ONCE: usize = 8;

/// A registered test.
pub(crate) struct Test {
    pub(crate) module: &'static str,
    pub(crate) name: &'static str,
    pub(crate) body: Body,
}

/// The function of a test, and what the test is repeated for.
#[derive(Clone, Copy)]
pub(crate) enum Body {
    Once(fn()),
    /// Once, and only when the command line asks for ignored tests.
    Ignored(fn()),
    /// For every architecture.
    Architecture(fn(&str)),
    /// For every architecture on every kind of store.
    Pair(fn(&str, Kind)),
    /// For every architecture, with openat2(2) and without. The second argument is the line of the
    /// banner that says how the server opens files.
    WayToOpen(fn(&str, &str)),
}

inventory::collect!(Test);

/// Registers a test: `test!(Once, it_works)`.
#[allow(unused_macros)]
macro_rules! test {
    ($kind:ident, $name:ident) => {
        inventory::submit! {
            $crate::support::cases::Test {
                module: module_path!(),
                name: stringify!($name),
                body: $crate::support::cases::Body::$kind($name),
            }
        }
    };
}
pub(crate) use test;

/// Runs those of the registered tests and of these trials that the command line selects.
pub(crate) fn run(trials: Vec<Trial>) -> Conclusion {
    let mut arguments = Arguments::from_args();
    arguments.test_threads.get_or_insert(TESTS_AT_ONCE);
    let mut all: Vec<_> = inventory::iter::<Test>().flat_map(Test::trials).collect();
    all.sort_by(|a, b| a.name().cmp(b.name()));
    all.extend(trials);
    libtest_mimic::run(&arguments, all)
}

/// A trial in a new thread of the same name, because a test can restrict its thread for good.
pub(crate) fn trial(name: String, body: impl FnOnce() + Send + 'static) -> Trial {
    let thread_name = name.clone();
    Trial::test(name, move || {
        let spawned = thread::Builder::new().name(thread_name).spawn(body);
        spawned.expect("a thread").join().map_err(|panic| Failed::from(panic_message(panic)))
    })
}

/// The word for a kind of store in a test's name.
pub(crate) fn store_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Embedded => "embedded",
        Kind::Redis => "redis",
    }
}

impl Test {
    fn trials(&self) -> Vec<Trial> {
        // The module's path begins with the name of the test program.
        let module = self.module.split_once("::").map_or("", |(_, module)| module);
        let name = format!("{module}::{}", self.name);
        match self.body {
            Body::Once(body) => vec![trial(name, body)],
            Body::Ignored(body) => vec![trial(name, body).with_ignored_flag(true)],
            Body::Architecture(body) => {
                let of_architecture =
                    |arch: &'static String| trial(format!("{name}::{arch}"), move || body(arch));
                architectures().iter().map(of_architecture).collect()
            }
            Body::Pair(body) => pairs()
                .map(|(arch, kind)| {
                    let name = format!("{name}::{arch}::{}", store_name(kind));
                    trial(name, move || body(arch, kind))
                })
                .collect(),
            Body::WayToOpen(body) => architectures()
                .iter()
                .flat_map(|arch| {
                    let with =
                        trial(format!("{name}::{arch}::openat2"), move || body(arch, BY_OPENAT2));
                    let without = trial(format!("{name}::{arch}::components"), move || {
                        deny_openat2(libc::ENOSYS);
                        body(arch, BY_COMPONENTS);
                    });
                    [with, without]
                })
                .collect(),
        }
    }
}

/// Every architecture on every kind of store.
pub(crate) fn pairs() -> impl Iterator<Item = (&'static str, Kind)> {
    let kinds = [Kind::Embedded, Kind::Redis];
    architectures().iter().flat_map(move |arch| kinds.map(|kind| (arch.as_str(), kind)))
}
