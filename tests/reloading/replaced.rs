//! A site whose folder is replaced while a server runs: a build recreates it, or a link is
//! switched.

use std::fs;
use std::os::unix::fs::symlink;

use crate::support::cases::test;
use crate::support::script::Answer;
use crate::support::{Client, Server, Store, TempDir, wait_until};

const ADMIN: [&str; 2] = ["--admin", "127.0.0.1:0"];

/// The answer to `/healthz`; none if the admin process is just being replaced.
fn health(server: &Server) -> Option<Answer> {
    let mut client = Client::connect(server.admin_port());
    client.send("GET /healthz HTTP/1.1\r\nHost: test\r\n\r\n");
    client.try_answer(false).ok()
}

fn is_healthy(server: &Server) -> bool {
    health(server).is_some_and(|answer| answer.status == 200 && answer.body.starts_with(b"ok\n"))
}

/// Whether the page has this text. While a server drains, a connection can end without an answer.
fn shows(server: &Server, text: &[u8]) -> bool {
    let mut client = server.client();
    client.send("GET /page.txt HTTP/1.1\r\nHost: test\r\n\r\n");
    client.try_answer(false).is_ok_and(|answer| answer.status == 200 && answer.body == text)
}

test!(Architecture, health_reports_a_removed_root_and_a_recreated_one_is_served);
fn health_reports_a_removed_root_and_a_recreated_one_is_served(arch: &str) {
    let (site, store) = (TempDir::new(), Store::embedded());
    fs::create_dir(site.join("dist")).expect("a folder");
    site.write("dist/page.txt", "one");
    let root = site.join("dist").display().to_string();
    let words = [&["--root", &root][..], &ADMIN].concat();
    let server = Server::start(arch, &store.url(), &words);
    assert!(shows(&server, b"one") && is_healthy(&server));
    let servers = server.servers();
    fs::remove_dir_all(site.join("dist")).expect("a folder");
    wait_until("/healthz to say that the site is gone", || {
        health(&server).is_some_and(|answer| {
            answer.status == 503 && answer.body.starts_with(b"the site is gone\n")
        })
    });
    // Cached metadata is checked again within a second.
    wait_until("404 for the page", || server.client().get("/page.txt").status == 404);
    assert_eq!(server.client().get("/guestbook").status, 200, "the guestbook is still served");
    assert_eq!(server.servers(), servers, "no server is restarted: {}", server.errors());
    // A file in place of the folder is no site.
    site.write("dist", "");
    assert!(!is_healthy(&server));
    fs::remove_file(site.join("dist")).expect("a file");
    for text in ["two", "three"] {
        let _ = fs::remove_dir_all(site.join("dist"));
        fs::create_dir(site.join("dist")).expect("a folder");
        site.write("dist/page.txt", text);
        wait_until("the new site", || shows(&server, text.as_bytes()));
        wait_until("good health", || is_healthy(&server));
    }
    let stderr = server.errors();
    assert_eq!(stderr.matches("leads to another folder now").count(), 2, "{stderr}");
    assert!(stderr.contains("is gone: No such file or directory"), "{stderr}");
}

test!(Architecture, a_root_that_is_a_link_is_resolved_again);
fn a_root_that_is_a_link_is_resolved_again(arch: &str) {
    let (site, store) = (TempDir::new(), Store::embedded());
    for (folder, text) in [("one", "1"), ("two", "2")] {
        fs::create_dir(site.join(folder)).expect("a folder");
        site.write(&format!("{folder}/page.txt"), text);
    }
    symlink("one", site.join("current")).expect("a link");
    let root = site.join("current").display().to_string();
    let server = Server::start(arch, &store.url(), &["--root", &root]);
    assert!(shows(&server, b"1"));
    symlink("two", site.join("next")).expect("a link");
    fs::rename(site.join("next"), site.join("current")).expect("a link is replaced");
    wait_until("the page of the new target", || shows(&server, b"2"));
    assert_eq!(server.errors().matches("leads to another folder now").count(), 1);
}
