//! A strict parser of OpenMetrics 1.0 text, written from the specification and independent of the writer under test.

#![allow(clippy::float_cmp, reason = "0 and 1 are parsed exactly")]

use std::collections::HashSet;

/// One metric family.
#[derive(Debug)]
pub struct Family {
    /// The name, without the suffix of the type.
    pub name: String,
    /// The type: counter, gauge, info or stateset.
    pub kind: String,
    /// The samples, in the order of the text.
    pub samples: Vec<Sample>,
}

/// One sample of a family.
#[derive(Debug)]
pub struct Sample {
    /// Names and values of the labels, in the order of the text.
    pub labels: Vec<(String, String)>,
    /// The value.
    pub value: f64,
}

/// Parses all families. Returns an error that describes the first violation of the specification.
pub fn parse(text: &str) -> Result<Vec<Family>, String> {
    let body = text.strip_suffix("# EOF\n").ok_or("the last line is not # EOF")?;
    let mut families: Vec<Family> = Vec::new();
    let mut names = HashSet::new();
    let mut series = HashSet::new();
    let mut lines = body.lines().peekable();
    while let Some(line) = lines.next() {
        let (name, kind) = line
            .strip_prefix("# TYPE ")
            .and_then(|rest| rest.split_once(' '))
            .ok_or(format!("expected `# TYPE`, got: {line}"))?;
        if !is_name(name) || !names.insert(name.to_owned()) {
            return Err(format!("{name} is not a valid name, or is used twice"));
        }
        if !["counter", "gauge", "info", "stateset"].contains(&kind) {
            return Err(format!("{kind} is not an expected type"));
        }
        if let Some(unit) = lines.next_if(|line| line.starts_with("# UNIT ")) {
            let unit = unit
                .strip_prefix(&format!("# UNIT {name} "))
                .ok_or(format!("the unit of another family: {unit}"))?;
            if !name.ends_with(&format!("_{unit}")) || kind == "info" || kind == "stateset" {
                return Err(format!("{name} must not have the unit {unit}"));
            }
        }
        let help = lines
            .next()
            .and_then(|line| line.strip_prefix(&format!("# HELP {name} ")))
            .ok_or(format!("{name} has no help"))?;
        if help.is_empty() {
            return Err(format!("the help of {name} is empty"));
        }
        let mut samples = Vec::new();
        while let Some(line) = lines.next_if(|line| !line.starts_with('#')) {
            let suffix = match kind {
                "counter" => "_total",
                "info" => "_info",
                _ => "",
            };
            let rest = line
                .strip_prefix(&format!("{name}{suffix}"))
                .ok_or(format!("not a sample of {name}: {line}"))?;
            let sample = parse_sample(rest).ok_or(format!("not a sample: {line}"))?;
            check(name, kind, &sample).map_err(|wrong| format!("{wrong}: {line}"))?;
            let mut labels = sample.labels.clone();
            labels.sort();
            if !series.insert((name.to_owned(), labels)) {
                return Err(format!("duplicate series: {line}"));
            }
            samples.push(sample);
        }
        families.push(Family { name: name.to_owned(), kind: kind.to_owned(), samples });
    }
    Ok(families)
}

fn check(name: &str, kind: &str, sample: &Sample) -> Result<(), &'static str> {
    let state = sample.labels.iter().any(|(label, _)| label == name);
    let valid = match kind {
        "counter" => sample.value >= 0.0,
        "info" => sample.value == 1.0 && !sample.labels.is_empty(),
        "stateset" => (sample.value == 0.0 || sample.value == 1.0) && state,
        _ => true,
    };
    if valid { Ok(()) } else { Err("the type does not allow this value or label") }
}

/// Parses the part of a sample after its name: labels in braces, if any, one space, and a number.
fn parse_sample(rest: &str) -> Option<Sample> {
    let (labels, value) = match rest.strip_prefix('{') {
        Some(rest) => parse_labels(rest)?,
        None => (Vec::new(), rest),
    };
    let value = value.strip_prefix(' ')?;
    let value = match value {
        "+Inf" => f64::INFINITY,
        "-Inf" => f64::NEG_INFINITY,
        "NaN" => f64::NAN,
        number if number.bytes().all(|b| b"0123456789.-+eE".contains(&b)) => number.parse().ok()?,
        _ => return None,
    };
    Some(Sample { labels, value })
}

fn parse_labels(mut rest: &str) -> Option<(Vec<(String, String)>, &str)> {
    let mut labels: Vec<(String, String)> = Vec::new();
    loop {
        let (name, after) = rest.split_once("=\"")?;
        if !is_name(name) || name.contains(':') || labels.iter().any(|(known, _)| known == name) {
            return None;
        }
        let mut value = String::new();
        let mut chars = after.char_indices();
        let end = loop {
            match chars.next()? {
                (at, '"') => break at,
                (_, '\\') => value.push(match chars.next()?.1 {
                    'n' => '\n',
                    same @ ('\\' | '"') => same,
                    _ => return None,
                }),
                (_, c) => value.push(c),
            }
        };
        labels.push((name.to_owned(), value));
        rest = &after[end + 1..];
        if let Some(after) = rest.strip_prefix('}') {
            return Some((labels, after));
        }
        rest = rest.strip_prefix(',')?;
    }
}

fn is_name(name: &str) -> bool {
    let first = name.bytes().next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_' || b == b':');
    first && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b':')
}
