//! Listings of folders (`--listing`): names of all kinds, files of all kinds, and large folders.

use std::ffi::OsStr;
use std::fs::{self, Permissions};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::os::unix::net::UnixListener;
use std::process::Command;

use crate::support::cases::test;
use crate::support::client::{last_request, request, show};
use crate::support::script::Answer;
use crate::support::{Client, Server, Store, TempDir, for_each_architecture, wait_until};

/// Names with characters that have a meaning in HTML, JSON, URIs or shells, or mislead a reader.
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

/// The references of a listing's entries, in its order.
fn hrefs(answer: &Answer) -> Vec<String> {
    let text = String::from_utf8(answer.body.clone()).expect("UTF-8");
    let parts = text.split("\"href\":\"./").skip(1);
    parts.filter_map(|part| Some(part.split_once('"')?.0.to_string())).collect()
}

test!(Architecture, a_listing_leads_to_files_of_any_name);
fn a_listing_leads_to_files_of_any_name(arch: &str) {
    let root = TempDir::new();
    for (index, name) in NAMES.iter().enumerate() {
        fs::write(path(&root, name), format!("file {index}\n")).expect("a file of any name");
    }
    // This file is not listed, as a target with an encoded line end is refused.
    root.write("line\nend", "");
    let mut sorted = NAMES;
    sorted.sort_unstable();
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
}

test!(Architecture, only_entries_that_can_be_served_are_listed_folders_first);
fn only_entries_that_can_be_served_are_listed_folders_first(arch: &str) {
    let root = TempDir::new();
    for folder in ["zoo", "Zoo", ".git", "locked"] {
        fs::create_dir(root.join(folder)).expect("a folder");
    }
    for file in ["b", "B", "a.txt", ".env", "unreadable", "zoo/x"] {
        root.write(file, "12345");
    }
    let _socket = UnixListener::bind(root.join("socket")).expect("a socket");
    let (kind, mode) = (rustix::fs::FileType::Fifo, rustix::fs::Mode::RUSR);
    rustix::fs::mknodat(rustix::fs::CWD, root.join("pipe"), kind, mode, 0).expect("a pipe");
    symlink("a.txt", root.join("link")).expect("a link");
    let denied = Permissions::from_mode(0o000);
    fs::set_permissions(root.join("unreadable"), denied).expect("a file of ours");
    // Root can read this file, so a server of root lists it.
    let reads_all = fs::read(root.join("unreadable")).is_ok();
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
}

test!(Architecture, a_folder_whose_index_cannot_be_served_is_not_listed);
fn a_folder_whose_index_cannot_be_served_is_not_listed(arch: &str) {
    let root = TempDir::new();
    root.write("secret.txt", "");
    symlink("secret.txt", root.join("index.html")).expect("a link");
    let store = Store::embedded();
    let server = serve(arch, &store, &root, &[]);
    assert_eq!(server.client().get("/").status, 404);
}

test!(Architecture, a_listing_shows_changes_until_an_index_replaces_it);
fn a_listing_shows_changes_until_an_index_replaces_it(arch: &str) {
    let root = TempDir::new();
    root.write("a", "1");
    let store = Store::embedded();
    let server = serve(arch, &store, &root, &[]);
    let listed = || hrefs(&json(&mut server.client(), "/"));
    assert_eq!(listed(), ["a"]);
    root.write("b", "1");
    wait_until("a file that was added", || listed() == ["a", "b"]);
    fs::rename(root.join("a"), root.join("c")).expect("a file");
    wait_until("a renamed file", || listed() == ["b", "c"]);
    let text = || String::from_utf8(json(&mut server.client(), "/").body).expect("UTF-8");
    root.write("c", "1234567");
    wait_until("a file that has grown", || text().contains("\"size_bytes\":7,"));
    fs::remove_file(root.join("b")).expect("a file");
    wait_until("a file that was removed", || listed() == ["c"]);
    root.write("index.html", "an index");
    wait_until("the index", || server.client().get("/").body == b"an index");
}

test!(Once, a_hundred_thousand_files_are_each_listed_once_on_pages_that_link_the_next);
fn a_hundred_thousand_files_are_each_listed_once_on_pages_that_link_the_next() {
    const FILES: usize = 100_000;
    const PAGE: usize = 25_000;
    let root = TempDir::new();
    let name = |index| format!("{index:06}.txt");
    fs::create_dir(root.join(".files")).expect("a folder");
    // Hard links take a fifth of the time of files. Two files are needed, as one can have at most
    // 65,000 links on ext4.
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
        let mut target = "/".to_string();
        for page in 0..FILES / PAGE {
            let answer = json(&mut client, &target);
            assert_eq!(answer.status, 200);
            let listed = hrefs(&answer);
            assert_eq!(listed.len(), PAGE, "page {page}");
            assert!(listed.into_iter().eq((page * PAGE..(page + 1) * PAGE).map(name)));
            let text = String::from_utf8_lossy(&answer.body).into_owned();
            let is_last = page == FILES / PAGE - 1;
            let next = format!("./?page={}", page + 2);
            let (said, link) = match is_last {
                true => ("null".to_string(), None),
                false => (format!("\"{next}\""), Some(format!("<{next}>; rel=\"next\""))),
            };
            let said = format!("\"next\":{said},\"is_complete\":false,\"is_truncated\":false");
            assert!(text.contains(&said), "{}", &text[..200]);
            assert_eq!(answer.field("Link"), Ok(link.as_ref().map(|link| link.as_bytes())));
            target = format!("/{}", next.trim_start_matches("./"));
        }
        assert_eq!(client.get("/?page=5").status, 404);
        let html = client.get("/?page=4");
        assert_eq!(html.status, 200);
        assert!(String::from_utf8_lossy(&html.body).contains("page 4 of 4"));
        let head = client.head("/?page=4");
        assert_eq!(head.field("Content-Length"), html.field("Content-Length"));
        assert_eq!(client.get(&format!("/{}", name(FILES - 1))).body, b"odd");
        assert_eq!(client.get(&format!("/{}", name(FILES / 2))).body, b"even");
        assert_eq!(client.get(&format!("/{}", name(FILES))).status, 404);
    });
}

test!(Architecture, concurrent_requests_for_large_folders_each_get_the_whole_listing);
/// A loop reads a large folder in slices, and serves other clients between them.
fn concurrent_requests_for_large_folders_each_get_the_whole_listing(arch: &str) {
    const FILES: usize = 6_000;
    let root = TempDir::new();
    for folder in ["one", "two"] {
        fs::create_dir(root.join(folder)).expect("a folder");
        for index in 0..FILES {
            root.write(&format!("{folder}/{index}"), "");
        }
    }
    root.write("small.txt", "small");
    let store = Store::embedded();
    let server = serve(arch, &store, &root, &[]);
    let mut clients: Vec<_> = (0..6).map(|_| server.client()).collect();
    for (index, client) in clients.iter_mut().enumerate() {
        let folder = if index % 2 == 0 { "/one/" } else { "/two/" };
        client.send(last_request(folder));
    }
    // This client leaves while its listing is made; the others still get theirs.
    drop(clients.remove(0));
    let mut small = server.client();
    small.send(last_request("/small.txt"));
    for mut client in clients {
        let answer = client.answer();
        assert_eq!(answer.status, 200);
        let text = String::from_utf8(answer.body).expect("UTF-8");
        assert_eq!(text.matches("<a href=\"./").count(), FILES);
    }
    assert_eq!(small.answer().body, b"small");
}

test!(WayToOpen, every_listed_entry_can_be_opened);
fn every_listed_entry_can_be_opened(arch: &str, _: &str) {
    let nobody = Command::new("id").args(["-u", "nobody"]).output().expect("id(1)");
    let nobody = String::from_utf8_lossy(&nobody.stdout).trim().parse().expect("a number");
    let root = TempDir::new();
    // Each name says what a user who does not own the folder can do with it: `hidden` folders can
    // be entered but not read, `dumb` ones read but not entered.
    let folders = [("open", 0o755), ("hidden", 0o711), ("dumb", 0o744), ("shut", 0o700)];
    for name in [&[0xff, b'%', b'?'][..], b"#;&", b" a ", b"..."] {
        fs::create_dir(path(&root, name)).expect("a folder");
    }
    for (name, _) in folders {
        fs::create_dir(root.join(name)).expect("a folder");
        fs::create_dir(root.join(&format!("{name}-with-index"))).expect("a folder");
        root.write(&format!("{name}-with-index/index.html"), "an index");
    }
    fs::create_dir(root.join("unreadable-index")).expect("a folder");
    root.write("unreadable-index/index.html", "");
    fs::create_dir(root.join("index-is-folder")).expect("a folder");
    fs::create_dir(root.join("index-is-folder/index.html")).expect("a folder");
    for file in ["readable", "unreadable"] {
        root.write(file, "");
    }
    let set = |name: &str, mode| {
        fs::set_permissions(root.join(name), Permissions::from_mode(mode)).expect("ours");
    };
    for (name, mode) in folders {
        set(name, mode);
        set(&format!("{name}-with-index"), mode);
    }
    set("unreadable-index/index.html", 0o600);
    set("unreadable", 0o600);
    let store = TempDir::new();
    let store_url = format!("embedded:{}", store.join("book.db").display());
    // Root can read everything, so the server has to run as another user.
    let extra = match chown(store.path(), Some(nobody), None) {
        Ok(()) => &["--listing", "--user", "nobody"][..],
        Err(_) => return println!("skipped: only root can become another user"),
    };
    let root = root.path().display().to_string();
    let words = [&["--root", &root], extra].concat();
    let server = Server::start(arch, &store_url, &words);
    let mut client = server.client();
    let listed = hrefs(&json(&mut client, "/"));
    assert_eq!(
        listed,
        [
            "%20a%20/",
            "%23%3B%26/",
            "hidden-with-index/",
            "open/",
            "open-with-index/",
            "%FF%25%3F/",
            "readable"
        ]
    );
    for href in listed {
        assert_eq!(client.get(&format!("/{href}")).status, 200, "{href}");
    }
    for target in ["/hidden/", "/dumb/", "/shut/", "/unreadable", "/shut-with-index/"] {
        assert_eq!(client.get(target).status, 404, "{target}");
    }
}
