//! Compares the output that a document shows with the output of the test's run. Numbers, ports,
//! paths and dates vary from run to run.

use std::iter::Peekable;

/// The ports and the home folder that documents show. The test replaces them by its own.
pub(crate) const PORT: &str = "8000";
pub(crate) const ADMIN_PORT: &str = "9100";
pub(crate) const HOME: &str = "/home/ann";

/// A line that stands for any number of lines.
const ELLIPSIS: &str = "...";

/// Replaces a word where it does not stand beside a letter or digit, or behind a point.
pub(crate) fn replace_word(text: &str, word: &str, by: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(word) {
        let (before, after) = (&rest[..at], &rest[at + word.len()..]);
        let adjoins = before.ends_with(|c: char| c.is_alphanumeric() || c == '.')
            || after.starts_with(char::is_alphanumeric);
        out += before;
        out += if adjoins { word } else { by };
        rest = after;
    }
    out + rest
}

/// The parts of a command's output that are the same in each run. Numbers, their units, and the
/// widths of columns vary; a number 0, such as that of failures, does not.
pub(crate) fn invariant(command: &str, output: &[String]) -> Vec<String> {
    let lines = output.iter().map(|line| line.trim_end());
    match command.split_whitespace().take(2).collect::<Vec<_>>()[..] {
        ["zerohttpd", "load"] => invariant_of_load(lines),
        ["zerohttpd", "bench"] => lines.map(without_cells).collect(),
        ["zerohttpd", ..] => {
            let lines = lines.filter(|line| !line.is_empty() && !is_only_for_root(line));
            lines.map(invariant_of_server).collect()
        }
        _ => lines.map(invariant_of_curl).collect(),
    }
}

/// The words of a load's output, as line breaks depend on the terminal. The last paragraph is the
/// verdict, which depends on the machine.
fn invariant_of_load<'l>(lines: impl Iterator<Item = &'l str>) -> Vec<String> {
    let lines: Vec<_> = lines.collect();
    let is_cut = lines.last() == Some(&ELLIPSIS);
    let verdict = lines.iter().rposition(|line| line.is_empty()).filter(|_| !is_cut);
    let above = lines[..verdict.unwrap_or(lines.len())].join(" ");
    let plain = without_numbers(&above);
    let words = plain.split(' ').map(|word| word.replace("cores", "core"));
    words.chain(verdict.map(|_| "(a verdict)".to_owned())).collect()
}

/// A line of the bench's table without its content: a row of numbers, or the words below it that
/// say what limited each server.
fn without_cells(line: &str) -> String {
    let plain = without_numbers(&line.replace(['=', '~'], ""));
    let mut words = plain.split(' ').peekable();
    let is_row = words.peek() == Some(&"#") && words.all(|word| matches!(word, "#" | "-" | "–"));
    let is_words = line.starts_with("   ") && !line.contains(|c: char| c.is_ascii_digit());
    match (is_row, is_words) {
        (true, _) => "(a row)".into(),
        (_, true) => "(what limited it)".into(),
        _ => plain,
    }
}

/// A line of a server's output. Of a line of the access log, the date and the length of the answer
/// vary.
fn invariant_of_server(line: &str) -> String {
    let logged = line.split_once(" - - [").and_then(|(client, rest)| {
        let (_date, rest) = rest.split_once("] ")?;
        let (request, _length) = rest.rsplit_once(' ')?;
        Some(format!("{client} {request} #"))
    });
    logged.unwrap_or_else(|| without_numbers(line))
}

/// Whether a line is printed only if root starts the server.
fn is_only_for_root(line: &str) -> bool {
    line.starts_with("  user ")
}

/// A line of another command's output. Error 28 of curl(1) says how long curl waited.
fn invariant_of_curl(line: &str) -> String {
    if line.starts_with("curl: (28)") { without_numbers(line) } else { line.to_owned() }
}

/// The line with `#` in place of each number, and `#u` in place of a number and its unit of time or
/// size. A word `0` stays.
fn without_numbers(line: &str) -> String {
    const UNITS: [&str; 9] = ["ns", "µs", "ms", "s", "min", "B", "KiB", "MiB", "GiB"];
    let mut out = Vec::new();
    for word in line.split_whitespace() {
        let is_unit = UNITS.contains(&word.trim_end_matches([',', ';', '.', ':']));
        match out.last_mut() {
            Some(number) if is_unit && *number == "#" => *number = "#u".to_owned(),
            _ => out.push(without_number(word)),
        }
    }
    out.join(" ")
}

fn without_number(word: &str) -> String {
    let bare = word.trim_end_matches([',', ';']);
    if bare == "0" {
        return word.to_owned();
    }
    let mut out = String::new();
    let mut chars = word.chars().peekable();
    while let Some(c) = chars.next() {
        if c.is_ascii_digit() {
            skip_number(&mut chars);
            out.push('#');
        } else {
            out.push(c);
        }
    }
    out
}

/// Skips digits, and the commas and points between them.
fn skip_number(chars: &mut Peekable<std::str::Chars<'_>>) {
    loop {
        let mut ahead = chars.clone();
        match (ahead.next(), ahead.next()) {
            (Some(c), _) if c.is_ascii_digit() => {}
            (Some(',' | '.'), Some(c)) if c.is_ascii_digit() => {}
            _ => return,
        }
        chars.next();
    }
}

/// Whether the printed lines are the shown ones. A shown line `...` stands for any number of lines.
pub(crate) fn agree(shown: &[String], printed: &[String]) -> bool {
    match shown.split_first() {
        None => printed.is_empty(),
        Some((line, rest)) if line == ELLIPSIS => {
            (0..=printed.len()).any(|skipped| agree(rest, &printed[skipped..]))
        }
        Some((line, rest)) => printed.first() == Some(line) && agree(rest, &printed[1..]),
    }
}

#[test]
fn outputs_may_differ_only_in_numbers_dates_verdicts_and_skipped_lines() {
    let invariant = |command: &str, line: &str| invariant(command, &[line.to_owned()]).concat();
    let load = |line| invariant_of_load([line, "", "The server."].into_iter()).join(" ");
    assert_eq!(load("  p50   1.25 ms   p99  700 µs"), "p# #u p# #u (a verdict)");
    assert_eq!(load("1,234 good, 0 failed"), "# good, 0 failed (a verdict)");
    assert_ne!(load("1,234 good, 0 failed"), load("1,234 good, 3 failed"));
    assert_eq!(invariant("zerohttpd bench", "  20   =57,171 18,710"), "(a row)");
    assert_eq!(invariant("zerohttpd bench", "       pool full  ~cpu"), "(what limited it)");
    assert_eq!(invariant("zerohttpd bench", "in first: report.html"), "in first: report.html");
    let logged = "127.0.0.1 - - [23/Nov/2026:06:53:23 +0000] \"GET / HTTP/1.1\" 200 5727";
    assert_eq!(invariant("zerohttpd epoll", logged), "127.0.0.1 \"GET / HTTP/1.1\" 200 #");
    assert_eq!(invariant("curl -s", "HTTP/1.1 303 See Other"), "HTTP/1.1 303 See Other");
    assert_eq!(replace_word("epoll 8000 :8000/x 18000", "8000", "7"), "epoll 7 :7/x 18000");
    let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
    assert!(agree(&lines("a\n...\nd"), &lines("a\nb\nc\nd")));
    assert!(agree(&lines("...\nd"), &lines("d")));
    assert!(!agree(&lines("a\n...\nd"), &lines("a\nb\nd\ne")));
    assert!(!agree(&lines("a"), &lines("")));
}
