//! The guestbook: what may be entered, and how a page of it looks.

use alloc::string::String;
use alloc::vec::Vec;

use super::form;
use super::template::Templates;
use crate::limits::{NAME_CHARS, PAGES, REMARK_CHARS, REMARKS_PER_PAGE};
use crate::store::Remarks;
use crate::text::{decimal, escape, with_commas};

/// The page that a query asks for, from 1; none if there can't be such a page.
pub(crate) fn page_number(query: &[u8]) -> Option<u32> {
    let Some(value) = form::value(query, "page") else { return Some(1) };
    let digits = core::str::from_utf8(&value).ok()?;
    let page = digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())??;
    (1..=PAGES).contains(&page).then_some(page)
}

/// Room for the visitors of a while: 999,999,999,999.
const COUNT_WIDTH: usize = 15;

/// A page of the guestbook as HTML. `remarks` has one more than fits if there are older ones.
///
/// Blanks at its end make up for a short count, so that the length of the page depends on the
/// remarks alone: `ab`, which everybody reaches for, takes a length that changes for a failure.
pub(crate) fn page(templates: &Templates, page: u32, visitor: u64, remarks: &Remarks) -> Vec<u8> {
    let mut count = Vec::with_capacity(COUNT_WIDTH);
    with_commas(&mut count, visitor);
    let mut html = templates
        .guestbook
        .fill(&[&|out| out.extend_from_slice(&count), &|out| list(out, page, remarks)]);
    html.resize(html.len() + COUNT_WIDTH.saturating_sub(count.len()), b' ');
    html
}

fn list(out: &mut Vec<u8>, page: u32, remarks: &Remarks) {
    for remark in remarks.newest_first().take(REMARKS_PER_PAGE as usize) {
        out.extend_from_slice(b"<p class=\"guest-entry\">");
        escape(out, remark);
        out.extend_from_slice(b"</p>\n");
    }
    if remarks.len() == 0 {
        let nobody: &[u8] = match page {
            1 => b"<p class=\"guest-none\">Nobody has signed yet.</p>\n",
            _ => b"<p class=\"guest-none\">The guestbook is not that long.</p>\n",
        };
        out.extend_from_slice(nobody);
    }
    navigation(out, page, remarks.len() > REMARKS_PER_PAGE as usize && page < PAGES);
}

fn navigation(out: &mut Vec<u8>, page: u32, has_older: bool) {
    if page == 1 && !has_older {
        return;
    }
    out.extend_from_slice(b"<nav class=\"pages\">");
    if page > 1 {
        out.extend_from_slice(b"<a rel=\"prev\" href=\"/guestbook");
        if page > 2 {
            out.extend_from_slice(b"?page=");
            decimal(out, u64::from(page - 1));
        }
        out.extend_from_slice(b"\">newer remarks</a> ");
    }
    if has_older {
        out.extend_from_slice(b"<a rel=\"next\" href=\"/guestbook?page=");
        decimal(out, u64::from(page + 1));
        out.extend_from_slice(b"\">older remarks</a>");
    }
    out.extend_from_slice(b"</nav>\n");
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
    fn page_numbers() {
        assert_eq!(page_number(b""), Some(1));
        assert_eq!(page_number(b"utm=x"), Some(1));
        assert_eq!(page_number(b"a=b&page=7"), Some(7));
        for query in [&b"page="[..], b"page=0", b"page=-1", b"page=+1", b"page=501", b"page=x"] {
            assert_eq!(page_number(query), None, "{}", query.escape_ascii());
        }
    }

    #[test]
    fn the_length_of_a_page_does_not_depend_on_the_count() {
        let text = b"$VISITOR_COUNT$$GUEST_REMARKS$$PROBLEMS$$GUEST_NAME$$GUEST_REMARK$$STATUS$\
            $REASON$$EXPLANATION$";
        let load = |_| Ok::<_, crate::app::BadTemplate>(text.to_vec());
        let templates = Templates::load(load).unwrap();
        let shown = |visitor| page(&templates, 1, visitor, &Remarks::default());
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
