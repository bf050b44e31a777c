//! Usual mistakes, a row each.

/// Words that are typed in a folder with a folder `public` and a file `page.html`, the exit status,
/// and all of standard error but the usage and the hint at `--help`.
pub(crate) type Row = (&'static str, i32, &'static str);

pub(crate) const WORDS: &[Row] = &[
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
        "error: 70000 is not a port: it must be a number up to 65535; 0 lets the kernel choose",
    ),
    ("epoll 8000 -p 8080", 2, "error: the port is given twice; leave one out"),
    (
        "epoll 8080 redis-host 6379",
        2,
        "error: there are too many words: they are [ARCH] [PORT] [REDIS], and a port of Redis \
         follows its host, as in redis-host:6379",
    ),
    ("serve load", 2, "error: load is a command, and comes first: type zerohttpd load"),
    ("serve man", 2, "error: man is a command, and comes first: type zerohttpd man"),
    (
        "completion bash",
        2,
        "error: there is no architecture \"completion\"; did you mean completions? There are \
         ARCHITECTURES",
    ),
    (
        "epoll 8080 6379",
        2,
        "error: 6379 is not the host of a Redis; leave it out, or type the host too, as in \
         redis-host:6379",
    ),
    (
        "-p 8080 redis-host",
        2,
        "error: there is no architecture or command \"redis-host\"; architectures are \
         ARCHITECTURES; the host of a Redis follows one of them",
    ),
    ("", 2, "error: a word is empty; it may come from a variable that is not set"),
    ("epoll ", 2, "error: a word is empty; it may come from a variable that is not set"),
];

pub(crate) const OPTIONS: &[Row] = &[
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
        "--bind :8080",
        2,
        "error: invalid value ':8080' for '--bind <ADDR>': the port is a separate option: type \
         --port 8080",
    ),
    (
        "-p x",
        2,
        "error: invalid value 'x' for '--port <PORT>': it must be a number up to 65535; 0 lets the \
         kernel choose",
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

pub(crate) const STARTS: &[Row] = &[
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

pub(crate) const COMMANDS: &[Row] = &[
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
        "load :8000/ -t 2",
        2,
        "error: unexpected argument '-t' found\n\
         tip: threads are --threads N, and the time is -d SECONDS",
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
