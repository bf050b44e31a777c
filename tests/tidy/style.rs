//! The sizes of files, functions and lines, the comments that must be there, and calls and words
//! that must not.

use crate::sources::{assert_none, everything, program, rust_files, source};

const FILE_LINES: usize = 400;
const FUNCTION_LINES: usize = 70;
const LINE_CHARS: usize = 100;

#[test]
fn no_file_is_too_long_and_no_line_too_wide() {
    let mut found = Vec::new();
    for source in everything() {
        let lines = source.text.lines().count();
        if lines > FILE_LINES {
            found.push(format!("{} has {lines} lines", source.path));
        }
        let wide = source.lines().filter(|(_, line)| line.chars().count() > LINE_CHARS);
        found.extend(wide.map(|(number, _)| format!("{} is too wide", source.place(number))));
    }
    assert_none("too long", found);
}

#[test]
fn no_function_is_too_long() {
    let mut found = Vec::new();
    for source in everything() {
        let code: Vec<_> = source.code().collect();
        for (at, (number, line)) in code.iter().enumerate() {
            let declaration = line.trim_start().trim_start_matches("pub ").trim_start();
            let begins = ["fn ", "pub(crate) fn ", "pub(super) fn ", "const fn ", "unsafe fn "]
                .iter()
                .any(|word| declaration.starts_with(word));
            if begins {
                let len = function_lines(&code[at..]);
                if len > FUNCTION_LINES {
                    let place = source.place(*number);
                    found.push(format!("{place} begins a function of {len} lines"));
                }
            }
        }
    }
    assert_none("too long", found);
}

/// The number of lines of the function that begins at the first of these.
fn function_lines(code: &[(usize, String)]) -> usize {
    let mut depth = 0_i32;
    for (at, (_, line)) in code.iter().enumerate() {
        for c in line.chars() {
            match c {
                '{' => depth += 1,
                '}' => depth -= 1,
                // A function of a trait without a body.
                ';' if depth == 0 && !line.contains('[') => return at + 1,
                _ => {}
            }
        }
        if depth == 0 && line.contains('}') {
            return at + 1;
        }
    }
    code.len()
}

#[test]
fn every_file_begins_with_its_purpose() {
    let silent = program().into_iter().filter(|source| !source.text.starts_with("//! "));
    assert_none("files that do not begin with //!", silent.map(|source| source.path));
}

#[test]
fn no_todo_is_left() {
    // Composed of two parts each, so that this test does not find them here.
    let marks = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X:")];
    let mut found = Vec::new();
    for source in everything() {
        let has_mark = |line: &str| marks.iter().any(|mark| line.contains(mark));
        let lines = source.lines().filter(|(_, line)| has_mark(line));
        found.extend(lines.map(|(number, line)| format!("{}: {line}", source.place(number))));
    }
    assert_none("notes of unfinished work", found);
}

#[test]
fn in_tests_only_the_helper_that_waits_sleeps() {
    let mut found = Vec::new();
    for source in rust_files(&["tests", "crates/core/tests"]) {
        let sleeps = source.code().filter(|(_, line)| line.contains("sleep("));
        found.extend(sleeps.map(|(number, _)| source.place(number)));
    }
    let [only] = &found[..] else { panic!("sleeps: {found:?}") };
    assert!(only.starts_with("tests/support/mod.rs:"), "{only}");
}

#[test]
fn every_bound_has_its_reason_beside_it() {
    let limits = source("crates/core/src/limits.rs");
    let lines: Vec<_> = limits.lines().collect();
    let bare = lines
        .windows(2)
        .filter(|pair| pair[1].1.starts_with("pub const ") && !pair[0].1.starts_with("/// "));
    assert_none("bounds without a reason", bare.map(|pair| limits.place(pair[1].0)));
    let count = lines.iter().filter(|(_, line)| line.starts_with("pub const ")).count();
    assert!(count > 10, "only {count} bounds were found");
}
