//! Files that lie beside themselves in other codings, and the site's own page for what is missing.

use crate::support::client::request;
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
