//! A Redis that requires credentials, and the forms of its URL.

use crate::support::cases::test;
use crate::support::forwarder::forward_to;
use crate::support::redis::redis_cli;
use crate::support::{Redis, Server, architectures, for_each};

/// A Redis with a password, and with a user `app` whose password is `pw`.
struct GuardedRedis {
    redis: Redis,
    port: u16,
}

impl GuardedRedis {
    fn start() -> GuardedRedis {
        let redis = Redis::start(&["--requirepass", "s@crêt"]);
        let port = forward_to(&redis.socket());
        let guarded = GuardedRedis { redis, port };
        let user = ["acl", "setuser", "app", "on", ">pw", "~*", "+@all", "-flushall"];
        assert_eq!(guarded.cli("0", &user), "OK");
        guarded
    }

    fn cli(&self, database: &str, words: &[&str]) -> String {
        let options = ["--no-auth-warning", "-a", "s@crêt", "-n", database];
        redis_cli(&self.redis.socket(), &[&options, words].concat())
    }
}

test!(Once, password_user_and_database_of_the_url_are_used);
fn password_user_and_database_of_the_url_are_used() {
    let guarded = GuardedRedis::start();
    let path = guarded.redis.socket().display().to_string();
    let port = guarded.port;
    let urls = [
        format!("redis+unix://:s%40cr%C3%AAt@{path}"),
        format!("redis+unix://app:pw@{path}?db=3"),
        format!("redis://:s%40cr%C3%AAt@127.0.0.1:{port}"),
        format!("redis://app:pw@127.0.0.1:{port}/3"),
        format!("redis://app:pw@localhost:{port}/5"),
    ];
    // The visitor's number shows which database was used, as one architecture runs after the other.
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

test!(Once, refused_credentials_are_reported_at_the_start);
fn refused_credentials_are_reported_at_the_start() {
    let guarded = GuardedRedis::start();
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
            let (status, said) = Server::failed_start(arch, url, &[]);
            assert_eq!(status.code(), Some(1));
            assert_eq!(said.lines().count(), 1, "{said}");
            assert!(said.contains("refuses the user, the password or the database"), "{said}");
            assert!(said.contains(&path) && !said.contains("wrong"), "{said}");
        },
    );
}

test!(Architecture, while_the_password_of_redis_is_another_the_guestbook_answers_503);
fn while_the_password_of_redis_is_another_the_guestbook_answers_503(arch: &str) {
    let guarded = GuardedRedis::start();
    let path = guarded.redis.socket().display().to_string();
    let server = Server::start(arch, &format!("redis+unix://app:pw@{path}"), &[]);
    assert_eq!(server.client().visit(), 1);
    let set_password = |password: &str| {
        let words = ["acl", "setuser", "app", "resetpass", password];
        assert_eq!(guarded.cli("0", &words), "OK");
        guarded.cli("0", &["client", "kill", "user", "app"]);
    };
    set_password(">other");
    assert_eq!(server.client().get("/guestbook").status, 503);
    assert_eq!(server.client().get("/hello.txt").status, 200);
    set_password(">pw");
    crate::support::wait_until("a guestbook that works again", || {
        server.client().get("/guestbook").status == 200
    });
}

test!(Architecture, the_third_argument_of_the_c_original_names_a_redis);
fn the_third_argument_of_the_c_original_names_a_redis(arch: &str) {
    let redis = Redis::start(&[]);
    let address = format!("127.0.0.1:{}", forward_to(&redis.socket()));
    let server = Server::start(arch, "", &[&address]);
    assert_eq!(server.client().visit(), 1);
    assert_eq!(redis_cli(&redis.socket(), &["get", "visitor_count"]), "1");
}
