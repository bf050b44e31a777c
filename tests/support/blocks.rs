//! The blocks of code in a document.

use std::fs;

use super::package;

/// A block of code: between fences, or indented by four columns.
pub(crate) struct Block {
    /// The document and the number of the block's first line, such as `README.md:12`.
    pub(crate) place: String,
    /// The language that the fence names; empty for an indented block.
    pub(crate) language: String,
    pub(crate) lines: Vec<String>,
}

/// The language of blocks that show commands and their output. All these commands are run.
pub(crate) const CONSOLE: &str = "console";

/// A command and its output, as a document shows them.
#[derive(Clone)]
pub(crate) struct ShownCommand {
    pub(crate) command: String,
    pub(crate) output: Vec<String>,
}

impl Block {
    /// The commands of a block whose language is [`CONSOLE`].
    pub(crate) fn commands(&self) -> Vec<ShownCommand> {
        let mut shown: Vec<ShownCommand> = Vec::new();
        for line in &self.lines {
            match (line.strip_prefix("$ "), shown.last_mut()) {
                (Some(command), _) => {
                    shown.push(ShownCommand { command: command.into(), output: Vec::new() });
                }
                (None, Some(last)) => last.output.push(line.clone()),
                (None, None) => panic!("{}: output before any command", self.place),
            }
        }
        assert!(!shown.is_empty(), "{}: a console without a command", self.place);
        shown
    }
}

/// The README and the pages of `docs/`, as paths relative to the package.
pub(crate) fn documents() -> Vec<String> {
    let listing = fs::read_dir(package().join("docs")).expect("docs");
    let names = listing.flatten().map(|entry| entry.file_name().into_string().expect("a name"));
    let pages = names.filter(|name| name.ends_with(".md")).map(|name| format!("docs/{name}"));
    let mut documents: Vec<_> = ["README.md".to_owned()].into_iter().chain(pages).collect();
    documents.sort();
    documents
}

/// All blocks of a document.
pub(crate) fn blocks(document: &str) -> Vec<Block> {
    let text = fs::read_to_string(package().join(document))
        .unwrap_or_else(|error| panic!("{document}: {error}"));
    let mut found: Vec<Block> = Vec::new();
    let mut is_fenced = false;
    let mut above_is_blank = true;
    for (number, line) in (1..).zip(text.lines()) {
        let begin = |language: &str| Block {
            place: format!("{document}:{number}"),
            language: language.to_owned(),
            lines: Vec::new(),
        };
        if let Some(language) = line.strip_prefix("```") {
            is_fenced = !is_fenced;
            if is_fenced {
                found.push(begin(language));
            }
        } else if is_fenced {
            found.last_mut().expect("a fence above").lines.push(line.to_owned());
        } else if let Some(code) = line.strip_prefix("    ") {
            if above_is_blank {
                found.push(begin(""));
            }
            found.last_mut().expect("a block above").lines.push(code.to_owned());
        }
        above_is_blank = line.trim().is_empty();
    }
    assert!(!is_fenced, "{document}: a fence without an end");
    found
}
