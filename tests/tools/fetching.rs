//! Downloads that are resumed, cut in parts, or spared since nothing has changed.

use std::fs;

use crate::run;
use crate::support::{Server, Store, TempDir, for_each_architecture, pattern, wait_until};

const BIG: usize = 8 * 1024 * 1024 + 321;

/// As far as the first attempt came.
const BEGUN: usize = 3_000_001;

struct Site {
    root: TempDir,
    big: Vec<u8>,
}

/// A server, and a folder for what is fetched from it.
struct Visit {
    server: Server,
    _store: Store,
    folder: TempDir,
}

fn site() -> Site {
    let site = Site { root: TempDir::new(), big: pattern(BIG) };
    site.root.write("big.bin", &site.big);
    site
}

impl Site {
    fn visit(&self, arch: &str) -> Visit {
        let store = Store::embedded();
        let root = self.root.path().display().to_string();
        let words = ["--root", &root, "--access-log", "common"];
        let server = Server::start(arch, &store.url(), &words);
        Visit { server, _store: store, folder: TempDir::new() }
    }
}

impl Visit {
    fn url(&self, name: &str) -> String {
        format!("http://127.0.0.1:{}/{name}", self.server.port)
    }

    fn path(&self, name: &str) -> String {
        self.folder.join(name).display().to_string()
    }

    /// Waits for lines of the log that contain this, as many as there have to be.
    #[track_caller]
    fn await_log(&self, what: &str, least: usize) {
        wait_until(&format!("{least} times {what} in the log"), || {
            self.server.output().matches(what).count() >= least
        });
    }

    #[track_caller]
    fn assert_whole(&self, site: &Site) {
        let fetched = fs::read(self.folder.join("big.bin")).expect("what was fetched");
        assert!(fetched == site.big, "{} bytes of {BIG}, or others", fetched.len());
    }
}

#[test]
fn curl_and_wget_go_on_where_they_were_cut_off() {
    let site = site();
    for_each_architecture(|arch| {
        let visit = site.visit(arch);
        let (url, path) = (visit.url("big.bin"), visit.path("big.bin"));
        let left = format!("\"GET /big.bin HTTP/1.1\" 206 {}\n", BIG - BEGUN);
        visit.folder.write("big.bin", &site.big[..BEGUN]);
        run("curl", "curl", ["-q", "-sS", "-f", "-C", "-", "-o", &path, &url]);
        visit.assert_whole(&site);
        visit.await_log(&left, 1);
        visit.folder.write("big.bin", &site.big[..BEGUN]);
        run("wget", "wget", ["--no-config", "-q", "-c", "-O", &path, &url]);
        visit.assert_whole(&site);
        visit.await_log(&left, 2);
        // There is nothing left to go on with: wget is told so, and is content.
        run("wget", "wget", ["--no-config", "-q", "-c", "-O", &path, &url]);
        visit.assert_whole(&site);
        visit.await_log("\"GET /big.bin HTTP/1.1\" 416 ", 1);
    });
}

#[test]
fn aria2c_fetches_a_file_in_eight_parts_at_once() {
    let site = site();
    for_each_architecture(|arch| {
        let visit = site.visit(arch);
        let (url, folder) = (visit.url("big.bin"), visit.folder.path().display().to_string());
        let words = ["--no-conf", "--quiet", "-x8", "-s8", "-k1M", "--file-allocation=none"];
        let more = ["--async-dns=false", "--dir", &folder, &url];
        run("aria2c", "aria2", [&words[..], &more].concat());
        visit.assert_whole(&site);
        visit.await_log("\"GET /big.bin HTTP/1.1\" 206 ", 2);
    });
}

#[test]
fn what_has_not_changed_is_not_fetched_again() {
    for_each_architecture(|arch| {
        let site = Site { root: TempDir::new(), big: Vec::new() };
        site.root.write("news.txt", "old\n");
        let visit = site.visit(arch);
        let (url, tag) = (visit.url("news.txt"), visit.path("tag"));
        let (path, again) = (visit.path("news.txt"), visit.path("again.txt"));
        run("curl", "curl", ["-q", "-sS", "-f", "--etag-save", &tag, "-o", &path, &url]);
        assert_eq!(fs::read(&path).expect("what was fetched"), b"old\n");
        let refetch = || {
            let words = ["-q", "-sS", "--etag-compare", &tag, "-w", "%{http_code}", "-o", &again];
            run("curl", "curl", [&words[..], &[&url]].concat())
        };
        assert_eq!(refetch(), "304");
        // By date: wget has set that of its file to the server's.
        let folder = visit.folder.path().display().to_string();
        let update = || run("wget", "wget", ["--no-config", "-q", "-N", "-P", &folder, &url]);
        update();
        update();
        visit.await_log("\"GET /news.txt HTTP/1.1\" 304 ", 2);
        site.root.write("news.txt", "new and longer\n");
        wait_until("a change that shows", || refetch() == "200");
        assert_eq!(fs::read(&again).expect("what was fetched"), b"new and longer\n");
    });
}
