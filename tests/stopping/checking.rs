//! `--check` predicts whether a server starts. A situation gives a state to each thing that a start
//! depends on: its parts, such as the log. For each state of each part, with random states of the
//! other parts, `--check` runs in a situation, and then a server is started there.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, lchown, symlink};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::{Command, Stdio};

use fastrand::Rng;
use rustix::fs::{CWD, FileType, Mode, mknodat};

use crate::support::cases::test;
use crate::support::client::last_request;
use crate::support::program::PROGRAM;
use crate::support::{Client, Server, Store, TempDir, architectures, for_each, package};

/// A state of a part: its name, and a function that creates it and returns the program's arguments.
type State = (&'static str, fn(&Place) -> Vec<String>);

/// Where a situation is created.
struct Place {
    folder: TempDir,
    /// Whether root starts the server, which then becomes another user.
    gives_up_root: bool,
}

impl Place {
    fn path(&self, name: &str) -> String {
        self.folder.join(name).display().to_string()
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        let path = self.folder.join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        self.folder.write(name, content);
    }

    /// If the server becomes another user, gives a folder and its files to that user.
    fn give_to_user(&self, name: &str) {
        if self.gives_up_root {
            let path = self.folder.join(name);
            let entries = fs::read_dir(&path).into_iter().flatten().flatten();
            for entry in entries.map(|entry| entry.path()).chain([path.clone()]) {
                lchown(entry, Some(NOBODY), Some(NOGROUP)).expect("root can give files away");
            }
        }
    }

    fn pipe(&self, name: &str) {
        let mode = Mode::from_raw_mode(0o666);
        mknodat(CWD, self.folder.join(name), FileType::Fifo, mode, 0).expect("a pipe");
        // mknod(2) applies the umask, chmod(2) does not.
        self.set_mode(name, 0o666);
    }

    fn set_mode(&self, name: &str, mode: u32) {
        fs::set_permissions(self.folder.join(name), fs::Permissions::from_mode(mode))
            .expect("a file of ours");
    }

    fn link(&self, target: &str, name: &str) {
        symlink(target, self.folder.join(name)).expect("a link");
    }
}

const NOBODY: u32 = 65534;
const NOGROUP: u32 = 65534;

/// Creates the folder `log`, calls `prepare`, and returns the arguments that name this log.
fn log_at(place: &Place, prepare: impl Fn(&Place), name: &str) -> Vec<String> {
    fs::create_dir(place.folder.join("log")).expect("a folder");
    prepare(place);
    place.give_to_user("log");
    vec!["--log-file".into(), place.path(name)]
}

const LOGS: &[State] = &[
    ("no log", |_| vec![]),
    ("a new log", |p| log_at(p, |_| {}, "log/new")),
    ("an existing log", |p| log_at(p, |p| p.write("log/old", "a line\n"), "log/old")),
    ("a pipe without a reader", |p| log_at(p, |p| p.pipe("log/pipe"), "log/pipe")),
    ("a device", |_| vec!["--log-file".into(), "/dev/full".into()]),
    ("a link to a new log", |p| log_at(p, |p| p.link("new", "log/link"), "log/link")),
    ("a link into a missing folder", |p| {
        log_at(p, |p| p.link("/nowhere/log", "log/link"), "log/link")
    }),
    ("a link to itself", |p| log_at(p, |p| p.link("loop", "log/loop"), "log/loop")),
    ("a log in a missing folder", |p| log_at(p, |_| {}, "log/no/new")),
    ("a log in a file", |p| log_at(p, |p| p.write("log/file", ""), "log/file/new")),
    ("a folder as a log", |p| log_at(p, |_| {}, "log")),
    ("a log whose name ends in a slash", |p| log_at(p, |_| {}, "log/new/")),
    ("a log in /proc", |_| vec!["--log-file".into(), "/proc/new".into()]),
    ("a name that is too long", |p| log_at(p, |_| {}, &format!("log/{}", "n".repeat(300)))),
    ("a socket as a log", |p| {
        log_at(p, |p| drop(UnixListener::bind(p.folder.join("log/s")).expect("a socket")), "log/s")
    }),
    ("a log that belongs to root", |p| {
        let words = log_at(p, |p| p.write("log/root's", ""), "log/root's");
        chown(p.folder.join("log/root's"), Some(0), Some(0)).map_or(words.clone(), |()| words)
    }),
    ("a log in a folder that belongs to root", |p| {
        fs::create_dir(p.folder.join("rootlog")).expect("a folder");
        vec!["--log-file".into(), p.path("rootlog/new")]
    }),
];

/// Creates the folder `db`, calls `prepare`, and returns the arguments that name this store.
fn store_at(place: &Place, prepare: impl Fn(&Place), name: &str) -> Vec<String> {
    fs::create_dir(place.folder.join("db")).expect("a folder");
    prepare(place);
    place.give_to_user("db");
    vec!["--store".into(), format!("embedded:{}", place.path(name))]
}

/// The bytes of a database that a server has left.
fn database() -> &'static [u8] {
    static BYTES: std::sync::OnceLock<Vec<u8>> = std::sync::OnceLock::new();
    BYTES.get_or_init(|| {
        let store = Store::embedded();
        let mut server = Server::start("epoll", &store.url(), &[]);
        assert_eq!(server.client().visit(), 1);
        assert_eq!(server.stop().code(), Some(0));
        fs::read(store.socket().with_extension("")).expect("a database")
    })
}

/// Gives a file to root, so that no other user can open it.
fn give_to_root(place: &Place, name: &str) {
    place.set_mode(name, 0o600);
    let _ = chown(place.folder.join(name), Some(0), Some(0));
}

const STORES: &[State] = &[
    ("a new store", |p| store_at(p, |_| {}, "db/g.db")),
    ("an existing store", |p| store_at(p, |p| p.write("db/g.db", database()), "db/g.db")),
    ("a store in a new folder", |p| store_at(p, |_| {}, "db/a/b/g.db")),
    ("an empty file as a store", |p| store_at(p, |p| p.write("db/g.db", ""), "db/g.db")),
    ("a name that SQLite could take for a URI", |p| store_at(p, |_| {}, "db/file:g?mode=ro#%41")),
    ("a stale lock", |p| store_at(p, |p| p.write("db/g.db.lock", ""), "db/g.db")),
    ("a stale socket", |p| {
        let bind = |p: &Place| UnixListener::bind(p.folder.join("db/g.db.sock")).expect("a socket");
        store_at(p, |p| drop(bind(p)), "db/g.db")
    }),
    ("a link to a store elsewhere", |p| {
        fs::create_dir(p.folder.join("far")).expect("a folder");
        p.write("far/g.db", database());
        p.give_to_user("far");
        store_at(p, |p| p.link("../far/g.db", "db/g.db"), "db/g.db")
    }),
    ("a link to a new store", |p| store_at(p, |p| p.link("new.db", "db/g.db"), "db/g.db")),
    ("a link to itself", |p| store_at(p, |p| p.link("g.db", "db/g.db"), "db/g.db")),
    ("a file that is no database", |p| {
        store_at(p, |p| p.write("db/g.db", "no database".repeat(99)), "db/g.db")
    }),
    ("a database of another program", |p| {
        let make = |p: &Place| {
            let other = rusqlite::Connection::open(p.folder.join("db/g.db")).expect("a database");
            other.execute_batch("CREATE TABLE t (c)").expect("a table");
        };
        store_at(p, make, "db/g.db")
    }),
    ("a newer database", |p| {
        let make = |p: &Place| {
            p.write("db/g.db", database());
            let newer = rusqlite::Connection::open(p.folder.join("db/g.db")).expect("a database");
            newer.pragma_update(None, "user_version", 99).expect("a version");
        };
        store_at(p, make, "db/g.db")
    }),
    ("a folder as a store", |p| store_at(p, |_| {}, "db")),
    ("a pipe as a store", |p| store_at(p, |p| p.pipe("db/g.db"), "db/g.db")),
    ("a folder as a lock", |p| {
        store_at(p, |p| fs::create_dir(p.folder.join("db/g.db.lock")).expect("a folder"), "db/g.db")
    }),
    ("a pipe as a lock", |p| store_at(p, |p| p.pipe("db/g.db.lock"), "db/g.db")),
    ("a file as a socket", |p| store_at(p, |p| p.write("db/g.db.sock", "mine"), "db/g.db")),
    ("a store in a file", |p| store_at(p, |p| p.write("db/f", ""), "db/f/g.db")),
    ("a store in /proc", |_| vec!["--store".into(), "embedded:/proc/no/g.db".into()]),
    ("a store whose socket's name is too long", |p| {
        store_at(p, |_| {}, &format!("db/{}.db", "n".repeat(120)))
    }),
    ("a store that belongs to root", |p| {
        let words = store_at(p, |p| p.write("db/g.db", database()), "db/g.db");
        give_to_root(p, "db/g.db");
        words
    }),
    ("a lock that belongs to root", |p| {
        let words = store_at(p, |p| p.write("db/g.db.lock", ""), "db/g.db");
        give_to_root(p, "db/g.db.lock");
        words
    }),
    ("a store in a folder that belongs to root", |p| {
        fs::create_dir(p.folder.join("rootdb")).expect("a folder");
        vec!["--store".into(), format!("embedded:{}", p.path("rootdb/g.db"))]
    }),
];

fn root_of(place: &Place, name: &str) -> Vec<String> {
    vec!["--root".into(), place.path(name)]
}

const ROOTS: &[State] = &[
    ("a site", |p| {
        p.write("site/hello.txt", "hello\n");
        root_of(p, "site")
    }),
    ("a link to a site", |p| {
        p.write("site/hello.txt", "hello\n");
        p.link("site", "current");
        root_of(p, "current")
    }),
    ("a missing site", |p| root_of(p, "nowhere")),
    ("a file as a site", |p| {
        p.write("site", "");
        root_of(p, "site")
    }),
    ("a broken link as a site", |p| {
        p.link("nowhere", "current");
        root_of(p, "current")
    }),
];

fn templates_of(place: &Place, name: &str, content: &[u8]) -> Vec<String> {
    place.write(name, content);
    vec!["--templates".into(), place.path("templates")]
}

const TEMPLATES: &[State] = &[
    ("the shipped templates", |_| {
        vec!["--templates".into(), package().join("templates").display().to_string()]
    }),
    ("a single template", |p| {
        templates_of(p, "templates/error.html", b"$STATUS$ $REASON$ $EXPLANATION$ costs $5 or $6")
    }),
    ("templates beside other files", |p| {
        p.write("templates/.git/error.html", "");
        templates_of(p, "templates/README.md", b"What they are for.")
    }),
    ("a misspelt template", |p| templates_of(p, "templates/guestbok/index.html", b"")),
    ("a template in the wrong folder", |p| templates_of(p, "templates/index.html", b"")),
    ("a missing placeholder", |p| templates_of(p, "templates/error.html", b"$STATUS$")),
    ("a placeholder that nothing fills", |p| {
        templates_of(p, "templates/error.html", b"$STATUS$ $REASON$ $EXPLANATION$ $VISITORS$")
    }),
    ("a template that is not UTF-8", |p| templates_of(p, "templates/error.html", b"\xff")),
    ("a folder as a template", |p| templates_of(p, "templates/error.html/page", b"")),
    ("a pipe as a template", |p| {
        let words = templates_of(p, "templates/README.md", b"");
        p.pipe("templates/error.html");
        words
    }),
    ("a missing folder of templates", |p| vec!["--templates".into(), p.path("nowhere")]),
];

const USERS: &[State] = &[
    ("a usual user", |p| match p.gives_up_root {
        true => vec!["--user".into(), "nobody".into()],
        false => vec![],
    }),
    ("an unknown user", |_| vec!["--user".into(), "no-such-user".into()]),
    ("an unknown group", |_| vec!["--user".into(), "nobody:no-such-group".into()]),
];

const SAME_PORT: &str = "an admin at the clients' port";

const ADMINS: &[State] = &[
    ("no admin", |_| vec![]),
    ("an admin", |_| vec!["--admin".into(), "127.0.0.1:0".into()]),
    // The server refuses this before it binds the port.
    (SAME_PORT, |_| vec!["--admin".into(), "127.0.0.1:8000".into()]),
];

/// Limits on descriptors. Their functions return the shell's `ulimit -n` in place of arguments.
const DESCRIPTORS: &[State] = &[
    ("the usual limit on descriptors", |_| vec![]),
    ("8 descriptors", |_| vec!["8".into()]),
    ("24 descriptors", |_| vec!["24".into()]),
    ("36 descriptors", |_| vec!["36".into()]),
    ("64 descriptors", |_| vec!["64".into()]),
];

/// All parts. The first state of each lets a server start.
const PARTS: [&[State]; 7] = [LOGS, STORES, ROOTS, TEMPLATES, USERS, ADMINS, DESCRIPTORS];

/// A situation: a state of each part.
struct Situation {
    arch: String,
    /// The index of the state of each part.
    states: [usize; PARTS.len()],
    gives_up_root: bool,
}

impl Situation {
    /// A random situation in which a part has this state. Most other parts have their first state.
    fn with(part: usize, state: usize, rng: &mut Rng) -> Situation {
        let mut states =
            PARTS.map(|part| if rng.u8(..5) == 0 { rng.usize(..part.len()) } else { 0 });
        states[part] = state;
        let gives_up_root = rustix::process::geteuid().is_root() && rng.bool();
        Situation {
            arch: architectures()[rng.usize(..architectures().len())].clone(),
            states,
            gives_up_root,
        }
    }

    fn name(&self) -> String {
        let states = PARTS.iter().zip(self.states).map(|(part, state)| part[state].0);
        let user = if self.gives_up_root { " as nobody" } else { "" };
        format!("{}{user}: {}", self.arch, states.collect::<Vec<_>>().join(", "))
    }

    /// Creates the situation; returns the shell script that starts the program, and the program's
    /// arguments, which end with `--port` and the port.
    fn create(&self, place: &Place) -> (String, Vec<String>) {
        let mut words: Vec<_> =
            PARTS.iter().zip(self.states).map(|(part, state)| part[state].1(place)).collect();
        let limit = words.pop().and_then(|mut limit| limit.pop());
        let script = limit.map_or(String::new(), |limit| format!("ulimit -n {limit}; "));
        let port = if self.name().contains(SAME_PORT) { "8000" } else { "0" };
        let words = words.concat().into_iter().chain(["--port".into(), port.into()]);
        (format!("{script}exec \"$0\" \"$@\""), words.collect())
    }
}

/// All files beneath a folder, each with its mode, inode number and time of change.
fn snapshot(folder: &Path) -> BTreeMap<String, (u32, u64, i64, i64)> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        let entries = fs::read_dir(&folder).expect("a folder").flatten().map(|entry| entry.path());
        for path in entries.chain([folder.clone()]) {
            let data = fs::symlink_metadata(&path).expect("a file");
            if data.is_dir() && path != folder {
                folders.push(path.clone());
            }
            let state = (data.mode(), data.ino(), data.ctime(), data.ctime_nsec());
            found.insert(path.display().to_string(), state);
        }
    }
    found
}

/// Checks a situation and starts a server in it: both have to succeed, or to fail with the same
/// message.
fn compare(situation: &Situation) {
    let gives_up_root = situation.gives_up_root;
    let place = Place { folder: TempDir::new(), gives_up_root };
    fs::set_permissions(place.folder.path(), fs::Permissions::from_mode(0o755)).expect("a folder");
    let (script, words) = situation.create(&place);

    let before = snapshot(place.folder.path());
    let mut check = Command::new("/bin/sh");
    check.args(["-c", &script, PROGRAM, &situation.arch, "--check", "--bind", "127.0.0.1"]);
    let (options, port) = words.split_at(words.len() - 2);
    check.args([&port[1]]).args(options).stdin(Stdio::null());
    let checked = check.output().expect("the program can be run");
    let stderr = String::from_utf8_lossy(&checked.stderr).into_owned();
    assert_eq!(snapshot(place.folder.path()), before, "a check changes no file: {stderr}");

    let words: Vec<_> = words.iter().map(String::as_str).collect();
    let words = (&*situation.arch, "", &words[..]);
    match Server::try_start_in_shell(&script, Stdio::null(), words) {
        Err((status, refusal)) => {
            assert_eq!((status.code(), refusal), (checked.status.code(), stderr));
            assert_eq!(status.code(), Some(1));
        }
        Ok(mut server) => {
            assert_eq!(checked.status.code(), Some(0), "unlike the start: {stderr}");
            assert!(stderr.contains("not tried"), "{stderr}");
            for target in ["/hello.txt", "/guestbook"] {
                let mut client = Client::connect(server.port);
                client.send(last_request(target));
                assert_eq!(client.answer().status, 200, "{target}");
            }
            assert_eq!(server.stop().code(), Some(0));
        }
    }
}

test!(Once, a_check_predicts_the_start_and_changes_no_file);
fn a_check_predicts_the_start_and_changes_no_file() {
    const AT_ONCE: usize = 8;
    let seed = std::env::var("ZEROHTTPD_CHECK_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = seed.unwrap_or_else(|| fastrand::u64(..));
    println!("ZEROHTTPD_CHECK_SEED={seed}");
    let mut rng = Rng::with_seed(seed);
    let mut situations = Vec::new();
    for (part, states) in PARTS.iter().enumerate() {
        situations.extend((0..states.len()).map(|state| Situation::with(part, state, &mut rng)));
    }
    assert!(situations.len() >= 40);
    database();
    for chunk in situations.chunks(AT_ONCE) {
        for_each(chunk, Situation::name, compare);
    }
}
