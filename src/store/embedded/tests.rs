//! The embedded store as its clients meet it: through the socket.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::thread;

use zero_core::limits;
use zero_core::store::resp;

use super::*;
use crate::sandbox::Sandbox;

/// A folder of its own for a test, gone with it.
pub(super) struct Folder(pub(super) PathBuf);

impl Folder {
    pub(super) fn new(name: &str) -> Folder {
        let name = format!("zerohttpd-store-{}-{name}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir(&path).unwrap();
        Folder(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Commands on the wire; an argument ends at a space.
pub(super) fn wire(commands: &[&str]) -> Vec<u8> {
    let mut wire = Vec::new();
    for command in commands {
        let words: Vec<&[u8]> = command.split(' ').map(str::as_bytes).collect();
        resp::command(&mut wire, &words);
    }
    wire
}

/// A store at work in a thread that ends with the tests.
struct Store {
    file: PathBuf,
    _folder: Folder,
}

impl Store {
    fn start(name: &str) -> Store {
        let folder = Folder::new(name);
        let file = folder.0.join("state/zerohttpd/guestbook");
        let mut said = Vec::new();
        let service = start(&file, Sandbox::Off, &mut said).unwrap();
        assert_eq!(said, b"ready\n");
        thread::spawn(|| service.serve());
        Store { file, _folder: folder }
    }

    fn connect(&self) -> UnixStream {
        UnixStream::from(unix_socket::connect(&socket_path(&self.file), false).unwrap())
    }
}

fn expect(client: &mut UnixStream, replies: &[u8]) {
    let mut got = vec![0; replies.len()];
    client.read_exact(&mut got).unwrap();
    assert_eq!(got.escape_ascii().to_string(), replies.escape_ascii().to_string());
}

fn expect_end(client: &mut UnixStream) {
    let mut rest = Vec::new();
    client.read_to_end(&mut rest).unwrap();
    assert_eq!(rest.escape_ascii().to_string(), "");
}

#[test]
fn requests_may_come_in_any_pieces() {
    let store = Store::start("pieces");
    let mut client = store.connect();
    let requests = wire(&["RPUSH list a b", "INCRBY n 2", "nonsense", "LRANGE list 0 -1"]);
    let replies = b":2\r\n:2\r\n-ERR unknown command 'nonsense', with args beginning with: \r\n\
                    *2\r\n$1\r\na\r\n$1\r\nb\r\n";
    client.write_all(&requests).unwrap();
    expect(&mut client, replies);
    client.write_all(&wire(&["DEL list n"])).unwrap();
    expect(&mut client, b":2\r\n");
    for byte in requests {
        client.write_all(&[byte]).unwrap();
    }
    expect(&mut client, replies);
}

#[test]
fn a_client_that_has_said_all_still_gets_its_answers() {
    let store = Store::start("shutdown");
    let mut client = store.connect();
    // More than one turn takes, and the beginning of another request.
    let mut requests = wire(&vec!["INCR n"; 3 * turn::REQUESTS_PER_TURN]);
    requests.extend_from_slice(b"*2\r\n$3\r\nGET");
    client.write_all(&requests).unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    let lines = BufReader::new(client).lines().map(|line| line.unwrap());
    let counts = (1..=3 * turn::REQUESTS_PER_TURN).map(|count| format!(":{count}"));
    assert!(lines.eq(counts));
}

#[test]
fn two_clients_count_together() {
    const COUNTS: i64 = 2_000;
    let store = Store::start("counting");
    let count = |mut client: UnixStream| {
        thread::spawn(move || {
            let mut last = 0;
            let mut lines = BufReader::new(client.try_clone().unwrap()).lines();
            for _ in 0..COUNTS {
                client.write_all(&wire(&["INCR n"])).unwrap();
                let count: i64 = lines.next().unwrap().unwrap()[1..].parse().unwrap();
                assert!(count > last);
                last = count;
            }
        })
    };
    let counting = [count(store.connect()), count(store.connect())];
    counting.into_iter().for_each(|thread| thread.join().unwrap());
    let mut client = store.connect();
    client.write_all(&wire(&["GET n"])).unwrap();
    expect(&mut client, format!("$4\r\n{}\r\n", 2 * COUNTS).as_bytes());
}

#[test]
fn garbage_ends_its_own_connection_after_the_answers_before_it() {
    let store = Store::start("garbage");
    let mut bystander = store.connect();
    let huge = format!("*1\r\n${}\r\n", limits::STORE_VALUE_BYTES + 1);
    let number = "*1\r\n:1\r\n";
    for garbage in ["GET / HTTP/1.1\r\n\r\n", &huge, number, "+OK\r\n"] {
        let mut client = store.connect();
        client.write_all(&wire(&["PING"])).unwrap();
        client.write_all(garbage.as_bytes()).unwrap();
        let error = "-ERR Protocol error: what came is not a command in RESP2, or too long for one";
        expect(&mut client, format!("+PONG\r\n{error}\r\n").as_bytes());
        expect_end(&mut client);
    }
    bystander.write_all(&wire(&["PING"])).unwrap();
    expect(&mut bystander, b"+PONG\r\n");
}

#[test]
fn quit_is_the_last_request() {
    let store = Store::start("quit");
    let mut client = store.connect();
    client.write_all(&wire(&["PING", "QUIT", "PING"])).unwrap();
    expect(&mut client, b"+PONG\r\n+OK\r\n");
    expect_end(&mut client);
}

#[test]
fn who_does_not_read_waits_and_holds_up_nobody() {
    const REQUESTS: usize = 400;
    let store = Store::start("back-pressure");
    let value = "v".repeat(100_000);
    let mut bystander = store.connect();
    bystander.write_all(&wire(&[&format!("SET key {value}")])).unwrap();
    expect(&mut bystander, b"+OK\r\n");
    // 40 MB of replies.
    let mut client = store.connect();
    client.write_all(&wire(&vec!["GET key"; REQUESTS])).unwrap();
    bystander.write_all(&wire(&["PING"])).unwrap();
    expect(&mut bystander, b"+PONG\r\n");
    let reply = format!("$100000\r\n{value}\r\n");
    for _ in 0..REQUESTS {
        expect(&mut client, reply.as_bytes());
    }
    // One who never reads them is gone without a trace.
    let mut client = store.connect();
    client.write_all(&wire(&vec!["GET key"; REQUESTS])).unwrap();
    drop(client);
    bystander.write_all(&wire(&["PING"])).unwrap();
    expect(&mut bystander, b"+PONG\r\n");
}

#[test]
fn the_next_store_stands_by_until_the_first_ends() {
    let folder = Folder::new("standby");
    let file = folder.0.join("guestbook");
    let first = start(&file, Sandbox::Off, &mut Vec::new()).unwrap();
    let (mut parent, mut child) = UnixStream::pair().unwrap();
    let second = thread::spawn({
        let file = file.clone();
        move || start(&file, Sandbox::Off, &mut child).map(drop)
    });
    let mut said = [0; 8];
    parent.read_exact(&mut said).unwrap();
    assert_eq!(&said, b"standby\n");
    drop(first);
    let mut said = String::new();
    parent.read_to_string(&mut said).unwrap();
    assert_eq!(said, "ready\n");
    second.join().unwrap().unwrap();
}

#[test]
fn a_file_in_the_place_of_the_socket_is_not_removed() {
    let folder = Folder::new("not-a-socket");
    let file = folder.0.join("guestbook");
    std::fs::write(socket_path(&file), "precious").unwrap();
    let refusal = start(&file, Sandbox::Off, &mut Vec::new()).map(drop).unwrap_err();
    assert!(refusal.starts_with("cannot listen on /"), "{refusal}");
    assert_eq!(std::fs::read(socket_path(&file)).unwrap(), b"precious");
}
