//! Finds the end of a chunked body (RFC 9112 §7.1). The body's bytes are not kept.

use super::malformed::Malformed;

/// The position within a chunked body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Chunks {
    /// In the digits of a size: the number so far, and how many digits it has.
    Size(u64, u8),
    /// In an extension, which is ignored, of a chunk of this size.
    Extension(u64),
    /// Before the line feed that ends the size line of a chunk of this size.
    SizeEnd(u64),
    /// In a chunk, with this many bytes to come.
    Data(u64),
    /// Before the carriage return that ends a chunk.
    DataReturn,
    /// Before the line feed that ends a chunk.
    DataLineFeed,
    /// Before a line of the trailer section, or the empty line that ends it.
    Trailers,
    /// In a line of the trailer section.
    Trailer,
    /// Before the line feed that ends the body.
    End,
}

/// Sixteen digits make the largest 64-bit number.
const MAX_DIGITS: u8 = 16;

impl Chunks {
    /// The position before the body.
    pub const START: Chunks = Chunks::Size(0, 0);

    /// Reads the next bytes. Returns how many of them belong to the body, and whether it is
    /// complete.
    ///
    /// # Errors
    ///
    /// The body is not chunked correctly.
    pub fn receive(&mut self, bytes: &[u8]) -> Result<(usize, bool), Malformed> {
        let mut at = 0;
        while at < bytes.len() {
            if let Chunks::Data(left) = *self {
                let here = left.min((bytes.len() - at) as u64);
                at += here as usize;
                *self = if here == left { Chunks::DataReturn } else { Chunks::Data(left - here) };
                continue;
            }
            let byte = bytes[at];
            at += 1;
            if *self == Chunks::End && byte == b'\n' {
                return Ok((at, true));
            }
            *self = self.after(byte).ok_or(Malformed("a chunk is malformed"))?;
        }
        Ok((at, false))
    }

    fn after(self, byte: u8) -> Option<Chunks> {
        Some(match (self, byte) {
            (Chunks::Size(size, digits), _) if byte.is_ascii_hexdigit() && digits < MAX_DIGITS => {
                let digit = char::from(byte).to_digit(16)?;
                Chunks::Size(size << 4 | u64::from(digit), digits + 1)
            }
            (Chunks::Size(_, 0), _) => return None,
            (Chunks::Size(size, _) | Chunks::Extension(size), b'\r') => Chunks::SizeEnd(size),
            (Chunks::Size(size, _), b';' | b' ' | b'\t') => Chunks::Extension(size),
            (Chunks::Extension(size), _) if byte != b'\n' => Chunks::Extension(size),
            (Chunks::SizeEnd(0), b'\n') => Chunks::Trailers,
            (Chunks::SizeEnd(size), b'\n') => Chunks::Data(size),
            (Chunks::DataReturn, b'\r') => Chunks::DataLineFeed,
            (Chunks::DataLineFeed, b'\n') => Chunks::START,
            (Chunks::Trailers, b'\r') => Chunks::End,
            (Chunks::Trailer, b'\n') => Chunks::Trailers,
            (Chunks::Trailers, _) if byte != b'\n' => Chunks::Trailer,
            (Chunks::Trailer, _) => Chunks::Trailer,
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: &[u8] =
        b"5\r\nhello\r\n1a;x=\"y\"\r\nabcdefghijklmnopqrstuvwxyz\r\n00\r\nA: b\r\n\r\n";

    #[test]
    fn the_end_of_a_body_is_found_wherever_it_is_cut() {
        for cut in 0..WHOLE.len() {
            let mut chunks = Chunks::START;
            assert_eq!(chunks.receive(&WHOLE[..cut]), Ok((cut, false)), "cut at {cut}");
            let rest = [&WHOLE[cut..], b"more"].concat();
            assert_eq!(chunks.receive(&rest), Ok((WHOLE.len() - cut, true)), "cut at {cut}");
        }
    }

    #[test]
    fn a_body_can_come_byte_by_byte() {
        let mut chunks = Chunks::START;
        let ends: Vec<_> = WHOLE.iter().map(|byte| chunks.receive(&[*byte]).unwrap().1).collect();
        assert_eq!(ends.iter().position(|end| *end), Some(WHOLE.len() - 1));
    }

    #[test]
    fn a_malformed_chunk_is_an_error() {
        for bad in [
            &b"\r\n"[..],
            b"x\r\n",
            b"5\nhello",
            b"5\r\nhelloX",
            b"5\r\nhello\rX",
            b";\r\n",
            b"00000000000000005\r\n",
            b"0\r\n\n",
            b"0\r\n\rX",
            b"-1\r\n",
            b"3 \n",
        ] {
            assert!(Chunks::START.clone().receive(bad).is_err(), "{}", bad.escape_ascii());
        }
    }
}
