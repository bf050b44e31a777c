//! Layers: which code can use which modules, crates, calls and words.

use crate::sources::{Source, assert_none, everything, program, rust_files, source};
use crate::support::{architectures, package};

/// The only file with unsafe code outside of `crates/sys/src`: a test's allocator that counts.
const COUNTING_ALLOCATOR: &str = "crates/core/tests/memory.rs";

/// The headings in the opening of each architecture's file.
const HEADINGS: [&str; 7] = [
    "Idea",
    "Shape",
    "Where it waits",
    "What one more client costs",
    "What breaks it",
    "In the C original",
    "Seen in",
];

fn has_word(line: &str, word: &str) -> bool {
    let is_in_name = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(at, _)| {
        !line[..at].ends_with(is_in_name) && !line[at + word.len()..].starts_with(is_in_name)
    })
}

#[test]
fn unsafe_code_is_only_in_sys_and_each_block_has_a_safety_comment() {
    let (mut stray, mut bare) = (Vec::new(), Vec::new());
    for source in everything() {
        let lines: Vec<_> = source.text.lines().collect();
        for (number, line) in source.code().filter(|(_, line)| has_word(line, "unsafe")) {
            if !source.path.starts_with("crates/sys/src/") && source.path != COUNTING_ALLOCATOR {
                stray.push(source.place(number));
            }
            // The callers of an unsafe function give the reason.
            if !line.contains("unsafe fn") && !has_reason(&lines, number - 1) {
                bare.push(source.place(number));
            }
        }
    }
    assert_none("unsafe code outside of crates/sys/src", stray);
    assert_none("unsafe code without a SAFETY comment", bare);
}

/// Whether there is a SAFETY comment above the statement that contains the line at this index.
fn has_reason(lines: &[&str], index: usize) -> bool {
    // The statement can begin a few lines above.
    let above = lines[..index].iter().rev().map(|line| line.trim());
    let statement = above.skip_while(|line| {
        !line.starts_with("//") && !line.is_empty() && !line.ends_with([';', '{', '}'])
    });
    let mut comment = statement.take_while(|line| line.starts_with("//"));
    comment.any(|line| line.starts_with("// SAFETY: "))
}

#[test]
fn the_core_can_reach_no_file_socket_or_clock() {
    let lib = source("crates/core/src/lib.rs").text;
    for attribute in ["#![no_std]", "#![forbid(unsafe_code)]"] {
        assert!(
            lib.lines().any(|line| line == attribute),
            "crates/core/src/lib.rs lacks {attribute}"
        );
    }
    let mut found = Vec::new();
    for source in rust_files(&["crates/core/src"]) {
        if source.path.ends_with("tests.rs") {
            continue;
        }
        let upto_tests = source.code().take_while(|(_, line)| !line.contains("mod tests"));
        let std = upto_tests.filter(|(_, line)| line.contains("std::") && !line.contains("no_std"));
        found.extend(std.map(|(number, _)| source.place(number)));
    }
    assert_none("the standard library in the core", found);
    let manifest =
        std::fs::read_to_string(package().join("crates/core/Cargo.toml")).expect("a manifest");
    let (manifest, _for_tests) =
        manifest.split_once("[dev-dependencies]").expect("dependencies of tests");
    for line in manifest.lines().filter(|line| line.contains("version = ") && line.contains('{')) {
        assert!(line.contains("default-features = false"), "can depend on std: {line}");
    }
}

/// Only `src/cli` parses the server's command line; options are plain data. The laboratory parses
/// its own, anywhere in its crate.
#[test]
fn only_the_command_line_uses_clap() {
    let mut found = Vec::new();
    for source in program() {
        let is_command_line = source.path == "src/cli.rs" || source.path.starts_with("src/cli/");
        if is_command_line || source.path.starts_with("crates/lab/") {
            continue;
        }
        let lines = source.code().filter(|(_, line)| has_word(line, "clap"));
        found.extend(lines.map(|(number, _)| source.place(number)));
    }
    assert_none("clap outside of src/cli", found);
}

/// The protocol must not depend on the application, so that it could serve another one.
#[test]
fn the_protocol_knows_no_application_and_no_store() {
    const WORDS: [&str; 6] =
        ["crate::app", "crate::store", "App", "SitePath", "guestbook", "Templates"];
    let mut protocol = rust_files(&["crates/core/src/http"]);
    protocol.push(source("crates/core/src/http.rs"));
    let mut found = Vec::new();
    for source in protocol {
        for (number, line) in source.code() {
            if WORDS.iter().any(|word| has_word(&line, word)) {
                found.push(format!("{}: {line}", source.place(number)));
            }
        }
    }
    assert_none("the application in the protocol", found);
}

/// `eprintln!` panics if standard error is closed; a server must not stop because of that.
#[test]
fn messages_are_not_printed_by_macros_that_panic() {
    let mut bare = Vec::new();
    for source in program() {
        let panicking = ["eprintln!", "eprint!", "println!", "print!", "dbg!"];
        let lines =
            source.code().filter(|(_, line)| panicking.iter().any(|word| line.contains(word)));
        bare.extend(lines.map(|(number, _)| source.place(number)));
    }
    assert_none("printing that can panic; use say!", bare);
}

/// The architectures' own files.
fn architecture_files() -> Vec<Source> {
    architectures().iter().map(|name| source(&format!("src/arch/{name}.rs"))).collect()
}

/// The code of a file without its unit tests.
fn code_without_tests(source: &Source) -> impl Iterator<Item = (usize, &str)> {
    source.code_with_strings().take_while(|(_, line)| !line.contains("mod tests"))
}

#[test]
fn no_architecture_or_driver_contains_words_of_http_or_resp() {
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
    for source in rust_files(&["src/arch", "src/driver"]) {
        let contains_any = |line: &str| WORDS.iter().any(|word| line.contains(word));
        let lines = code_without_tests(&source).filter(|(_, line)| contains_any(line));
        found.extend(lines.map(|(number, line)| format!("{}: {line}", source.place(number))));
    }
    assert_none("words of a protocol in an architecture", found);
}

#[test]
fn no_architecture_uses_another() {
    let mut found = Vec::new();
    for source in rust_files(&["src/arch", "src/driver"]) {
        if source.path == "src/arch.rs" {
            continue;
        }
        for (number, line) in code_without_tests(&source) {
            for name in architectures() {
                let is_itself = source.path == format!("src/arch/{name}.rs");
                // Paths such as `rustix::event::epoll` do not use an architecture.
                let paths =
                    [format!("super::{name}"), format!("arch::{name}"), format!("use {name}::")];
                if !is_itself && paths.iter().any(|path| has_word(line, path)) {
                    found.push(format!("{}: {line}", source.place(number)));
                }
            }
        }
    }
    assert_none("uses of another architecture", found);
}

#[test]
fn only_src_arch_names_an_architecture() {
    let mut found = Vec::new();
    for source in program() {
        if source.path.starts_with("src/arch") || source.path.ends_with("_tests.rs") {
            continue;
        }
        for (number, line) in code_without_tests(&source) {
            for name in architectures() {
                // The default architecture can be named outside of src/arch, as DEFAULT_ARCH.
                let is_named =
                    line.contains(&format!("\"{name}\"")) && !line.contains("DEFAULT_ARCH");
                if is_named || line.contains(&format!("arch::{name}")) {
                    found.push(format!("{}: {line}", source.place(number)));
                }
            }
        }
    }
    assert_none("names of architectures outside of src/arch", found);
}

/// The laboratory knows a server only as a process.
#[test]
fn the_laboratory_depends_on_no_part_of_the_server() {
    let manifest = package().join("crates/lab/Cargo.toml");
    let manifest = std::fs::read_to_string(manifest).expect("a manifest");
    let own = manifest.lines().filter_map(|line| line.strip_prefix("zerohttpd-"));
    assert_eq!(own.map(|rest| rest.split(' ').next()).collect::<Vec<_>>(), [Some("sys")]);
}

#[test]
fn every_architecture_opens_with_the_same_headings() {
    for source in architecture_files() {
        let opening = source.text.lines().take_while(|line| line.starts_with("//!"));
        let headings: Vec<_> = opening.filter_map(|line| line.strip_prefix("//! # ")).collect();
        assert_eq!(headings, HEADINGS, "{}", source.path);
    }
}
