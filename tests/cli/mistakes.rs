//! Usual mistakes, and what each gets: one line that says what to type instead, and no words that
//! only a programmer understands.

use std::net::TcpListener;

use crate::support::TempDir;
use crate::support::program::{PROGRAM, command, run};

/// Words that are typed in a folder with a folder `public` and a file `page.html`, the exit status,
/// and all of standard error but the usage and the hint at `--help`.
type Row = (&'static str, i32, &'static str);

const WORDS: &[Row] = &[
    (
        "epol",
        2,
        "error: there is no architecture \"epol\"; did you mean epoll? There are ARCHITECTURES",
    ),
    (
        "lod :8000/",
        2,
        "error: there is no architecture \"lod\"; did you mean load? There are ARCHITECTURES",
    ),
    (
        "start",
        2,
        "error: there is no architecture or command \"start\"; architectures are ARCHITECTURES",
    ),
    ("public/", 2, "error: public/ is a folder; to serve it, type zerohttpd --root public/"),
    ("page.html", 2, "error: page.html is a file; to serve its folder, type zerohttpd --root ."),
    (
        "sites/mine",
        2,
        "error: sites/mine is no architecture, and there is no such folder to serve with --root",
    ),
    (
        "localhost:8080",
        2,
        "error: localhost:8080 is no architecture; to listen there, type zerohttpd 8080 --bind \
         localhost",
    ),
    (":8080", 2, "error: :8080 is no architecture; for that port, type zerohttpd 8080"),
    (
        "127.0.0.1",
        2,
        "error: 127.0.0.1 is no architecture; to listen there, type zerohttpd --bind 127.0.0.1",
    ),
    (
        "http://localhost/",
        2,
        "error: http://localhost/ is no architecture; to load that server: zerohttpd load \
         http://localhost/",
    ),
    (
        "redis://:secret@host",
        2,
        "error: a store is named by an option: type zerohttpd --store and then its URL",
    ),
    (
        "epoll redis-host",
        2,
        "error: redis-host is not a port; if it is the host of a Redis, type zerohttpd epoll 8000 \
         redis-host",
    ),
    ("epoll :8080", 2, "error: :8080 is not a port; type zerohttpd epoll 8080"),
    ("epoll public", 2, "error: public is a folder; to serve it, type zerohttpd --root public"),
    ("8080 epoll", 2, "error: the architecture comes before the port: zerohttpd epoll 8080"),
    (
        "epoll 70000",
        2,
        "error: 70000 is not a port; it is a number up to 65535, and 0 lets the kernel choose",
    ),
    ("epoll 8000 -p 8080", 2, "error: the port is given twice; leave one out"),
    (
        "epoll 8080 redis-host 6379",
        2,
        "error: there are too many words: they are [ARCH] [PORT] [REDIS], and a port of Redis \
         follows its host, as in redis-host:6379",
    ),
    ("serve load", 2, "error: load is a command, and comes first: type zerohttpd load"),
];

const OPTIONS: &[Row] = &[
    (
        "--threads 4",
        2,
        "error: unexpected argument '--threads' found\n\
         tip: the number of processes, or the size of a pool, is --workers N",
    ),
    (
        "epoll --processes 4",
        2,
        "error: unexpected argument '--processes' found\n\
         tip: the number of processes, or the size of a pool, is --workers N",
    ),
    (
        "--redis host",
        2,
        "error: unexpected argument '--redis' found\n\
         tip: a Redis is named by --store redis://HOST",
    ),
    (
        "--docroot public",
        2,
        "error: unexpected argument '--docroot' found\ntip: the folder to serve is --root DIR",
    ),
    (
        "--listen 127.0.0.1",
        2,
        "error: unexpected argument '--listen' found\n\
         tip: the address is --bind ADDR, and the port --port PORT",
    ),
    (
        "--tls",
        2,
        "error: unexpected argument '--tls' found\n\
         tip: zerohttpd speaks no TLS; put a proxy in front of it that does (docs/operating.md)",
    ),
    (
        "--config zerohttpd.conf",
        2,
        "error: unexpected argument '--config' found\n\
         tip: there is no configuration file; all settings are options: see `zerohttpd help all`",
    ),
    (
        "--lising",
        2,
        "error: unexpected argument '--lising' found\ntip: a similar argument exists: '--listing'",
    ),
    (
        "--xyzzy",
        2,
        "error: unexpected argument '--xyzzy' found\n\
         tip: zerohttpd help all has every option, and zerohttpd help COMMAND those of a command",
    ),
    (
        "--bind 127.0.0.1:8080",
        2,
        "error: invalid value '127.0.0.1:8080' for '--bind <ADDR>': the port is a separate option: \
         type --bind 127.0.0.1 --port 8080",
    ),
    (
        "--bind nowhere.invalid",
        2,
        "error: invalid value 'nowhere.invalid' for '--bind <ADDR>': it is neither an address of \
         this machine nor a name that leads to one; `ip addr` lists them, and 0.0.0.0 stands for \
         all",
    ),
    (
        "--admin 127.0.0.1",
        2,
        "error: invalid value '127.0.0.1' for '--admin <[ADDR:]PORT>': it has to end in a port, \
         such as 9100 or 127.0.0.1:9100",
    ),
    (
        "--backlog many",
        2,
        "error: invalid value 'many' for '--backlog <N>': it must be a whole number from 1 to \
         2147483647",
    ),
    (
        "--max-clients -1",
        2,
        "error: invalid value '-1' for '--max-clients <N>': it must be a whole number from 0 to \
         4294967295",
    ),
    (
        "--grace 5s",
        2,
        "error: invalid value '5s' for '--grace <S>': it must be a number of seconds, such as 15 \
         or 0.5",
    ),
    (
        "--max-body 1g",
        2,
        "error: invalid value '1g' for '--max-body <BYTES>': it must be a number of bytes from 1 \
         to 16m, such as 8192 or 8k",
    ),
    (
        "--store redis:host",
        2,
        "error: --store: it must be redis://HOST[:PORT], redis+unix:///PATH or embedded:FILE",
    ),
    (
        "--store redis://host:port",
        2,
        "error: --store: port is not a port; it is a number up to 65535",
    ),
    (
        "--no-guestbook --store embedded:g.db",
        2,
        "error: --no-guestbook needs no store; leave it or the store out",
    ),
    (
        "epoll 0 host --no-guestbook",
        2,
        "error: --no-guestbook needs no store; leave it or the store out",
    ),
    (
        "epoll 0 host --store redis://h",
        2,
        "error: REDIS and --store both name a store; leave one out",
    ),
];

const STARTS: &[Row] = &[
    (
        "0 --root missing",
        1,
        "zerohttpd: can't serve the site in missing: there is no such folder; name another with \
         --root",
    ),
    (
        "0 --root page.html",
        1,
        "zerohttpd: can't serve the site in page.html: it is not a folder; name another with \
         --root",
    ),
    (
        "0 --templates missing",
        1,
        "zerohttpd: can't serve the templates in missing: there is no such folder; name another \
         with --templates",
    ),
    (
        "0 --log-file missing/log",
        1,
        "zerohttpd: can't log to missing/log: No such file or directory (os error 2); make its \
         folder, or name another file with --log-file",
    ),
    (
        "0 --log-file public",
        1,
        "zerohttpd: can't log to public: Is a directory (os error 21); name a file in it with \
         --log-file",
    ),
    (
        "0 --bind 192.0.2.1",
        1,
        "zerohttpd: can't listen on 192.0.2.1:0: this machine has no such address; see `ip addr`",
    ),
    (
        "0 --store embedded:page.html/g.db",
        1,
        "zerohttpd: cannot make or use the folder HERE/page.html: Not a directory (os error 20); \
         make it, or name another file",
    ),
];

const COMMANDS: &[Row] = &[
    ("load", 2, "error: the following required arguments were not provided:\n<URL>"),
    (
        "load /guestbook",
        1,
        "zerohttpd: /guestbook: it names no host; write http://HOST[:PORT]/PATH or :PORT/PATH",
    ),
    (
        "load https://localhost/",
        1,
        "zerohttpd: https://localhost/: the load generator does not speak TLS; name the server \
         behind the proxy",
    ),
    (
        "load :8000/ --concurrency 50",
        2,
        "error: unexpected argument '--concurrency' found\ntip: the number of clients is -c N",
    ),
    (
        "load :8000/ -d 10s",
        2,
        "error: invalid value '10s' for '--seconds <S>': it must be a number of seconds from \
         0.000001 to 31536000, such as 10 or 0.5",
    ),
    (
        "load :8000/ -c many",
        2,
        "error: invalid value 'many' for '--clients <N>': it must be a whole number from 1 to \
         1000000",
    ),
    (
        "load :8000/ --post @missing",
        1,
        "zerohttpd: --post: can't read the form from missing: No such file or directory (os error \
         2)",
    ),
    (
        "bench --arch epol",
        2,
        "error: invalid value 'epol' for '--arch <ARCH>'\n[possible values: ARCHITECTURES]\n\
         tip: a similar value exists: 'epoll'",
    ),
    (
        "report missing",
        1,
        "zerohttpd: can't read missing/results.json: No such file or directory (os error 2); name \
         the folder of a bench",
    ),
    (
        "completions csh",
        2,
        "error: invalid value 'csh' for '<SHELL>'\n[possible values: bash, zsh, fish]\n\
         tip: a similar value exists: 'zsh'",
    ),
];

/// Words of libraries and of their programmers.
const FOREIGN: [&str; 9] = [
    "entity not found",
    "invalid digit found in string",
    "invalid socket address syntax",
    "invalid IP address syntax",
    "failed to lookup address information",
    "cannot parse",
    "panicked",
    "Error {",
    "..=",
];

/// Standard error, without the usage and the hint at the help.
fn essence(said: &str) -> String {
    let lines = said.lines().map(str::trim).filter(|line| !line.is_empty());
    let lines = lines.take_while(|line| !line.starts_with("Usage:"));
    let lines = lines.filter(|line| !line.starts_with("For more information"));
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn each_mistake_gets_a_line_that_says_what_to_type() {
    let folder = TempDir::new();
    std::fs::create_dir(folder.join("public")).expect("a folder");
    folder.write("page.html", "<!DOCTYPE html>");
    let architectures = crate::support::architectures().join(", ");
    let here = folder.path().display().to_string();
    let mut wrong = Vec::new();
    let rows = [WORDS, OPTIONS, STARTS, COMMANDS].concat();
    assert!(rows.len() >= 40);
    for (words, code, expected) in rows {
        let mut program = command(PROGRAM);
        program.args(words.split(' ')).current_dir(folder.path()).env("HOME", folder.path());
        let output = program.output().expect("the program");
        let said = String::from_utf8(output.stderr).expect("UTF-8");
        let expected = expected.replace("ARCHITECTURES", &architectures).replace("HERE", &here);
        let has_foreign_words = FOREIGN.iter().any(|foreign| said.contains(foreign));
        let is_as_expected = output.status.code() == Some(code) && essence(&said) == expected;
        if !is_as_expected || has_foreign_words {
            wrong.push(format!("{words}: {:?}\n{said}", output.status.code()));
        }
    }
    assert!(wrong.is_empty(), "{} rows:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn a_port_in_use_names_its_holder_and_a_port_that_is_free() {
    let taken = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let address = taken.local_addr().expect("its address");
    let port = address.port().to_string();
    let output = run(&[&port, "--bind", "localhost", "--no-guestbook"]);
    let said = String::from_utf8(output.stderr).expect("UTF-8");
    let holder = format!("process {} (", std::process::id());
    let beginning = format!("zerohttpd: can't listen on {address}: {holder}");
    assert!(output.status.code() == Some(1) && said.starts_with(&beginning), "{said}");
    let (_, free) = said.split_once(") does already; end it, or try port ").expect("advice");
    let free: u16 = free.trim_end().parse().expect("a port");
    assert!((address.port()..=address.port() + 100).contains(&free), "{said}");
}

#[test]
fn a_port_that_needs_a_right_says_how_to_get_it() {
    let user = match rustix::process::geteuid().is_root() {
        true => &[][..],
        false => &["--user", "--map-root-user"],
    };
    let mut unshare = command("unshare");
    // A new network has the kernel's default: ports below 1024 need a right.
    unshare.args(user).args(["--net", "setpriv", "--bounding-set=-net_bind_service", PROGRAM]);
    let output = unshare.args(["80", "--no-guestbook"]).output().expect("unshare(1)");
    let said = String::from_utf8(output.stderr).expect("UTF-8");
    assert_eq!(
        said,
        "zerohttpd: can't listen on 0.0.0.0:80: port 80 needs root's rights: type `sudo zerohttpd \
         80 --user www-data`, or choose a port from 1024 on, such as 8080\n"
    );
}
