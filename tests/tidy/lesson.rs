//! `src/arch/` is a lesson to read: each architecture is one short file, which contains the
//! calls that characterise it.

use crate::sources::{Source, assert_none, source};
use crate::support::architectures;

/// The calls that characterise each architecture. Each architecture must have a row.
const CALLS: [(&str, &[&str]); 7] = [
    ("iterative", &["accept(server"]),
    ("forking", &["accept_after(server", "fork_for_a_client()"]),
    ("preforked", &["accept(server", "fork()"]),
    ("threaded", &["accept(server", "spawn_scoped("]),
    ("prethreaded", &["accept(server", "spawn_scoped("]),
    ("poll", &["poll(&mut"]),
    ("epoll", &["epoll::wait(", "epoll::add(", "epoll::modify(", "epoll::delete("]),
];

/// The largest number of lines of an architecture's file, with its opening.
const MAX_LINES: usize = 120;

/// The largest number of lines in which `poll.rs` and `epoll.rs` differ, counted in both files
/// without their openings.
const MAX_DIFFERENT_LINES: usize = 80;

fn file_of(architecture: &str) -> Source {
    source(&format!("src/arch/{architecture}.rs"))
}

#[test]
fn each_architecture_is_one_short_file() {
    let lines = architectures().iter().map(|name| (file_of(name).text.lines().count(), name));
    let long = lines.filter(|(lines, _)| *lines > MAX_LINES);
    assert_none("too long", long.map(|(lines, name)| format!("{name} has {lines} lines")));
}

#[test]
fn each_architecture_makes_its_calls_in_its_own_file() {
    let mut missing = Vec::new();
    for name in architectures() {
        let calls = CALLS.iter().find(|(arch, _)| *arch == name);
        let (_, calls) = calls.unwrap_or_else(|| panic!("CALLS has no row for {name}"));
        let file = file_of(name);
        let has = |call: &str| file.code_with_strings().any(|(_, line)| line.contains(call));
        missing
            .extend(calls.iter().filter(|call| !has(call)).map(|call| format!("{name}: {call}")));
    }
    assert_none("no such call", missing);
}

#[test]
fn poll_and_epoll_differ_in_few_lines() {
    let lines = |name| -> Vec<String> {
        let file = file_of(name);
        let code = file.text.lines().filter(|line| !line.starts_with("//!"));
        code.map(str::to_owned).collect()
    };
    let (poll, epoll) = (lines("poll"), lines("epoll"));
    let different = poll.len() + epoll.len() - 2 * common_lines(&poll, &epoll);
    assert!(different <= MAX_DIFFERENT_LINES, "{different} lines differ");
}

/// The length of the longest common subsequence of lines: those that diff(1) finds in both files.
fn common_lines(left: &[String], right: &[String]) -> usize {
    let mut lengths = vec![0; right.len() + 1];
    for left_line in left {
        let mut diagonal = 0;
        for (at, right_line) in right.iter().enumerate() {
            let above = lengths[at + 1];
            let is_same = left_line == right_line;
            lengths[at + 1] = if is_same { diagonal + 1 } else { above.max(lengths[at]) };
            diagonal = above;
        }
    }
    lengths[right.len()]
}
