//! Large files, byte for byte, to clients that read fast, slowly, or not to the end.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::FileExt;

use crate::support::cases::test;
use crate::support::client::{Leave, request};
use crate::support::{Client, Server, Store, TempDir, pattern, wait_until};

const BIG: usize = 5 * 1024 * 1024 + 321;

/// A length in bytes that does not fit 32 bits.
const HUGE: u64 = 4 * 1024 * 1024 * 1024 + 12_345;

/// A length in bytes that the kernel's buffers of both sides together never hold.
const ENDLESS: u64 = 256 * 1024 * 1024;

struct Site {
    root: TempDir,
    big: Vec<u8>,
}

/// A root with a file of each size. The two largest are sparse.
fn site() -> Site {
    let site = Site { root: TempDir::new(), big: pattern(BIG) };
    site.root.write("big.bin", &site.big);
    site.root.write("small.txt", "small\n");
    for (name, len) in [("huge.bin", HUGE), ("endless.bin", ENDLESS)] {
        let mut options = OpenOptions::new();
        let file = options.write(true).create_new(true).open(site.root.join(name)).expect("a file");
        file.set_len(len).expect("a sparse file");
        file.write_at(&site.big[..100_000], 0).expect("its first bytes");
    }
    site
}

impl Site {
    fn serve(&self, arch: &str, store: &Store) -> Server {
        let root = self.root.path().display().to_string();
        Server::start(arch, &store.url(), &["--root", &root])
    }
}

test!(Architecture, a_big_file_arrives_byte_for_byte_and_the_connection_stays_open);
fn a_big_file_arrives_byte_for_byte_and_the_connection_stays_open(arch: &str) {
    let site = site();
    let store = Store::embedded();
    let server = site.serve(arch, &store);
    let mut client = server.client();
    let answer = client.get("/big.bin");
    assert_eq!(answer.status, 200);
    assert!(answer.body == site.big, "{} bytes of {BIG}", answer.body.len());
    assert_eq!(client.get("/small.txt").body, b"small\n");
}

test!(Architecture, a_client_that_reads_little_by_little_gets_all_of_a_big_file);
fn a_client_that_reads_little_by_little_gets_all_of_a_big_file(arch: &str) {
    let site = site();
    let store = Store::embedded();
    let server = site.serve(arch, &store);
    let mut client = Client::with_small_buffer(server.port);
    client.send(request("GET", "/big.bin"));
    while client.input.len() < BIG / 2 {
        assert!(client.read_some(1000).expect("more of the file") > 0, "it ended");
    }
    let answer = client.answer();
    assert!(answer.body == site.big, "{} bytes of {BIG}", answer.body.len());
}

test!(Architecture, a_file_above_4_gib_is_sent_with_its_true_length);
fn a_file_above_4_gib_is_sent_with_its_true_length(arch: &str) {
    let site = site();
    let store = Store::embedded();
    let server = site.serve(arch, &store);
    let mut client = server.client();
    client.send(request("HEAD", "/huge.bin"));
    while !client.input.ends_with(b"\r\n\r\n") {
        assert!(client.read_some(4096).expect("a head") > 0, "it ended");
    }
    let head = String::from_utf8(std::mem::take(&mut client.input)).expect("a head");
    assert!(head.contains(&format!("Content-Length: {HUGE}\r\n")), "{head}");
    client.send(request("GET", "/huge.bin"));
    let body = first_of_body(&mut client, 100_000);
    assert!(body == site.big[..100_000], "other bytes");
}

/// The first `len` bytes of a body that is too long to be read to its end.
fn first_of_body(client: &mut Client, len: usize) -> Vec<u8> {
    loop {
        let head = client.input.windows(4).position(|four| four == b"\r\n\r\n");
        if let Some(body) = head.and_then(|end| client.input.get(end + 4..end + 4 + len)) {
            return body.to_vec();
        }
        assert!(client.read_some(64 * 1024).expect("more of the file") > 0, "it ended");
    }
}

test!(Architecture, ranges_have_the_right_bytes_in_a_big_file_and_across_4_gib);
fn ranges_have_the_right_bytes_in_a_big_file_and_across_4_gib(arch: &str) {
    const FOUR_GIB: u64 = 1 << 32;
    const LAST_BYTES: &str = "\r\nRange: bytes=-50\r\n\r\n";
    let site = site();
    let huge = OpenOptions::new().write(true).open(site.root.join("huge.bin")).expect("a file");
    huge.write_at(&site.big[..200], FOUR_GIB - 100).expect("bytes on both sides of 4 GiB");
    huge.write_at(&site.big[..50], HUGE - 50).expect("bytes at the end");
    let store = Store::embedded();
    let server = site.serve(arch, &store);
    let mut client = server.client();
    // The bytes from `from` up to, and without, `to`.
    let mut part = |target: &str, from: u64, to: u64| {
        let range = format!("\r\nRange: bytes={from}-{}\r\n\r\n", to - 1);
        client.send(request("GET", target).trim_end().to_string() + &range);
        let answer = client.answer();
        assert_eq!(answer.status, 206, "{target} {from}-{to}");
        answer.body
    };
    for (from, to) in [(0, 1), (70_001, 70_002), (262_143, 600_000), (5, BIG)] {
        let body = part("/big.bin", from as u64, to as u64);
        assert!(body == site.big[from..to], "{} bytes for {from}-{to}", body.len());
    }
    let body = part("/huge.bin", FOUR_GIB - 100, FOUR_GIB + 100);
    assert!(body == site.big[..200], "other bytes at 4 GiB");
    let body = part("/huge.bin", HUGE - 50, HUGE);
    assert!(body == site.big[..50], "other bytes at the end");
    client.send(request("GET", "/huge.bin").trim_end().to_string() + LAST_BYTES);
    let answer = client.answer();
    let range = format!("bytes {}-{}/{HUGE}", HUGE - 50, HUGE - 1);
    assert_eq!(answer.field("Content-Range"), Ok(Some(range.as_bytes())));
    assert!(answer.body == site.big[..50], "other bytes at the end");
}

test!(Architecture, a_client_that_hangs_up_in_the_middle_of_a_big_file_leaves_nothing_behind);
fn a_client_that_hangs_up_in_the_middle_of_a_big_file_leaves_nothing_behind(arch: &str) {
    let site = site();
    let store = Store::embedded();
    let root = site.root.path().display().to_string();
    let server = Server::start_small(arch, &store.url(), &["--root", &root]);
    assert_eq!(server.client().get("/small.txt").status, 200);
    let before = server.await_idle();
    for how in [Leave::Fin, Leave::Reset, Leave::Fin, Leave::Reset] {
        let mut client = Client::with_small_buffer(server.port);
        client.send(request("GET", "/endless.bin"));
        assert!(first_of_body(&mut client, 50_000) == site.big[..50_000]);
        client.leave(how);
    }
    assert_eq!(server.client().get("/small.txt").status, 200);
    wait_until(&format!("{before:?} again"), || server.resources() == before);
}

test!(Architecture, a_file_that_is_truncated_while_it_is_sent_ends_the_connection);
fn a_file_that_is_truncated_while_it_is_sent_ends_the_connection(arch: &str) {
    let site = site();
    let store = Store::embedded();
    let server = site.serve(arch, &store);
    let mut client = Client::with_small_buffer(server.port);
    client.send(request("GET", "/endless.bin"));
    assert!(first_of_body(&mut client, 50_000) == site.big[..50_000]);
    let file = OpenOptions::new().write(true).open(site.root.join("endless.bin"));
    file.and_then(|file| file.set_len(60_000)).expect("a file that can be truncated");
    let mut len = 0;
    loop {
        match client.read_some(64 * 1024) {
            Ok(0) => break,
            Ok(count) => len += count as u64,
            Err(e) if e.kind() == std::io::ErrorKind::ConnectionReset => break,
            Err(e) => panic!("the server did not end the connection: {e}"),
        }
        client.input.clear();
    }
    assert!(len < ENDLESS, "{len} bytes of a file that was truncated to 60000: it was padded");
    assert_eq!(server.client().get("/small.txt").status, 200);
}

test!(Architecture, a_file_removed_replaced_or_extended_while_it_is_sent_arrives_as_it_was);
fn a_file_removed_replaced_or_extended_while_it_is_sent_arrives_as_it_was(arch: &str) {
    type Change = fn(&TempDir);
    let changes: [Change; 3] = [
        |root| fs::remove_file(root.join("big.bin")).expect("a file"),
        |root| {
            root.write("new.bin", "quite another file");
            fs::rename(root.join("new.bin"), root.join("big.bin")).expect("a file");
        },
        |root| {
            let mut options = OpenOptions::new();
            let mut file = options.append(true).open(root.join("big.bin")).expect("a file");
            file.write_all(b"and more").expect("a longer file");
        },
    ];
    for change in changes {
        let site = site();
        let store = Store::embedded();
        let server = site.serve(arch, &store);
        let mut client = Client::with_small_buffer(server.port);
        client.send(request("GET", "/big.bin"));
        assert!(first_of_body(&mut client, 50_000) == site.big[..50_000]);
        change(&site.root);
        while client.input.len() < BIG {
            assert!(client.read_some(8 * 1024).expect("more of the file") > 0, "it ended");
        }
        let answer = client.answer();
        assert!(answer.body == site.big, "{} bytes of {BIG}", answer.body.len());
        assert_eq!(client.get("/small.txt").body, b"small\n", "the connection stays open");
    }
}
