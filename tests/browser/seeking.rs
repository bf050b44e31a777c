//! Seeking in a film: the browser requests a range of the file.

use std::fs::OpenOptions;
use std::os::unix::fs::FileExt;

use serde_json::Value;

use crate::driver::Browser;
use crate::support::{Server, Store, TempDir, architectures, wait_for, wait_until};

/// Six minutes, so that the browser does not load all of it in advance. The file is sparse.
const FILM_BYTES: u32 = 64 * 1024 * 1024;

const PAGE: &str = "<!DOCTYPE html><title>Film</title><link rel=icon href='data:,'>\
    <video src=film.wav preload=auto controls></video>";

/// The header of a WAV file, 16-bit stereo at 44,100 Hz, which a browser plays as a film without a
/// picture and without a codec.
fn wav_head() -> Vec<u8> {
    let mut head = Vec::from(*b"RIFF");
    head.extend((FILM_BYTES - 8).to_le_bytes());
    head.extend(b"WAVEfmt \x10\0\0\0\x01\0\x02\0");
    head.extend(44_100_u32.to_le_bytes());
    head.extend((44_100_u32 * 4).to_le_bytes());
    head.extend(b"\x04\0\x10\0data");
    head.extend((FILM_BYTES - 44).to_le_bytes());
    head
}

#[test]
fn a_browser_seeks_in_a_film_of_every_architecture() {
    let root = TempDir::new();
    root.write("index.html", PAGE);
    let mut options = OpenOptions::new();
    let film = options.write(true).create_new(true).open(root.join("film.wav")).expect("a file");
    film.set_len(FILM_BYTES.into()).expect("a sparse file");
    film.write_at(&wav_head(), 0).expect("its head");
    let root = root.path().display().to_string();
    let browser = Browser::start();
    for arch in architectures() {
        let store = Store::embedded();
        let words = ["--root", &root, "--access-log", "common"];
        let server = Server::start(arch, &store.url(), &words);
        browser.open(&format!("http://127.0.0.1:{}/", server.port));
        browser.await_page("Film");
        wait_until("a film that can be played", || {
            browser.value("document.querySelector('video').readyState >= 2") == true
        });
        browser.log("performance");
        browser.value("document.querySelector('video').currentTime = 350");
        let start = wait_for("an answer with a range of the film", || {
            browser.log("performance").iter().find_map(|event| range_start(event))
        });
        assert!(start > u64::from(FILM_BYTES) / 2, "{arch}: the range begins at {start}");
        wait_until("the end of seeking", || {
            browser.value("document.querySelector('video').seeking") == false
        });
        assert_eq!(browser.value("document.querySelector('video').error"), Value::Null, "{arch}");
        browser.open("about:blank");
        wait_until("two answers with a range in the access log", || {
            server.output().matches("\"GET /film.wav HTTP/1.1\" 206 ").count() >= 2
        });
    }
}

/// The start of the range in an answer 206, if this event of the network reports one.
fn range_start(event: &str) -> Option<u64> {
    let event: Value = serde_json::from_str(event).expect("JSON");
    let message = &event["message"];
    let response = &message["params"]["response"];
    if message["method"] != "Network.responseReceived" || response["status"] != 206 {
        return None;
    }
    let range = response["headers"]["Content-Range"].as_str()?;
    range.strip_prefix("bytes ")?.split_once('-')?.0.parse().ok()
}
