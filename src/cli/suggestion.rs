//! The word that was probably meant.

/// Of the words, the one most similar to what was typed, if any is similar enough.
pub fn of<'a>(typed: &str, words: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    const SIMILAR: f64 = 0.8;
    let typed = typed.to_ascii_lowercase();
    let similarities = words.map(|word| (strsim::jaro_winkler(&typed, word), word));
    let (similarity, word) = similarities.max_by(|(a, _), (b, _)| a.total_cmp(b))?;
    (similarity > SIMILAR).then_some(word)
}
