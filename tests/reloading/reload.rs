//! SIGHUP: site, templates and log are opened again, and no client is refused.

use std::fs;

use rustix::process::Signal;

use crate::support::cases::test;
use crate::support::client::is_last;
use crate::support::process::Process;
use crate::support::server::Server;
use crate::support::{ONE_AT_A_TIME, Store, TempDir, wait_for, wait_until};

/// A site and templates that the tests change.
pub(crate) struct Content {
    pub(crate) folder: TempDir,
}

impl Content {
    pub(crate) fn new() -> Content {
        let folder = TempDir::new();
        fs::create_dir(folder.join("site")).expect("a folder");
        fs::create_dir(folder.join("templates")).expect("a folder");
        folder.write("site/index.html", "before");
        folder.write("templates/error.html", "before: $STATUS$ $REASON$ $EXPLANATION$");
        Content { folder }
    }

    /// The options that name them.
    pub(crate) fn options(&self) -> Vec<String> {
        let path = |name: &str| self.folder.join(name).display().to_string();
        [
            ("--root", path("site")),
            ("--templates", path("templates")),
            ("--access-log", "common".into()),
            ("--log-file", path("log")),
        ]
        .into_iter()
        .flat_map(|(option, value)| [option.to_string(), value])
        .collect()
    }

    fn log(&self, name: &str) -> String {
        fs::read_to_string(self.folder.join(name)).unwrap_or_default()
    }
}

pub(crate) fn words(options: &[String]) -> Vec<&str> {
    options.iter().map(String::as_str).collect()
}

/// Waits until all of these server processes have ended and there are others.
#[track_caller]
pub(crate) fn await_successors(server: &Server, before: &[crate::support::process::Process]) {
    wait_until("new server processes in place of all earlier ones", || {
        let now = server.servers();
        !now.is_empty() && !now.iter().any(|process| before.contains(process))
    });
}

test!(Architecture, after_a_reload_changed_files_are_used_and_no_client_was_refused);
fn after_a_reload_changed_files_are_used_and_no_client_was_refused(arch: &str) {
    let (store, content) = (Store::embedded(), Content::new());
    let mut server = Server::start(arch, &store.url(), &words(&content.options()));
    let before = server.servers();
    // One client was served and is idle, another has sent a part of its second request.
    let mut kept = server.client();
    assert_eq!(kept.get("/").body, b"before");
    let mut asking = (arch != ONE_AT_A_TIME).then(|| {
        let mut client = server.client();
        assert_eq!(client.get("/").status, 200);
        client.send("GET / HTTP/1.1\r\nHo");
        client
    });

    content.folder.write("templates/error.html", "after: $STATUS$ $REASON$ $EXPLANATION$");
    fs::rename(content.folder.join("log"), content.folder.join("log.1")).expect("a log");
    server.supervisor().signal(Signal::HUP);
    wait_until("a message about the reload", || server.errors().contains("opened anew"));

    // An old process that waits in accept(2) can accept one more client.
    let mut new = wait_for("a client of the successor", || {
        let mut client = server.client();
        client.get("/missing").body.starts_with(b"after: 404").then_some(client)
    });
    wait_until("a line in the new log", || content.log("log").contains("GET /missing"));
    // Earlier clients get one more answer, with `Connection: close`.
    let last = kept.get("/");
    assert!(last.status == 200 && is_last(&last), "{last:?}");
    assert!(kept.read_until_closed().is_empty());
    if let Some(asking) = &mut asking {
        asking.send("st: x\r\n\r\n");
        let last = asking.answer();
        assert!(last.status == 200 && is_last(&last), "{last:?}");
        assert!(asking.read_until_closed().is_empty());
    }
    await_successors(&server, &before);
    assert_eq!(new.get("/").status, 200, "a client of the new generation stays connected");
    let open = server.servers().into_iter().flat_map(Process::descriptors).collect::<Vec<_>>();
    assert!(!open.iter().any(|file| file.ends_with("log.1")), "the old log is open: {open:?}");
    assert_eq!(server.stop().code(), Some(0));
}

test!(Architecture, a_reload_with_unusable_files_changes_nothing);
fn a_reload_with_unusable_files_changes_nothing(arch: &str) {
    let (store, content) = (Store::embedded(), Content::new());
    let mut server = Server::start(arch, &store.url(), &words(&content.options()));
    let before = server.servers();
    content.folder.write("templates/error.html", "no gap");
    server.supervisor().signal(Signal::HUP);
    wait_until("a message about it", || server.errors().contains("going on as before"));
    assert!(server.errors().contains("error.html"), "{}", server.errors());
    assert_eq!(server.servers(), before);
    assert!(server.client().get("/missing").body.starts_with(b"before: 404"));
    assert_eq!(server.stop().code(), Some(0));
}

test!(Architecture, after_many_reloads_a_server_has_the_same_resources);
fn after_many_reloads_a_server_has_the_same_resources(arch: &str) {
    let (store, content) = (Store::embedded(), Content::new());
    let mut server = Server::start_small(arch, &store.url(), &words(&content.options()));
    let descriptors = || server.supervisor().descriptor_numbers().len();
    assert_eq!(server.client().get("/").status, 200);
    let (resources, descriptors_before) = (server.await_idle(), descriptors());
    for round in 1..=20 {
        let before = server.servers();
        server.supervisor().signal(if round % 2 == 0 { Signal::HUP } else { Signal::USR1 });
        wait_until("a message about the reload", || {
            server.errors().matches("opened anew").count() == round
        });
        assert_eq!(server.client().get("/").status, 200);
        await_successors(&server, &before);
    }
    let now = server.await_idle();
    assert_eq!((now.processes, now.threads), (resources.processes, resources.threads));
    assert_eq!(descriptors(), descriptors_before);
    assert_eq!(server.stop().code(), Some(0));
}

test!(Once, many_reloads_disconnect_no_client_and_the_last_one_is_postponed);
fn many_reloads_disconnect_no_client_and_the_last_one_is_postponed() {
    let (store, content) = (Store::embedded(), Content::new());
    let options = content.options();
    let options = [words(&options), vec!["--keep-alive-timeout", "3600"]].concat();
    let mut server = Server::start("epoll", &store.url(), &options);
    let count = |said: &str| server.errors().matches(said).count();
    let mut kept = Vec::new();
    for round in 1..=8 {
        let before = server.servers();
        let mut client = server.client();
        assert_eq!(client.get("/").status, 200);
        kept.push(client);
        server.supervisor().signal(Signal::HUP);
        wait_until("a message about the reload", || count("were opened anew") == round);
        // The next client has to be one of the next generation.
        wait_until("one more generation", || server.servers().len() > before.len());
        wait_until("a client of the new generation", || {
            let mut client = server.client();
            // A server that drains closes the connection, which then has no owner.
            !is_last(&client.get("/")) && !before.contains(&server.owner(&client))
        });
    }
    server.supervisor().signal(Signal::HUP);
    let postponed = "8 generations of servers are still draining";
    wait_until("a message about the postponed reload", || count(postponed) == 1);
    // A client that leaves lets its generation end.
    let first = kept.remove(0);
    assert_eq!(count("were opened anew"), 8);
    drop(first);
    wait_until("a message about the ninth reload", || count("were opened anew") == 9);
    for client in &mut kept {
        let last = client.get("/");
        assert!(last.status == 200 && is_last(&last), "{last:?}");
    }
    assert_eq!(server.stop().code(), Some(0));
}
