//! Files that are changed, added, replaced and removed while a server runs.

use std::fs::{self, File};
use std::time::{Duration, SystemTime};

use crate::support::cases::test;
use crate::support::script::Answer;
use crate::support::{Client, Server, Store, TempDir, wait_until};

test!(Architecture, changed_and_added_files_are_served_and_removed_ones_are_not_found);
fn changed_and_added_files_are_served_and_removed_ones_are_not_found(arch: &str) {
    let (root, store) = (TempDir::new(), Store::embedded());
    root.write("page.txt", "one\n");
    root.write("index.html", "home\n");
    let folder = root.path().display().to_string();
    let server = Server::start(arch, &store.url(), &["--root", &folder]);
    let body = |target: &str| {
        let answer = server.client().get(target);
        (answer.status, String::from_utf8_lossy(&answer.body).into_owned())
    };
    let shows = |target: &str, text: &str| body(target) == (200, text.to_string());
    assert!(shows("/page.txt", "one\n"));
    // The new content has the same length, so that only the time of modification differs.
    root.write("page.txt", "two\n");
    wait_until("the changed file", || shows("/page.txt", "two\n"));
    root.write("new.txt", "three\n");
    fs::rename(root.join("new.txt"), root.join("page.txt")).expect("a file is replaced");
    wait_until("the file that replaces it", || shows("/page.txt", "three\n"));
    assert_eq!(body("/added.txt").0, 404);
    root.write("added.txt", "four\n");
    wait_until("the added file", || shows("/added.txt", "four\n"));
    // Too large to be cached in memory, then small enough again.
    root.write("page.txt", "x".repeat(200_000));
    wait_until("a file that has grown", || shows("/page.txt", &"x".repeat(200_000)));
    root.write("page.txt", "five\n");
    wait_until("a file that has shrunk", || shows("/page.txt", "five\n"));
    fs::remove_file(root.join("page.txt")).expect("a file is removed");
    wait_until("404 for a removed file", || body("/page.txt").0 == 404);
    fs::remove_file(root.join("index.html")).expect("a file is removed");
    wait_until("404 for a folder whose index was removed", || body("/").0 == 404);
}

fn set_modified(root: &TempDir, name: &str, time: SystemTime) {
    let file = File::options().write(true).open(root.join(name)).expect("a file");
    file.set_modified(time).expect("a time");
}

/// Sends a GET with this field.
fn get_if(client: &mut Client, target: &str, condition: &str) -> Answer {
    client.send(format!("GET {target} HTTP/1.1\r\nHost: test\r\n{condition}\r\n\r\n"));
    client.answer()
}

fn tag(answer: &Answer) -> String {
    let tag = answer.field("ETag").expect("at most one ETag").expect("an ETag");
    String::from_utf8(tag.to_vec()).expect("a tag of ASCII")
}

test!(Architecture, a_file_replaced_by_one_of_equal_length_and_time_has_another_tag);
/// Some package managers give all files the time of their release.
fn a_file_replaced_by_one_of_equal_length_and_time_has_another_tag(arch: &str) {
    let release = SystemTime::UNIX_EPOCH + Duration::from_secs(1);
    let (root, store) = (TempDir::new(), Store::embedded());
    for (name, len) in [("small.txt", 4), ("large.txt", 100_000)] {
        root.write(name, "1".repeat(len));
        root.write(&format!("new-{name}"), "2".repeat(len));
        set_modified(&root, name, release);
        set_modified(&root, &format!("new-{name}"), release);
    }
    let folder = root.path().display().to_string();
    let server = Server::start(arch, &store.url(), &["--root", &folder]);
    let mut client = server.client();
    for name in ["small.txt", "large.txt"] {
        let target = format!("/{name}");
        let old = tag(&client.get(&target));
        let none_match = format!("If-None-Match: {old}");
        assert_eq!(get_if(&mut client, &target, &none_match).status, 304);
        fs::rename(root.join(&format!("new-{name}")), root.join(name)).expect("a new file");
        wait_until("the new file", || get_if(&mut client, &target, &none_match).status == 200);
        let part = format!("Range: bytes=0-0\r\nIf-Range: {old}");
        assert_eq!(get_if(&mut client, &target, &part).status, 200);
        let part = format!("Range: bytes=0-0\r\nIf-Range: {}", tag(&client.get(&target)));
        let answer = get_if(&mut client, &target, &part);
        assert_eq!((answer.status, &answer.body[..]), (206, &b"2"[..]));
    }
}

test!(Architecture, a_file_dated_in_the_future_has_no_last_modified_and_obeys_conditions);
fn a_file_dated_in_the_future_has_no_last_modified_and_obeys_conditions(arch: &str) {
    // 1 January 2100.
    let future = SystemTime::UNIX_EPOCH + Duration::from_secs(4_102_444_800);
    let (root, store) = (TempDir::new(), Store::embedded());
    for (name, len) in [("small.txt", 4), ("large.txt", 100_000)] {
        root.write(name, "1".repeat(len));
        set_modified(&root, name, future);
    }
    let folder = root.path().display().to_string();
    let server = Server::start(arch, &store.url(), &["--root", &folder]);
    let mut client = server.client();
    for target in ["/small.txt", "/large.txt"] {
        let answer = client.get(target);
        assert_eq!((answer.status, answer.field("Last-Modified")), (200, Ok(None)));
        let tag = tag(&answer);
        for (condition, status) in [
            (&*format!("If-None-Match: {tag}"), 304),
            ("If-Modified-Since: Thu, 31 Dec 2099 23:59:59 GMT", 200),
            ("If-Unmodified-Since: Thu, 31 Dec 2099 23:59:59 GMT", 412),
            ("If-Unmodified-Since: Fri, 01 Jan 2100 00:00:00 GMT", 200),
        ] {
            assert_eq!(get_if(&mut client, target, condition).status, status, "{condition}");
        }
    }
}
