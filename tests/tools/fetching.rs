//! Downloads that are resumed, split into parts, or skipped because the file has not changed.

use std::fs;

use crate::run;
use crate::support::{Server, Store, TempDir, for_each_architecture, pattern, wait_until};

const BIG: usize = 8 * 1024 * 1024 + 321;

/// How many bytes of the file are already there when a download is resumed.
const BYTES_PRESENT: usize = 3_000_001;

struct Site {
    root: TempDir,
    big: Vec<u8>,
}

/// A server, and a folder for downloads from it.
struct Session {
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
    fn serve(&self, arch: &str) -> Session {
        let store = Store::embedded();
        let root = self.root.path().display().to_string();
        let words = ["--root", &root, "--access-log", "common"];
        let server = Server::start(arch, &store.url(), &words);
        Session { server, _store: store, folder: TempDir::new() }
    }
}

impl Session {
    fn url(&self, name: &str) -> String {
        format!("http://127.0.0.1:{}/{name}", self.server.port)
    }

    fn path(&self, name: &str) -> String {
        self.folder.join(name).display().to_string()
    }

    /// Waits until the access log contains `text` at least `count` times.
    #[track_caller]
    fn await_log(&self, text: &str, count: usize) {
        wait_until(&format!("{count} times {text} in the log"), || {
            self.server.output().matches(text).count() >= count
        });
    }

    #[track_caller]
    fn assert_complete(&self, site: &Site) {
        let fetched = fs::read(self.folder.join("big.bin")).expect("the downloaded file");
        assert!(fetched == site.big, "{} of {BIG} bytes, or wrong ones", fetched.len());
    }
}

#[test]
fn curl_and_wget_resume_a_download() {
    let site = site();
    for_each_architecture(|arch| {
        let session = site.serve(arch);
        let (url, path) = (session.url("big.bin"), session.path("big.bin"));
        let line = format!("\"GET /big.bin HTTP/1.1\" 206 {}\n", BIG - BYTES_PRESENT);
        session.folder.write("big.bin", &site.big[..BYTES_PRESENT]);
        run("curl", "curl", ["-q", "-sS", "-f", "-C", "-", "-o", &path, &url]);
        session.assert_complete(&site);
        session.await_log(&line, 1);
        session.folder.write("big.bin", &site.big[..BYTES_PRESENT]);
        run("wget", "wget", ["--no-config", "-q", "-c", "-O", &path, &url]);
        session.assert_complete(&site);
        session.await_log(&line, 2);
        // The file is complete: wget gets a 416, and succeeds.
        run("wget", "wget", ["--no-config", "-q", "-c", "-O", &path, &url]);
        session.assert_complete(&site);
        session.await_log("\"GET /big.bin HTTP/1.1\" 416 ", 1);
    });
}

#[test]
fn aria2c_fetches_the_parts_of_a_file_on_eight_connections() {
    let site = site();
    for_each_architecture(|arch| {
        let session = site.serve(arch);
        let (url, folder) = (session.url("big.bin"), session.folder.path().display().to_string());
        let words = ["--no-conf", "--quiet", "-x8", "-s8", "-k1M", "--file-allocation=none"];
        let more = ["--async-dns=false", "--dir", &folder, &url];
        run("aria2c", "aria2", [&words[..], &more].concat());
        session.assert_complete(&site);
        session.await_log("\"GET /big.bin HTTP/1.1\" 206 ", 2);
    });
}

#[test]
fn a_file_that_has_not_changed_is_not_fetched_again() {
    for_each_architecture(|arch| {
        let site = Site { root: TempDir::new(), big: Vec::new() };
        site.root.write("news.txt", "old\n");
        let session = site.serve(arch);
        let (url, tag) = (session.url("news.txt"), session.path("tag"));
        let (path, again) = (session.path("news.txt"), session.path("again.txt"));
        run("curl", "curl", ["-q", "-sS", "-f", "--etag-save", &tag, "-o", &path, &url]);
        assert_eq!(fs::read(&path).expect("what was fetched"), b"old\n");
        let refetch = || {
            let words = ["-q", "-sS", "--etag-compare", &tag, "-w", "%{http_code}", "-o", &again];
            run("curl", "curl", [&words[..], &[&url]].concat())
        };
        assert_eq!(refetch(), "304");
        // wget compares dates: it gives its copy the date of the server's file.
        let folder = session.folder.path().display().to_string();
        let update = || run("wget", "wget", ["--no-config", "-q", "-N", "-P", &folder, &url]);
        update();
        update();
        session.await_log("\"GET /news.txt HTTP/1.1\" 304 ", 2);
        site.root.write("news.txt", "new and longer\n");
        wait_until("the changed file", || refetch() == "200");
        assert_eq!(fs::read(&again).expect("what was fetched"), b"new and longer\n");
    });
}
