//! A Redis that does not let in everybody, and every way to name one.

use crate::support::forwarder::forward_to;
use crate::support::redis::redis_cli;
use crate::support::{Redis, Server, architectures, for_each, for_each_architecture};

/// A Redis with a password, an access control list, and a way to ask it.
struct Guarded {
    redis: Redis,
    port: u16,
}

impl Guarded {
    fn start() -> Guarded {
        let redis = Redis::start(&["--requirepass", "s@crêt"]);
        let port = forward_to(&redis.socket());
        let guarded = Guarded { redis, port };
        let user = ["acl", "setuser", "app", "on", ">pw", "~*", "+@all", "-flushall"];
        assert_eq!(guarded.cli("0", &user), "OK");
        guarded
    }

    fn cli(&self, database: &str, words: &[&str]) -> String {
        let options = ["--no-auth-warning", "-a", "s@crêt", "-n", database];
        redis_cli(&self.redis.socket(), &[&options, words].concat())
    }
}

#[test]
fn a_password_a_user_and_a_database_are_given_in_the_url() {
    let guarded = Guarded::start();
    let path = guarded.redis.socket().display().to_string();
    let port = guarded.port;
    let urls = [
        format!("redis+unix://:s%40cr%C3%AAt@{path}"),
        format!("redis+unix://app:pw@{path}?db=3"),
        format!("redis://:s%40cr%C3%AAt@127.0.0.1:{port}"),
        format!("redis://app:pw@127.0.0.1:{port}/3"),
        format!("redis://app:pw@localhost:{port}/5"),
    ];
    // Numbers tell which database it was: none is used by two architectures at a time.
    for (arch, first) in architectures().iter().zip(1..) {
        let servers: Vec<_> = urls.iter().map(|url| Server::start(arch, url, &[])).collect();
        let numbers: Vec<_> = servers.iter().map(|server| server.client().visit()).collect();
        assert_eq!(numbers, [2 * first - 1, 2 * first - 1, 2 * first, 2 * first, first], "{arch}");
        let said = servers[3].errors();
        assert!(!said.contains("pw"), "a password is shown: {said}");
    }
    let count = architectures().len();
    for (database, expected) in [("0", 2 * count), ("3", 2 * count), ("5", count)] {
        let said = guarded.cli(database, &["get", "visitor_count"]);
        assert_eq!(said, expected.to_string(), "database {database}");
    }
}

#[test]
fn whoever_is_not_let_in_is_told_so_at_the_start() {
    let guarded = Guarded::start();
    let path = guarded.redis.socket().display().to_string();
    let urls = [
        format!("redis+unix://{path}"),
        format!("redis+unix://:wrong@{path}"),
        format!("redis+unix://app:wrong@{path}"),
        format!("redis+unix://nobody:pw@{path}"),
        format!("redis+unix://app:pw@{path}?db=99"),
    ];
    let pairs: Vec<_> =
        architectures().iter().flat_map(|arch| urls.iter().map(move |url| (arch, url))).collect();
    for_each(
        &pairs,
        |(arch, url)| format!("{arch} {url}"),
        |(arch, url)| {
            let (status, said) = Server::refuse(arch, url, &[]);
            assert_eq!(status.code(), Some(1));
            assert_eq!(said.lines().count(), 1, "{said}");
            assert!(said.contains("refuses the user, the password or the database"), "{said}");
            assert!(said.contains(&path) && !said.contains("wrong"), "{said}");
        },
    );
}

#[test]
fn a_password_that_is_changed_while_it_runs_shuts_the_guestbook_until_it_is_changed_back() {
    for_each_architecture(|arch| {
        let guarded = Guarded::start();
        let path = guarded.redis.socket().display().to_string();
        let server = Server::start(arch, &format!("redis+unix://app:pw@{path}"), &[]);
        assert_eq!(server.client().visit(), 1);
        let app = |password: &str| {
            let words = ["acl", "setuser", "app", "resetpass", password];
            assert_eq!(guarded.cli("0", &words), "OK");
            guarded.cli("0", &["client", "kill", "user", "app"]);
        };
        app(">other");
        assert_eq!(server.client().get("/guestbook").status, 503);
        assert_eq!(server.client().get("/hello.txt").status, 200);
        app(">pw");
        crate::support::wait_until("a guestbook that is open again", || {
            server.client().get("/guestbook").status == 200
        });
    });
}

#[test]
fn the_original_s_third_argument_names_a_redis() {
    let redis = Redis::start(&[]);
    let place = format!("127.0.0.1:{}", forward_to(&redis.socket()));
    for_each_architecture(|arch| {
        let server = Server::start(arch, "", &[&place]);
        assert!(server.client().visit() > 0);
    });
    let counted = redis_cli(&redis.socket(), &["get", "visitor_count"]);
    assert_eq!(counted, architectures().len().to_string());
}
