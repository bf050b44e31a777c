//! The links of the documents: each leads to a file that exists, and to a heading in it.

use std::fs;
use std::path::{Component, Path, PathBuf};

use crate::sources::assert_none;
use crate::support::package;

/// Folders with documents, beside the package's folder itself.
const FOLDERS: [&str; 7] = [
    "docs",
    "docs/decisions",
    "examples/documents",
    "examples/guestbook",
    "examples/page",
    "tests/scripts",
    "fuzz",
];

/// The documents of the package.
pub(crate) fn documents() -> Vec<PathBuf> {
    let mut found = Vec::new();
    for folder in [""].iter().chain(&FOLDERS) {
        let listing = fs::read_dir(package().join(folder)).expect("a folder of documents");
        let files = listing.flatten().map(|entry| entry.path());
        found.extend(files.filter(|path| path.extension().is_some_and(|ext| ext == "md")));
    }
    found.sort();
    assert!(found.len() > 10, "only {found:?}");
    found
}

/// A text without its blocks of code, which contain neither links nor headings.
fn prose(text: &str) -> String {
    let mut is_code = false;
    let mut out = String::new();
    for line in text.lines() {
        if line.starts_with("```") {
            is_code = !is_code;
        } else if !is_code && !line.starts_with("    ") {
            out += line;
            out.push('\n');
        }
    }
    out
}

/// The targets of a text's links: `](target)`, `<a href="target">` and `<img src="target">`.
fn targets(prose: &str) -> Vec<&str> {
    let after = |mark: &'static str, end: char| {
        prose.split(mark).skip(1).filter_map(move |rest| rest.split(end).next())
    };
    after("](", ')').chain(after("href=\"", '"')).chain(after("src=\"", '"')).collect()
}

/// The anchor of a heading: its letters, digits, underscores and hyphens, with hyphens for blanks.
fn anchor(heading: &str) -> String {
    let kept = heading.trim().chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
    kept.flat_map(char::to_lowercase).map(|c| if c == ' ' { '-' } else { c }).collect()
}

fn has_heading(file: &Path, name: &str) -> bool {
    let text = fs::read_to_string(file).unwrap_or_default();
    let prose = prose(&text);
    let mut headings = prose.lines().filter(|line| line.starts_with('#'));
    headings.any(|line| anchor(line.trim_start_matches('#')) == name)
}

/// A message that says what is wrong with a link; none if it is good.
fn broken(document: &Path, target: &str) -> Option<String> {
    if target.contains("://") || target.starts_with("mailto:") {
        return None;
    }
    let (path, name) = target.split_once('#').unwrap_or((target, ""));
    let file = match path {
        "" => document.to_owned(),
        path => document.parent().expect("a folder").join(path),
    };
    let depth = file.strip_prefix(package()).ok()?.components().try_fold(0_i32, |depth, part| {
        let depth = if part == Component::ParentDir { depth - 1 } else { depth + 1 };
        (depth >= 0).then_some(depth)
    });
    let why = match (depth, file.exists(), name) {
        (None, _, _) => "leads out of the repository",
        (_, false, _) => "leads nowhere",
        (_, true, "") => return None,
        (_, true, name) if has_heading(&file, name) => return None,
        _ => "has no such heading",
    };
    Some(format!("{}: {target} {why}", document.display()))
}

#[test]
fn every_link_of_a_document_leads_somewhere() {
    let mut found = Vec::new();
    for document in documents() {
        let text = fs::read_to_string(&document).expect("a document");
        found.extend(targets(&prose(&text)).into_iter().filter_map(|to| broken(&document, to)));
    }
    assert_none("broken links", found);
}

#[test]
fn every_document_is_in_the_index() {
    let index = fs::read_to_string(package().join("docs/README.md")).expect("an index");
    let prose = prose(&index);
    let listed: Vec<_> =
        targets(&prose).into_iter().map(|to| package().join("docs").join(to)).collect();
    let is_listed = |document: &PathBuf| {
        let same = |listed: &PathBuf| listed.canonicalize().ok() == document.canonicalize().ok();
        listed.iter().any(same)
    };
    let unlisted = ["README.md", "docs/README.md"].map(|name| package().join(name));
    let mut missing = documents();
    missing.retain(|document| !unlisted.contains(document) && !is_listed(document));
    let missing = missing.into_iter().map(|document| document.display().to_string());
    assert_none("docs/README.md does not name", missing);
}

#[test]
fn links_and_headings_are_told_from_code() {
    let text = "# A `b`, c-d\n```\n[x](gone)\n```\n[y](to#a-b-c-d) <img src=\"p.png\">\n";
    assert_eq!(targets(&prose(text)), ["to#a-b-c-d", "p.png"]);
    assert_eq!(anchor(" A `b`, c-d"), "a-b-c-d");
    let document = package().join("README.md");
    for wrong in ["gone.md", "README.md#gone", "../out", "#gone"] {
        assert!(broken(&document, wrong).is_some(), "{wrong}");
    }
    for right in ["docs/http.md#limits", "src", "https://example.org/gone"] {
        assert_eq!(broken(&document, right), None);
    }
}
