//! The guestbook: the remarks that it accepts, and the page that a visitor gets.

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::form;
use super::template::{FillPlaceholder, Templates};
use crate::limits::{NAME_CHARS, REMARK_CHARS};
use crate::store::{REMARK_SEPARATOR, Remarks, StoreDown};
use crate::text::{escape, width_with_commas, with_commas};

/// The width to which a count is padded, commas included: that of 999,999,999,999.
const COUNT_WIDTH: usize = 15;

/// A page of the guestbook, to be written into the buffer of its response.
///
/// Blanks at the end of the page make up for a short count, so the length depends on the remarks
/// alone: `ab` (ApacheBench) counts a response of a different length as failed.
#[derive(Debug)]
pub struct GuestbookPage {
    visitor: u64,
    remarks: Arc<Remarks>,
}

impl GuestbookPage {
    /// The page as this visitor sees it.
    pub(crate) fn new(visitor: u64, remarks: Arc<Remarks>) -> GuestbookPage {
        GuestbookPage { visitor, remarks }
    }

    /// The length of the page in bytes.
    pub(crate) fn len(&self, templates: &Templates) -> usize {
        let fillings = [width_with_commas(self.visitor), self.remarks.html().len()];
        templates.guestbook.len(&fillings) + self.padding()
    }

    /// Appends the page.
    pub(crate) fn write(&self, templates: &Templates, out: &mut Vec<u8>) {
        let writes: [FillPlaceholder<'_>; 2] = [&|out| with_commas(out, self.visitor), &|out| {
            out.extend_from_slice(self.remarks.html())
        }];
        templates.guestbook.write(out, &writes);
        out.extend_from_slice(&[b' '; COUNT_WIDTH][..self.padding()]);
    }

    fn padding(&self) -> usize {
        COUNT_WIDTH.saturating_sub(width_with_commas(self.visitor))
    }
}

/// A remark that the guestbook accepts.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Remark {
    name: String,
    remark: String,
}

impl Remark {
    /// Reads a submitted form.
    pub(crate) fn parse(body: &[u8]) -> Result<Remark, RefusedForm> {
        let name = Input::read(body, "guest-name");
        let remark = Input::read(body, "guest-remarks");
        let problems = [
            name.problem(&NAME_PROBLEMS, NAME_CHARS, false),
            remark.problem(&REMARK_PROBLEMS, REMARK_CHARS, true),
        ];
        if problems.iter().any(Option::is_some) {
            let heading = NOT_SIGNED;
            return Err(RefusedForm {
                heading,
                problems,
                name: name.entered,
                remark: remark.entered,
            });
        }
        Ok(Remark { name: name.entered, remark: remark.entered })
    }

    /// The remark in the format of the store and of the original program: `remark - name`.
    pub(crate) fn into_item(self) -> Vec<u8> {
        let mut item = self.remark;
        item.push_str(REMARK_SEPARATOR);
        item.push_str(&self.name);
        item.into_bytes()
    }

    /// The form with this remark, to be sent again, since the store did not confirm the remark.
    pub(crate) fn into_unconfirmed(self, why: &StoreDown) -> RefusedForm {
        let (heading, problem) = match why.was_not_executed() {
            true => (
                NOT_SIGNED,
                "The guestbook is out of reach just now, and did not keep your remark. Please send \
                 it again in a moment.",
            ),
            false => (
                "Perhaps signed",
                "The guestbook did not say whether it kept your remark. Please look whether it is \
                 there before you send it again.",
            ),
        };
        RefusedForm {
            heading,
            problems: [Some(problem), None],
            name: self.name,
            remark: self.remark,
        }
    }
}

const NOT_SIGNED: &str = "Not signed yet";

/// The messages about a field that is empty, too long, not text, or has control characters.
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

// The sentences above name these numbers.
const _: () = assert!(NAME_CHARS == 80 && REMARK_CHARS == 1000);

/// The content of one field.
struct Input {
    entered: String,
    is_text: bool,
}

impl Input {
    fn read(body: &[u8], field: &str) -> Input {
        let bytes = form::value(body, field).unwrap_or_default();
        match core::str::from_utf8(&bytes) {
            // Browsers send line ends as CRLF.
            Ok(text) => Input { entered: text.trim().replace("\r\n", "\n"), is_text: true },
            Err(_) => Input { entered: String::new(), is_text: false },
        }
    }

    fn problem(
        &self,
        messages: &Problems,
        max_chars: usize,
        allows_lines: bool,
    ) -> Option<&'static str> {
        let control = |c: char| c.is_control() && !(allows_lines && (c == '\n' || c == '\t'));
        if !self.is_text {
            Some(messages.not_text)
        } else if self.entered.is_empty() {
            Some(messages.empty)
        } else if self.entered.chars().count() > max_chars {
            Some(messages.too_long)
        } else if self.entered.contains(control) {
            Some(messages.control)
        } else {
            None
        }
    }
}

/// A form that was not accepted: the reasons, and the text that was entered.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct RefusedForm {
    heading: &'static str,
    problems: [Option<&'static str>; 2],
    name: String,
    remark: String,
}

impl RefusedForm {
    /// The page with the form, the text that was entered, and the problems with this text.
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
            &|out| escape(out, self.heading.as_bytes()),
        ])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_length_of_a_page_does_not_depend_on_the_count() {
        let templates = crate::app::template::placeholders_only();
        let shown = |visitor| {
            let page = GuestbookPage::new(visitor, Arc::new(Remarks::new(1, &[])));
            let mut html = Vec::new();
            page.write(&templates, &mut html);
            assert_eq!(page.len(&templates), html.len());
            html
        };
        assert!(shown(1234).starts_with(b"1,234<p class"));
        assert_eq!(shown(1).len(), shown(999_999_999_999).len());
    }

    #[test]
    fn a_remark_is_trimmed_and_stored_as_the_original_program_stored_it() {
        let remark = Remark::parse(b"guest-name=+Ada+&guest-remarks=%0D%0Aone%0D%0Atwo+").unwrap();
        assert_eq!(remark.into_item(), b"one\ntwo - Ada");
    }

    #[test]
    fn each_field_is_refused_for_each_reason() {
        let long = "x".repeat(NAME_CHARS + 1);
        for (name, message) in [
            ("", NAME_PROBLEMS.empty),
            ("+%20%09", NAME_PROBLEMS.empty),
            (&*long, NAME_PROBLEMS.too_long),
            ("%ff", NAME_PROBLEMS.not_text),
            ("a%0ab", NAME_PROBLEMS.control),
            ("a%00b", NAME_PROBLEMS.control),
        ] {
            let body = alloc::format!("guest-name={name}&guest-remarks=ok");
            let refused = Remark::parse(body.as_bytes()).unwrap_err();
            assert_eq!(refused.problems, [Some(message), None]);
            assert_eq!(refused.remark, "ok", "what was typed is kept");
        }
        let longest = alloc::format!("guest-name=a&guest-remarks={}", "é".repeat(REMARK_CHARS));
        assert!(Remark::parse(longest.as_bytes()).is_ok(), "the limit is in characters, not bytes");
        let refused = Remark::parse(b"").unwrap_err();
        assert_eq!(refused.problems, [Some(NAME_PROBLEMS.empty), Some(REMARK_PROBLEMS.empty)]);
    }
}
