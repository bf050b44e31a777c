//! Symbolic links: never followed, or, with `--symlinks`, as far as they stay beneath the root.

use std::fs;
use std::os::unix::fs::symlink;

use crate::support::{Server, Store, TempDir, for_each_architecture, wait_until};

/// A site with links that stay and links that leave. What lies beside the root is named `outside`.
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
        // As a ConfigMap of Kubernetes is laid out, so that all of it changes at once.
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

const LEAVE: [&str; 9] = [
    "/out",
    "/out-folder/secret.txt",
    "/out-and-about",
    "/absolute",
    "/magic/etc/passwd",
    "/loop",
    "/broken",
    // By their names, dot-files are served to nobody.
    "/.dot-link",
    "/.data/b.txt",
];

#[test]
fn no_link_is_followed_unless_the_operator_wants_it() {
    let site = site();
    for_each_architecture(|arch| {
        let (store, root) = (Store::embedded(), site.join("root").display().to_string());
        let server = Server::start(arch, &store.url(), &["--root", &root]);
        let mut client = server.client();
        assert_eq!(client.get("/docs/a.txt").body, b"a");
        for target in STAY.iter().map(|(target, _)| *target).take(7).chain(LEAVE) {
            assert_eq!(client.get(target).status, 404, "{target}");
        }
        assert_eq!(client.get("/to-folder").status, 404, "no folder, but a link");
    });
}

#[test]
fn links_are_followed_as_far_as_they_stay_beneath_the_root() {
    let site = site();
    for_each_architecture(|arch| {
        let (store, root) = (Store::embedded(), site.join("root").display().to_string());
        let server = Server::start(arch, &store.url(), &["--root", &root, "--symlinks"]);
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
    });
}

#[test]
fn what_a_listing_shows_of_links_is_what_can_be_had() {
    let site = site();
    fs::remove_file(site.join("root/index.html")).expect("an index");
    for_each_architecture(|arch| {
        let (store, root) = (Store::embedded(), site.join("root").display().to_string());
        for (extra, expected) in [
            (&[][..], &["docs/", "volume/"][..]),
            (
                &["--symlinks"],
                &["docs/", "volume/", "to-dot-folder", "to-file", "to-folder/", "to-link"],
            ),
        ] {
            let words = [&["--root", &root, "--listing"], extra].concat();
            let server = Server::start(arch, &store.url(), &words);
            let page = String::from_utf8(server.client().get("/").body).expect("UTF-8");
            let links = page.split("<a href=\"./").skip(1);
            let names: Vec<_> = links.filter_map(|link| Some(link.split_once('"')?.0)).collect();
            assert_eq!(names, expected);
        }
    });
}

#[test]
fn a_link_that_is_turned_shows_what_it_leads_to_now() {
    for_each_architecture(|arch| {
        let site = TempDir::new();
        for (folder, text) in [("one", "1"), ("two", "2")] {
            fs::create_dir(site.join(folder)).expect("a folder");
            site.write(&format!("{folder}/page.txt"), text);
        }
        symlink("one", site.join("current")).expect("a link");
        let (store, root) = (Store::embedded(), site.path().display().to_string());
        let server = Server::start(arch, &store.url(), &["--root", &root, "--symlinks"]);
        assert_eq!(server.client().get("/current/page.txt").body, b"1");
        symlink("two", site.join("next")).expect("a link");
        fs::rename(site.join("next"), site.join("current")).expect("a link is replaced");
        wait_until("the other release", || server.client().get("/current/page.txt").body == b"2");
    });
}

#[test]
fn an_index_that_leads_nowhere_hides_its_folder() {
    let site = TempDir::new();
    fs::create_dir(site.join("open")).expect("a folder");
    for (folder, target) in [("dangling", "nowhere.html"), ("deeper", "nowhere/index.html")] {
        fs::create_dir(site.join(folder)).expect("a folder");
        site.write(&format!("{folder}/secret.txt"), "secret");
        symlink(target, site.join(&format!("{folder}/index.html"))).expect("a link");
    }
    for_each_architecture(|arch| {
        let (store, root) = (Store::embedded(), site.path().display().to_string());
        for extra in [&[][..], &["--symlinks"]] {
            let words = [&["--root", &root, "--listing"], extra].concat();
            let server = Server::start(arch, &store.url(), &words);
            let mut client = server.client();
            for target in ["/dangling/", "/deeper/", "/missing/"] {
                assert_eq!(client.get(target).status, 404, "{target} {extra:?}");
            }
            assert_eq!(client.get("/open/").status, 200);
        }
    });
}
