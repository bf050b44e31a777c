//! Whether a client prefers HTML or JSON (`Accept`, RFC 9110 §12.5.1).

use super::encoding::weight;

/// A form of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// `text/html`, for people.
    Html,
    /// `application/json`, for programs.
    Json,
}

/// The weight that a client gives a form, and the specificity of the media range that gives it.
#[derive(Clone, Copy, Default)]
struct Preference {
    /// From 1 for `*/*` to 4 for a type with its charset; 0 if no range matches.
    specificity: u8,
    /// In thousandths.
    weight: u16,
}

impl Form {
    /// The preferred form, from the values of all `Accept` fields. JSON must have a higher weight
    /// than HTML, or the same weight from a more specific range: `*/*` alone, or no field, gets
    /// HTML. Malformed elements are ignored. A client that accepts neither gets HTML, as §12.4.1
    /// allows.
    pub(crate) fn preferred<'h>(values: impl Iterator<Item = &'h [u8]>) -> Form {
        let (mut html, mut json) = (Preference::default(), Preference::default());
        for range in values.flat_map(|value| value.split(|&byte| byte == b',')) {
            html.apply(range, b"text", b"html");
            json.apply(range, b"application", b"json");
        }
        let is_more_specific = json.weight == html.weight && json.specificity > html.specificity;
        let wanted = json.weight > html.weight || (json.weight > 0 && is_more_specific);
        if wanted { Form::Json } else { Form::Html }
    }
}

impl Preference {
    /// Takes the weight of this range if the range matches and is more specific than earlier ones.
    fn apply(&mut self, range: &[u8], kind: &[u8], subtype: &[u8]) {
        let mut parts = range.split(|&byte| byte == b';').map(<[u8]>::trim_ascii);
        let name = parts.next().unwrap_or_default();
        let mut words = name.splitn(2, |&byte| byte == b'/');
        let is =
            |word: Option<&[u8]>, name: &[u8]| word.map(|word| word.eq_ignore_ascii_case(name));
        let is_any = |word: Option<&[u8]>| word == Some(b"*");
        let (first, second) = (words.next(), words.next());
        let mut specificity = match (is(first, kind), is(second, subtype)) {
            (Some(true), Some(true)) => 3,
            (Some(true), _) if is_any(second) => 2,
            _ if is_any(first) && is_any(second) => 1,
            _ => return,
        };
        let mut quality = None;
        for part in parts {
            match part {
                [b'q' | b'Q', b'=', ..] => {
                    quality = Some(part);
                    break;
                }
                // All pages are UTF-8.
                _ if is_utf8(part) => specificity += 1,
                // The range is for another version of the type.
                _ => return,
            }
        }
        if let Some(weight) = weight(quality)
            && specificity > self.specificity
        {
            *self = Preference { specificity, weight };
        }
    }
}

fn is_utf8(parameter: &[u8]) -> bool {
    let forms: [&[u8]; 2] = [b"charset=utf-8", b"charset=\"utf-8\""];
    forms.iter().any(|form| parameter.eq_ignore_ascii_case(form))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn html_for_people_and_json_for_programs() {
        for (value, expected) in [
            ("", Form::Html),
            ("*/*", Form::Html),
            ("application/json", Form::Json),
            ("Application/JSON", Form::Json),
            ("application/*", Form::Json),
            ("application/json; charset=utf-8", Form::Json),
            ("application/json;charset=\"UTF-8\";q=0.1", Form::Json),
            // What a browser sends for a page, and what a script in a page sends.
            ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", Form::Html),
            ("application/json, text/plain, */*", Form::Json),
            ("application/json, text/html", Form::Html),
            ("text/html;q=0.5, application/json;q=0.6", Form::Json),
            ("text/html;q=0.6, application/json;q=0.5", Form::Html),
            ("text/html; q=0.4 , application/json ;q=0.5", Form::Json),
            ("application/json;q=0", Form::Html),
            ("text/html;q=0, */*;q=0.001", Form::Json),
            // The most specific range counts, not the first.
            ("*/*, application/json;q=0.5", Form::Html),
            ("application/json;q=0.1, application/*;q=0.9, text/html;q=0.5", Form::Html),
            ("text/*;q=0.3, text/html;charset=utf-8;q=0.9, application/json;q=0.5", Form::Html),
            // Another version of the type.
            ("application/json;profile=x", Form::Html),
            ("application/json;profile=x;q=1, application/json;q=0", Form::Html),
            // Neither, and nonsense.
            ("text/plain", Form::Html),
            ("application/jsonp", Form::Html),
            ("application/json;q=1.5", Form::Html),
            ("application/json;q=", Form::Html),
            ("json, /json, */json, application", Form::Html),
            (";;,,/,;q=1", Form::Html),
        ] {
            assert_eq!(Form::preferred([value.as_bytes()].into_iter()), expected, "{value}");
        }
        let two = [&b"text/html;q=0.5"[..], b"application/json"];
        assert_eq!(Form::preferred(two.into_iter()), Form::Json, "two fields are one list");
        assert_eq!(Form::preferred(core::iter::empty()), Form::Html);
    }
}
