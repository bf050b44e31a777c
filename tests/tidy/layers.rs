//! Who may know of what.

use crate::sources::{Source, assert_none, everything, program, rust_files, source};
use crate::support::{architectures, package};

/// The one file with unsafe code beside `src/sys`: an allocator that counts can't do without.
const COUNTING_ALLOCATOR: &str = "core/tests/memory.rs";

const HEADINGS: [&str; 6] =
    ["Idea", "Shape", "Where it waits", "What one more client costs", "What breaks it", "Seen in"];

fn has_word(line: &str, word: &str) -> bool {
    let of_a_name = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(at, _)| {
        !line[..at].ends_with(of_a_name) && !line[at + word.len()..].starts_with(of_a_name)
    })
}

#[test]
fn unsafe_code_stands_where_it_may_and_each_has_its_reason() {
    let (mut stray, mut bare) = (Vec::new(), Vec::new());
    for source in everything() {
        let lines: Vec<_> = source.text.lines().collect();
        for (number, line) in source.code().filter(|(_, line)| has_word(line, "unsafe")) {
            if !source.path.starts_with("src/sys/") && source.path != COUNTING_ALLOCATOR {
                stray.push(source.place(number));
            }
            // An unsafe function is its callers' affair.
            if !line.contains("unsafe fn") && !has_reason(&lines, number - 1) {
                bare.push(source.place(number));
            }
        }
    }
    assert_none("unsafe code where none may be", stray);
    assert_none("unsafe code without a SAFETY comment", bare);
}

/// Whether the comment above the statement at that index gives a reason.
fn has_reason(lines: &[&str], index: usize) -> bool {
    // A statement may have begun a few lines above.
    let above = lines[..index].iter().rev().map(|line| line.trim());
    let statement = above.skip_while(|line| {
        !line.starts_with("//") && !line.is_empty() && !line.ends_with([';', '{', '}'])
    });
    let mut comment = statement.take_while(|line| line.starts_with("//"));
    comment.any(|line| line.starts_with("// SAFETY: "))
}

#[test]
fn the_core_can_reach_no_file_socket_or_clock() {
    let lib = source("core/src/lib.rs").text;
    for attribute in ["#![no_std]", "#![forbid(unsafe_code)]"] {
        assert!(lib.lines().any(|line| line == attribute), "core/src/lib.rs lacks {attribute}");
    }
    let mut found = Vec::new();
    for source in rust_files(&["core/src"]) {
        if source.path.ends_with("tests.rs") {
            continue;
        }
        let upto_tests = source.code().take_while(|(_, line)| !line.contains("mod tests"));
        let std = upto_tests.filter(|(_, line)| line.contains("std::") && !line.contains("no_std"));
        found.extend(std.map(|(number, _)| source.place(number)));
    }
    assert_none("the standard library in the core", found);
    let manifest = std::fs::read_to_string(package().join("core/Cargo.toml")).expect("a manifest");
    for line in manifest.lines().filter(|line| line.contains("version = ") && line.contains('{')) {
        assert!(line.contains("default-features = false"), "may bring the library in: {line}");
    }
}

/// The files of the architectures, without what they share.
/// `eprintln!` panics where nobody reads standard error any more: no reason to stop serving.
#[test]
fn what_is_said_is_said_where_nobody_may_listen() {
    let mut bare = Vec::new();
    for source in program() {
        let panicking = ["eprintln!", "eprint!", "println!", "print!", "dbg!"];
        let lines =
            source.code().filter(|(_, line)| panicking.iter().any(|word| line.contains(word)));
        bare.extend(lines.map(|(number, _)| source.place(number)));
    }
    assert_none("printing that can panic; use say!", bare);
}

fn architecture_files() -> Vec<Source> {
    architectures().iter().map(|name| source(&format!("src/arch/{name}.rs"))).collect()
}

/// Code up to the tests of a file.
fn proper_code(source: &Source) -> impl Iterator<Item = (usize, &str)> {
    source.code_with_strings().take_while(|(_, line)| !line.contains("mod tests"))
}

#[test]
fn no_architecture_looks_at_a_byte_of_http_or_resp() {
    const WORDS: [&str; 18] = [
        "HTTP/",
        "\\r",
        "\\n",
        "\r",
        "Content-",
        "Connection: ",
        "Keep-Alive",
        "keep-alive",
        "Transfer-",
        "Host:",
        "GET",
        "POST",
        "HEAD",
        "httparse",
        "resp::",
        "RPUSH",
        "INCRBY",
        "LRANGE",
    ];
    let mut found = Vec::new();
    for source in rust_files(&["src/arch"]) {
        let told =
            proper_code(&source).filter(|(_, line)| WORDS.iter().any(|word| line.contains(word)));
        found.extend(told.map(|(number, line)| format!("{}: {line}", source.place(number))));
    }
    assert_none("bytes of a protocol in an architecture", found);
}

#[test]
fn no_architecture_uses_another() {
    let mut found = Vec::new();
    for source in rust_files(&["src/arch"]) {
        if source.path == "src/arch/mod.rs" {
            continue;
        }
        for (number, line) in proper_code(&source) {
            for name in architectures() {
                let itself = source.path == format!("src/arch/{name}.rs");
                let ways =
                    [format!("super::{name}"), format!("arch::{name}"), format!("use {name}::")];
                // `rustix::event::epoll` and poll(2) are the kernel's.
                if !itself && ways.iter().any(|way| has_word(line, way)) {
                    found.push(format!("{}: {line}", source.place(number)));
                }
            }
        }
    }
    assert_none("an architecture within another", found);
}

#[test]
fn an_architecture_is_its_file_and_its_row_and_nothing_else_names_it() {
    let mut found = Vec::new();
    for source in program() {
        if source.path.starts_with("src/arch/") {
            continue;
        }
        for (number, line) in proper_code(&source) {
            for name in architectures() {
                // Which one is the default has to be said somewhere.
                let named = line.contains(&format!("\"{name}\"")) && !line.contains("DEFAULT_ARCH");
                if named || line.contains(&format!("arch::{name}")) {
                    found.push(format!("{}: {line}", source.place(number)));
                }
            }
        }
    }
    assert_none("architectures by name", found);
}

/// What measures servers meets them as processes: nothing in it knows how ours is made. Of the
/// architectures it may know what the command line tells of them.
#[test]
fn the_laboratory_knows_no_server_from_within() {
    const MAY: [&str; 5] = ["arch", "clock", "lab", "sys", "say"];
    let mut found = Vec::new();
    for source in rust_files(&["src/lab"]) {
        for (number, line) in proper_code(&source) {
            let mut used = line
                .split("crate::")
                .skip(1)
                .filter_map(|rest| rest.split(|c: char| !c.is_alphanumeric() && c != '_').next());
            let strange = used.any(|module| !MAY.contains(&module));
            if strange || line.contains("zero_core") {
                found.push(format!("{}: {line}", source.place(number)));
            }
        }
    }
    assert_none("parts of the server in the laboratory", found);
}

#[test]
fn every_architecture_opens_with_the_same_headings() {
    for source in architecture_files() {
        let opening = source.text.lines().take_while(|line| line.starts_with("//!"));
        let headings: Vec<_> = opening.filter_map(|line| line.strip_prefix("//! # ")).collect();
        assert_eq!(headings, HEADINGS, "{}", source.path);
    }
}
