//! No two types of the workspace have the same name, so that each name has one meaning.

use std::collections::BTreeMap;

use crate::sources::{Source, assert_none, program};

/// The types that a file defines, each with the number of its line, without those of tests and
/// without associated types.
fn types(source: &Source) -> Vec<(String, usize)> {
    let mut found = Vec::new();
    for (number, line) in source.code().take_while(|(_, line)| !line.contains("mod tests")) {
        let mut words = line.split_whitespace().skip_while(|word| word.starts_with("pub"));
        let kind = words.next().unwrap_or_default();
        let is_indented = line.starts_with(char::is_whitespace);
        let defines = ["struct", "enum", "union", "trait"].contains(&kind);
        if defines || kind == "type" && !is_indented {
            let name = words.next().unwrap_or_default();
            let name: String = name.chars().take_while(|c| c.is_alphanumeric()).collect();
            found.push((name, number));
        }
    }
    found
}

#[test]
fn no_two_types_have_the_same_name() {
    let mut places: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for source in program() {
        if source.path.ends_with("tests.rs") {
            continue;
        }
        for (name, number) in types(&source) {
            places.entry(name).or_default().push(source.place(number));
        }
    }
    assert!(places.len() > 200, "only {} types were found", places.len());
    places.retain(|_, places| places.len() > 1);
    let duplicates = places.iter().map(|(name, places)| format!("{name}: {}", places.join(", ")));
    assert_none("types with the same name", duplicates);
}

#[test]
fn types_are_found_by_their_keywords() {
    let text = "pub struct A<'a>(&'a u8);\npub(super) enum B {\n    C,\n}\ntype D = A;\n\
        impl E for A {\n    type F = B;\n}\n// struct G\nmod tests {\n    struct H;\n}\n";
    let source = Source { path: "t.rs".into(), text: text.into() };
    let names: Vec<_> = types(&source).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["A", "B", "D"]);
}
