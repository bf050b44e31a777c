//! The manual pages, and the page of the documents that is made from the same definition.

use std::fs;

use crate::support::program::run;
use crate::support::{TempDir, package};

#[test]
fn docs_cli_is_what_the_program_writes_now() {
    let written = run(&["man", "--markdown"]).stdout;
    let kept = fs::read(package().join("docs/cli.md")).expect("docs/cli.md");
    let advice = "docs/cli.md is out of date: cargo run -q -- man --markdown > docs/cli.md";
    assert!(written == kept, "{advice}");
}

#[test]
fn each_command_has_a_page_and_each_page_has_its_options() {
    let folder = TempDir::new();
    let out = folder.join("man1").display().to_string();
    let output = run(&["man", "--out", &out]);
    assert!(output.status.success() && output.stdout.is_empty(), "{output:?}");
    let page = |name: &str| fs::read_to_string(folder.join("man1").join(name)).expect("a page");
    for (file, words, parts) in [
        ("zerohttpd.1", &["man"][..], &["\\-\\-keep\\-alive\\-timeout", "SH SIGNALS", "epoll"][..]),
        ("zerohttpd-load.1", &["man", "load"], &["\\-\\-rate", "SH NOTES", "Examples:"]),
        ("zerohttpd-store.1", &["man", "store"], &["\\-\\-sandbox"]),
    ] {
        let text = page(file);
        assert_eq!(String::from_utf8_lossy(&run(words).stdout), text);
        for part in parts {
            assert!(text.contains(part), "no {part} in {file}:\n{text}");
        }
        assert!(text.starts_with(".ie "), "{file} begins with {:?}", text.lines().next());
    }
    // The page of the program names each page.
    let program = page("zerohttpd.1").replace('\\', "");
    for entry in fs::read_dir(folder.join("man1")).expect("a folder").flatten() {
        let name = entry.file_name().into_string().expect("a name");
        let title = name.trim_end_matches(".1");
        assert!(program.contains(title), "{title}");
    }
}
