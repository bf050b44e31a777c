//! Small writers of text: numbers, numbers for people, and text made safe for HTML.

use alloc::vec::Vec;

/// Appends `number` in decimal digits.
pub(crate) fn decimal(out: &mut Vec<u8>, mut number: u64) {
    // 18446744073709551615 has twenty digits.
    let mut digits = [0; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}

/// Appends `number` with commas between thousands: `1,234`.
pub(crate) fn with_commas(out: &mut Vec<u8>, number: u64) {
    let mut digits = Vec::with_capacity(20);
    decimal(&mut digits, number);
    for (i, &digit) in digits.iter().enumerate() {
        if i > 0 && (digits.len() - i) % 3 == 0 {
            out.push(b',');
        }
        out.push(digit);
    }
}

/// Appends `text` so that HTML shows it and obeys none of it, within an element or a quoted
/// attribute. What is not UTF-8 shows as U+FFFD.
pub(crate) fn escape(out: &mut Vec<u8>, text: &[u8]) {
    for chunk in text.utf8_chunks() {
        let mut rest = chunk.valid();
        while let Some(at) = rest.find(['&', '<', '>', '"', '\'']) {
            out.extend_from_slice(&rest.as_bytes()[..at]);
            out.extend_from_slice(match rest.as_bytes()[at] {
                b'&' => b"&amp;",
                b'<' => b"&lt;",
                b'>' => b"&gt;",
                b'"' => b"&quot;",
                _ => b"&#39;",
            });
            rest = &rest[at + 1..];
        }
        out.extend_from_slice(rest.as_bytes());
        if !chunk.invalid().is_empty() {
            out.extend_from_slice("\u{fffd}".as_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(write: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
        let mut out = Vec::new();
        write(&mut out);
        out
    }

    #[test]
    fn numbers() {
        assert_eq!(written(|out| decimal(out, 0)), b"0");
        assert_eq!(written(|out| decimal(out, u64::MAX)), b"18446744073709551615");
        assert_eq!(written(|out| with_commas(out, 7)), b"7");
        assert_eq!(written(|out| with_commas(out, 999)), b"999");
        assert_eq!(written(|out| with_commas(out, 1234)), b"1,234");
        assert_eq!(written(|out| with_commas(out, 1_000_000)), b"1,000,000");
    }

    #[test]
    fn nothing_of_html_survives_escaping() {
        let shown = written(|out| escape(out, "<b a=\"1\" c='2'>&é</b>".as_bytes()));
        let expected = "&lt;b a=&quot;1&quot; c=&#39;2&#39;&gt;&amp;é&lt;/b&gt;";
        assert_eq!(shown, expected.as_bytes());
        assert_eq!(written(|out| escape(out, b"a\xffb")), "a\u{fffd}b".as_bytes());
    }
}
