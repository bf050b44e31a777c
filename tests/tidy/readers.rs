//! What a reader of the README and of the help is promised.

use std::fs;

use crate::sources::{assert_none, rust_files};
use crate::support::server::run;
use crate::support::{architectures, package};

fn readme() -> String {
    fs::read_to_string(package().join("README.md")).expect("README.md, beside Cargo.toml")
}

#[test]
fn every_architecture_has_a_row_in_the_readme() {
    let readme = readme();
    let missing = architectures().iter().filter(|name| {
        let row = format!("| `{name}` |");
        !readme.lines().any(|line| line.starts_with(&row))
    });
    assert_none("README.md has no row that begins with | `name` | for", missing.cloned());
}

#[test]
fn no_row_of_the_readme_is_of_an_architecture_that_does_not_exist() {
    let readme = readme();
    let mut lines = readme.lines();
    let first = format!("| `{}` |", architectures()[0]);
    let rows = lines.by_ref().skip_while(|line| !line.starts_with(&first));
    let rows = rows.take_while(|line| line.starts_with("| `"));
    let names = rows.filter_map(|row| row.split('`').nth(1));
    let unknown = names.filter(|name| !architectures().iter().any(|known| known == name));
    assert_none("README.md has rows for", unknown.map(str::to_string));
}

/// The options that the help names, of serving and of the commands that have some.
fn options() -> Vec<String> {
    let commands: [&[&str]; 3] = [&[], &["load"], &["bench"]];
    commands.iter().flat_map(|command| options_of(&[command, &["--help"][..]].concat())).collect()
}

fn options_of(words: &[&str]) -> Vec<String> {
    let help = run(words);
    assert!(help.status.success());
    let text = String::from_utf8(help.stdout).expect("help in UTF-8");
    let starts = text.lines().map(str::trim_start).filter(|line| line.starts_with('-'));
    let words = starts.flat_map(|line| line.split([' ', ',']).take(3));
    let mut options: Vec<_> = words.filter(|word| word.starts_with("--")).collect();
    options.sort_unstable();
    options.dedup();
    assert!(options.len() > 10, "only {options:?} were found in the help");
    options.into_iter().map(str::to_string).collect()
}

#[test]
fn no_option_is_without_a_test() {
    let tests = rust_files(&["tests"]);
    let shown = fs::read_to_string(package().join("README.md")).unwrap_or_default();
    let mentions = |text: &str, option: &str| {
        text.match_indices(option).any(|(at, _)| {
            let next = text[at + option.len()..].chars().next();
            next.is_none_or(|c| !c.is_ascii_alphanumeric() && c != '-')
        })
    };
    let untested = options().into_iter().filter(|option| {
        let tested = tests.iter().any(|source| mentions(&source.text, option));
        !tested && !mentions(&shown, option)
    });
    assert_none("options that no test and no README names", untested);
}
