//! The architecture that CONTRIBUTING.md adds as an example compiles with the sources.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use crate::support::{TempDir, package};

/// The blocks of code of a document: for each, the path, if a line `` `PATH`: `` above the block
/// gives one; the language; and the code.
fn blocks(document: &str) -> Vec<(Option<&str>, &str, String)> {
    let (mut found, mut path) = (Vec::new(), None);
    let mut lines = document.lines();
    while let Some(line) = lines.next() {
        if let Some(language) = line.strip_prefix("```") {
            let code: Vec<_> = lines.by_ref().take_while(|line| *line != "```").collect();
            found.push((path.take(), language, code.join("\n") + "\n"));
        } else if let Some(named) = line.strip_prefix('`').and_then(|l| l.strip_suffix("`:")) {
            path = Some(named);
        }
    }
    found
}

/// Copies the folders that the example changes, and links the other sources of the program.
fn copy_workspace(to: &Path) {
    let (package, changed) = (package(), ["crates/sys/src", "src"]);
    fs::create_dir_all(to.join("crates/sys")).expect("a folder");
    for linked in ["Cargo.toml", "Cargo.lock", "public", "templates", "tests", "benches"] {
        if package.join(linked).exists() {
            symlink(package.join(linked), to.join(linked)).expect("a link");
        }
    }
    for krate in ["core", "embedded", "lab"].map(|name| format!("crates/{name}")) {
        symlink(package.join(&krate), to.join(&krate)).expect("a link");
    }
    let manifest = "crates/sys/Cargo.toml";
    symlink(package.join(manifest), to.join(manifest)).expect("a link");
    for folder in changed {
        let mut copy = Command::new("cp");
        copy.arg("-R").arg(package.join(folder)).arg(to.join(folder));
        assert!(copy.status().expect("cp(1)").success());
    }
}

/// Inserts text before the first occurrence of `mark`.
fn insert(file: &Path, mark: &str, text: &str) {
    let old = fs::read_to_string(file).expect("a file");
    let at = old.find(mark).unwrap_or_else(|| panic!("no {mark:?} in {}", file.display()));
    fs::write(file, [&old[..at], text, &old[at..]].concat()).expect("a file");
}

#[test]
fn the_architecture_that_is_added_as_an_example_compiles() {
    let document = fs::read_to_string(package().join("CONTRIBUTING.md")).expect("the document");
    let folder = TempDir::new();
    copy_workspace(folder.path());
    let mut rows = 0;
    for (path, language, code) in blocks(&document) {
        match (path, language) {
            (Some(path), "rust") => fs::write(folder.join(path), code).expect("a file"),
            (None, "rust,row") => {
                insert(&folder.join("src/arch.rs"), "    Arch {\n        name:", &code);
                rows += 1;
            }
            _ => {}
        }
    }
    assert_eq!(rows, 1);
    insert(&folder.join("src/arch.rs"), "mod threaded;", "mod select;\n");
    insert(&folder.join("crates/sys/src/lib.rs"), "pub mod session;", "pub mod select;\n");
    let program = std::env::current_exe().expect("this program");
    // This folder already has the compiled dependencies.
    let target = program.ancestors().nth(3).expect("the target folder");
    let mut cargo = Command::new(env!("CARGO"));
    cargo
        .args([
            "check",
            "--quiet",
            "--offline",
            "--no-default-features",
            "--bin",
            "zerohttpd",
            "--target-dir",
        ])
        .arg(target);
    let output = cargo.current_dir(folder.path()).output();
    let output = output.expect("cargo");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
