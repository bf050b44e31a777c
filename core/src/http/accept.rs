//! Media types that a client takes (`Accept`, RFC 9110 §12.5.1): which of two forms it prefers.

use super::encoding::weight;

/// A form in which there is a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// `text/html`, for people.
    Html,
    /// `application/json`, for programs.
    Json,
}

/// How much a form is wanted, and how closely that was said.
#[derive(Clone, Copy, Default)]
struct Wish {
    /// From 1 for `*/*` to 4 for a type with its charset; 0 if nothing was said that fits.
    closeness: u8,
    /// In thousandths.
    weight: u16,
}

impl Form {
    /// Reads the values of all `Accept` fields. JSON has to be wanted more than HTML, or as much
    /// and by name: `*/*` alone, or nothing, gets HTML. What is malformed is passed over. Whoever
    /// takes neither gets HTML all the same, as §12.4.1 allows.
    pub(crate) fn preferred<'h>(values: impl Iterator<Item = &'h [u8]>) -> Form {
        let (mut html, mut json) = (Wish::default(), Wish::default());
        for range in values.flat_map(|value| value.split(|&byte| byte == b',')) {
            html.hear(range, b"text", b"html");
            json.hear(range, b"application", b"json");
        }
        let by_name = json.weight == html.weight && json.closeness > html.closeness;
        let wanted = json.weight > html.weight || (json.weight > 0 && by_name);
        if wanted { Form::Json } else { Form::Html }
    }
}

impl Wish {
    /// The range that fits a type most closely counts, whatever stands first.
    fn hear(&mut self, range: &[u8], kind: &[u8], subtype: &[u8]) {
        let mut parts = range.split(|&byte| byte == b';').map(<[u8]>::trim_ascii);
        let name = parts.next().unwrap_or_default();
        let mut named = name.splitn(2, |&byte| byte == b'/');
        let is =
            |part: Option<&[u8]>, this: &[u8]| part.map(|part| part.eq_ignore_ascii_case(this));
        let any = |part: Option<&[u8]>| part == Some(b"*");
        let (first, second) = (named.next(), named.next());
        let mut closeness = match (is(first, kind), is(second, subtype)) {
            (Some(true), Some(true)) => 3,
            (Some(true), _) if any(second) => 2,
            _ if any(first) && any(second) => 1,
            _ => return,
        };
        let mut said = None;
        for part in parts {
            match part {
                [b'q' | b'Q', b'=', ..] => {
                    said = Some(part);
                    break;
                }
                // All that we send is UTF-8.
                _ if is_utf8(part) => closeness += 1,
                // It is about another version of the type than ours.
                _ => return,
            }
        }
        if let Some(weight) = weight(said)
            && closeness > self.closeness
        {
            *self = Wish { closeness, weight };
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
            // What browsers send, and what programs of browsers do.
            ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", Form::Html),
            ("application/json, text/plain, */*", Form::Json),
            ("application/json, text/html", Form::Html),
            ("text/html;q=0.5, application/json;q=0.6", Form::Json),
            ("text/html;q=0.6, application/json;q=0.5", Form::Html),
            ("text/html; q=0.4 , application/json ;q=0.5", Form::Json),
            ("application/json;q=0", Form::Html),
            ("text/html;q=0, */*;q=0.001", Form::Json),
            // The closest range counts, not the first.
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
