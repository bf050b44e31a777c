//! Files that also exist in an encoded version, such as `a.txt.gz`, and the site's own page for
//! missing files.

use std::fs::File;
use std::time::{Duration, SystemTime};

use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit};

use crate::support::cases::test;
use crate::support::client::request;
use crate::support::process::Process;
use crate::support::{Client, Server, Store, TempDir};

/// An answer: status, content coding, whether it has `Vary: Accept-Encoding`, body and ETag.
type GzipAnswer = (u16, Option<Vec<u8>>, bool, Vec<u8>, Vec<u8>);

/// Requests a file and accepts gzip.
fn get_gzip(client: &mut Client, target: &str) -> GzipAnswer {
    let plain = request("GET", target);
    let head = plain.strip_suffix("\r\n").expect("an empty line");
    client.send(format!("{head}Accept-Encoding: br;q=0, gzip\r\n\r\n"));
    let answer = client.answer();
    let coding = answer.field("Content-Encoding").expect("at most one").map(<[u8]>::to_vec);
    let varies = answer.field("Vary").expect("at most one") == Some(b"Accept-Encoding");
    let tag = answer.field("ETag").expect("at most one").expect("an ETag").to_vec();
    (answer.status, coding, varies, answer.body, tag)
}

test!(Architecture, an_encoded_file_goes_to_clients_that_accept_it_with_its_own_tag);
fn an_encoded_file_goes_to_clients_that_accept_it_with_its_own_tag(arch: &str) {
    let root = TempDir::new();
    // One file is cached in memory, the other is too large for that.
    for (name, len) in [("small", 100), ("large", 100_000)] {
        root.write(&format!("{name}.txt"), "plain".repeat(len));
        root.write(&format!("{name}.txt.gz"), "coded".repeat(len));
    }
    root.write("alone.txt", "alone");
    let folder = root.path().display().to_string();
    let store = Store::embedded();
    let server = Server::start(arch, &store.url(), &["--root", &folder]);
    let mut client = server.client();
    for (target, len) in [("/small.txt", 100), ("/large.txt", 100_000)] {
        let plain = client.get(target);
        assert!(plain.body == "plain".repeat(len).into_bytes(), "{target}");
        assert_eq!(plain.field("Vary"), Ok(Some(&b"Accept-Encoding"[..])));
        assert_eq!(plain.field("Content-Encoding"), Ok(None));
        let (status, coding, varies, body, _) = get_gzip(&mut client, target);
        assert_eq!((status, coding, varies), (200, Some(b"gzip".to_vec()), true));
        let tag = plain.field("ETag").expect("at most one").expect("an ETag").to_vec();
        assert_ne!(get_gzip(&mut client, target).4, tag, "each version has its own tag");
        assert!(body == "coded".repeat(len).into_bytes(), "{target}");
    }
    let (status, coding, varies, body, _) = get_gzip(&mut client, "/alone.txt");
    assert_eq!((status, coding, varies, &body[..]), (200, None, false, &b"alone"[..]));
}

test!(Architecture, a_missing_file_is_answered_with_the_page_of_the_site);
fn a_missing_file_is_answered_with_the_page_of_the_site(arch: &str) {
    let root = TempDir::new();
    root.write("404.html", "nothing here of ours");
    let folder = root.path().display().to_string();
    let store = Store::embedded();
    let server = Server::start(arch, &store.url(), &["--root", &folder]);
    let mut client = server.client();
    for target in ["/missing", "/.hidden", "/guestbook?page=0"] {
        let answer = client.get(target);
        assert_eq!((answer.status, &answer.body[..]), (404, &b"nothing here of ours"[..]));
    }
    assert_eq!(client.head("/missing").status, 404);
    assert_eq!(client.get("/404.html").status, 200);
}

test!(Architecture, an_outdated_encoded_file_is_skipped);
fn an_outdated_encoded_file_is_skipped(arch: &str) {
    let root = TempDir::new();
    let nanoseconds = [
        // Compressed later, or at the same time, or by a tool that copies the file's time, possibly
        // without its nanoseconds.
        ("later", 123_456_790, true),
        ("same", 123_456_789, true),
        ("to-the-microsecond", 123_456_000, true),
        ("to-the-second", 0, true),
        ("earlier", 123_456_788, false),
        ("earlier-microsecond", 123_455_000, false),
    ];
    let set_modified = |name: &str, ns| {
        let file = File::options().write(true).open(root.join(name)).expect("a file");
        file.set_modified(SystemTime::UNIX_EPOCH + Duration::new(1, ns)).expect("a time");
    };
    for (name, ns, _) in nanoseconds {
        root.write(name, "plain");
        root.write(&format!("{name}.gz"), "coded");
        set_modified(name, 123_456_789);
        set_modified(&format!("{name}.gz"), ns);
    }
    let folder = root.path().display().to_string();
    let store = Store::embedded();
    let server = Server::start(arch, &store.url(), &["--root", &folder]);
    let mut client = server.client();
    for (name, _, is_used) in nanoseconds {
        let (status, coding, varies, body, _) = get_gzip(&mut client, &format!("/{name}"));
        assert_eq!((status, varies, coding.is_some()), (200, is_used, is_used), "{name}");
        assert_eq!(body == b"coded", is_used, "{name}");
    }
}

/// Limits a process to this many further descriptors, or removes the limit.
fn allow_descriptors(process: Process, more: Option<u64>) {
    let free = || {
        let taken = process.descriptor_numbers();
        (0..).find(|number| !taken.contains(number)).expect("a number")
    };
    let limits = getrlimit(Resource::Nofile);
    let current = more.map_or(limits.maximum, |more| Some(free() + more));
    let pid = Pid::from_raw(process.0 as i32);
    prlimit(pid, Resource::Nofile, Rlimit { current, ..limits }).expect("a process of ours");
}

test!(Architecture, without_descriptors_an_encoded_file_is_not_treated_as_missing);
fn without_descriptors_an_encoded_file_is_not_treated_as_missing(arch: &str) {
    let root = TempDir::new();
    for (name, len) in [("small.txt", 1), ("large.txt", 100_000)] {
        root.write(name, "plain".repeat(len));
        root.write(&format!("{name}.gz"), "coded".repeat(len));
    }
    let folder = root.path().display().to_string();
    let store = Store::embedded();
    let server = Server::start(arch, &store.url(), &["--root", &folder]);
    let mut client = server.client();
    assert_eq!(client.get("/missing").status, 404);
    // One process serves the client; the others open nothing meanwhile.
    let mut processes = server.processes();
    processes.retain(|process| !process.is_store());
    let allow = |more| processes.iter().for_each(|process| allow_descriptors(*process, more));
    for target in ["/small.txt", "/large.txt"] {
        // The plain file can be opened; then no descriptor is left for the encoded one.
        allow(Some(1));
        assert_eq!(client.get(target).status, 503, "{target}");
        allow(None);
        let answer = client.get(target);
        assert_eq!(
            (answer.status, answer.field("Vary")),
            (200, Ok(Some(&b"Accept-Encoding"[..]))),
            "{target}"
        );
        let (status, coding, varies, ..) = get_gzip(&mut client, target);
        assert_eq!((status, coding, varies), (200, Some(b"gzip".to_vec()), true), "{target}");
    }
}
