//! The style of a table on a terminal, and in a file.

use std::io::IsTerminal;
use std::os::fd::AsFd;

use zerohttpd_sys::diagnostics::Terminal;

use crate::console::columns;

/// How a table looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Style {
    /// Leaders are bold, unranked servers faint, failures red.
    pub in_colour: bool,
    /// The width of the terminal; none for a file, whose lines have any length.
    pub width: Option<usize>,
}

/// No colours, and lines of any length.
pub const PLAIN: Style = Style { in_colour: false, width: None };

impl Style {
    /// The text with a display attribute, given its code (console_codes(4)).
    pub fn paint(self, text: &str, code: &str) -> String {
        match self.in_colour && !code.is_empty() {
            true => format!("\x1b[{code}m{text}\x1b[0m"),
            false => text.to_owned(),
        }
    }
}

/// The style for this output.
pub fn style_of(stream: &(impl IsTerminal + AsFd)) -> Style {
    /// The width of a terminal that does not report its own.
    const USUAL_WIDTH: usize = 80;
    if !stream.is_terminal() {
        return PLAIN;
    }
    let width = columns(stream).unwrap_or(USUAL_WIDTH);
    Style { in_colour: Terminal::of(stream).takes_colour, width: Some(width) }
}
