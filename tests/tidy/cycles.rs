//! Modules must not use each other in a cycle, so that each can be understood from those that it
//! uses. The same holds for top-level modules, those directly beneath a crate's root.

use crate::modules::{CRATES, Graph};
use crate::sources::assert_none;

#[test]
fn modules_form_no_cycle() {
    let graphs = CRATES.map(|folder| (folder, Graph::read(folder)));
    assert_none("modules that use each other", cycles(&graphs));
}

#[test]
fn top_level_modules_form_no_cycle() {
    let graphs = CRATES.map(|folder| (folder, Graph::read(folder).top_level()));
    assert_none("top-level modules that use each other", cycles(&graphs));
}

fn cycles(graphs: &[(&str, Graph)]) -> Vec<String> {
    let mut found = Vec::new();
    for (folder, graph) in graphs {
        for cycle in graph.cycles() {
            let cycle: Vec<_> = cycle.iter().map(|module| module.join("::")).collect();
            found.push(format!("{folder}: {}", cycle.join(", ")));
        }
    }
    found
}
