//! Content codings (RFC 9110 §8.4.1), and which of them a client accepts (§12.5.3).

/// A coding in which a precompressed file can be stored beside the original.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// RFC 7932.
    Brotli,
    /// RFC 8878.
    Zstandard,
    /// RFC 1952.
    Gzip,
}

impl Encoding {
    /// All codings, the one that makes files smallest first.
    pub const ALL: [Encoding; 3] = [Encoding::Brotli, Encoding::Zstandard, Encoding::Gzip];

    /// The name in `Content-Encoding`.
    pub fn name(self) -> &'static str {
        match self {
            Encoding::Brotli => "br",
            Encoding::Zstandard => "zstd",
            Encoding::Gzip => "gzip",
        }
    }

    /// The suffix of a file in this coding.
    pub fn extension(self) -> &'static str {
        match self {
            Encoding::Brotli => ".br",
            Encoding::Zstandard => ".zst",
            Encoding::Gzip => ".gz",
        }
    }
}

/// The client's weight for each coding, in thousandths.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Encodings {
    weights: [u16; 3],
    /// The weight of the uncoded file.
    identity: u16,
}

impl Encodings {
    /// Reads the values of all `Accept-Encoding` fields. Malformed elements are ignored.
    pub(crate) fn parse<'h>(values: impl Iterator<Item = &'h [u8]>) -> Encodings {
        let mut stated = [None; 3];
        let (mut identity, mut others) = (None, None);
        for item in values.flat_map(|value| value.split(|&byte| byte == b',')) {
            let mut parts = item.split(|&byte| byte == b';').map(<[u8]>::trim_ascii);
            let name = parts.next().unwrap_or_default();
            let Some(weight) = weight(parts.next()) else { continue };
            let known = |encoding: &Encoding| {
                let is_alias = *encoding == Encoding::Gzip && name.eq_ignore_ascii_case(b"x-gzip");
                is_alias || name.eq_ignore_ascii_case(encoding.name().as_bytes())
            };
            if let Some(index) = Encoding::ALL.iter().position(known) {
                stated[index] = Some(weight);
            } else if name.eq_ignore_ascii_case(b"identity") {
                identity = Some(weight);
            } else if name == b"*" {
                others = Some(weight);
            }
        }
        Encodings {
            weights: stated.map(|weight| weight.or(others).unwrap_or(0)),
            identity: identity.unwrap_or(0),
        }
    }

    /// The codings that the client accepts with at least the weight of the uncoded file, the
    /// preferred one first.
    pub fn ranked(self) -> impl Iterator<Item = Encoding> {
        let mut ranked: [(u16, Encoding); 3] =
            core::array::from_fn(|index| (self.weights[index], Encoding::ALL[index]));
        ranked.sort_by_key(|(weight, _)| core::cmp::Reverse(*weight));
        let is_accepted =
            move |(weight, _): &(u16, Encoding)| *weight > 0 && *weight >= self.identity;
        ranked.into_iter().filter(is_accepted).map(|(_, encoding)| encoding)
    }
}

/// The weight in a parameter such as `q=0.5`, in thousandths: 1000 without a parameter, none if the
/// parameter is malformed (§12.4.2).
pub(super) fn weight(parameter: Option<&[u8]>) -> Option<u16> {
    let Some(parameter) = parameter else { return Some(1000) };
    let text = core::str::from_utf8(parameter).ok()?;
    let value = text.strip_prefix("q=").or_else(|| text.strip_prefix("Q="))?;
    let (whole, fraction) = value.split_once('.').unwrap_or((value, ""));
    let is_decimal = fraction.bytes().all(|byte| byte.is_ascii_digit()) && fraction.len() <= 3;
    let fraction = is_decimal.then(|| {
        fraction
            .bytes()
            .chain(*b"000")
            .take(3)
            .fold(0, |sum, byte| sum * 10 + u16::from(byte - b'0'))
    })?;
    match whole {
        "0" => Some(fraction),
        "1" if fraction == 0 => Some(1000),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;
    use alloc::vec::Vec;

    fn ranked(value: &str) -> Vec<&'static str> {
        Encodings::parse([value.as_bytes()].into_iter()).ranked().map(Encoding::name).collect()
    }

    #[test]
    fn codings_are_ranked_by_weight() {
        for (value, expected) in [
            ("gzip, deflate, br, zstd", vec!["br", "zstd", "gzip"]),
            ("gzip", vec!["gzip"]),
            ("X-GZIP", vec!["gzip"]),
            ("br;q=0.5, gzip;q=0.9", vec!["gzip", "br"]),
            ("br;q=0, *", vec!["zstd", "gzip"]),
            ("*;q=0.1", vec!["br", "zstd", "gzip"]),
            ("gzip;q=0.5, identity;q=0.8", vec![]),
            ("gzip;q=1.000,identity", vec!["gzip"]),
            ("", vec![]),
            ("deflate", vec![]),
            ("gzip;q=1.5, br;q=x, zstd;q=0.0001", vec![]),
        ] {
            assert_eq!(ranked(value), expected, "{value}");
        }
        assert_eq!(Encodings::default().ranked().count(), 0);
    }
}
