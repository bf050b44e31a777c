//! Writes numbers, human-readable sizes, and text that is escaped for HTML or JSON.

use alloc::vec::Vec;
use core::ops::Deref;

/// A number in decimal digits.
pub(crate) struct Decimal {
    text: [u8; MOST_DIGITS + 1],
    start: usize,
}

impl Decimal {
    /// The digits of a number: `42`.
    pub(crate) fn of(mut number: u64) -> Decimal {
        let (mut text, mut start) = ([0; MOST_DIGITS + 1], MOST_DIGITS + 1);
        loop {
            start -= 1;
            text[start] = b'0' + (number % 10) as u8;
            number /= 10;
            if number == 0 {
                return Decimal { text, start };
            }
        }
    }

    /// The digits of a negative number: `-42`.
    pub(crate) fn negative(absolute: u64) -> Decimal {
        let mut decimal = Decimal::of(absolute);
        decimal.start -= 1;
        decimal.text[decimal.start] = b'-';
        decimal
    }
}

impl Deref for Decimal {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.text[self.start..]
    }
}

/// Appends `number` in decimal digits.
pub(crate) fn decimal(out: &mut Vec<u8>, number: u64) {
    out.extend_from_slice(&Decimal::of(number));
}

/// Appends `number` with commas between thousands: `1,234`.
pub(crate) fn with_commas(out: &mut Vec<u8>, number: u64) {
    let digits = Decimal::of(number);
    let (first, thousands) = digits.split_at(1 + (digits.len() - 1) % 3);
    out.extend_from_slice(first);
    for three in thousands.chunks(3) {
        out.push(b',');
        out.extend_from_slice(three);
    }
}

/// How many bytes [`with_commas`] writes.
pub(crate) fn width_with_commas(number: u64) -> usize {
    let digits = number.checked_ilog10().map_or(1, |log| log as usize + 1);
    digits + (digits - 1) / 3
}

/// The digits of the largest number, 18446744073709551615.
const MOST_DIGITS: usize = 20;

/// Appends a human-readable size, rounded down: `999 B`, `1.2 kB`, `12 kB`.
pub(crate) fn size(out: &mut Vec<u8>, bytes: u64) {
    const UNITS: [&[u8; 3]; 6] = [b" kB", b" MB", b" GB", b" TB", b" PB", b" EB"];
    if bytes < 1000 {
        decimal(out, bytes);
        return out.extend_from_slice(b" B");
    }
    let (mut unit, mut scale) = (0, 1000);
    while bytes / scale >= 1000 {
        unit += 1;
        scale *= 1000;
    }
    decimal(out, bytes / scale);
    if bytes / scale < 10 {
        out.push(b'.');
        decimal(out, bytes / (scale / 10) % 10);
    }
    out.extend_from_slice(UNITS[unit]);
}

/// Appends `text` escaped for HTML, in an element or a quoted attribute. Bytes that are not UTF-8
/// become U+FFFD.
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

/// Appends `text` as a JSON string (RFC 8259 §7), quotes included. Bytes that are not UTF-8 become
/// U+FFFD.
pub(crate) fn json_string(out: &mut Vec<u8>, text: &[u8]) {
    out.push(b'"');
    for chunk in text.utf8_chunks() {
        for &byte in chunk.valid().as_bytes() {
            match byte {
                b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
                ..0x20 => {
                    out.extend_from_slice(b"\\u00");
                    out.extend_from_slice(&[b'0' + (byte >> 4), HEX[usize::from(byte & 15)]]);
                }
                _ => out.push(byte),
            }
        }
        if !chunk.invalid().is_empty() {
            out.extend_from_slice("\u{fffd}".as_bytes());
        }
    }
    out.push(b'"');
}

const HEX: &[u8; 16] = b"0123456789abcdef";

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
        assert_eq!(*Decimal::negative(7), *b"-7");
        assert_eq!(*Decimal::negative(u64::MAX), *b"-18446744073709551615");
        for (number, expected) in [
            (0, "0"),
            (7, "7"),
            (999, "999"),
            (1000, "1,000"),
            (12_345, "12,345"),
            (1_000_000, "1,000,000"),
            (u64::MAX, "18,446,744,073,709,551,615"),
        ] {
            assert_eq!(written(|out| with_commas(out, number)), expected.as_bytes());
            assert_eq!(width_with_commas(number), expected.len());
        }
    }

    #[test]
    fn human_readable_sizes() {
        for (bytes, expected) in [
            (0, "0 B"),
            (999, "999 B"),
            (1000, "1.0 kB"),
            (1999, "1.9 kB"),
            (9_999, "9.9 kB"),
            (10_000, "10 kB"),
            (999_999, "999 kB"),
            (1_000_000, "1.0 MB"),
            (4_294_979_641, "4.2 GB"),
            (u64::MAX, "18 EB"),
        ] {
            assert_eq!(written(|out| size(out, bytes)), expected.as_bytes(), "{bytes}");
        }
    }

    #[test]
    fn text_is_escaped_for_json() {
        let quoted = |text: &[u8]| written(|out| json_string(out, text));
        assert_eq!(quoted(b""), b"\"\"");
        assert_eq!(quoted(b"a\"b\\c/</script>"), br#""a\"b\\c/</script>""#);
        assert_eq!(quoted(b"\x00\x1b\n\x7f"), b"\"\\u0000\\u001b\\u000a\x7f\"");
        assert_eq!(quoted("é\u{202e}".as_bytes()), "\"é\u{202e}\"".as_bytes());
        assert_eq!(quoted(b"a\xff\xc3"), "\"a\u{fffd}\u{fffd}\"".as_bytes());
    }

    #[test]
    fn text_is_escaped_for_html() {
        let shown = written(|out| escape(out, "<b a=\"1\" c='2'>&é</b>".as_bytes()));
        let expected = "&lt;b a=&quot;1&quot; c=&#39;2&#39;&gt;&amp;é&lt;/b&gt;";
        assert_eq!(shown, expected.as_bytes());
        assert_eq!(written(|out| escape(out, b"a\xffb")), "a\u{fffd}b".as_bytes());
    }
}
