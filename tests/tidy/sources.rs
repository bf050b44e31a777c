//! The source files, and their lines without comments and strings.

use std::fs;
use std::path::Path;

use crate::support::package;

/// A source file.
pub(crate) struct Source {
    /// The path in the package, such as `src/main.rs`.
    pub(crate) path: String,
    pub(crate) text: String,
}

/// Every Rust file beneath these folders of the package.
pub(crate) fn rust_files(folders: &[&str]) -> Vec<Source> {
    let mut found = Vec::new();
    for folder in folders {
        gather(&package().join(folder), &mut found);
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    assert!(!found.is_empty(), "no sources in {folders:?}");
    found
}

fn gather(folder: &Path, found: &mut Vec<Source>) {
    let listing = fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    for entry in listing.flatten() {
        let path = entry.path();
        if path.is_dir() {
            gather(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(read(&path));
        }
    }
}

fn read(path: &Path) -> Source {
    let text = fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let path = path.strip_prefix(package()).expect("a file of the package");
    Source { path: path.display().to_string(), text }
}

/// A file of the package.
pub(crate) fn source(path: &str) -> Source {
    read(&package().join(path))
}

/// All Rust files of the program and its tests.
pub(crate) fn everything() -> Vec<Source> {
    rust_files(&["src", "crates", "tests"])
}

/// The Rust files of the program, without the folders of tests. Files of unit tests are among them.
pub(crate) fn program() -> Vec<Source> {
    let mut all = rust_files(&["src", "crates"]);
    all.retain(|source| !source.path.contains("/tests/"));
    all
}

impl Source {
    /// The lines with their numbers.
    pub(crate) fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        (1..).zip(self.text.lines())
    }

    /// The lines with their numbers, without comments, and with empty strings.
    pub(crate) fn code(&self) -> impl Iterator<Item = (usize, String)> {
        self.lines().map(|(number, line)| (number, blank_strings(without_comment(line))))
    }

    /// The lines with their numbers, without comments.
    pub(crate) fn code_with_strings(&self) -> impl Iterator<Item = (usize, &str)> {
        self.lines().map(|(number, line)| (number, without_comment(line)))
    }

    /// A line of this file as `src/main.rs:12`.
    pub(crate) fn place(&self, number: usize) -> String {
        format!("{}:{number}", self.path)
    }
}

/// A line without the comment at its end. `//` in a string counts as a comment, too.
fn without_comment(line: &str) -> &str {
    line.split_once("//").map_or(line, |(code, _)| code)
}

/// A line with empty strings, so that braces and words in strings do not count.
fn blank_strings(code: &str) -> String {
    let mut out = String::new();
    let (mut in_string, mut is_escaped) = (false, false);
    for c in code.replace("'\"'", "' '").replace("'{'", "' '").replace("'}'", "' '").chars() {
        match c {
            '"' if !is_escaped => {
                in_string = !in_string;
                out.push(c);
            }
            _ if !in_string => out.push(c),
            _ => {}
        }
        is_escaped = c == '\\' && !is_escaped;
    }
    out
}

/// Fails and lists what was found, unless that is nothing.
#[track_caller]
pub(crate) fn assert_none(what: &str, found: impl IntoIterator<Item = String>) {
    let found: Vec<_> = found.into_iter().collect();
    assert!(found.is_empty(), "{what}:\n{}", found.join("\n"));
}

#[test]
fn comments_and_strings_are_not_code() {
    let source = |text: &str| Source { path: "t.rs".into(), text: text.into() };
    let code = |text: &str| source(text).code().map(|(_, line)| line).collect::<Vec<_>>();
    assert_eq!(code("let a = \"{ unsafe \\\" }\"; // fn"), ["let a = \"\"; "]);
    assert_eq!(code("match c { '\"' => 1 }\nx"), ["match c { ' ' => 1 }", "x"]);
    assert_eq!(source("a\nb").place(2), "t.rs:2");
}
