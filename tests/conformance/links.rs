//! Symbolic links: without `--symlinks` none is followed, with it only those that stay beneath the
//! root.

use std::fs;
use std::os::unix::fs::symlink;
use std::process::{Command, Stdio};

use crate::support::cases::test;
use crate::support::{Server, Store, TempDir, wait_until};

/// A folder with a `root`, links in it that stay beneath it or leave it, and a folder `outside`.
fn site() -> TempDir {
    let site = TempDir::new();
    for folder in ["root", "root/docs", "root/.data", "root/volume", "root/volume/..1", "outside"] {
        fs::create_dir(site.join(folder)).expect("a folder");
    }
    for (file, text) in [
        ("root/index.html", "home"),
        ("root/docs/a.txt", "a"),
        ("root/.data/b.txt", "b"),
        ("root/volume/..1/c.txt", "c"),
        ("outside/secret.txt", "secret"),
    ] {
        site.write(file, text);
    }
    let absolute = site.join("root/docs/a.txt").display().to_string();
    for (target, link) in [
        ("docs/a.txt", "root/to-file"),
        ("docs", "root/to-folder"),
        ("../docs/a.txt", "root/docs/up-and-down"),
        ("to-file", "root/to-link"),
        (".data/b.txt", "root/to-dot-folder"),
        // Kubernetes lays out a ConfigMap in this way, so that all files change at the same time.
        ("..1", "root/volume/..data"),
        ("..data/c.txt", "root/volume/c.txt"),
        ("docs/a.txt", "root/.dot-link"),
        ("../outside/secret.txt", "root/out"),
        ("../outside", "root/out-folder"),
        ("docs/../../outside/secret.txt", "root/out-and-about"),
        (&absolute, "root/absolute"),
        ("/proc/self/root", "root/magic"),
        ("loop", "root/loop"),
        ("nowhere", "root/broken"),
    ] {
        symlink(target, site.join(link)).expect("a link");
    }
    site
}

/// Starts a server, and waits until its banner says that it opens files in this way.
fn start((arch, way): (&str, &str), store: &Store, words: &[&str]) -> Server {
    let server = Server::start(arch, &store.url(), words);
    wait_until(way, || server.errors().contains(way));
    server
}

/// Targets that can be served with `--symlinks`, and their content. All but the last are links.
const STAY: [(&str, &str); 8] = [
    ("/to-file", "a"),
    ("/to-folder/a.txt", "a"),
    ("/docs/up-and-down", "a"),
    ("/to-folder/up-and-down", "a"),
    ("/to-link", "a"),
    ("/to-dot-folder", "b"),
    ("/volume/c.txt", "c"),
    ("/docs/a.txt", "a"),
];

/// Targets that are never served: links that leave the root or lead nowhere, and dot-files.
const LEAVE: [&str; 9] = [
    "/out",
    "/out-folder/secret.txt",
    "/out-and-about",
    "/absolute",
    "/magic/etc/passwd",
    "/loop",
    "/broken",
    // Dot-files are served only by a link with another name.
    "/.dot-link",
    "/.data/b.txt",
];

test!(WayToOpen, no_link_is_followed_without_the_option_symlinks);
fn no_link_is_followed_without_the_option_symlinks(arch: &str, way: &str) {
    let site = site();
    let (store, root) = (Store::embedded(), site.join("root").display().to_string());
    let server = start((arch, way), &store, &["--root", &root]);
    let mut client = server.client();
    assert_eq!(client.get("/docs/a.txt").body, b"a");
    for target in STAY.iter().map(|(target, _)| *target).take(7).chain(LEAVE) {
        assert_eq!(client.get(target).status, 404, "{target}");
    }
    assert_eq!(client.get("/to-folder").status, 404, "a link to a folder");
}

test!(WayToOpen, only_links_that_stay_beneath_the_root_are_followed);
fn only_links_that_stay_beneath_the_root_are_followed(arch: &str, way: &str) {
    let site = site();
    let (store, root) = (Store::embedded(), site.join("root").display().to_string());
    let server = start((arch, way), &store, &["--root", &root, "--symlinks"]);
    let mut client = server.client();
    for (target, text) in STAY {
        let answer = client.get(target);
        assert_eq!((answer.status, &answer.body[..]), (200, text.as_bytes()), "{target}");
    }
    for target in LEAVE {
        assert_eq!(client.get(target).status, 404, "{target}");
    }
    let moved = client.get("/to-folder");
    assert_eq!((moved.status, moved.field("Location")), (301, Ok(Some(&b"/to-folder/"[..]))));
    assert_eq!(client.get("/to-folder/").status, 404, "it has no index");
}

test!(WayToOpen, a_listing_shows_only_links_that_are_followed);
fn a_listing_shows_only_links_that_are_followed(arch: &str, way: &str) {
    let site = site();
    fs::remove_file(site.join("root/index.html")).expect("an index");
    let (store, root) = (Store::embedded(), site.join("root").display().to_string());
    for (extra, expected) in [
        (&[][..], &["docs/", "volume/"][..]),
        (
            &["--symlinks"],
            &["docs/", "volume/", "to-dot-folder", "to-file", "to-folder/", "to-link"],
        ),
    ] {
        let words = [&["--root", &root, "--listing"], extra].concat();
        let server = start((arch, way), &store, &words);
        let page = String::from_utf8(server.client().get("/").body).expect("UTF-8");
        let links = page.split("<a href=\"./").skip(1);
        let names: Vec<_> = links.filter_map(|link| Some(link.split_once('"')?.0)).collect();
        assert_eq!(names, expected);
    }
}

test!(WayToOpen, a_switched_link_shows_its_new_target);
fn a_switched_link_shows_its_new_target(arch: &str, way: &str) {
    let site = TempDir::new();
    for (folder, text) in [("one", "1"), ("two", "2")] {
        fs::create_dir(site.join(folder)).expect("a folder");
        site.write(&format!("{folder}/page.txt"), text);
    }
    symlink("one", site.join("current")).expect("a link");
    let (store, root) = (Store::embedded(), site.path().display().to_string());
    let server = start((arch, way), &store, &["--root", &root, "--symlinks"]);
    assert_eq!(server.client().get("/current/page.txt").body, b"1");
    symlink("two", site.join("next")).expect("a link");
    fs::rename(site.join("next"), site.join("current")).expect("a link is replaced");
    wait_until("the new target", || server.client().get("/current/page.txt").body == b"2");
}

test!(WayToOpen, a_folder_whose_index_is_a_broken_link_is_not_listed);
fn a_folder_whose_index_is_a_broken_link_is_not_listed(arch: &str, way: &str) {
    let site = TempDir::new();
    fs::create_dir(site.join("open")).expect("a folder");
    for (folder, target) in [("dangling", "nowhere.html"), ("deeper", "nowhere/index.html")] {
        fs::create_dir(site.join(folder)).expect("a folder");
        site.write(&format!("{folder}/secret.txt"), "secret");
        symlink(target, site.join(&format!("{folder}/index.html"))).expect("a link");
    }
    let (store, root) = (Store::embedded(), site.path().display().to_string());
    for extra in [&[][..], &["--symlinks"]] {
        let words = [&["--root", &root, "--listing"], extra].concat();
        let server = start((arch, way), &store, &words);
        let mut client = server.client();
        for target in ["/dangling/", "/deeper/", "/missing/"] {
            assert_eq!(client.get(target).status, 404, "{target} {extra:?}");
        }
        assert_eq!(client.get("/open/").status, 200);
    }
}

test!(WayToOpen, file_systems_mounted_beneath_the_root_are_not_served);
fn file_systems_mounted_beneath_the_root_are_not_served(arch: &str, way: &str) {
    // A bind mount, which has the same device number as the root, and a tmpfs, which has another.
    let script = r#"exec unshare --mount sh -c '
        mount --bind "$OUTSIDE" "$ROOT/bound" && mount -t tmpfs none "$ROOT/other" &&
        echo secret >"$ROOT/other/secret.txt" && exec "$0" "$@"' "$0" "$@""#;
    let probe = Command::new("unshare").args(["--mount", "true"]).status();
    if !probe.is_ok_and(|status| status.success()) {
        return println!("skipped: only root can mount");
    }
    let site = site();
    for folder in ["bound", "other"] {
        fs::create_dir(site.join("root").join(folder)).expect("a folder");
    }
    let (outside, root) = (site.join("outside"), site.join("root").display().to_string());
    let script =
        format!("OUTSIDE='{}' ROOT='{root}'; export OUTSIDE ROOT; {script}", outside.display());
    let store = Store::embedded();
    for extra in [&[][..], &["--symlinks"]] {
        let words = [&["--root", &root, "--listing"], extra].concat();
        let server = Server::start_in_shell(&script, Stdio::null(), (arch, &store.url(), &words));
        wait_until(way, || server.errors().contains(way));
        let mut client = server.client();
        assert_eq!(client.get("/docs/a.txt").body, b"a");
        for target in ["/bound/secret.txt", "/other/secret.txt", "/bound/", "/other/"] {
            assert_eq!(client.get(target).status, 404, "{target}");
        }
    }
}
