//! SIGHUP: site, templates and log are opened anew, and nobody is turned away.

use std::fs;
use std::path::Path;

use rustix::process::Signal;

use crate::support::client::is_last;
use crate::support::process::Process;
use crate::support::server::Server;
use crate::support::{ONE_AT_A_TIME, Store, TempDir, for_each_architecture, wait_for, wait_until};

/// A site and templates of which something can be changed.
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

    /// What a server is to be told of it.
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

/// Waits until none of the servers that there were is left.
#[track_caller]
pub(crate) fn await_successors(server: &Server, before: &[crate::support::process::Process]) {
    wait_until("servers that have left", || {
        let now = server.servers();
        !now.is_empty() && !now.iter().any(|process| before.contains(process))
    });
}

#[test]
fn what_was_changed_is_seen_and_nobody_is_turned_away() {
    for_each_architecture(|arch| {
        let (store, content) = (Store::embedded(), Content::new());
        let mut server = Server::start(arch, &store.url(), &words(&content.options()));
        let before = server.servers();
        // One has been served, another is about to ask.
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
        wait_until("word of it", || server.errors().contains("opened anew"));

        // One that waits in accept may take one client more.
        let mut new = wait_for("a client of the successor", || {
            let mut client = server.client();
            client.get("/missing").body.starts_with(b"after: 404").then_some(client)
        });
        wait_until("a line in the new log", || content.log("log").contains("GET /missing"));
        // Who came before is answered once more, and told that it was the last time.
        let last = kept.get("/");
        assert!(last.status == 200 && is_last(&last), "{last:?}");
        assert!(kept.until_gone().is_empty());
        if let Some(asking) = &mut asking {
            asking.send("st: x\r\n\r\n");
            let last = asking.answer();
            assert!(last.status == 200 && is_last(&last), "{last:?}");
            assert!(asking.until_gone().is_empty());
        }
        await_successors(&server, &before);
        assert_eq!(new.get("/").status, 200, "who came after stays");
        let open = server.servers().into_iter().flat_map(Process::descriptors).collect::<Vec<_>>();
        assert!(!open.iter().any(|file| file.ends_with("log.1")), "the old log is kept: {open:?}");
        assert_eq!(server.stop().code(), Some(0));
    });
}

#[test]
fn what_cannot_be_used_changes_nothing() {
    for_each_architecture(|arch| {
        let (store, content) = (Store::embedded(), Content::new());
        let mut server = Server::start(arch, &store.url(), &words(&content.options()));
        let before = server.servers();
        content.folder.write("templates/error.html", "no gap");
        server.supervisor().signal(Signal::HUP);
        wait_until("a complaint", || server.errors().contains("going on as before"));
        assert!(server.errors().contains("error.html"), "{}", server.errors());
        assert_eq!(server.servers(), before);
        assert!(server.client().get("/missing").body.starts_with(b"before: 404"));
        assert_eq!(server.stop().code(), Some(0));
    });
}

#[test]
fn a_server_that_was_told_many_times_is_as_it_was() {
    for_each_architecture(|arch| {
        let (store, content) = (Store::embedded(), Content::new());
        let mut server = Server::start_small(arch, &store.url(), &words(&content.options()));
        let descriptors = |path: &Path| fs::read_dir(path).expect("a process").count();
        let own = Path::new("/proc").join(server.supervisor().0.to_string()).join("fd");
        assert_eq!(server.client().get("/").status, 200);
        let (rest, own_before) = (server.await_rest(), descriptors(&own));
        for round in 1..=20 {
            let before = server.servers();
            server.supervisor().signal(if round % 2 == 0 { Signal::HUP } else { Signal::USR1 });
            wait_until("word of it", || server.errors().matches("opened anew").count() == round);
            assert_eq!(server.client().get("/").status, 200);
            await_successors(&server, &before);
        }
        let now = server.await_rest();
        assert_eq!((now.processes, now.threads), (rest.processes, rest.threads));
        assert_eq!(descriptors(&own), own_before);
        assert_eq!(server.stop().code(), Some(0));
    });
}

#[test]
fn nobody_is_ended_for_many_reloads_and_the_last_one_waits() {
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
        wait_until("word of it", || count("were opened anew") == round);
        // The next client is to come to the next generation.
        wait_until("a generation more", || server.servers().len() > before.len());
        wait_until("a client of the new one", || {
            let mut client = server.client();
            let _ = client.get("/");
            !before.contains(&server.owner(&client))
        });
    }
    server.supervisor().signal(Signal::HUP);
    wait_until("word of it", || count("8 generations of servers still wind down") == 1);
    // One that leaves makes room.
    let first = kept.remove(0);
    assert_eq!(count("were opened anew"), 8);
    drop(first);
    wait_until("word of it", || count("were opened anew") == 9);
    for client in &mut kept {
        let last = client.get("/");
        assert!(last.status == 200 && is_last(&last), "{last:?}");
    }
    assert_eq!(server.stop().code(), Some(0));
}
