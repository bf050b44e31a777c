//! Commands in the documents that no test runs: the reasons, and what can be checked without
//! running them.

use std::process::Command;

use crate::support::blocks::{CONSOLE, blocks, documents};
use crate::support::package;
use crate::support::server::run;

/// The commands of the README that no test runs, each with the reason. `VERSION` is this program's.
const UNRUN: [(&str, &str); 3] = [
    (
        "cargo install --path . --locked",
        "it takes minutes, so only dist/try-release runs it; a test below checks the lock file",
    ),
    (
        "dist/release && sudo apt install ./target/release-files/zerohttpd_VERSION_amd64.deb",
        "it takes minutes as well; tests/release packages the program and installs the package",
    ),
    (
        "tar xf target/release-files/zerohttpd-VERSION-x86_64-linux.tar.gz",
        "tests/release unpacks the tarball and runs what is in it",
    ),
];

#[test]
fn all_commands_of_the_readme_are_run_except_those_listed_here() {
    let blocks = blocks("README.md");
    let unrun = blocks.iter().filter(|block| block.language != CONSOLE);
    let lines: Vec<_> = unrun.flat_map(|block| &block.lines).filter(|l| !l.is_empty()).collect();
    let current = |(command, _): &(&str, &str)| command.replace("VERSION", VERSION);
    let declared: Vec<_> = UNRUN.iter().map(current).collect();
    assert_eq!(lines, declared.iter().collect::<Vec<_>>());
}

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The files of a release have its version in their names, of which the tests read no other part.
#[test]
fn documents_name_files_of_this_version() {
    let mut found = 0;
    for document in documents() {
        let text = std::fs::read_to_string(package().join(&document)).expect("a document");
        for end in ["_amd64.deb", "-x86_64-linux", "-x86_64-image"] {
            for (at, _) in text.match_indices(end) {
                let name = &text[text[..at].rfind("zerohttpd").expect("the program's name")..at];
                let version = name["zerohttpd".len()..].trim_start_matches(['-', '_']);
                assert_eq!(version, VERSION, "{document}: {name}{end}");
                found += 1;
            }
        }
    }
    assert!(found > 4, "only {found} names");
}

#[test]
fn the_lock_file_is_up_to_date_and_the_package_has_one_program() {
    let mut cargo = Command::new(env!("CARGO"));
    // On a fresh machine, cargo fetches the crates of other platforms too.
    cargo.args(["metadata", "--locked", "--format-version", "1"]);
    let output = cargo.current_dir(package()).output().expect("cargo");
    assert!(output.status.success(), "{output:?}");
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let packages = metadata["packages"].as_array().expect("packages");
    let program =
        packages.iter().find(|package| package["name"] == "zerohttpd").expect("this package");
    let targets = program["targets"].as_array().expect("targets").iter();
    let programs: Vec<_> = targets.filter(|target| target["kind"][0] == "bin").collect();
    assert!(matches!(programs[..], [only] if only["name"] == "zerohttpd"), "{programs:?}");
}

/// Placeholders of the documents, and arguments to put in their place.
const PLACEHOLDERS: [(&str, &str); 6] = [
    (" ARCH [PORT] [REDIS]", " epoll"),
    (" DIR [DIR2]", " ."),
    (" URL", " :8000/"),
    (" COMMAND", " load"),
    (" FILE", " file"),
    (" ...", ""),
];

/// A command that ends with `--help` fails if an option before that is unknown or has a bad value.
#[test]
fn every_zerohttpd_command_in_a_document_is_understood() {
    let mut understood = 0;
    for document in documents() {
        for block in blocks(&document) {
            for command in commands(&block.lines) {
                let words = words(&command);
                let words: Vec<_> = words.iter().map(String::as_str).collect();
                let output = run(&[&words[1..], &["--help"]].concat());
                assert!(output.status.success(), "{}: {command}\n{output:?}", block.place);
                understood += 1;
            }
        }
    }
    assert!(understood > 20, "only {understood} commands were found");
}

/// The commands that begin with the program's name, with their continuation lines.
fn commands(lines: &[String]) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let mut continues = false;
    for line in lines {
        let text = line.trim().trim_start_matches("$ ");
        let (text, goes_on) = match text.strip_suffix('\\') {
            Some(text) => (text, true),
            None => (text, false),
        };
        match found.last_mut().filter(|_| continues) {
            Some(command) => *command = format!("{command} {text}"),
            None if text == "zerohttpd" || text.starts_with("zerohttpd ") => {
                found.push(text.to_owned());
            }
            None => continue,
        }
        continues = goes_on;
    }
    found
}

/// The words into which a shell splits a command, without its comment and pipe, and with arguments
/// in place of placeholders.
fn words(command: &str) -> Vec<String> {
    let mut command = command.split("  #").next().unwrap_or_default().to_owned();
    command = command.split(" | ").next().unwrap_or_default().to_owned();
    for (placeholder, word) in PLACEHOLDERS {
        command = command.replace(placeholder, word);
    }
    let mut shell = Command::new("/bin/sh");
    let script = format!("printf '%s\\n' {command}");
    let output = shell.args(["-c", &script]).output().expect("a shell");
    let text = String::from_utf8(output.stdout).expect("words in UTF-8");
    text.lines().map(str::to_owned).collect()
}

/// The operator's page tells of metrics; each is explained where all are.
#[test]
fn every_metric_that_the_operators_page_names_is_documented() {
    let text = |name: &str| std::fs::read_to_string(package().join(name)).expect("a document");
    let (page, metrics) = (text("docs/operating.md"), text("docs/metrics.md"));
    let is_part = |c: char| c == '_' || c.is_ascii_alphanumeric();
    let words = page.split(|c: char| !is_part(c));
    let names: Vec<_> = words.filter(|word| word.starts_with("zerohttpd_")).collect();
    let is_package = |name: &str| name.starts_with("zerohttpd_0");
    let unknown: Vec<_> = names
        .iter()
        .map(|name| name.trim_end_matches("_bucket"))
        .filter(|name| !is_package(name) && !metrics.contains(&format!("`{name}")))
        .collect();
    assert!(names.len() > 10 && unknown.is_empty(), "{unknown:?}");
}
