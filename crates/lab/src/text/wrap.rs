//! Text that fits a terminal.

/// The text in lines of at most `width` characters. All lines but the first are indented by
/// `indent` blanks. A word that is longer than a line is broken.
pub fn wrapped(text: &str, width: Option<usize>, indent: usize) -> String {
    let Some(width) = width else { return text.to_owned() };
    let indent = indent.min(width / 2);
    let mut lines = Vec::new();
    let mut rest: Vec<char> = text.chars().collect();
    while rest.len() > width {
        // Leading blanks are part of the layout.
        let start = rest.iter().take_while(|c| **c == ' ').count();
        let end = rest[..=width].iter().rposition(|c| *c == ' ').filter(|end| *end > start);
        let tail = rest.split_off(end.unwrap_or(width));
        lines.push(rest);
        let tail = tail.into_iter().skip_while(|c| *c == ' ');
        rest = std::iter::repeat_n(' ', indent).chain(tail).collect();
        if rest.len() == indent {
            break;
        }
    }
    lines.push(rest);
    let line = |line: Vec<char>| line.into_iter().collect::<String>().trim_end().to_owned();
    lines.into_iter().map(line).collect::<Vec<_>>().join("\n")
}

/// The text, cut to at most this many characters; an ellipsis marks the cut.
pub fn shortened(text: &str, max_chars: usize) -> String {
    if text.chars().count() <= max_chars {
        return text.to_owned();
    }
    text.chars().take(max_chars.saturating_sub(1)).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_fit_and_no_word_is_lost() {
        let text = "  cpu         the server had no time left, and more words";
        let lines = wrapped(text, Some(30), 14);
        assert_eq!(
            lines,
            "  cpu         the server had\n              no time left,\n              \
             and more words"
        );
        assert_eq!(wrapped(text, None, 14), text);
        assert_eq!(wrapped("averyverylongword b", Some(6), 1), "averyv\n erylo\n ngwor\n d b");
        assert_eq!(wrapped("fits", Some(4), 9), "fits");
        assert_eq!(wrapped("a b", Some(1), 0), "a\nb");
    }

    #[test]
    fn names_are_cut_where_they_are_too_long() {
        assert_eq!((shortened("nginx", 5), shortened("nginx", 4)), ("nginx".into(), "ngi…".into()));
    }
}
