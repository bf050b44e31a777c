//! The access log: a line for each request, whole, and none that a client could forge.

use std::collections::BTreeMap;
use std::fs;
use std::thread;

use crate::support::client::{last_request, signature};
use crate::support::{Server, Store, TempDir, architectures, for_each_architecture, wait_until};

/// What is asked, and what the log has to say of it: request line, status, bytes of the body.
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

/// What a client could try to write into the log.
const FORGED: &[&str] = &[
    "GET /\n127.0.0.1 - - [x] \"GET /forged HTTP/1.1\" 200 1 HTTP/1.1\r\n\r\n",
    "GET /\" 200 1\" HTTP/1.1\r\nHost: x\r\n\r\n",
    "GET /\x1b[2J\x1b[31m HTTP/1.1\r\nHost: x\r\n\r\n",
    "GET /\\n\\\" HTTP/1.1\r\nHost: x\r\n\r\n",
    "G\rET /\0\x7f\u{85}\u{2028} HTTP/1.1\r\nHost: x\r\n\r\n",
    "\"},{\"status\":200}\r\n\r\n",
];

/// Sends each request on a connection of its own; the status and the length of each answer.
fn ask(server: &Server, all: &[String]) -> Vec<(u16, u64)> {
    let answers = all.iter().map(|text| {
        let mut client = server.client();
        client.send(text);
        let to_head = text.starts_with("HEAD");
        let answer = client.try_answer(to_head).unwrap_or_else(|why| panic!("{text:?}: {why}"));
        (answer.status, answer.body.len() as u64)
    });
    answers.collect()
}

/// The lines of a log, once there are so many.
#[track_caller]
fn lines(log: impl Fn() -> String, count: usize) -> Vec<String> {
    wait_until("a line for each request", || log().matches('\n').count() >= count);
    let text = log();
    assert_eq!(text.matches('\n').count(), count, "{text}");
    let visible = |byte: u8| matches!(byte, b' '..=b'~' | b'\n');
    assert!(text.bytes().all(visible), "not all visible: {text:?}");
    assert!(text.ends_with('\n'));
    text.lines().map(str::to_string).collect()
}

/// The request line, the status and the bytes of a line in the common log format.
fn common(line: &str) -> Option<(String, u16, u64)> {
    let rest = line.strip_prefix("127.0.0.1 - - [")?;
    let (date, rest) = rest.split_once("] \"")?;
    // 23/Nov/2026:04:12:01 +0000
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

/// The same of a JSON object, and that it is one: its strings have no quotes in them.
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
    let given = ask(&server, &texts);
    let forged: Vec<_> = FORGED.iter().map(ToString::to_string).collect();
    let refused = ask(&server, &forged);
    let lines = lines(|| server.output(), requests.len() + forged.len());
    let read = |line: &String| parse(line).unwrap_or_else(|| panic!("not {format}: {line}"));
    let mut logged: Vec<_> = lines.iter().map(read).collect();
    for ((text, line, status, bytes), given) in requests.iter().zip(given) {
        // Clients of several processes may be written down in another order.
        let written = |(l, s, b): &(String, u16, u64)| {
            unescaped(l).starts_with(line) && (*s, *b) == given && s == status
        };
        let at = logged.iter().position(written);
        let at = at.unwrap_or_else(|| panic!("{line} {given:?} is not in {logged:#?}"));
        assert!(bytes.is_none_or(|bytes| bytes == given.1), "{text}");
        assert!(logged.remove(at).0.len() < 8192, "a line without end");
    }
    let mut statuses: Vec<_> = logged.iter().map(|(_, status, _)| *status).collect();
    let mut expected: Vec<_> = refused.iter().map(|(status, _)| *status).collect();
    statuses.sort_unstable();
    expected.sort_unstable();
    assert_eq!(statuses, expected, "{logged:#?}");
    assert!(expected.iter().all(|status| matches!(status, 400 | 501 | 505)), "{expected:?}");
}

/// A request line as it was sent, where the log writes a space as `\x20`.
fn unescaped(line: &str) -> String {
    line.replace("\\x20", " ")
}

#[test]
fn each_request_has_a_line_in_the_common_format_and_none_is_forged() {
    for_each_architecture(|arch| check_format(arch, "common", common));
}

#[test]
fn each_request_has_a_line_of_json_and_none_is_forged() {
    for_each_architecture(|arch| check_format(arch, "json", json));
}

#[test]
fn nothing_is_logged_to_what_is_no_terminal_unless_it_is_wanted() {
    for_each_architecture(|arch| {
        let store = Store::embedded();
        let mut server = Server::start(arch, &store.url(), &[]);
        assert_eq!(server.client().get("/hello.txt").status, 200);
        assert_eq!(server.stop().code(), Some(0));
        assert_eq!(server.output(), "");
    });
}

#[test]
fn all_architectures_at_once_append_to_one_file_without_mangling_a_line() {
    const CLIENTS: usize = 4;
    const REQUESTS: usize = 40;
    let folder = TempDir::new();
    folder.write("log", "kept\n");
    let file = folder.join("log").display().to_string();
    // So long that two lines which meet would show.
    let target = |arch: &str, client: usize, request: usize| {
        format!("/{arch}-{client}-{request}-{}", "x".repeat(300 + request))
    };
    let mut servers = for_all(&file);
    thread::scope(|scope| {
        for (arch, server, _) in &servers {
            for client in 0..CLIENTS {
                scope.spawn(move || {
                    for request in 0..REQUESTS {
                        let mut client_of = server.client();
                        client_of.send(last_request(&target(arch, client, request)));
                        assert_eq!(client_of.answer().status, 404);
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
    assert_eq!(first, "kept", "what was there");
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

/// A server of each architecture that logs to one file.
fn for_all(file: &str) -> Vec<(&'static str, Server, Store)> {
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

#[test]
fn a_log_that_nobody_reads_holds_up_nobody() {
    for_each_architecture(|arch| {
        let (store, folder) = (Store::embedded(), TempDir::new());
        let pipe = folder.join("log");
        let mode = rustix::fs::Mode::from_raw_mode(0o600);
        rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, mode, 0)
            .expect("a pipe");
        // Somebody has it open, and reads nothing.
        let flags = rustix::fs::OFlags::RDONLY | rustix::fs::OFlags::NONBLOCK;
        let _reader = rustix::fs::open(&pipe, flags, rustix::fs::Mode::empty()).expect("a reader");
        let file = pipe.display().to_string();
        let server = Server::start(arch, &store.url(), &["--log-file", &file]);
        let mut client = server.client();
        // A pipe takes 64 KiB, and each line is longer than 60 bytes.
        for _ in 0..1500 {
            assert_eq!(client.get("/hello.txt").status, 200);
        }
    });
}

#[test]
fn a_full_disk_costs_lines_that_are_counted_and_complained_of_once() {
    for_each_architecture(|arch| {
        let store = Store::embedded();
        let extra = ["--access-log", "common", "--log-file", "/dev/full"];
        let mut server = Server::start(arch, &store.url(), &extra);
        for _ in 0..3 {
            let mut client = server.client();
            for _ in 0..100 {
                assert_eq!(client.get("/hello.txt").status, 200);
            }
        }
        server.supervisor().signal(rustix::process::Signal::INT);
        assert_eq!(server.wait().code(), Some(0));
        let said = server.errors();
        assert_eq!(said.matches("can't write to the log: No space left").count(), 1, "{said}");
        assert!(said.contains("log        300 lines lost"), "{said}");
    });
}
