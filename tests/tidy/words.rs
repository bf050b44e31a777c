//! No name contains a word of the private vocabulary that this program once had, and no sentence
//! calls a program a person. `docs/glossary.md` has the words that replaced the old ones.

use crate::links::documents;
use crate::sources::{assert_none, rust_files, source};

/// The folders whose sources are checked.
const FOLDERS: [&str; 2] = ["src", "crates"];

/// Old words, which no name can contain. Those that also have a common meaning are not listed
/// (`line`, `place`, `turn`, `part`, `link`, `share`, `key`, `entry`, `post`, `moment`), nor is
/// `contestant`, a key of `results.json`.
const OLD_WORDS: [&str; 37] = [
    "asker",
    "askers",
    "beget",
    "begun",
    "bell",
    "borrower",
    "borrowers",
    "bury",
    "census",
    "crowd",
    "crowded",
    "desk",
    "desks",
    "dialogue",
    "door",
    "doors",
    "eager",
    "encouraging",
    "farewell",
    "foresight",
    "gate",
    "habit",
    "habits",
    "lender",
    "lenders",
    "newcomer",
    "newcomers",
    "nursery",
    "parting",
    "patience",
    "pulse",
    "relief",
    "seat",
    "seats",
    "tally",
    "welcome",
    "witness",
];

/// Words that mean people.
const PEOPLE: [&str; 3] = ["whoever", "nobody", "somebody"];

/// Lines in which one of [`PEOPLE`] is right: the file, a part of the line, and the reason.
const EXCEPTIONS: [(&str, &str, &str); 2] = [
    ("crates/core/src/store/remarks.rs", "Nobody has signed yet.", "visitors are people"),
    ("examples/guestbook/README.md", "Nobody has signed yet.", "visitors are people"),
];

/// The words of a name in lower case: those of `HalfClosed` and `half_closed` are the same.
fn words_of(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut was_lower = false;
    for c in name.chars() {
        if c == '_' || was_lower && c.is_uppercase() {
            words.push(String::new());
        }
        if c != '_' {
            words.last_mut().expect("there is one").extend(c.to_lowercase());
        }
        was_lower = c.is_lowercase();
    }
    words
}

/// The old words among the names in a text.
fn old_words(text: &str) -> Vec<String> {
    let names = text.split(|c: char| !c.is_alphanumeric() && c != '_');
    names.flat_map(words_of).filter(|word| OLD_WORDS.contains(&word.as_str())).collect()
}

/// Whether a line contains one of [`PEOPLE`] and is no exception.
fn names_people(path: &str, line: &str) -> bool {
    let mut words = line.split(|c: char| !c.is_alphabetic()).map(str::to_lowercase);
    let is_exception =
        EXCEPTIONS.iter().any(|(file, text, _)| path == *file && line.contains(text));
    !is_exception && words.any(|word| PEOPLE.contains(&word.as_str()))
}

#[test]
fn no_name_contains_an_old_word() {
    let mut found = Vec::new();
    for source in rust_files(&FOLDERS) {
        found.extend(old_words(&source.path).iter().map(|word| format!("{}: {word}", source.path)));
        for (number, line) in source.code() {
            let place = source.place(number);
            found.extend(old_words(&line).iter().map(|word| format!("{place}: {word}")));
        }
    }
    assert_none("names of the old vocabulary", found);
}

#[test]
fn no_program_is_called_a_person() {
    let mut sources = rust_files(&FOLDERS);
    sources.extend(documents().iter().map(|path| source(path.to_str().expect("UTF-8"))));
    let mut found = Vec::new();
    for source in &sources {
        let lines = source.lines().filter(|(_, line)| names_people(&source.path, line));
        found.extend(
            lines.map(|(number, line)| format!("{}: {}", source.place(number), line.trim())),
        );
    }
    assert_none("people where a program is meant", found);
}

/// Such an error has words of the library alone, such as "entity not found".
#[test]
fn no_error_is_made_of_its_kind_alone() {
    let mut found = Vec::new();
    for source in rust_files(&FOLDERS) {
        let lines = source.code().filter(|(_, line)| {
            let kinds =
                line.match_indices("ErrorKind::").map(|(at, name)| &line[at + name.len()..]);
            let mut rests = kinds.map(|rest| rest.trim_start_matches(char::is_alphanumeric));
            rests.any(|rest| rest.starts_with(".into()"))
        });
        found.extend(lines.map(|(number, _)| source.place(number)));
    }
    assert_none("write Errno::NOENT.into(), or a sentence", found);
}

#[test]
fn every_exception_is_needed() {
    for (path, text, reason) in EXCEPTIONS {
        assert!(source(path).text.contains(text), "{path} no longer says {text:?} ({reason})");
    }
}

#[test]
fn names_are_split_into_words() {
    assert_eq!(words_of("HalfClosed"), ["half", "closed"]);
    assert_eq!(words_of("MOST_DOORS"), ["most", "doors"]);
    assert_eq!(old_words("let tallied = Bell::new(my_gate);"), ["bell", "gate"]);
    assert!(names_people("x.md", "Nobody reads it."));
    assert!(!names_people("x.md", "No process reads it."));
}
