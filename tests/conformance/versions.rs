//! Files that lie beside themselves in other codings, and the site's own page for what is missing.

use std::fs::File;
use std::time::{Duration, SystemTime};

use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit};

use crate::support::client::request;
use crate::support::process::Process;
use crate::support::{Client, Server, Store, TempDir, for_each_architecture};

/// Status, coding, whether it varies, body and tag.
type Taken = (u16, Option<Vec<u8>>, bool, Vec<u8>, Vec<u8>);

/// Asks for a file, taking gzip.
fn take_gzip(client: &mut Client, target: &str) -> Taken {
    let plain = request("GET", target);
    let head = plain.strip_suffix("\r\n").expect("an empty line");
    client.send(format!("{head}Accept-Encoding: br;q=0, gzip\r\n\r\n"));
    let answer = client.answer();
    let coding = answer.field("Content-Encoding").expect("one at most").map(<[u8]>::to_vec);
    let varies = answer.field("Vary").expect("one at most") == Some(b"Accept-Encoding");
    let tag = answer.field("ETag").expect("one").expect("a tag").to_vec();
    (answer.status, coding, varies, answer.body, tag)
}

#[test]
fn a_coded_file_goes_to_those_who_take_it_and_each_has_its_tag() {
    let root = TempDir::new();
    // In memory, and too large for that.
    for (name, len) in [("small", 100), ("large", 100_000)] {
        root.write(&format!("{name}.txt"), "plain".repeat(len));
        root.write(&format!("{name}.txt.gz"), "coded".repeat(len));
    }
    root.write("alone.txt", "alone");
    let folder = root.path().display().to_string();
    for_each_architecture(|arch| {
        let store = Store::embedded();
        let server = Server::start(arch, &store.url(), &["--root", &folder]);
        let mut client = server.client();
        for (target, len) in [("/small.txt", 100), ("/large.txt", 100_000)] {
            let plain = client.get(target);
            assert!(plain.body == "plain".repeat(len).into_bytes(), "{target}");
            assert_eq!(plain.field("Vary"), Ok(Some(&b"Accept-Encoding"[..])));
            assert_eq!(plain.field("Content-Encoding"), Ok(None));
            let (status, coding, varies, body, _) = take_gzip(&mut client, target);
            assert_eq!((status, coding, varies), (200, Some(b"gzip".to_vec()), true));
            let tag = plain.field("ETag").expect("one").expect("a tag").to_vec();
            assert_ne!(take_gzip(&mut client, target).4, tag, "another version, another tag");
            assert!(body == "coded".repeat(len).into_bytes(), "{target}");
        }
        let (status, coding, varies, body, _) = take_gzip(&mut client, "/alone.txt");
        assert_eq!((status, coding, varies, &body[..]), (200, None, false, &b"alone"[..]));
    });
}

#[test]
fn what_is_missing_is_answered_with_the_page_of_the_site() {
    let root = TempDir::new();
    root.write("404.html", "nothing here of ours");
    let folder = root.path().display().to_string();
    for_each_architecture(|arch| {
        let store = Store::embedded();
        let server = Server::start(arch, &store.url(), &["--root", &folder]);
        let mut client = server.client();
        for target in ["/missing", "/.hidden", "/guestbook?page=0"] {
            let answer = client.get(target);
            assert_eq!((answer.status, &answer.body[..]), (404, &b"nothing here of ours"[..]));
        }
        assert_eq!(client.head("/missing").status, 404);
        assert_eq!(client.get("/404.html").status, 200);
    });
}

#[test]
fn a_coded_file_of_an_earlier_version_is_passed_over() {
    let root = TempDir::new();
    let nanoseconds = [
        // Made afterwards, at once, or with the time of the file copied, as far as a tool goes.
        ("later", 123_456_790, true),
        ("same", 123_456_789, true),
        ("to-the-microsecond", 123_456_000, true),
        ("to-the-second", 0, true),
        ("earlier", 123_456_788, false),
        ("earlier-microsecond", 123_455_000, false),
    ];
    let date = |name: &str, ns| {
        let file = File::options().write(true).open(root.join(name)).expect("a file");
        file.set_modified(SystemTime::UNIX_EPOCH + Duration::new(1, ns)).expect("a time");
    };
    for (name, ns, _) in nanoseconds {
        root.write(name, "plain");
        root.write(&format!("{name}.gz"), "coded");
        date(name, 123_456_789);
        date(&format!("{name}.gz"), ns);
    }
    let folder = root.path().display().to_string();
    for_each_architecture(|arch| {
        let store = Store::embedded();
        let server = Server::start(arch, &store.url(), &["--root", &folder]);
        let mut client = server.client();
        for (name, _, is_taken) in nanoseconds {
            let (status, coding, varies, body, _) = take_gzip(&mut client, &format!("/{name}"));
            assert_eq!((status, varies, coding.is_some()), (200, is_taken, is_taken), "{name}");
            assert_eq!(body == b"coded", is_taken, "{name}");
        }
    });
}

/// Lets a process open so many more descriptors, or as many as it could before.
fn allow_descriptors(process: Process, more: Option<u64>) {
    let free = || {
        let taken = process.descriptor_numbers();
        (0..).find(|number| !taken.contains(number)).expect("a number")
    };
    let whole = getrlimit(Resource::Nofile);
    let current = more.map_or(whole.maximum, |more| Some(free() + more));
    let pid = Pid::from_raw(process.0 as i32);
    prlimit(pid, Resource::Nofile, Rlimit { current, ..whole }).expect("a process of ours");
}

#[test]
fn a_coded_file_that_cannot_be_looked_for_is_not_taken_to_be_absent() {
    let root = TempDir::new();
    for (name, len) in [("small.txt", 1), ("large.txt", 100_000)] {
        root.write(name, "plain".repeat(len));
        root.write(&format!("{name}.gz"), "coded".repeat(len));
    }
    let folder = root.path().display().to_string();
    for_each_architecture(|arch| {
        let store = Store::embedded();
        let server = Server::start(arch, &store.url(), &["--root", &folder]);
        let mut client = server.client();
        assert_eq!(client.get("/missing").status, 404);
        // One of them has the client; the others open nothing meanwhile.
        let mut processes = server.processes();
        processes.retain(|process| !process.is_store());
        let allow = |more| processes.iter().for_each(|process| allow_descriptors(*process, more));
        for target in ["/small.txt", "/large.txt"] {
            // The file can be opened, and none beside it.
            allow(Some(1));
            assert_eq!(client.get(target).status, 503, "{target}");
            allow(None);
            let answer = client.get(target);
            assert_eq!(
                (answer.status, answer.field("Vary")),
                (200, Ok(Some(&b"Accept-Encoding"[..]))),
                "{target}"
            );
            let (status, coding, varies, ..) = take_gzip(&mut client, target);
            assert_eq!((status, coding, varies), (200, Some(b"gzip".to_vec()), true), "{target}");
        }
    });
}
