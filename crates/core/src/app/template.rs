//! Page templates: HTML with placeholders such as `$VISITOR_COUNT$`, which are filled for each
//! page.

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

    /// All templates.
    pub const NAMES: [&'static str; 5] =
        [Self::GUESTBOOK, Self::THANKS, Self::REFUSED, Self::ERROR, Self::LISTING];

    /// Reads the templates with `load`, which is called with each of the names above.
    ///
    /// # Errors
    ///
    /// [`BadTemplate`] for a template that is not UTF-8, lacks a required placeholder, or has an
    /// unknown one; and any error of `load`.
    pub fn load<E: From<BadTemplate>>(
        mut load: impl FnMut(&'static str) -> Result<Vec<u8>, E>,
    ) -> Result<Templates, E> {
        let mut page = |name, required: &[_], optional: &[_]| -> Result<Template, E> {
            let parsed = Template::parse(load(name)?, required, optional);
            Ok(parsed.map_err(|fault| BadTemplate { name, fault })?)
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
    fault: TemplateFault,
}

#[derive(Debug, PartialEq, Eq)]
enum TemplateFault {
    NotUtf8,
    Lacks(&'static str),
    Unknown(String),
}

impl fmt::Display for BadTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.fault {
            TemplateFault::NotUtf8 => write!(f, "template {} is not UTF-8", self.name),
            TemplateFault::Lacks(name) => {
                write!(f, "template {} has no ${name}$; add it where its text belongs", self.name)
            }
            TemplateFault::Unknown(ref placeholder) => {
                write!(
                    f,
                    "template {} has {placeholder}, which nothing fills; see the template that is \
                    compiled in",
                    self.name
                )
            }
        }
    }
}

impl core::error::Error for BadTemplate {}

/// A function that writes the text in place of a placeholder.
pub(crate) type FillPlaceholder<'a> = &'a dyn Fn(&mut Vec<u8>);

/// A template, and the positions of its placeholders.
#[derive(Debug)]
pub(crate) struct Template {
    text: String,
    /// For each placeholder in the order of the text: where it starts and ends, and the index of
    /// its name among the required and then the optional names.
    placeholders: Vec<(usize, usize, usize)>,
}

impl Template {
    /// Finds the placeholders of a template.
    fn parse(
        bytes: Vec<u8>,
        required: &[&'static str],
        optional: &[&'static str],
    ) -> Result<Template, TemplateFault> {
        let text = String::from_utf8(bytes).map_err(|_| TemplateFault::NotUtf8)?;
        let mut placeholders = Vec::new();
        for (index, name) in required.iter().chain(optional).enumerate() {
            let mark = alloc::format!("${name}$");
            let before = placeholders.len();
            let found = text.match_indices(&mark);
            placeholders.extend(found.map(|(at, _)| (at, at + mark.len(), index)));
            if placeholders.len() == before && index < required.len() {
                return Err(TemplateFault::Lacks(name));
            }
        }
        let known = |name: &str| {
            let mut all = required.iter().chain(optional);
            all.find(|known| known.eq_ignore_ascii_case(name)).copied()
        };
        if let Some(placeholder) = unknown_placeholder(&text, known) {
            return Err(TemplateFault::Unknown(placeholder.into()));
        }
        placeholders.sort_unstable();
        Ok(Template { text, placeholders })
    }

    /// The page, with each placeholder filled by the function at its index.
    pub(crate) fn fill(&self, writes: &[FillPlaceholder<'_>]) -> Vec<u8> {
        let mut page = Vec::with_capacity(self.text.len() + 1024);
        self.write(&mut page, writes);
        page
    }

    /// Appends the page.
    pub(crate) fn write(&self, page: &mut Vec<u8>, writes: &[FillPlaceholder<'_>]) {
        let mut done = 0;
        for &(start, end, index) in &self.placeholders {
            page.extend_from_slice(&self.text.as_bytes()[done..start]);
            if let Some(write) = writes.get(index) {
                write(page);
            }
            done = end;
        }
        page.extend_from_slice(&self.text.as_bytes()[done..]);
    }

    /// The length of the page, with each placeholder filled by the number of bytes at its index.
    pub(crate) fn len(&self, fillings: &[usize]) -> usize {
        let filled = |len, &(start, end, index): &(usize, usize, usize)| {
            len + start - end + fillings.get(index).copied().unwrap_or_default()
        };
        self.placeholders.iter().fold(self.text.len(), filled)
    }
}

/// The first text that looks like a placeholder but has no `known` name, such as `$REMARK$`, or has
/// a known name in another case. The text between two prices, as in `$5 and $6`, is no placeholder.
fn unknown_placeholder(text: &str, known: impl Fn(&str) -> Option<&'static str>) -> Option<&str> {
    let is_name_char = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let mut rest = text;
    while let Some(start) = rest.find('$') {
        let after = &rest[start + 1..];
        let len = after.find(|c| !is_name_char(c)).unwrap_or(after.len());
        let name = &after[..len];
        let is_capital = name.starts_with(|c: char| c.is_ascii_uppercase())
            && !name.contains(|c: char| c.is_ascii_lowercase());
        rest = match known(name) {
            _ if !after[len..].starts_with('$') => after,
            Some(known) if known == name => &after[len + 1..],
            Some(_) => return rest.get(start..start + len + 2),
            None if is_capital => return rest.get(start..start + len + 2),
            None => after,
        };
    }
    None
}

/// Templates that consist of their placeholders only.
#[cfg(test)]
pub(crate) fn placeholders_only() -> Templates {
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
    fn placeholders_are_filled_everywhere() {
        let page = Template::parse(b"$B$ costs $5, $A$$B$.".to_vec(), &["A", "B"], &[]).unwrap();
        let a = |out: &mut Vec<u8>| out.extend_from_slice(b"$B$");
        let b = |out: &mut Vec<u8>| out.extend_from_slice(b"tea");
        let filled = page.fill(&[&a, &b]);
        assert_eq!(filled, b"tea costs $5, $B$tea.", "a placeholder in a filling stays as it is");
        assert_eq!(page.len(&[3, 3]), filled.len());
    }

    #[test]
    fn a_template_that_lacks_a_placeholder_or_has_an_unknown_one_is_refused() {
        let fault = |page: &[u8]| Template::parse(page.to_vec(), &["A"], &[]).unwrap_err();
        assert_eq!(fault(b"A"), TemplateFault::Lacks("A"));
        assert_eq!(fault(b"\xff"), TemplateFault::NotUtf8);
        assert!(Template::parse(b"$B$".to_vec(), &["B"], &["A"]).is_ok(), "A can be left out");
        for (page, placeholder) in [("$B$ $A$", "$B$"), ("$A$$a$", "$a$"), ("$A$ US$B_2$", "$B_2$")]
        {
            let unknown = TemplateFault::Unknown(placeholder.into());
            assert_eq!(fault(page.as_bytes()), unknown, "{page}");
        }
        for page in ["$A$ $5 and $6$", "$A$B$", "$A$ $b$ $ $$ ${A}$", "$A$ $"] {
            assert!(Template::parse(page.into(), &["A"], &[]).is_ok(), "{page}");
        }
    }
}
