//! Tests of the embedded store through its socket.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::thread;
use tempfile::{TempDir, tempdir};

use zerohttpd_core::limits;
use zerohttpd_core::store::resp;

use super::*;

/// Encodes commands. Their words are separated by spaces.
pub(super) fn wire(commands: &[&str]) -> Vec<u8> {
    let mut wire = Vec::new();
    for command in commands {
        let words: Vec<&[u8]> = command.split(' ').map(str::as_bytes).collect();
        resp::command(&mut wire, &words);
    }
    wire
}

/// A store that runs in a thread until the tests end.
struct Store {
    file: PathBuf,
    _folder: TempDir,
}

impl Store {
    fn start() -> Store {
        let folder = tempdir().unwrap();
        let file = folder.path().join("state/zerohttpd/guestbook");
        let mut report = Vec::new();
        let mut service = start(&file, &unconfined, &mut report).unwrap();
        assert_eq!(report, b"ready\n");
        thread::spawn(move || service.serve());
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
fn requests_can_come_in_any_pieces() {
    let store = Store::start();
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
fn a_client_that_has_stopped_sending_still_gets_its_replies() {
    let store = Store::start();
    let mut client = store.connect();
    // More requests than fit in one batch, and the beginning of another request.
    let mut requests = wire(&vec!["INCR n"; 3 * batch::REQUESTS_PER_BATCH]);
    requests.extend_from_slice(b"*2\r\n$3\r\nGET");
    client.write_all(&requests).unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    let lines = BufReader::new(client).lines().map(|line| line.unwrap());
    let counts = (1..=3 * batch::REQUESTS_PER_BATCH).map(|count| format!(":{count}"));
    assert!(lines.eq(counts));
}

#[test]
fn two_clients_count_together() {
    const COUNTS: i64 = 2_000;
    let store = Store::start();
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
fn garbage_ends_only_its_own_connection_and_after_the_earlier_replies() {
    let store = Store::start();
    let mut bystander = store.connect();
    let huge = format!("*1\r\n${}\r\n", limits::STORE_VALUE_BYTES + 1);
    let number = "*1\r\n:1\r\n";
    for garbage in ["GET / HTTP/1.1\r\n\r\n", &huge, number, "+OK\r\n"] {
        let mut client = store.connect();
        client.write_all(&wire(&["PING"])).unwrap();
        client.write_all(garbage.as_bytes()).unwrap();
        let error = "-ERR Protocol error: the input is not a command in RESP2, or too long for one";
        expect(&mut client, format!("+PONG\r\n{error}\r\n").as_bytes());
        expect_end(&mut client);
    }
    bystander.write_all(&wire(&["PING"])).unwrap();
    expect(&mut bystander, b"+PONG\r\n");
}

#[test]
fn quit_is_the_last_request() {
    let store = Store::start();
    let mut client = store.connect();
    client.write_all(&wire(&["PING", "QUIT", "PING"])).unwrap();
    expect(&mut client, b"+PONG\r\n+OK\r\n");
    expect_end(&mut client);
}

#[test]
fn a_client_that_does_not_read_does_not_block_others() {
    const REQUESTS: usize = 400;
    let store = Store::start();
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
    // A client that leaves without reading its replies does not disturb the others.
    let mut client = store.connect();
    client.write_all(&wire(&vec!["GET key"; REQUESTS])).unwrap();
    drop(client);
    bystander.write_all(&wire(&["PING"])).unwrap();
    expect(&mut bystander, b"+PONG\r\n");
}

#[test]
fn the_next_store_stands_by_until_the_first_ends() {
    let folder = tempdir().unwrap();
    let file = folder.path().join("guestbook");
    let first = start(&file, &unconfined, &mut Vec::new()).unwrap();
    let (mut parent, mut child) = UnixStream::pair().unwrap();
    let second = thread::spawn({
        let file = file.clone();
        move || start(&file, &unconfined, &mut child).map(drop)
    });
    let mut report = [0; 8];
    parent.read_exact(&mut report).unwrap();
    assert_eq!(&report, b"standby\n");
    drop(first);
    let mut report = String::new();
    parent.read_to_string(&mut report).unwrap();
    assert_eq!(report, "ready\n");
    second.join().unwrap().unwrap();
}

#[test]
fn another_file_with_the_name_of_the_socket_is_not_removed() {
    let folder = tempdir().unwrap();
    let file = folder.path().join("guestbook");
    std::fs::write(socket_path(&file), "precious").unwrap();
    let refusal = start(&file, &unconfined, &mut Vec::new()).map(drop).unwrap_err();
    assert!(refusal.starts_with("cannot listen on /"), "{refusal}");
    assert_eq!(std::fs::read(socket_path(&file)).unwrap(), b"precious");
}

fn unconfined(_folder: &Path) -> Result<(), String> {
    Ok(())
}
