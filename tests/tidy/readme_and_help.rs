//! The README, the help and the documents agree with the program.

use std::fs;

use crate::sources::{assert_none, rust_files};
use crate::support::server::run;
use crate::support::{architectures, package};

fn readme() -> String {
    fs::read_to_string(package().join("README.md")).expect("README.md, beside Cargo.toml")
}

#[test]
fn every_architecture_has_its_row_in_the_readme() {
    let readme = readme();
    let listed = run(&["list"]);
    let listed = String::from_utf8(listed.stdout).expect("a list in UTF-8");
    let rows = listed.lines().filter_map(|line| line.split_once(' '));
    let rows = rows.map(|(name, idea)| format!("| `{name}` | {} |", idea.trim_start()));
    let missing = rows.filter(|row| !readme.lines().any(|line| line == row));
    assert_none("README.md has no row that reads", missing);
}

/// Words are counted as wc(1) does. The README is limited to what a newcomer needs.
#[test]
fn the_readme_is_short_and_names_the_right_numbers_of_architectures_and_of_rust() {
    const WORDS: usize = 700;
    const NUMBERS: [&str; 10] =
        ["no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"];
    let readme = readme();
    let words = readme.split_whitespace().count();
    assert!(words <= WORDS, "README.md has {words} words; at most {WORDS} are wanted");
    let number = NUMBERS[architectures().len()];
    assert!(readme.contains(&format!("{number} server architectures")), "there are {number}");
    let manifest = fs::read_to_string(package().join("Cargo.toml")).expect("Cargo.toml");
    let (_, rest) = manifest.split_once("rust-version = \"").expect("the version of Rust");
    let version = rest.split('"').next().expect("a closing quote");
    assert!(readme.contains(&format!("Rust {version}")), "the program needs Rust {version}");
}

#[test]
fn every_row_of_the_readme_is_of_an_architecture_that_exists() {
    let readme = readme();
    let mut lines = readme.lines();
    let first = format!("| `{}` |", architectures()[0]);
    let rows = lines.by_ref().skip_while(|line| !line.starts_with(&first));
    let rows = rows.take_while(|line| line.starts_with("| `"));
    let names = rows.filter_map(|row| row.split('`').nth(1));
    let unknown = names.filter(|name| !architectures().iter().any(|known| known == name));
    assert_none("README.md has rows for", unknown.map(str::to_string));
}

/// The options that the help of the server, of `load` and of `bench` names.
fn options() -> Vec<String> {
    ["all", "load", "bench"].iter().flat_map(|topic| options_of(&["help", topic])).collect()
}

/// Like [`options_in`], for a help with many options.
fn options_of(words: &[&str]) -> Vec<String> {
    let options = options_in(words);
    assert!(options.len() > 10, "only {options:?} were found in the help");
    options
}

/// The options that a help names; `words` are the arguments that print it.
fn options_in(words: &[&str]) -> Vec<String> {
    let help = run(words);
    assert!(help.status.success());
    let text = String::from_utf8(help.stdout).expect("help in UTF-8");
    let starts = text.lines().map(str::trim_start).filter(|line| line.starts_with('-'));
    let tokens = starts.flat_map(|line| line.split([' ', ',']).take(3));
    let mut options: Vec<_> = tokens.filter(|word| word.starts_with("--")).collect();
    options.sort_unstable();
    options.dedup();
    options.into_iter().map(str::to_string).collect()
}

#[test]
fn every_option_is_in_a_test_or_in_docs_measuring() {
    let tests = rust_files(&["tests"]);
    let document = fs::read_to_string(package().join("docs/measuring.md")).unwrap_or_default();
    let mentions = |text: &str, option: &str| {
        text.match_indices(option).any(|(at, _)| {
            let next = text[at + option.len()..].chars().next();
            next.is_none_or(|c| !c.is_ascii_alphanumeric() && c != '-')
        })
    };
    let untested = options().into_iter().filter(|option| {
        let is_tested = tests.iter().any(|source| mentions(&source.text, option));
        !is_tested && !mentions(&document, option)
    });
    assert_none("options that neither a test nor docs/measuring.md names", untested);
}

/// Documents in which all options must exist.
const DOCUMENTS: [&str; 9] = [
    "README.md",
    "docs/README.md",
    "docs/http.md",
    "docs/learning.md",
    "docs/measuring.md",
    "docs/metrics.md",
    "docs/operating.md",
    "docs/performance.md",
    "docs/results.md",
];

/// Options of other programs in these documents.
const OPTIONS_OF_OTHERS: [&str; 13] = [
    "--doc",
    "--no-default-features",
    "--find-links",
    "--force",
    "--forest",
    "--kill-whom",
    "--locked",
    "--name",
    "--no-block",
    "--reference",
    "--release",
    "--now",
    "--strict",
];

#[test]
fn no_document_names_an_unknown_option() {
    let mut known = options();
    for command in ["store", "report", "doctor"] {
        known.extend(options_in(&[command, "--help"]));
    }
    let mut unknown = Vec::new();
    for document in DOCUMENTS {
        let text = fs::read_to_string(package().join(document)).expect(document);
        let is_in_option = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        for word in text.split(|c: char| !is_in_option(c)).filter(|word| word.starts_with("--")) {
            let is_option = word[2..].starts_with(|c: char| c.is_ascii_lowercase());
            let is_known =
                known.iter().any(|option| option == word) || OPTIONS_OF_OTHERS.contains(&word);
            if is_option && !is_known {
                unknown.push(format!("{document}: {word}"));
            }
        }
    }
    assert_none("options that the help does not have", unknown);
}
