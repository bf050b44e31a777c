//! Replaces the control characters in untrusted text, such as a results file or a server's output:
//! those that a terminal obeys, and those that change the direction of text.

use serde_json::Value;

/// The character that replaces those that must not be shown.
const REPLACEMENT: char = '\u{fffd}';

/// Whether a character controls the display instead of being shown: C0 and C1 controls, line and
/// paragraph separators, and the marks of Unicode Standard Annex 9 that change the direction of
/// text.
fn is_control(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200e}' | '\u{200f}' | '\u{061c}' | '\u{2028}'..='\u{202e}')
        || matches!(c, '\u{2066}'..='\u{2069}')
}

/// The text with every such character replaced. Line feeds and tabs become spaces.
pub fn scrubbed(text: &str) -> String {
    let shown = |c: char| match c {
        '\n' | '\t' => ' ',
        c if is_control(c) => REPLACEMENT,
        c => c,
    };
    text.chars().map(shown).collect()
}

/// Scrubs every string of a JSON value, field names included.
pub fn scrub(value: &mut Value) {
    match value {
        Value::String(text) => *text = scrubbed(text),
        Value::Array(items) => items.iter_mut().for_each(scrub),
        Value::Object(fields) => {
            for (name, mut field) in std::mem::take(fields) {
                scrub(&mut field);
                fields.insert(scrubbed(&name), field);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_replaced() {
        assert_eq!(
            scrubbed("a\x1b[31mb\x07\u{9b}1m\r\n"),
            "a\u{fffd}[31mb\u{fffd}\u{fffd}1m\u{fffd} "
        );
        assert_eq!(scrubbed("x\u{202e}y\u{2066}z"), "x\u{fffd}y\u{fffd}z");
        assert_eq!(scrubbed("plain, ä 漢 µs — “so”"), "plain, ä 漢 µs — “so”");
    }

    #[test]
    fn every_string_of_a_value_is_scrubbed() {
        let text = r#"{"a\u001b":["\u001b[2J",{"b":"\u009b"}],"n":1,"t":true,"o":null}"#;
        let mut value: Value = serde_json::from_str(text).unwrap();
        scrub(&mut value);
        assert!(!value.to_string().contains("u001b") && !value.to_string().contains('\u{9b}'));
        assert_eq!(value["n"], 1);
    }
}
