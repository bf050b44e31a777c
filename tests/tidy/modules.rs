//! The modules of each crate, each with the modules that it uses.

use std::collections::{BTreeMap, BTreeSet};

use crate::sources::{Source, rust_files};

/// The folder of each crate's sources.
pub(crate) const CRATES: [&str; 5] =
    ["src", "crates/core/src", "crates/sys/src", "crates/embedded/src", "crates/lab/src"];

/// A module's path in its crate, such as `["load", "idle"]`; empty for the crate's root.
pub(crate) type Module = Vec<String>;

/// The modules of a crate that have a file of their own, each with those that it uses.
pub(crate) struct Graph(pub(crate) BTreeMap<Module, BTreeSet<Module>>);

impl Graph {
    /// Reads the sources beneath a folder, without tests.
    pub(crate) fn read(folder: &str) -> Graph {
        let sources = rust_files(&[folder]);
        Graph::of(sources.iter().map(|source| (module_of(source, folder), code_of(source))))
    }

    fn of(sources: impl Iterator<Item = (Module, String)>) -> Graph {
        let sources: BTreeMap<Module, String> =
            sources.filter(|(module, _)| !module.last().is_some_and(is_test_module)).collect();
        let uses = |module: &Module, code: &str| {
            let paths = paths(code).into_iter();
            let used = paths.filter_map(|path| resolve(&path, module, &sources));
            used.filter(|used| used != module).collect::<BTreeSet<_>>()
        };
        Graph(sources.iter().map(|(module, code)| (module.clone(), uses(module, code))).collect())
    }

    /// The graph of the top-level modules, those directly beneath the crate's root, each with all
    /// modules beneath it.
    pub(crate) fn top_level(&self) -> Graph {
        let top = |module: &Module| module.iter().take(1).cloned().collect::<Module>();
        let mut graph = BTreeMap::<Module, BTreeSet<Module>>::new();
        for (module, used) in &self.0 {
            let used = used.iter().map(top).filter(|used| *used != top(module));
            graph.entry(top(module)).or_default().extend(used);
        }
        Graph(graph)
    }

    /// Groups of modules that use each other, directly or through others. A group contains one or
    /// more cycles.
    pub(crate) fn cycles(&self) -> Vec<BTreeSet<Module>> {
        let reached: BTreeMap<_, _> =
            self.0.keys().map(|module| (module, self.reached_from(module))).collect();
        let mut cycles = Vec::new();
        for (module, others) in &reached {
            let cycle = others.iter().filter(|other| reached[other].contains(*module));
            let cycle: BTreeSet<Module> = cycle.cloned().collect();
            if cycle.len() > 1 && cycle.first() == Some(*module) {
                cycles.push(cycle);
            }
        }
        cycles
    }

    fn reached_from(&self, module: &Module) -> BTreeSet<Module> {
        let mut reached = BTreeSet::new();
        let mut next = vec![module.clone()];
        while let Some(module) = next.pop() {
            for used in self.0.get(&module).into_iter().flatten() {
                if reached.insert(used.clone()) {
                    next.push(used.clone());
                }
            }
        }
        reached
    }
}

fn module_of(source: &Source, folder: &str) -> Module {
    let path = source.path.strip_prefix(folder).unwrap_or(&source.path).trim_matches('/');
    let path = path.strip_suffix(".rs").unwrap_or(path);
    let mut module: Module = path.split('/').map(str::to_owned).collect();
    module.pop_if(|name| ["mod", "lib", "main"].contains(&name.as_str()));
    module
}

fn is_test_module(name: &String) -> bool {
    name == "tests" || name.ends_with("_tests")
}

/// The code of a file without its unit tests, and without items that only tests compile.
fn code_of(source: &Source) -> String {
    let mut lines = Vec::new();
    let mut is_for_tests = false;
    for (_, line) in source.code() {
        let is_attribute = line.trim_start().starts_with("#[");
        if line.contains("mod tests") {
            break;
        }
        if !is_for_tests || is_attribute {
            lines.push(line.clone());
        }
        is_for_tests = line.contains("#[cfg(test)]") || is_for_tests && is_attribute;
    }
    lines.join("\n")
}

/// All paths in some code. `use a::{b, c}` has two: `a::b` and `a::c`.
fn paths(code: &str) -> Vec<Module> {
    let mut found = Vec::new();
    let mut rest = code;
    let is_in_path = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
    while let Some(start) = rest.find(is_in_path) {
        let token = &rest[start..];
        let end = token.find(|c| !is_in_path(c)).unwrap_or(token.len());
        let (path, after) = token.split_at(end);
        rest = after;
        if let Some(prefix) = path.strip_suffix("::")
            && let Some(within) = after.strip_prefix('{')
        {
            let (tree, after) = split_at_closing_brace(within);
            let names = paths_of_tree(tree);
            found.extend(names.into_iter().map(|name| [split(prefix), name].concat()));
            rest = after;
        } else if path.contains("::") {
            found.push(split(path));
        }
    }
    found
}

/// Splits a text that follows an opening brace at the brace that closes it: the text within, and
/// the text behind.
fn split_at_closing_brace(text: &str) -> (&str, &str) {
    let mut depth = 1;
    for (at, c) in text.char_indices() {
        depth += i32::from(c == '{') - i32::from(c == '}');
        if depth == 0 {
            return (&text[..at], &text[at + 1..]);
        }
    }
    (text, "")
}

/// The paths in the braces of a `use`.
fn paths_of_tree(tree: &str) -> Vec<Module> {
    let mut names = paths(tree);
    let outer: String = match tree.split_once('{') {
        None => tree.to_owned(),
        Some(_) => without_braces(tree),
    };
    names.extend(outer.split(',').map(split).filter(|path| path.len() == 1));
    names
}

/// A text without its braces and what is within them.
fn without_braces(tree: &str) -> String {
    let mut depth = 0;
    let mut out = String::new();
    for c in tree.chars() {
        depth += i32::from(c == '{') - i32::from(c == '}');
        if depth == 0 && c != '}' {
            out.push(c);
        }
    }
    out
}

/// The names of a path. Of `a as b`, it takes `a`.
fn split(path: &str) -> Module {
    let path = path.split_whitespace().next().unwrap_or_default();
    path.split("::").filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

/// The module that a path in the module `within` leads to: the path without the names at its end
/// that are not modules. None if it leads out of the crate.
fn resolve(path: &Module, within: &Module, all: &BTreeMap<Module, String>) -> Option<Module> {
    let mut at = within.clone();
    let mut names = path.iter().peekable();
    match names.peek()?.as_str() {
        "crate" => at.clear(),
        "self" | "super" => {}
        // Any other path begins with a child, or leads out of the crate.
        child => drop(all.get(&[within.clone(), vec![child.to_owned()]].concat())?),
    }
    while let Some(name) = names.next_if(|name| ["crate", "self", "super"].contains(&&***name)) {
        if name == "super" {
            at.pop()?;
        }
    }
    for name in names {
        let child = [at.clone(), vec![name.clone()]].concat();
        if !all.contains_key(&child) {
            break;
        }
        at = child;
    }
    Some(at)
}

#[test]
fn uses_of_modules_are_read_from_paths() {
    let module = |path: &str| split(path);
    let sources = [
        ("", "mod a; mod b; use a::c::X;"),
        ("a", "pub mod c; use super::b::{self, y::{Z, w}};"),
        ("a::c", "use crate::{a as d, b::q}; fn f() { super::g() }"),
        ("b", "fn f() { std::a::b() } use other::b;"),
        ("a::c_tests", "use crate::b;"),
    ];
    let graph = Graph::of(sources.into_iter().map(|(path, code)| (module(path), code.to_owned())));
    let uses = |path: &str| {
        graph.0[&module(path)].iter().map(|used| used.join("::")).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(
        (uses(""), uses("a"), uses("a::c"), uses("b")),
        ("a::c".into(), "b".into(), "a b".into(), String::new())
    );
    assert_eq!(graph.cycles(), [] as [BTreeSet<Module>; 0]);
    assert_eq!(graph.top_level().0[&module("a")], [module("b")].into());
    let cycle =
        [("x", "use super::y::A;"), ("y", "use crate::z::B;"), ("z", "fn f(_: crate::x::C) {}")];
    let graph = Graph::of(cycle.into_iter().map(|(path, code)| (module(path), code.to_owned())));
    assert_eq!(graph.cycles(), [["x", "y", "z"].map(module).into()]);
}
