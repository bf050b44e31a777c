//! A strict parser of the Prometheus text format.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::support::cases::test;
use crate::support::{Client, Server, wait_for};

/// A sample's labels, in their order.
type Labels = Vec<(String, String)>;

/// The metrics of a server at one moment.
#[derive(Debug)]
pub(crate) struct Metrics {
    samples: BTreeMap<(String, Labels), f64>,
}

/// Requests a server's metrics from its admin process.
#[track_caller]
pub(crate) fn metrics(server: &Server) -> Metrics {
    let answer = Client::connect(server.admin_port()).get("/metrics");
    assert_eq!(answer.status, 200);
    let kind = answer.field("Content-Type").expect("one type").unwrap_or_default();
    assert_eq!(kind, b"text/plain; version=0.0.4; charset=utf-8");
    assert_eq!(answer.field("Cache-Control"), Ok(Some(&b"no-store"[..])));
    let text = String::from_utf8(answer.body).expect("UTF-8");
    parse(&text).unwrap_or_else(|wrong| panic!("{wrong} in\n{text}"))
}

/// Waits until the metrics of a server fulfil a condition, and returns them.
#[track_caller]
pub(crate) fn await_metrics(
    server: &Server,
    what: &str,
    condition: impl Fn(&Metrics) -> bool,
) -> Metrics {
    wait_for(what, || Some(metrics(server)).filter(&condition))
}

impl Metrics {
    /// The value of the sample with this name and these labels, such as `name{label="value"}`.
    #[track_caller]
    pub(crate) fn get(&self, sample: &str) -> f64 {
        let (name, labels) = sample_name(sample).expect("a name with labels");
        let value = self.samples.get(&(name, labels));
        *value.unwrap_or_else(|| panic!("no {sample} in {:#?}", self.samples))
    }

    /// The sum of all samples of a metric.
    pub(crate) fn sum(&self, name: &str) -> f64 {
        self.family(name).map(|(_, value)| value).sum()
    }

    /// All samples of a metric, each with its labels.
    pub(crate) fn family<'m>(&'m self, name: &'m str) -> impl Iterator<Item = (&'m Labels, f64)> {
        let samples = self.samples.iter().filter(move |((known, _), _)| known == name);
        samples.map(|((_, labels), value)| (labels, *value))
    }

    /// The names of all metrics.
    pub(crate) fn names(&self) -> BTreeSet<&str> {
        let suffixes = ["_bucket", "_sum", "_count"];
        let metric = |name| suffixes.iter().find_map(|suffix| str::strip_suffix(name, suffix));
        self.samples.keys().map(|(name, _)| metric(name).unwrap_or(name)).collect()
    }

    /// Whether these metrics can be later than `before`: no counter has decreased.
    pub(crate) fn follows(&self, before: &Metrics) -> bool {
        let is_counter = |name: &str| name.ends_with("_total") || name.ends_with("_count");
        let counters = before.samples.iter().filter(|((name, _), _)| is_counter(name));
        counters.into_iter().all(|(key, value)| self.samples[key] >= *value)
    }
}

/// Parses a whole exposition; the error says why it is malformed.
fn parse(text: &str) -> Result<Metrics, String> {
    if !text.ends_with('\n') || text.contains('\r') {
        return Err("lines have to end in a line feed each".into());
    }
    let mut samples = BTreeMap::new();
    let mut kinds = HashMap::new();
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        let (name, help) = comment(line, "# HELP ")?;
        let (typed, kind) = comment(lines.next().unwrap_or_default(), "# TYPE ")?;
        if typed != name || help.is_empty() || !is_name(name) {
            return Err(format!("not the help and the type of one metric: {line}"));
        }
        if !["counter", "gauge", "histogram"].contains(&kind) {
            return Err(format!("no such type: {kind}"));
        }
        if (kind == "counter") != name.ends_with("_total") {
            return Err(format!("the names of counters, and no others, end in _total: {name}"));
        }
        if kinds.insert(name, kind).is_some() {
            return Err(format!("twice: {name}"));
        }
        let mut family = Vec::new();
        while let Some(line) = lines.next_if(|line| !line.starts_with('#')) {
            family.push(sample(line)?);
        }
        check(name, kind, &family)?;
        for (name, labels, value) in family {
            if samples.insert((name.clone(), labels), value).is_some() {
                return Err(format!("a sample of {name} twice"));
            }
        }
    }
    Ok(Metrics { samples })
}

/// The name and the text of a comment that begins with `mark`.
fn comment<'t>(line: &'t str, mark: &str) -> Result<(&'t str, &'t str), String> {
    let rest = line.strip_prefix(mark).ok_or(format!("not {mark}: {line:?}"))?;
    rest.split_once(' ').ok_or(format!("nothing after the name: {line:?}"))
}

fn is_name(name: &str) -> bool {
    let first = name.chars().next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_');
    first && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// Parses a line `name{label="value",...} number`.
fn sample(line: &str) -> Result<(String, Labels, f64), String> {
    let (key, value) = line.rsplit_once(' ').ok_or(format!("no value: {line:?}"))?;
    let (name, labels) = sample_name(key)?;
    let value: f64 = value.parse().map_err(|_| format!("no number: {line:?}"))?;
    if !value.is_finite() || value < 0.0 {
        return Err(format!("negative or not finite: {line:?}"));
    }
    Ok((name, labels, value))
}

/// Parses `name{label="value",...}`.
fn sample_name(key: &str) -> Result<(String, Labels), String> {
    let (name, rest) = match key.split_once('{') {
        None => (key, ""),
        Some((name, rest)) => {
            (name, rest.strip_suffix('}').ok_or(format!("no closing brace: {key:?}"))?)
        }
    };
    if !is_name(name) {
        return Err(format!("not a name: {name:?}"));
    }
    let mut labels = Vec::new();
    let mut chars = rest.chars().peekable();
    while chars.peek().is_some() {
        let label: String = std::iter::from_fn(|| chars.next_if(|c| *c != '=')).collect();
        if !is_name(&label) || chars.next() != Some('=') || chars.next() != Some('"') {
            return Err(format!("not a label: {key:?}"));
        }
        let mut value = String::new();
        loop {
            match chars.next() {
                Some('"') => break,
                Some('\\') => value.push(match chars.next() {
                    Some('n') => '\n',
                    Some(c @ ('\\' | '"')) => c,
                    other => return Err(format!("escaped {other:?}: {key:?}")),
                }),
                Some(c) => value.push(c),
                None => return Err(format!("a value without an end: {key:?}")),
            }
        }
        labels.push((label, value));
        if !matches!(chars.next(), None | Some(',')) {
            return Err(format!("no comma: {key:?}"));
        }
    }
    Ok((name.to_string(), labels))
}

/// Checks that the samples fit the type of their metric.
fn check(name: &str, kind: &str, family: &[(String, Labels, f64)]) -> Result<(), String> {
    if family.is_empty() {
        return Err(format!("no samples of {name}"));
    }
    if kind != "histogram" {
        let stray = family.iter().find(|(known, ..)| known != name);
        return stray.map_or(Ok(()), |(stray, ..)| Err(format!("{stray} among {name}")));
    }
    let value = |suffix: &str| {
        let found = family.iter().find(|(known, ..)| *known == format!("{name}{suffix}"));
        found.map(|(.., value)| *value).ok_or(format!("{name} lacks its {suffix}"))
    };
    let (_sum, count) = (value("_sum")?, value("_count")?);
    let mut last = (f64::NEG_INFINITY, 0.0);
    for (known, labels, value) in &family[..family.len() - 2] {
        let [(label, bound)] = &labels[..] else { return Err(format!("labels of {known}")) };
        let bound = if bound == "+Inf" { f64::INFINITY } else { bound.parse().unwrap_or(f64::NAN) };
        let grows = bound > last.0 && *value >= last.1;
        if *known != format!("{name}_bucket") || label != "le" || !grows {
            return Err(format!("{known} {label} {bound} does not follow {last:?}"));
        }
        last = (bound, *value);
    }
    match last {
        (f64::INFINITY, all) if all == count => Ok(()),
        _ => Err(format!("{name} counts {count}, and its last bucket is {last:?}")),
    }
}

test!(Once, malformed_expositions_are_refused);
fn malformed_expositions_are_refused() {
    let good = "# HELP a A.\n# TYPE a gauge\na{b=\"c\\\"\\\\\\n,}\",d=\"\"} 1.5\na 2\n";
    let metrics = parse(good).expect("a good text");
    assert_eq!((metrics.get("a{b=\"c\\\"\\\\\\n,}\",d=\"\"}"), metrics.sum("a")), (1.5, 3.5));
    for (old, new) in [
        ("# HELP a A.\n", ""),
        ("# TYPE a gauge\n", ""),
        ("gauge", "counter"),
        ("gauge", "sort"),
        ("a 2", "b 2"),
        ("a 2\n", "a 2"),
        ("a 2", "a{b=\"c\\\"\\\\\\n,}\",d=\"\"} 2"),
        ("a 2", "a NaN"),
        ("1.5", ""),
        ("d=\"\"", "d=\""),
        ("\\n", "\\t"),
        ("a 2\n", "a 2\n# HELP a A.\n# TYPE a gauge\na{x=\"y\"} 1\n"),
    ] {
        assert!(
            good.contains(old) && parse(&good.replacen(old, new, 1)).is_err(),
            "{old:?} {new:?}"
        );
    }
    let histogram = "# HELP h H.\n# TYPE h histogram\nh_bucket{le=\"1\"} 2\n\
        h_bucket{le=\"+Inf\"} 3\nh_sum 4\nh_count 3\n";
    assert!(parse(histogram).is_ok());
    for (old, new) in [
        ("} 2", "} 4"),
        ("count 3", "count 2"),
        ("h_sum 4\n", ""),
        ("+Inf", "2"),
        ("\"1\"", "\"x\""),
    ] {
        assert!(parse(&histogram.replacen(old, new, 1)).is_err(), "{old:?} {new:?}");
    }
}
