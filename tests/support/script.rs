//! Conformance scripts: what a client sends, byte for byte, and what it must get.
//!
//! A file `*.http` holds cases. A case is one connection, and begins with its name:
//!
//! ```text
//! == a GET of a file
//! > GET /hello.txt HTTP/1.1         sent, with a CRLF added
//! > Host: x
//! >                                 an empty line: the end of the head
//! < 200                             the status of the next answer; `200|304` allows either
//! < Content-Type: text/plain        a field with exactly this value
//! < ETag: *                         a field with any value
//! < !Connection                     no such field
//! <~ hello                          the body contains this
//! <! goodbye                        the body does not contain this
//! <= hello\n                        the body is this
//! < open                            the connection still serves requests; or `< close`: it ends
//! ```
//!
//! `>|` sends without a CRLF, and `>.` shuts the client's sending side. `< 200 head` is the answer
//! to a HEAD: no body follows. All `>` lines up to the next `<` are sent at once; a `>` after a `<`
//! begins another round, which the client sends once it has all answers of the round before.
//! `\r \n \t \0 \\ \xNN` stand for bytes, and `{repeat 9000 text}` for text 9000 times. Lines that
//! begin with `#` are comments. White space at the end of a line is ignored; `\x20` is a space that
//! counts.
//!
//! [`Case::judge`] lists further rules, which every answer has to keep.
//!
//! The root of the server is the folder `site` beside the scripts.

use std::fs;
use std::path::{Path, PathBuf};

/// One connection.
#[derive(Debug)]
pub(crate) struct Case {
    /// File and line, such as `methods.http:12`.
    pub(crate) place: String,
    pub(crate) name: String,
    /// At least one. If the case ends with `open`, a last round asks for a file to prove it.
    pub(crate) rounds: Vec<Round>,
    pub(crate) end: End,
}

/// What is sent at once, and the answers to it.
#[derive(Debug, Default)]
pub(crate) struct Round {
    pub(crate) send: Vec<u8>,
    /// Whether the client shuts its sending side afterwards.
    pub(crate) then_shut: bool,
    pub(crate) answers: Vec<Expected>,
}

/// Whether a connection serves further requests after the last answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Open,
    Close,
}

/// What a script expects of an answer.
#[derive(Debug)]
pub(crate) struct Expected {
    pub(crate) statuses: Vec<u16>,
    pub(crate) to_head: bool,
    rules: Vec<Rule>,
}

/// One line of a script about an answer.
#[derive(Debug)]
enum Rule {
    /// The answer has this field, with this value or with any.
    HasField(String, Option<Vec<u8>>),
    LacksField(String),
    BodyContains(Vec<u8>),
    BodyLacks(Vec<u8>),
    BodyIs(Vec<u8>),
}

/// An answer that was received.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) fields: Vec<(String, Vec<u8>)>,
    pub(crate) body: Vec<u8>,
}

/// The answers to a round, and the bytes that came after them.
type Read<'b> = (Vec<Answer>, &'b [u8]);

/// The request that proves that a connection is still open.
const PROBE: &str = "GET /hello.txt HTTP/1.1\r\nHost: probe\r\n\r\n";

/// All cases of all scripts in a folder. Panics with file and line if a script is malformed.
pub(crate) fn load(folder: &Path) -> Vec<Case> {
    let listing = fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    let mut paths: Vec<_> = listing.map(|entry| entry.expect("a folder entry").path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "http"));
    paths.sort();
    assert!(!paths.is_empty(), "{} has no scripts", folder.display());
    let read = |path: &PathBuf| {
        let file = path.file_name().unwrap_or_default().to_string_lossy();
        let text = fs::read_to_string(path).unwrap_or_else(|e| panic!("{file}: {e}"));
        parse(&file, &text).unwrap_or_else(|wrong| panic!("{wrong}"))
    };
    paths.iter().flat_map(read).collect()
}

/// Reads a script; the error says where and why it is malformed.
pub(crate) fn parse(file: &str, text: &str) -> Result<Vec<Case>, String> {
    let mut cases: Vec<Draft> = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let place = format!("{file}:{}", number + 1);
        let line = line.trim_end();
        let step = if let Some(name) = line.strip_prefix("==") {
            cases.push(Draft::new(place.clone(), name.trim()));
            Ok(())
        } else if line.is_empty() || line.starts_with('#') {
            Ok(())
        } else if let Some(case) = cases.last_mut() {
            case.line(line)
        } else {
            Err("a line before the first case".to_string())
        };
        step.map_err(|why| format!("{place}: {why}"))?;
    }
    cases.into_iter().map(Draft::finish).collect()
}

/// A case while it is read.
struct Draft {
    case: Case,
    ended: bool,
}

impl Draft {
    fn new(place: String, name: &str) -> Draft {
        let case = Case { place, name: name.to_string(), rounds: Vec::new(), end: End::Close };
        Draft { case, ended: false }
    }

    fn line(&mut self, line: &str) -> Result<(), String> {
        if self.ended {
            return Err("a line after the end of its case".to_string());
        }
        let (mark, rest) = line.split_at_checked(2).unwrap_or((line, ""));
        let rest = if mark.ends_with(' ') { rest } else { rest.strip_prefix(' ').unwrap_or(rest) };
        match mark {
            ">" | "> " => self.sending()?.send.extend([&unescape(rest)?[..], b"\r\n"].concat()),
            ">|" => self.sending()?.send.extend(unescape(rest)?),
            ">." => self.sending()?.then_shut = true,
            "< " => return self.expectation(rest),
            "<~" => self.rule(Rule::BodyContains(unescape(rest)?))?,
            "<!" => self.rule(Rule::BodyLacks(unescape(rest)?))?,
            "<=" => self.rule(Rule::BodyIs(unescape(rest)?))?,
            _ => return Err(format!("neither sent nor expected: {line}")),
        }
        Ok(())
    }

    /// The round that is still being sent.
    fn sending(&mut self) -> Result<&mut Round, String> {
        let rounds = &mut self.case.rounds;
        if rounds.last().is_some_and(|round| round.then_shut) {
            return Err("a client sends after it has stopped sending".to_string());
        }
        if rounds.last().is_none_or(|round| !round.answers.is_empty()) {
            rounds.push(Round::default());
        }
        rounds.last_mut().ok_or_else(|| "no round".to_string())
    }

    fn expectation(&mut self, text: &str) -> Result<(), String> {
        match text {
            "close" | "open" => {
                self.case.end = if text == "open" { End::Open } else { End::Close };
                self.ended = true;
                Ok(())
            }
            _ if text.starts_with(|c: char| c.is_ascii_digit()) => {
                let (codes, head) = text.split_once(' ').unwrap_or((text, ""));
                if !matches!(head, "" | "head") {
                    return Err(format!("neither a status nor a field: {text}"));
                }
                let statuses = codes.split('|').map(str::parse).collect::<Result<_, _>>();
                let statuses = statuses.map_err(|e| format!("{codes}: {e}"))?;
                let answer = Expected { statuses, to_head: head == "head", rules: Vec::new() };
                let round = self.case.rounds.last_mut().ok_or("an answer before a request")?;
                round.answers.push(answer);
                Ok(())
            }
            _ => self.field(text),
        }
    }

    fn field(&mut self, text: &str) -> Result<(), String> {
        if let Some(name) = text.strip_prefix('!') {
            return self.rule(Rule::LacksField(name.to_string()));
        }
        let (name, value) = text.split_once(':').ok_or(format!("not a field: {text}"))?;
        let value = match value.trim() {
            "*" => None,
            value => Some(unescape(value)?),
        };
        self.rule(Rule::HasField(name.to_string(), value))
    }

    fn rule(&mut self, rule: Rule) -> Result<(), String> {
        let answers = self.case.rounds.last_mut().map(|round| &mut round.answers);
        let answer = answers.and_then(|answers| answers.last_mut());
        answer.ok_or("a rule before the status of its answer")?.rules.push(rule);
        Ok(())
    }

    fn finish(self) -> Result<Case, String> {
        let mut case = self.case;
        if !self.ended || case.rounds.is_empty() {
            return Err(format!("{}: a case sends and ends with open or close", case.place));
        }
        if case.end == End::Open {
            let rules = vec![Rule::BodyIs(b"hello\n".to_vec())];
            let answers = vec![Expected { statuses: vec![200], to_head: false, rules }];
            case.rounds.push(Round { send: PROBE.into(), then_shut: false, answers });
        }
        Ok(case)
    }
}

/// The bytes that a text with escapes stands for.
pub(crate) fn unescape(text: &str) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find(['\\', '{']) {
        bytes.extend(&rest.as_bytes()[..at]);
        rest = &rest[at..];
        if let Some(after) = rest.strip_prefix("{repeat ") {
            let end = after.find('}').ok_or("a repeat without its }")?;
            let (times, what) = after[..end].split_once(' ').ok_or("a repeat of nothing")?;
            let times: usize = times.parse().map_err(|e| format!("{times}: {e}"))?;
            bytes.extend(unescape(what)?.repeat(times));
            rest = &after[end + 1..];
        } else if let Some(after) = rest.strip_prefix('{') {
            bytes.push(b'{');
            rest = after;
        } else {
            let (byte, len) = escape(rest).ok_or_else(|| format!("not an escape: {rest}"))?;
            bytes.push(byte);
            rest = &rest[len..];
        }
    }
    bytes.extend(rest.as_bytes());
    Ok(bytes)
}

fn escape(text: &str) -> Option<(u8, usize)> {
    Some(match text.as_bytes().get(1)? {
        b'r' => (b'\r', 2),
        b'n' => (b'\n', 2),
        b't' => (b'\t', 2),
        b'0' => (0, 2),
        b'\\' => (b'\\', 2),
        b'x' => (u8::from_str_radix(text.get(2..4)?, 16).ok()?, 4),
        _ => return None,
    })
}

/// Reads the answer at the start of `bytes`: the answer and its length in bytes, or none while it
/// is incomplete. The error says why it is not an answer of HTTP/1.1.
pub(crate) fn read_answer(bytes: &[u8], to_head: bool) -> Result<Option<(Answer, usize)>, String> {
    let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else { return Ok(None) };
    let head = String::from_utf8(bytes[..end].to_vec()).map_err(|e| format!("the head: {e}"))?;
    let mut lines = head.split("\r\n");
    let status = status(lines.next().unwrap_or_default())?;
    let mut fields = Vec::new();
    for line in lines {
        let (name, value) = line.split_once(": ").ok_or(format!("not a field: {line:?}"))?;
        if line.contains(char::is_control) || name.contains(char::is_whitespace) {
            return Err(format!("a malformed field: {line:?}"));
        }
        fields.push((name.to_string(), value.as_bytes().to_vec()));
    }
    let mut answer = Answer { status, fields, body: Vec::new() };
    let len = match answer.field("Content-Length")? {
        Some(_) if status < 200 || status == 204 => {
            return Err(format!("a {status} has no Content-Length (RFC 9110 §8.6)"));
        }
        Some(digits) => {
            let digits = String::from_utf8_lossy(digits);
            digits.parse().map_err(|e| format!("Content-Length {digits}: {e}"))?
        }
        None if to_head || status < 200 || matches!(status, 204 | 304) => 0,
        None => return Err("an answer with a body of no known length".to_string()),
    };
    let body = if to_head || status == 304 { 0 } else { len };
    let Some(body) = bytes[end + 4..].get(..body) else { return Ok(None) };
    answer.body = body.to_vec();
    Ok(Some((answer, end + 4 + body.len())))
}

fn status(line: &str) -> Result<u16, String> {
    let rest = line.strip_prefix("HTTP/1.1 ").ok_or(format!("not a status line: {line:?}"))?;
    match rest.split_once(' ') {
        Some((code, _reason)) if code.len() == 3 => {
            code.parse().map_err(|e| format!("{line}: {e}"))
        }
        _ => Err(format!("not a status line: {line:?}")),
    }
}

impl Answer {
    /// The value of a field, or none if the answer lacks it; an error if the field occurs twice.
    pub(crate) fn field(&self, name: &str) -> Result<Option<&[u8]>, String> {
        let mut found = self.fields.iter().filter(|(known, _)| known.eq_ignore_ascii_case(name));
        let first = found.next().map(|(_, value)| &value[..]);
        if found.next().is_some() { Err(format!("two fields {name}")) } else { Ok(first) }
    }
}

impl Round {
    /// Reads the answers that this round expects; none while they are incomplete.
    pub(crate) fn read<'b>(&self, received: &'b [u8]) -> Result<Option<Read<'b>>, String> {
        let mut rest = received;
        let mut answers = Vec::new();
        for expected in &self.answers {
            let Some((answer, used)) = read_answer(rest, expected.to_head)? else {
                return Ok(None);
            };
            rest = &rest[used..];
            answers.push(answer);
        }
        Ok(Some((answers, rest)))
    }
}

impl Case {
    /// Checks that `received` is exactly what the round at that index expects; the error says why
    /// not.
    ///
    /// Besides the rules of the script: each final answer has a `Date`, a 405 has an `Allow`, an
    /// interim answer has no fields, and only the last answer of a connection that the server
    /// closes has `Connection: close`. If the client stops sending, that field is optional in the
    /// last answer, because the server can answer before it notices the end.
    pub(crate) fn judge(&self, index: usize, received: &[u8]) -> Result<(), String> {
        let round = &self.rounds[index];
        let read = round.read(received)?;
        let (answers, rest) = read.ok_or_else(|| {
            format!("too few answers, or too short: \"{}\"", received.escape_ascii())
        })?;
        if !rest.is_empty() {
            return Err(format!("more than was expected: \"{}\"", rest.escape_ascii()));
        }
        let is_final_round = index + 1 == self.rounds.len();
        for (at, (expected, answer)) in round.answers.iter().zip(&answers).enumerate() {
            let is_last = is_final_round && at + 1 == answers.len() && self.end == End::Close;
            let closing = if is_last && round.then_shut { None } else { Some(is_last) };
            expected
                .check(answer, closing)
                .map_err(|why| format!("answer {} of round {}: {why}", at + 1, index + 1))?;
        }
        Ok(())
    }
}

impl Expected {
    fn check(&self, answer: &Answer, closing: Option<bool>) -> Result<(), String> {
        let status = answer.status;
        if !self.statuses.contains(&status) {
            return Err(format!("status {status}, expected {:?}", self.statuses));
        }
        let has = |name| answer.field(name).map(|value| value.is_some());
        let closes = answer.field("Connection")? == Some(b"close");
        if status < 200 && answer.fields.is_empty() {
            return Ok(());
        }
        if closing.is_some_and(|closing| closing != closes) {
            return Err(format!("has `Connection: close`: {closes}, expected {}", !closes));
        }
        if status < 200 || !has("Date")? || (status == 405 && !has("Allow")?) {
            return Err("an interim answer with fields, or no Date, or a 405 without Allow".into());
        }
        self.rules.iter().try_for_each(|rule| {
            let holds = rule.holds(answer)?;
            if holds { Ok(()) } else { Err(format!("{rule:?} does not hold: {answer:?}")) }
        })
    }
}

impl Rule {
    fn holds(&self, answer: &Answer) -> Result<bool, String> {
        let within = |text: &[u8]| answer.body.windows(text.len().max(1)).any(|part| part == text);
        Ok(match self {
            Rule::HasField(name, Some(value)) => answer.field(name)? == Some(&value[..]),
            Rule::HasField(name, None) => answer.field(name)?.is_some(),
            Rule::LacksField(name) => answer.field(name)?.is_none(),
            Rule::BodyContains(text) => within(text),
            Rule::BodyLacks(text) => !within(text),
            Rule::BodyIs(text) => answer.body == *text,
        })
    }
}
