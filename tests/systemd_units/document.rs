//! The commands of docs/operating.md, run by root on a machine with the shipped units.

use crate::machine::Machine;
use crate::support::blocks::{Block, CONSOLE, blocks};
use crate::support::package;
use crate::{ERRORS_TO_FILE, allow_another_start, shipped};

const DOCUMENT: &str = "docs/operating.md";

/// The blocks that are not run here, by how their first commands begin, and the reason.
const UNRUN: [(&str, &str); 2] = [
    ("apt install ./zerohttpd_", "the tests of the release install the package"),
    ("tar -xzf zerohttpd-", "the tests of the release unpack the archive"),
];

/// The blocks of commands for root. The other ones are consoles, which `tests/docs` runs, and
/// configurations.
fn scripts() -> Vec<Block> {
    let mut scripts = blocks(DOCUMENT);
    scripts.retain(|block| block.language != CONSOLE);
    assert!(scripts.iter().all(|block| block.language == "sh"), "a block that is not run");
    for (beginning, _) in UNRUN {
        let unrun = scripts.iter().position(|block| block.lines[0].starts_with(beginning));
        scripts.remove(unrun.unwrap_or_else(|| panic!("no block begins with {beginning}")));
    }
    scripts
}

/// The commands in the last column of the table of symptoms.
fn remedies() -> Vec<String> {
    let text = std::fs::read_to_string(package().join(DOCUMENT)).expect("a document");
    let (_, table) = text.split_once("## Troubleshooting").expect("a section");
    let rows = table.lines().skip_while(|line| !line.starts_with("|---"));
    let rows = rows.skip(1).take_while(|line| line.starts_with('|'));
    let last = rows.filter_map(|row| row.trim_end_matches(['|', ' ']).rsplit(" | ").next());
    let commands = last.flat_map(|cell| cell.split('`').skip(1).step_by(2));
    commands.map(|command| command.replace("\\|", "|")).collect()
}

#[test]
fn the_commands_of_the_document_succeed() {
    let (service, socket) = shipped();
    let files = [
        ("zerohttpd.service".to_owned(), format!("{service}{ERRORS_TO_FILE}")),
        ("zerohttpd.socket".to_owned(), socket),
    ];
    let Some(machine) = Machine::start(&files) else { return };
    let run = |place: &str, script: &str| {
        allow_another_start(&machine, "zerohttpd.service");
        let result = machine.run(&["bash", "-euo", "pipefail", "-c", script]);
        let output = result.unwrap_or_else(|said| {
            panic!("{place}: {script}\n{said}\n{}", machine.errors());
        });
        println!("{place}: {script}\n{output}\n");
    };
    for block in scripts() {
        run(&block.place, &block.lines.join("\n"));
    }
    let remedies = remedies();
    assert!(remedies.len() > 12, "{remedies:?}");
    for command in remedies {
        run("Troubleshooting", &command);
    }
}
