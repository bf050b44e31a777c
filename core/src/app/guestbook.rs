//! The guestbook: what may be entered, and what a visitor is shown.

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::template::{Templates, Write};
use super::{Remarks, form};
use crate::limits::{NAME_CHARS, REMARK_CHARS};
use crate::text::{escape, width_with_commas, with_commas};

/// Room for the visitors of a while: 999,999,999,999.
const COUNT_WIDTH: usize = 15;

/// A page of the guestbook, about to be written.
///
/// Blanks at its end make up for a short count, so that the length of the page depends on the
/// remarks alone: `ab`, which everybody reaches for, takes a length that changes for a failure.
#[derive(Debug)]
pub(crate) struct Page {
    visitor: u64,
    remarks: Arc<Remarks>,
}

impl Page {
    /// The page as this visitor sees it.
    pub(crate) fn new(visitor: u64, remarks: Arc<Remarks>) -> Page {
        Page { visitor, remarks }
    }

    /// Its length in bytes.
    pub(crate) fn len(&self, templates: &Templates) -> usize {
        let fillings = [width_with_commas(self.visitor), self.remarks.html().len()];
        templates.guestbook.len(&fillings) + self.padding()
    }

    /// Appends it.
    pub(crate) fn write(&self, templates: &Templates, out: &mut Vec<u8>) {
        let writes: [Write<'_>; 2] = [&|out| with_commas(out, self.visitor), &|out| {
            out.extend_from_slice(self.remarks.html())
        }];
        templates.guestbook.write(out, &writes);
        out.extend_from_slice(&[b' '; COUNT_WIDTH][..self.padding()]);
    }

    fn padding(&self) -> usize {
        COUNT_WIDTH.saturating_sub(width_with_commas(self.visitor))
    }
}

/// A remark that may be entered.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    name: String,
    remark: String,
}

impl Entry {
    /// Reads the form.
    pub(crate) fn parse(body: &[u8]) -> Result<Entry, Refused> {
        let name = Input::read(body, "guest-name");
        let remark = Input::read(body, "guest-remarks");
        let problems = [
            name.problem(&NAME_PROBLEMS, NAME_CHARS, false),
            remark.problem(&REMARK_PROBLEMS, REMARK_CHARS, true),
        ];
        if problems.iter().any(Option::is_some) {
            return Err(Refused { problems, name: name.typed, remark: remark.typed });
        }
        Ok(Entry { name: name.typed, remark: remark.typed })
    }

    /// The entry as the store keeps it, and as the C program kept it: `remarks - name`.
    pub(crate) fn into_item(self) -> Vec<u8> {
        let mut item = self.remark;
        item.push_str(" - ");
        item.push_str(&self.name);
        item.into_bytes()
    }
}

/// What is said when a field is empty, too long, not text, or has control characters.
struct Problems {
    empty: &'static str,
    too_long: &'static str,
    not_text: &'static str,
    control: &'static str,
}

const NAME_PROBLEMS: Problems = Problems {
    empty: "The name is empty. Please say who you are.",
    too_long: "The name is too long. Please keep it within 80 characters.",
    not_text: "The name is not UTF-8 text.",
    control: "The name has control characters in it.",
};

const REMARK_PROBLEMS: Problems = Problems {
    empty: "The remark is empty. Please write a few words.",
    too_long: "The remark is too long. Please keep it within 1,000 characters.",
    not_text: "The remark is not UTF-8 text.",
    control: "The remark has control characters in it.",
};

// The sentences above name these.
const _: () = assert!(NAME_CHARS == 80 && REMARK_CHARS == 1000);

/// What was typed into one field.
struct Input {
    typed: String,
    is_text: bool,
}

impl Input {
    fn read(body: &[u8], field: &str) -> Input {
        let bytes = form::value(body, field).unwrap_or_default();
        match core::str::from_utf8(&bytes) {
            // A browser sends a line end as CRLF.
            Ok(text) => Input { typed: text.trim().replace("\r\n", "\n"), is_text: true },
            Err(_) => Input { typed: String::new(), is_text: false },
        }
    }

    fn problem(&self, say: &Problems, most: usize, lines: bool) -> Option<&'static str> {
        let control = |c: char| c.is_control() && !(lines && (c == '\n' || c == '\t'));
        if !self.is_text {
            Some(say.not_text)
        } else if self.typed.is_empty() {
            Some(say.empty)
        } else if self.typed.chars().count() > most {
            Some(say.too_long)
        } else if self.typed.contains(control) {
            Some(say.control)
        } else {
            None
        }
    }
}

/// A form that can't be entered: what is wrong with it, and what was typed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Refused {
    problems: [Option<&'static str>; 2],
    name: String,
    remark: String,
}

impl Refused {
    /// The form again, with what was typed and what is wrong with it.
    pub(crate) fn page(&self, templates: &Templates) -> Vec<u8> {
        templates.refused.fill(&[
            &|out| {
                for problem in self.problems.iter().flatten() {
                    out.extend_from_slice(b"<li>");
                    escape(out, problem.as_bytes());
                    out.extend_from_slice(b"</li>");
                }
            },
            &|out| escape(out, self.name.as_bytes()),
            &|out| escape(out, self.remark.as_bytes()),
        ])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_length_of_a_page_does_not_depend_on_the_count() {
        let text = b"$VISITOR_COUNT$$GUEST_REMARKS$$PROBLEMS$$GUEST_NAME$$GUEST_REMARK$$STATUS$\
            $REASON$$EXPLANATION$$FOLDER$$ENTRIES$";
        let load = |_| Ok::<_, crate::app::BadTemplate>(text.to_vec());
        let templates = Templates::load(load).unwrap();
        let shown = |visitor| {
            let page = Page::new(visitor, Arc::new(Remarks::new(1, &[])));
            let mut html = Vec::new();
            page.write(&templates, &mut html);
            assert_eq!(page.len(&templates), html.len());
            html
        };
        assert!(shown(1234).starts_with(b"1,234<p class"));
        assert_eq!(shown(1).len(), shown(999_999_999_999).len());
    }

    #[test]
    fn an_entry_is_trimmed_and_stored_as_the_original_did() {
        let entry = Entry::parse(b"guest-name=+Ada+&guest-remarks=%0D%0Aone%0D%0Atwo+").unwrap();
        assert_eq!(entry.into_item(), b"one\ntwo - Ada");
    }

    #[test]
    fn each_field_is_refused_for_each_reason() {
        let long = "x".repeat(NAME_CHARS + 1);
        for (name, said) in [
            ("", NAME_PROBLEMS.empty),
            ("+%20%09", NAME_PROBLEMS.empty),
            (&*long, NAME_PROBLEMS.too_long),
            ("%ff", NAME_PROBLEMS.not_text),
            ("a%0ab", NAME_PROBLEMS.control),
            ("a%00b", NAME_PROBLEMS.control),
        ] {
            let body = alloc::format!("guest-name={name}&guest-remarks=ok");
            let refused = Entry::parse(body.as_bytes()).unwrap_err();
            assert_eq!(refused.problems, [Some(said), None]);
            assert_eq!(refused.remark, "ok", "what was typed is kept");
        }
        let most = alloc::format!("guest-name=a&guest-remarks={}", "é".repeat(REMARK_CHARS));
        assert!(Entry::parse(most.as_bytes()).is_ok(), "characters count, not bytes");
        let refused = Entry::parse(b"").unwrap_err();
        assert_eq!(refused.problems, [Some(NAME_PROBLEMS.empty), Some(REMARK_PROBLEMS.empty)]);
    }
}
