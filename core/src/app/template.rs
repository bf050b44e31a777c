//! Pages with gaps: `$VISITOR_COUNT$` in a file becomes a number in a page.

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
    /// The page after a remark was not acceptable.
    pub const REFUSED: &'static str = "guestbook/refused.html";
    /// The page for every other refusal.
    pub const ERROR: &'static str = "error.html";
    /// The page that shows what is in a folder.
    pub const LISTING: &'static str = "listing.html";

    /// Reads the pages with `load`, which is given each of the names above.
    ///
    /// # Errors
    ///
    /// [`BadTemplate`] for a page that is not UTF-8, or that lacks a gap without which it would
    /// show nothing; and what `load` returns.
    pub fn load<E: From<BadTemplate>>(
        mut load: impl FnMut(&'static str) -> Result<Vec<u8>, E>,
    ) -> Result<Templates, E> {
        let mut page = |name, gaps| -> Result<Template, E> {
            Ok(Template::parse(load(name)?, gaps).map_err(|wrong| BadTemplate { name, wrong })?)
        };
        Ok(Templates {
            guestbook: page(Self::GUESTBOOK, &["VISITOR_COUNT", "GUEST_REMARKS"])?,
            thanks: page(Self::THANKS, &[])?,
            refused: page(Self::REFUSED, &["PROBLEMS", "GUEST_NAME", "GUEST_REMARK"])?,
            error: page(Self::ERROR, &["STATUS", "REASON", "EXPLANATION"])?,
            listing: page(Self::LISTING, &["FOLDER", "ENTRIES"])?,
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
}

impl fmt::Display for BadTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.wrong {
            Wrong::NotUtf8 => write!(f, "template {} is not UTF-8", self.name),
            Wrong::Lacks(gap) => {
                write!(f, "template {} has no ${gap}$; write it where that belongs", self.name)
            }
        }
    }
}

impl core::error::Error for BadTemplate {}

/// What fills a gap.
pub(crate) type Write<'a> = &'a dyn Fn(&mut Vec<u8>);

/// A page cut at its gaps.
#[derive(Debug)]
pub(crate) struct Template {
    text: String,
    /// For each gap in the order of the text: where it starts and ends, and its index in `gaps`.
    cuts: Vec<(usize, usize, usize)>,
}

impl Template {
    fn parse(bytes: Vec<u8>, gaps: &[&'static str]) -> Result<Template, Wrong> {
        let text = String::from_utf8(bytes).map_err(|_| Wrong::NotUtf8)?;
        let mut cuts = Vec::new();
        for (index, gap) in gaps.iter().enumerate() {
            let mark = alloc::format!("${gap}$");
            let before = cuts.len();
            cuts.extend(text.match_indices(&mark).map(|(at, _)| (at, at + mark.len(), index)));
            if cuts.len() == before {
                return Err(Wrong::Lacks(gap));
            }
        }
        cuts.sort_unstable();
        Ok(Template { text, cuts })
    }

    /// The page, each gap filled by the write at its index.
    pub(crate) fn fill(&self, writes: &[Write<'_>]) -> Vec<u8> {
        let mut page = Vec::with_capacity(self.text.len() + 1024);
        self.write(&mut page, writes);
        page
    }

    /// Appends the page.
    pub(crate) fn write(&self, page: &mut Vec<u8>, writes: &[Write<'_>]) {
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

    /// The length of the page, each gap filled with as many bytes as stand at its index.
    pub(crate) fn len(&self, fillings: &[usize]) -> usize {
        let filled = |len, &(start, end, index): &(usize, usize, usize)| {
            len + start - end + fillings.get(index).copied().unwrap_or_default()
        };
        self.cuts.iter().fold(self.text.len(), filled)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_are_filled_wherever_they_stand() {
        let page = Template::parse(b"$B$ costs $5, $A$$B$.".to_vec(), &["A", "B"]).unwrap();
        let a = |out: &mut Vec<u8>| out.extend_from_slice(b"$B$");
        let b = |out: &mut Vec<u8>| out.extend_from_slice(b"tea");
        let filled = page.fill(&[&a, &b]);
        assert_eq!(filled, b"tea costs $5, $B$tea.", "what fills is not filled");
        assert_eq!(page.len(&[3, 3]), filled.len());
    }

    #[test]
    fn a_template_that_would_show_nothing_is_refused() {
        assert_eq!(Template::parse(b"A".to_vec(), &["A"]).unwrap_err(), Wrong::Lacks("A"));
        assert_eq!(Template::parse(b"\xff".to_vec(), &[]).unwrap_err(), Wrong::NotUtf8);
    }
}
