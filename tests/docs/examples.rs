//! The sites in `examples/`: their commands work, and each is asked for its pages.

use std::fs;
use std::path::Path;

use crate::support::blocks::blocks;
use crate::support::server::run;
use crate::support::{Server, Store, TempDir, architectures, for_each, package};

const EXAMPLES: [&str; 3] = ["documents", "page", "guestbook"];

/// The arguments of the server's command in an example's README.
fn arguments(example: &str) -> Vec<String> {
    let blocks = blocks(&format!("examples/{example}/README.md"));
    let lines: Vec<_> = blocks.iter().flat_map(|block| &block.lines).collect();
    let mut commands = lines.iter().filter_map(|line| line.strip_prefix("zerohttpd "));
    let (command, None) = (commands.next().expect("a command"), commands.next()) else {
        panic!("{example}: a single command is expected");
    };
    let in_package = |word: &str| match word.starts_with("examples/") {
        true => package().join(word).display().to_string(),
        false => word.to_owned(),
    };
    command.split_whitespace().map(in_package).collect()
}

fn start(example: &str, arch: &str, store: &Store) -> Server {
    let arguments = arguments(example);
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    Server::start(arch, &store.url(), &arguments)
}

#[test]
fn the_options_of_each_example_pass_the_check() {
    let folder = TempDir::new();
    let store = format!("embedded:{}", folder.join("guestbook.db").display());
    for example in EXAMPLES {
        let mut words = arguments(example);
        words.extend(["--store", &store, "--check"].map(str::to_owned));
        let words: Vec<_> = words.iter().map(String::as_str).collect();
        let checked = run(&words);
        assert!(checked.status.success(), "{example}: {checked:?}");
    }
}

#[test]
fn each_example_serves_its_pages() {
    for_each(architectures(), Clone::clone, |arch| {
        let store = Store::embedded();
        let body = |server: &Server, target: &str| {
            let answer = server.client().get(target);
            let text = String::from_utf8(answer.body).expect("text");
            (answer.status, text)
        };

        let documents = start("documents", arch, &store);
        let (status, folder) = body(&documents, "/minutes/");
        assert!(status == 200 && folder.contains("./2026-11.txt"), "{folder}");
        assert!(body(&documents, "/books.csv").1.starts_with("year,author,title\n"));

        let page = start("page", arch, &store);
        let (status, index) = body(&page, "/");
        assert!(status == 200 && index.contains("href=\"/style.css\""), "{index}");
        assert_eq!([body(&page, "/style.css").0, body(&page, "/book.svg").0], [200, 200]);
        let (status, missing) = body(&page, "/nowhere");
        assert!(status == 404 && missing.contains("To the reading circle"), "{missing}");

        let guestbook = start("guestbook", arch, &store);
        assert_eq!(guestbook.client().sign("Ann", "four windows").status, 303);
        let (status, remarks) = body(&guestbook, "/guestbook");
        let is_shown = remarks.contains("Our guests wrote") && remarks.contains("four windows");
        assert!(status == 200 && is_shown, "{remarks}");
        let refused = guestbook.client().sign("Ann", "");
        let page = String::from_utf8(refused.body).expect("text");
        assert!(refused.status == 400 && page.contains("value=\"Ann\""), "{page}");
        let (status, missing) = body(&guestbook, "/nowhere");
        assert!(status == 404 && missing.contains("Status 404"), "{missing}");
    });
}

/// A row of the table of placeholders.
struct Row {
    template: String,
    placeholder: String,
    is_required: bool,
}

fn table() -> Vec<Row> {
    let document = fs::read_to_string(package().join("examples/guestbook/README.md"));
    let rows: Vec<_> = document
        .expect("a README")
        .lines()
        .filter(|line| line.starts_with("| `"))
        .map(|line| {
            let mut quoted = line.split('`').skip(1).step_by(2).map(str::to_owned);
            let (template, placeholder) = (quoted.next(), quoted.next());
            Row {
                template: template.expect("a template"),
                placeholder: placeholder.expect("a placeholder"),
                is_required: !line.contains("can be left out"),
            }
        })
        .collect();
    assert!(rows.len() > 5, "{} rows were found", rows.len());
    rows
}

/// Writes a template into a folder of its own and runs `--check` with it: the error, if there is
/// one.
fn check(template: &str, text: &str) -> Result<(), String> {
    let folder = TempDir::new();
    let file = folder.join(template);
    fs::create_dir_all(file.parent().expect("a folder")).expect("a folder");
    fs::write(&file, text).expect("a template");
    let [site, store, templates] = ["", "guestbook.db", ""].map(|name| folder.join(name));
    let path = |path: &Path| path.display().to_string();
    let store = format!("embedded:{}", path(&store));
    let (site, templates) = (path(&site), path(&templates));
    let checked = run(&["--check", "--root", &site, "--store", &store, "--templates", &templates]);
    match checked.status.success() {
        true => Ok(()),
        false => Err(String::from_utf8_lossy(&checked.stderr).into_owned()),
    }
}

/// With all placeholders of the table, a template passes; without one that it must have, it does
/// not, so the table names all of those.
#[test]
fn the_table_of_placeholders_is_complete() {
    let rows = table();
    for row in &rows {
        let others = |it: &&Row| it.template == row.template;
        let all: String = rows.iter().filter(others).map(|it| &*it.placeholder).collect();
        check(&row.template, &all).unwrap_or_else(|error| panic!("{all}: {error}"));
        let checked = check(&row.template, &all.replace(&row.placeholder, ""));
        let names_it = checked.as_ref().is_err_and(|error| error.contains(&row.placeholder));
        assert_eq!(names_it, row.is_required, "{}: {checked:?}", row.placeholder);
    }
    check("guestbook/thanks.html", "").expect("a template without placeholders");
}
