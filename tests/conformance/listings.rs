//! Folders that show what is in them: every kind of name, of thing, and of client.

use std::ffi::OsStr;
use std::fs::{self, Permissions};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixListener;

use crate::support::client::{request, show};
use crate::support::script::Answer;
use crate::support::{
    Client, Server, Store, TempDir, architectures, for_each_architecture, wait_until,
};

/// Names that mean something to somebody: to HTML, to JSON, to URIs, to shells, to readers.
const NAMES: [&[u8]; 16] = [
    b"<script>alert(1)<!--",
    b"\"quotes\" and 'quotes'",
    b"a&amp;b",
    b"100%41",
    b"a?page=2#c",
    b"-rf *",
    b" leading and trailing ",
    b"javascript:alert(1)",
    b"a\\b",
    b"tab\tand escape\x1b[2J",
    b"not UTF-8 \xff\xc3(",
    "\u{5e9}\u{5dc}\u{5d5}\u{5dd}.txt".as_bytes(),
    "\u{202e}txt.exe".as_bytes(),
    "e\u{301} and \u{e9}".as_bytes(),
    b"$ENTRIES$",
    &[b'n'; 255],
];

fn path(root: &TempDir, name: &[u8]) -> std::path::PathBuf {
    root.path().join(OsStr::from_bytes(name))
}

fn serve(arch: &str, store: &Store, root: &TempDir, extra: &[&str]) -> Server {
    let root = root.path().display().to_string();
    Server::start(arch, &store.url(), &[&["--listing", "--root", &root], extra].concat())
}

fn json(client: &mut Client, target: &str) -> Answer {
    let plain = request("GET", target);
    let head = plain.strip_suffix("\r\n").expect("an empty line");
    client.send(format!("{head}Accept: application/json\r\n\r\n"));
    client.answer()
}

/// What the entries of a listing lead to.
fn hrefs(answer: &Answer) -> Vec<String> {
    let text = String::from_utf8(answer.body.clone()).expect("UTF-8");
    let parts = text.split("\"href\":\"./").skip(1);
    parts.filter_map(|part| Some(part.split_once('"')?.0.to_string())).collect()
}

#[test]
fn whatever_a_file_is_called_its_listing_leads_to_it() {
    let root = TempDir::new();
    for (index, name) in NAMES.iter().enumerate() {
        fs::write(path(&root, name), format!("file {index}\n")).expect("a file of any name");
    }
    // A target that hides a line end is refused, so there is no way to this one.
    root.write("line\nend", "");
    let mut sorted = NAMES;
    sorted.sort_unstable();
    for_each_architecture(|arch| {
        let store = Store::embedded();
        let server = serve(arch, &store, &root, &[]);
        let mut client = server.client();
        let listing = json(&mut client, "/");
        assert_eq!(listing.status, 200);
        let hrefs = hrefs(&listing);
        assert_eq!(hrefs.len(), NAMES.len(), "{}", show(&listing.body));
        for (name, href) in sorted.iter().zip(&hrefs) {
            let answer = client.get(&format!("/{href}"));
            let expected = fs::read(path(&root, name)).expect("the file");
            assert_eq!((answer.status, answer.body), (200, expected), "{href}");
        }
        let html = client.get("/");
        let text = String::from_utf8(html.body).expect("UTF-8");
        for href in &hrefs {
            assert!(text.contains(&format!("<a href=\"./{href}\"><bdi>")), "{href} in {text}");
        }
        assert!(!text.contains("<script") && !text.contains("line%0Aend"), "{text}");
        assert!(text.contains("<bdi>$ENTRIES$</bdi>"), "{text}");
    });
}

#[test]
fn only_what_would_be_served_is_listed_folders_first() {
    let root = TempDir::new();
    for folder in ["zoo", "Zoo", ".git", "locked"] {
        fs::create_dir(root.join(folder)).expect("a folder");
    }
    for file in ["b", "B", "a.txt", ".env", "unreadable", "zoo/x"] {
        root.write(file, "12345");
    }
    let _socket = UnixListener::bind(root.join("socket")).expect("a socket");
    let pipe = rustix::fs::CWD;
    let (kind, mode) = (rustix::fs::FileType::Fifo, rustix::fs::Mode::RUSR);
    rustix::fs::mknodat(pipe, root.join("pipe"), kind, mode, 0).expect("a pipe");
    symlink("a.txt", root.join("link")).expect("a link");
    let denied = Permissions::from_mode(0o000);
    fs::set_permissions(root.join("unreadable"), denied).expect("a file of ours");
    // Who may read everything is shown everything.
    let reads_all = fs::read(root.join("unreadable")).is_ok();
    for_each_architecture(|arch| {
        let store = Store::embedded();
        let server = serve(arch, &store, &root, &[]);
        let mut client = server.client();
        let mut expected = vec!["Zoo/", "locked/", "zoo/", "B", "a.txt", "b", "unreadable"];
        expected.truncate(if reads_all { 7 } else { 6 });
        assert_eq!(hrefs(&json(&mut client, "/")), expected);
        assert_eq!(hrefs(&json(&mut client, "/zoo/")), ["x"]);
        let text = String::from_utf8(json(&mut client, "/").body).expect("UTF-8");
        assert!(text.contains("\"type\":\"file\",\"size_bytes\":5,"), "{text}");
        assert_eq!(client.get("/.git/").status, 404);
        assert_eq!(client.head("/zoo/").status, 200);
        assert_eq!(client.get("/zoo").status, 301);
        let html = client.get("/zoo/");
        assert_eq!(html.field("Vary"), Ok(Some(&b"Accept"[..])));
        assert!(String::from_utf8_lossy(&html.body).contains("href=\"../\""));
    });
}

#[test]
fn an_index_that_may_not_be_served_hides_its_folder() {
    let root = TempDir::new();
    root.write("secret.txt", "");
    symlink("secret.txt", root.join("index.html")).expect("a link");
    for_each_architecture(|arch| {
        let store = Store::embedded();
        let server = serve(arch, &store, &root, &[]);
        assert_eq!(server.client().get("/").status, 404);
    });
}

#[test]
fn a_listing_shows_changes_and_ends_when_there_is_an_index() {
    for_each_architecture(|arch| {
        let root = TempDir::new();
        root.write("a", "1");
        let store = Store::embedded();
        let server = serve(arch, &store, &root, &[]);
        let listed = || hrefs(&json(&mut server.client(), "/"));
        assert_eq!(listed(), ["a"]);
        root.write("b", "1");
        wait_until("a file that was added", || listed() == ["a", "b"]);
        fs::rename(root.join("a"), root.join("c")).expect("a file");
        wait_until("a file of another name", || listed() == ["b", "c"]);
        let text = || String::from_utf8(json(&mut server.client(), "/").body).expect("UTF-8");
        root.write("c", "1234567");
        wait_until("a file that has grown", || text().contains("\"size_bytes\":7,"));
        fs::remove_file(root.join("b")).expect("a file");
        wait_until("a file that was removed", || listed() == ["c"]);
        root.write("index.html", "an index");
        wait_until("an index", || server.client().get("/").body == b"an index");
    });
}

#[test]
fn a_hundred_thousand_files_are_listed_each_once_and_a_page_is_bounded() {
    const FILES: usize = 100_000;
    const PAGES: usize = 200;
    const PAGE_BYTES: usize = 256 * 1024;
    let root = TempDir::new();
    let name = |index| format!("{index:06}.txt");
    fs::create_dir(root.join(".files")).expect("a folder");
    // Links cost a fifth of files, but no file can have all of them (65,000 on ext4).
    for kind in ["even", "odd"] {
        root.write(&format!(".files/{kind}"), kind);
    }
    for index in 0..FILES {
        let kind = if index % 2 == 0 { ".files/even" } else { ".files/odd" };
        fs::hard_link(root.join(kind), root.join(&name(index))).expect("a link");
    }
    for_each_architecture(|arch| {
        let store = Store::embedded();
        let server = serve(arch, &store, &root, &[]);
        let mut client = server.client();
        let first = json(&mut client, "/");
        let text = String::from_utf8_lossy(&first.body).into_owned();
        assert!(text.contains("\"pages\":200,\"is_complete\":true,"), "{}", &text[..200]);
        // All of them together look at each page.
        let names = architectures();
        let index = names.iter().position(|name| name == arch).expect("one of them");
        for page in (index + 1..=PAGES).step_by(names.len()) {
            let answer = json(&mut client, &format!("/?page={page}"));
            assert!(answer.body.len() < PAGE_BYTES, "page {page}: {}", answer.body.len());
            let on_page = (page - 1) * FILES / PAGES..page * FILES / PAGES;
            assert!(hrefs(&answer).into_iter().eq(on_page.map(name)), "page {page}");
        }
        assert_eq!(client.get("/?page=201").status, 404);
        let html = client.get("/?page=200");
        assert!(html.status == 200 && html.body.len() < PAGE_BYTES);
        assert!(String::from_utf8_lossy(&html.body).contains("page 200 of 200"));
        assert_eq!(client.get(&format!("/{}", name(FILES - 1))).body, b"odd");
        assert_eq!(client.get(&format!("/{}", name(FILES / 2))).body, b"even");
        assert_eq!(client.get(&format!("/{}", name(FILES))).status, 404);
    });
}
