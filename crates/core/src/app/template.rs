//! Page templates: HTML with gaps, such as `$VISITOR_COUNT$`, that are filled for each page.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

/// The pages of the application.
#[derive(Debug)]
pub struct Templates {
    pub(crate) guestbook: Template,
    pub(crate) thanks: Template,
    pub(crate) refused: Template,
    pub(crate) error: Template,
    pub(crate) listing: Template,
}

impl Templates {
    /// The page with the remarks and the form, relative to the folder of templates.
    pub const GUESTBOOK: &'static str = "guestbook/index.html";
    /// The page after a remark was signed.
    pub const THANKS: &'static str = "guestbook/thanks.html";
    /// The page with the form again, after a remark was refused.
    pub const REFUSED: &'static str = "guestbook/refused.html";
    /// The page for every error response.
    pub const ERROR: &'static str = "error.html";
    /// The page that shows what is in a folder.
    pub const LISTING: &'static str = "listing.html";

    /// All of them.
    pub const NAMES: [&'static str; 5] =
        [Self::GUESTBOOK, Self::THANKS, Self::REFUSED, Self::ERROR, Self::LISTING];

    /// Reads the templates with `load`, which is called with each of the names above.
    ///
    /// # Errors
    ///
    /// [`BadTemplate`] for a template that is not UTF-8, lacks a required gap, or has an unknown
    /// one; and any error of `load`.
    pub fn load<E: From<BadTemplate>>(
        mut load: impl FnMut(&'static str) -> Result<Vec<u8>, E>,
    ) -> Result<Templates, E> {
        let mut page = |name, gaps: &[_], others: &[_]| -> Result<Template, E> {
            let parsed = Template::parse(load(name)?, gaps, others);
            Ok(parsed.map_err(|wrong| BadTemplate { name, wrong })?)
        };
        Ok(Templates {
            guestbook: page(Self::GUESTBOOK, &["VISITOR_COUNT", "GUEST_REMARKS"], &[])?,
            thanks: page(Self::THANKS, &[], &[])?,
            refused: page(
                Self::REFUSED,
                &["PROBLEMS", "GUEST_NAME", "GUEST_REMARK"],
                &["HEADING"],
            )?,
            error: page(Self::ERROR, &["STATUS", "REASON", "EXPLANATION"], &[])?,
            listing: page(Self::LISTING, &["FOLDER", "ENTRIES"], &[])?,
        })
    }
}

/// A template that can't be used.
#[derive(Debug, PartialEq, Eq)]
pub struct BadTemplate {
    name: &'static str,
    wrong: Wrong,
}

#[derive(Debug, PartialEq, Eq)]
enum Wrong {
    NotUtf8,
    Lacks(&'static str),
    Unknown(String),
}

impl fmt::Display for BadTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.wrong {
            Wrong::NotUtf8 => write!(f, "template {} is not UTF-8", self.name),
            Wrong::Lacks(gap) => {
                write!(f, "template {} has no ${gap}$; add it where its text belongs", self.name)
            }
            Wrong::Unknown(ref gap) => {
                write!(
                    f,
                    "template {} has {gap}, which nothing fills; see the template that is \
                    compiled in",
                    self.name
                )
            }
        }
    }
}

impl core::error::Error for BadTemplate {}

/// A function that fills a gap.
pub(crate) type FillGap<'a> = &'a dyn Fn(&mut Vec<u8>);

/// A template, cut at its gaps.
#[derive(Debug)]
pub(crate) struct Template {
    text: String,
    /// For each gap in the order of the text: where it starts and ends, and its index among the
    /// required gaps and then the optional ones.
    cuts: Vec<(usize, usize, usize)>,
}

impl Template {
    /// Finds the gaps of a template, required and optional ones.
    fn parse(
        bytes: Vec<u8>,
        required: &[&'static str],
        optional: &[&'static str],
    ) -> Result<Template, Wrong> {
        let text = String::from_utf8(bytes).map_err(|_| Wrong::NotUtf8)?;
        let mut cuts = Vec::new();
        for (index, gap) in required.iter().chain(optional).enumerate() {
            let mark = alloc::format!("${gap}$");
            let before = cuts.len();
            cuts.extend(text.match_indices(&mark).map(|(at, _)| (at, at + mark.len(), index)));
            if cuts.len() == before && index < required.len() {
                return Err(Wrong::Lacks(gap));
            }
        }
        let known = |name: &str| {
            required.iter().chain(optional).find(|gap| gap.eq_ignore_ascii_case(name)).copied()
        };
        if let Some(gap) = unknown(&text, known) {
            return Err(Wrong::Unknown(gap.into()));
        }
        cuts.sort_unstable();
        Ok(Template { text, cuts })
    }

    /// The page, with each gap filled by the function at its index.
    pub(crate) fn fill(&self, writes: &[FillGap<'_>]) -> Vec<u8> {
        let mut page = Vec::with_capacity(self.text.len() + 1024);
        self.write(&mut page, writes);
        page
    }

    /// Appends the page.
    pub(crate) fn write(&self, page: &mut Vec<u8>, writes: &[FillGap<'_>]) {
        let mut done = 0;
        for &(start, end, index) in &self.cuts {
            page.extend_from_slice(&self.text.as_bytes()[done..start]);
            if let Some(write) = writes.get(index) {
                write(page);
            }
            done = end;
        }
        page.extend_from_slice(&self.text.as_bytes()[done..]);
    }

    /// The length of the page, with each gap filled by this many bytes.
    pub(crate) fn len(&self, fillings: &[usize]) -> usize {
        let filled = |len, &(start, end, index): &(usize, usize, usize)| {
            len + start - end + fillings.get(index).copied().unwrap_or_default()
        };
        self.cuts.iter().fold(self.text.len(), filled)
    }
}

/// The first name that is written like a gap but is not `known`: `$REMARK$`, or a known name in
/// another case. The text between two prices, as in `$5 and $6`, is no gap.
fn unknown(text: &str, known: impl Fn(&str) -> Option<&'static str>) -> Option<&str> {
    let of_a_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let mut rest = text;
    while let Some(start) = rest.find('$') {
        let after = &rest[start + 1..];
        let len = after.find(|c| !of_a_name(c)).unwrap_or(after.len());
        let name = &after[..len];
        let is_capital = name.starts_with(|c: char| c.is_ascii_uppercase())
            && !name.contains(|c: char| c.is_ascii_lowercase());
        rest = match known(name) {
            _ if !after[len..].starts_with('$') => after,
            Some(gap) if gap == name => &after[len + 1..],
            Some(_) => return rest.get(start..start + len + 2),
            None if is_capital => return rest.get(start..start + len + 2),
            None => after,
        };
    }
    None
}

/// Templates that consist of their gaps only.
#[cfg(test)]
pub(crate) fn gaps_only() -> Templates {
    let page = |name| -> Result<Vec<u8>, BadTemplate> {
        Ok(match name {
            Templates::GUESTBOOK => b"$VISITOR_COUNT$$GUEST_REMARKS$".to_vec(),
            Templates::REFUSED => b"$PROBLEMS$$GUEST_NAME$$GUEST_REMARK$".to_vec(),
            Templates::ERROR => b"$STATUS$$REASON$$EXPLANATION$".to_vec(),
            Templates::LISTING => b"[$FOLDER$]$ENTRIES$".to_vec(),
            _ => Vec::new(),
        })
    };
    Templates::load(page).unwrap()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_are_filled_wherever_they_stand() {
        let page = Template::parse(b"$B$ costs $5, $A$$B$.".to_vec(), &["A", "B"], &[]).unwrap();
        let a = |out: &mut Vec<u8>| out.extend_from_slice(b"$B$");
        let b = |out: &mut Vec<u8>| out.extend_from_slice(b"tea");
        let filled = page.fill(&[&a, &b]);
        assert_eq!(filled, b"tea costs $5, $B$tea.", "a gap in a filling stays as it is");
        assert_eq!(page.len(&[3, 3]), filled.len());
    }

    #[test]
    fn a_template_that_lacks_a_gap_or_has_an_unknown_one_is_refused() {
        assert_eq!(Template::parse(b"A".to_vec(), &["A"], &[]).unwrap_err(), Wrong::Lacks("A"));
        assert_eq!(Template::parse(b"\xff".to_vec(), &[], &[]).unwrap_err(), Wrong::NotUtf8);
        assert!(Template::parse(b"$B$".to_vec(), &["B"], &["A"]).is_ok(), "A can be left out");
        for (page, gap) in [("$B$ $A$", "$B$"), ("$A$$a$", "$a$"), ("$A$ US$B_2$", "$B_2$")] {
            let wrong = Template::parse(page.into(), &["A"], &[]).unwrap_err();
            assert_eq!(wrong, Wrong::Unknown(gap.into()), "{page}");
        }
        for page in ["$A$ $5 and $6$", "$A$B$", "$A$ $b$ $ $$ ${A}$", "$A$ $"] {
            assert!(Template::parse(page.into(), &["A"], &[]).is_ok(), "{page}");
        }
    }
}
