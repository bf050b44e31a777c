//! The access log: a complete line for each request, and none that a client has forged.

use std::collections::BTreeMap;
use std::fs;
use std::thread;

use rustix::process::Signal;

use crate::support::cases::test;
use crate::support::client::{Leave, last_request, request, signature};
use crate::support::{Client, Server, Store, TempDir, architectures, wait_until};

/// Requests, each with what the log has to contain: the beginning of the request line, the status,
/// and the bytes of the answer's body if they are known.
fn requests() -> Vec<(String, &'static str, u16, Option<u64>)> {
    let long = format!("GET /{} HTTP/1.1\r\nHost: x\r\n\r\n", "l".repeat(4000));
    vec![
        (last_request("/hello.txt"), "GET /hello.txt HTTP/1.1", 200, Some(6)),
        (last_request("/empty.txt?q=1"), "GET /empty.txt?q=1 HTTP/1.1", 200, Some(0)),
        (last_request("/guestbook"), "GET /guestbook HTTP/1.1", 200, None),
        (last_request("/missing"), "GET /missing HTTP/1.1", 404, None),
        (last_request("/folder"), "GET /folder HTTP/1.1", 301, None),
        (signature("Ada", "log"), "POST /guestbook HTTP/1.1", 303, None),
        ("HEAD /hello.txt HTTP/1.0\r\n\r\n".into(), "HEAD /hello.txt HTTP/1.0", 200, Some(0)),
        ("OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n".into(), "OPTIONS * HTTP/1.1", 204, Some(0)),
        (long, "GET /lll", 404, None),
    ]
}

/// Requests by which a client could try to forge a line.
const FORGERIES: &[&str] = &[
    "GET /\n127.0.0.1 - - [x] \"GET /forged HTTP/1.1\" 200 1 HTTP/1.1\r\n\r\n",
    "GET /\" 200 1\" HTTP/1.1\r\nHost: x\r\n\r\n",
    "GET /\x1b[2J\x1b[31m HTTP/1.1\r\nHost: x\r\n\r\n",
    "GET /\\n\\\" HTTP/1.1\r\nHost: x\r\n\r\n",
    "G\rET /\0\x7f\u{85}\u{2028} HTTP/1.1\r\nHost: x\r\n\r\n",
    "\"},{\"status\":200}\r\n\r\n",
];

/// Sends each request on a connection of its own; returns each answer's status and body length.
fn ask(server: &Server, requests: &[String]) -> Vec<(u16, u64)> {
    let answers = requests.iter().map(|text| {
        let mut client = server.client();
        client.send(text);
        let to_head = text.starts_with("HEAD");
        let answer = client.try_answer(to_head).unwrap_or_else(|why| panic!("{text:?}: {why}"));
        (answer.status, answer.body.len() as u64)
    });
    answers.collect()
}

/// Waits until a log has this many lines, and returns them.
#[track_caller]
fn lines(log: impl Fn() -> String, count: usize) -> Vec<String> {
    wait_until("a line for each request", || log().matches('\n').count() >= count);
    let text = log();
    assert_eq!(text.matches('\n').count(), count, "{text}");
    let visible = |byte: u8| matches!(byte, b' '..=b'~' | b'\n');
    assert!(text.bytes().all(visible), "not only visible characters: {text:?}");
    assert!(text.ends_with('\n'));
    text.lines().map(str::to_string).collect()
}

/// Parses a line in the common log format: the request line, the status and the body's bytes.
fn common(line: &str) -> Option<(String, u16, u64)> {
    let rest = line.strip_prefix("127.0.0.1 - - [")?;
    let (date, rest) = rest.split_once("] \"")?;
    // Such as 23/Nov/2026:04:12:01 +0000.
    let shape: String = date.chars().map(|c| if c.is_ascii_digit() { '9' } else { c }).collect();
    let (month_at, is_date) = (3..6, shape.len() == 26 && shape.starts_with("99/"));
    if !is_date || !shape[month_at].chars().all(char::is_alphabetic) {
        return None;
    }
    shape.ends_with("/9999:99:99:99 +9999").then_some(())?;
    let (request, rest) = rest.split_once("\" ")?;
    let (status, bytes) = rest.split_once(' ')?;
    (!request.contains('"')).then_some(())?;
    Some((request.to_string(), status.parse().ok()?, bytes.parse().ok()?))
}

/// Parses a line of JSON: the request line, the status and the body's bytes.
fn json(line: &str) -> Option<(String, u16, u64)> {
    let rest = line.strip_prefix("{\"time_unix_s\":")?;
    let (time, rest) = rest.split_once(",\"peer\":\"127.0.0.1\",\"request\":\"")?;
    time.parse::<u64>().ok()?;
    let (request, rest) = rest.split_once("\",\"status\":")?;
    let (status, rest) = rest.split_once(",\"body_bytes\":")?;
    let (bytes, rest) = rest.split_once(",\"duration_ms\":")?;
    rest.strip_suffix('}')?.parse::<u64>().ok()?;
    (!request.contains('"')).then_some(())?;
    let request = request.replace("\\u0020", " ");
    Some((request, status.parse().ok()?, bytes.parse().ok()?))
}

fn check_format(arch: &str, format: &str, parse: fn(&str) -> Option<(String, u16, u64)>) {
    let store = Store::embedded();
    let server = Server::start(arch, &store.url(), &["--access-log", format]);
    let requests = requests();
    let texts: Vec<_> = requests.iter().map(|(text, ..)| text.clone()).collect();
    let answers = ask(&server, &texts);
    let forgeries: Vec<_> = FORGERIES.iter().map(ToString::to_string).collect();
    let refused = ask(&server, &forgeries);
    let lines = lines(|| server.output(), requests.len() + forgeries.len());
    let read = |line: &String| parse(line).unwrap_or_else(|| panic!("not {format}: {line}"));
    let mut logged: Vec<_> = lines.iter().map(read).collect();
    for ((text, line, status, bytes), answer) in requests.iter().zip(answers) {
        // Several processes can write their lines in another order.
        let is_of_request = |(l, s, b): &(String, u16, u64)| {
            unescaped(l).starts_with(line) && (*s, *b) == answer && s == status
        };
        let at = logged.iter().position(is_of_request);
        let at = at.unwrap_or_else(|| panic!("{line} {answer:?} is not in {logged:#?}"));
        assert!(bytes.is_none_or(|bytes| bytes == answer.1), "{text}");
        assert!(logged.remove(at).0.len() < 8192, "a line that is too long");
    }
    let mut statuses: Vec<_> = logged.iter().map(|(_, status, _)| *status).collect();
    let mut expected: Vec<_> = refused.iter().map(|(status, _)| *status).collect();
    statuses.sort_unstable();
    expected.sort_unstable();
    assert_eq!(statuses, expected, "{logged:#?}");
    assert!(expected.iter().all(|status| matches!(status, 400 | 501 | 505)), "{expected:?}");
}

/// A request line as it was sent: the log writes a space as `\x20`.
fn unescaped(line: &str) -> String {
    line.replace("\\x20", " ")
}

test!(Architecture, each_request_has_a_line_in_the_common_format_and_none_is_forged);
fn each_request_has_a_line_in_the_common_format_and_none_is_forged(arch: &str) {
    check_format(arch, "common", common);
}

test!(Architecture, each_request_has_a_line_of_json_and_none_is_forged);
fn each_request_has_a_line_of_json_and_none_is_forged(arch: &str) {
    check_format(arch, "json", json);
}

test!(Architecture, an_answer_that_is_cut_short_is_logged_with_the_bytes_that_were_sent);
fn an_answer_that_is_cut_short_is_logged_with_the_bytes_that_were_sent(arch: &str) {
    const BYTES: usize = 64 * 1024 * 1024;
    let root = TempDir::new();
    let file = fs::File::create(root.join("big.bin")).expect("a file");
    file.set_len(BYTES as u64).expect("a sparse file");
    let folder = root.path().display().to_string();
    let store = Store::embedded();
    let words = ["--root", &folder, "--access-log", "common"];
    let limits = ["--send-timeout", "1", "--send-rate", "1024m"];
    let server = Server::start(arch, &store.url(), &[words, limits].concat());
    let mut client = Client::with_small_buffer(server.port);
    client.send(request("GET", "/big.bin"));
    let (_, status, logged) = common(&lines(|| server.output(), 1)[0]).expect("a line");
    let received = client.read_until_closed();
    let head = received.windows(4).position(|bytes| bytes == b"\r\n\r\n").expect("a head") + 4;
    assert_eq!(status, 200);
    // The kernel can drop bytes that the server has sent.
    let body = received.len() as u64 - head as u64;
    assert!((body..BYTES as u64).contains(&logged) && logged > 0, "{body}: {logged} logged");
}

test!(Architecture, by_default_only_a_terminal_gets_an_access_log);
fn by_default_only_a_terminal_gets_an_access_log(arch: &str) {
    let store = Store::embedded();
    let mut server = Server::start(arch, &store.url(), &[]);
    assert_eq!(server.client().get("/hello.txt").status, 200);
    assert_eq!(server.stop().code(), Some(0));
    assert_eq!(server.output(), "");
}

test!(Once, servers_of_all_architectures_append_complete_lines_to_one_file);
fn servers_of_all_architectures_append_complete_lines_to_one_file() {
    const CLIENTS: usize = 4;
    const REQUESTS: usize = 40;
    let folder = TempDir::new();
    folder.write("log", "kept\n");
    let file = folder.join("log").display().to_string();
    // Long lines, so that parts of two would be mixed if they were not appended as a whole.
    let target = |arch: &str, client: usize, request: usize| {
        format!("/{arch}-{client}-{request}-{}", "x".repeat(300 + request))
    };
    let mut servers = start_all(&file);
    thread::scope(|scope| {
        for (arch, server, _) in &servers {
            for client in 0..CLIENTS {
                scope.spawn(move || {
                    for request in 0..REQUESTS {
                        let mut connection = server.client();
                        connection.send(last_request(&target(arch, client, request)));
                        assert_eq!(connection.answer().status, 404);
                    }
                });
            }
        }
    });
    for (_, server, _) in &mut servers {
        assert_eq!(server.stop().code(), Some(0));
    }
    let text = fs::read_to_string(&file).expect("the log");
    let (first, text) = text.split_once('\n').expect("a first line");
    assert_eq!(first, "kept", "the earlier content");
    let mut found = BTreeMap::new();
    for line in text.lines() {
        let (request, status, _) = common(line).unwrap_or_else(|| panic!("mangled: {line}"));
        assert_eq!(status, 404);
        *found.entry(unescaped(&request)).or_insert(0) += 1;
    }
    for arch in architectures() {
        for client in 0..CLIENTS {
            for request in 0..REQUESTS {
                let line = format!("GET {} HTTP/1.1", target(arch, client, request));
                assert_eq!(found.remove(&line), Some(1), "{line}");
            }
        }
    }
    assert!(found.is_empty(), "{found:?}");
}

/// Starts a server of each architecture; all of them log to one file.
fn start_all(file: &str) -> Vec<(&'static str, Server, Store)> {
    let start = |arch: &'static String| {
        let store = Store::embedded();
        let mut words = vec!["--log-file", file];
        if crate::support::server::takes_workers(arch) {
            words.extend(["--workers", "3"]);
        }
        let server = Server::start(arch, &store.url(), &words);
        (arch.as_str(), server, store)
    };
    architectures().iter().map(start).collect()
}

test!(Architecture, an_unread_log_blocks_nothing);
fn an_unread_log_blocks_nothing(arch: &str) {
    let (store, folder) = (Store::embedded(), TempDir::new());
    let pipe = folder.join("log");
    let mode = rustix::fs::Mode::from_raw_mode(0o600);
    rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, mode, 0)
        .expect("a pipe");
    // The test has the reading end open, and reads nothing.
    let flags = rustix::fs::OFlags::RDONLY | rustix::fs::OFlags::NONBLOCK;
    let _reader = rustix::fs::open(&pipe, flags, rustix::fs::Mode::empty()).expect("a reader");
    let file = pipe.display().to_string();
    let server = Server::start(arch, &store.url(), &["--log-file", &file]);
    let mut client = server.client();
    // A pipe holds 64 KiB, and each line is longer than 60 bytes.
    for _ in 0..1500 {
        assert_eq!(client.get("/hello.txt").status, 200);
    }
}

test!(Architecture, lines_lost_to_a_full_disk_are_counted_and_reported_once);
fn lines_lost_to_a_full_disk_are_counted_and_reported_once(arch: &str) {
    let store = Store::embedded();
    let extra = ["--access-log", "common", "--log-file", "/dev/full"];
    let mut server = Server::start(arch, &store.url(), &extra);
    for _ in 0..3 {
        let mut client = server.client();
        for _ in 0..100 {
            assert_eq!(client.get("/hello.txt").status, 200);
        }
    }
    server.supervisor().signal(Signal::INT);
    assert_eq!(server.wait().code(), Some(0));
    let stderr = server.errors();
    assert_eq!(stderr.matches("can't write to the log: No space left").count(), 1, "{stderr}");
    assert!(stderr.contains("log        300 lines lost"), "{stderr}");
}

test!(Architecture, lines_are_written_before_a_worker_waits);
/// The line of an answer is written even while the next answer waits for the store or the client.
fn lines_are_written_before_a_worker_waits(arch: &str) {
    const WORDS: &[&str] = &["--access-log", "common", "--store-timeout", "300"];
    let (store, root) = (Store::embedded(), TempDir::new());
    root.write("small.txt", "small");
    let large = fs::File::create(root.join("large.bin")).expect("a file");
    large.set_len(64 << 20).expect("a large file");
    let root = root.path().display().to_string();
    let extra = [WORDS, &["--send-timeout", "300", "--root", &root]].concat();
    let server = Server::start(arch, &store.url(), &extra);
    assert_eq!(server.client().get("/guestbook").status, 200);
    server.store().signal(Signal::STOP);
    for (number, target) in ["/large.bin", "/guestbook"].into_iter().enumerate() {
        let mut client = Client::with_small_buffer(server.port);
        client.send(request("GET", "/small.txt") + &request("GET", target));
        wait_until(&format!("the line of the request before {target}"), || {
            server.output().matches("/small.txt").count() > number
        });
        client.leave(Leave::Reset);
    }
    server.store().signal(Signal::CONT);
}
