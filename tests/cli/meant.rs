//! What is typed in another way than the usage says, and is understood.

use crate::support::program::run;

#[test]
fn what_is_meant_is_understood() {
    let check = |words: &str| {
        let output = run(&words.split(' ').chain(["--check"]).collect::<Vec<_>>());
        let said = String::from_utf8(output.stderr).expect("UTF-8");
        assert!(output.status.success(), "{words}: {said}");
        said
    };
    for (words, address) in [
        ("Epoll --no-guestbook", "0.0.0.0:8000"),
        ("8080 --no-guestbook", "0.0.0.0:8080"),
        ("-p 8080 --no-guestbook", "0.0.0.0:8080"),
        ("threaded --port 8080 --no-guestbook", "0.0.0.0:8080"),
        ("serve --no-guestbook", "0.0.0.0:8000"),
        ("serve EPOLL 8080 --no-guestbook", "0.0.0.0:8080"),
        ("8080 127.0.0.1", "0.0.0.0:8080"),
        ("--bind localhost --no-guestbook", "127.0.0.1:8000"),
        ("--bind [::1] --no-guestbook", "[::1]:8000"),
        ("--admin 9100 --no-guestbook", "127.0.0.1:9100"),
        ("--admin :9100 --no-guestbook", "127.0.0.1:9100"),
    ] {
        let said = check(words);
        let line = format!("  not tried  whether {address} can be bound\n");
        assert!(said.contains(&line), "{words}: {said}");
    }
    for words in ["8080 redis-host.invalid", "epoll -p 8080 redis-host.invalid"] {
        let said = check(words);
        assert!(said.contains("whether redis://redis-host.invalid:6379/0 answers"), "{said}");
    }
}
