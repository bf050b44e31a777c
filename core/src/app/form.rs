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
}
