//! `application/x-www-form-urlencoded`, what a browser makes of a form (WHATWG URL §5).

use alloc::borrow::Cow;
use alloc::vec::Vec;

use percent_encoding::percent_decode;

/// The value of the first field of that name, decoded.
pub(crate) fn value<'b>(body: &'b [u8], name: &str) -> Option<Cow<'b, [u8]>> {
    body.split(|&byte| byte == b'&').find_map(|pair| {
        let end = memchr::memchr(b'=', pair).unwrap_or(pair.len());
        let value = pair.get(end + 1..).unwrap_or_default();
        (*decoded(&pair[..end]) == *name.as_bytes()).then(|| decoded(value))
    })
}

/// The page that a query asks for, from 1 to `most`; none if there can't be such a page.
pub(crate) fn page_number(query: &[u8], most: u32) -> Option<u32> {
    let Some(value) = value(query, "page") else { return Some(1) };
    let digits = core::str::from_utf8(&value).ok()?;
    let page = digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())??;
    (1..=most).contains(&page).then_some(page)
}

fn decoded(text: &[u8]) -> Cow<'_, [u8]> {
    if !text.iter().any(|byte| b"+%".contains(byte)) {
        return Cow::Borrowed(text);
    }
    let spaced: Vec<u8> = text.iter().map(|&byte| if byte == b'+' { b' ' } else { byte }).collect();
    Cow::Owned(percent_decode(&spaced).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_found_and_decoded() {
        let body = b"guest-name=J%C3%BCrgen+%2B1&x&%67uest-remarks=a%26b&guest-name=second&=";
        assert_eq!(value(body, "guest-name").unwrap(), "Jürgen +1".as_bytes());
        assert_eq!(value(body, "guest-remarks").unwrap(), &b"a&b"[..]);
        assert_eq!(value(body, "x").unwrap(), &b""[..]);
        assert_eq!(value(body, "y"), None);
        assert_eq!(value(b"a=100%&b=%zz", "a").unwrap(), &b"100%"[..]);
    }

    #[test]
    fn page_numbers() {
        assert_eq!(page_number(b"", 500), Some(1));
        assert_eq!(page_number(b"utm=x", 500), Some(1));
        assert_eq!(page_number(b"a=b&page=7", 500), Some(7));
        for query in [&b"page="[..], b"page=0", b"page=-1", b"page=+1", b"page=501", b"page=x"] {
            assert_eq!(page_number(query, 500), None, "{}", query.escape_ascii());
        }
    }
}
