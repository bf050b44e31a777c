//! `application/x-www-form-urlencoded`, the format of a submitted form (WHATWG URL §5).

use alloc::borrow::Cow;
use alloc::vec::Vec;

use percent_encoding::percent_decode;

/// The decoded value of the first field with this name.
pub(crate) fn value<'b>(body: &'b [u8], name: &str) -> Option<Cow<'b, [u8]>> {
    body.split(|&byte| byte == b'&').find_map(|pair| {
        let end = memchr::memchr(b'=', pair).unwrap_or(pair.len());
        let value = pair.get(end + 1..).unwrap_or_default();
        (*decoded(&pair[..end]) == *name.as_bytes()).then(|| decoded(value))
    })
}

/// The page number in a query: 1 if the query has no `page`, none if the number is not valid. A
/// number too large for `u32` becomes `u32::MAX`, which is also beyond every last page.
pub(crate) fn page_number(query: &[u8]) -> Option<u32> {
    let Some(value) = value(query, "page") else { return Some(1) };
    let digits = core::str::from_utf8(&value).ok()?;
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| digits.parse().unwrap_or(u32::MAX)).filter(|page| *page > 0)
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
        for (query, page) in [
            (&b""[..], 1),
            (b"utm=x", 1),
            (b"a=b&page=7", 7),
            (b"a=50%&b=%zz&\xff=%0A&page=7", 7),
            (b"%=&p%61ge=%37&page=8", 7),
            (b"page=007", 7),
            (b"page=99999999999999999999", u32::MAX),
            (b"mypage=2&page2=3&PAGE=4", 1),
        ] {
            assert_eq!(page_number(query), Some(page), "{}", query.escape_ascii());
        }
        for query in [
            &b"page="[..],
            b"page",
            b"page=0",
            b"page=-1",
            b"page=+1",
            b"page=x",
            b"page=2%0A",
            b"page=2%",
        ] {
            assert_eq!(page_number(query), None, "{}", query.escape_ascii());
        }
    }
}
