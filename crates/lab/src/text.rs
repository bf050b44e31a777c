//! Text: numbers in words, lines that fit a terminal, and untrusted strings without control
//! characters.

pub mod numbers;
pub mod scrub;
pub mod wrap;
