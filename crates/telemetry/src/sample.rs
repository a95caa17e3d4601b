//! Metrics as numbers. The recorder has no other output than Prometheus's text format, so its text is read.

use std::{collections::BTreeMap, iter::Peekable, str::Chars};

/// One number of a metric (Prometheus documentation, "Exposition formats").
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// The metric's name. Those of a histogram end in `_bucket`, `_sum` and `_count`.
    pub name: String,
    /// The labels. A bucket's upper bound is the label `le`.
    pub labels: BTreeMap<String, String>,
    /// The value.
    pub value: f64,
}

/// The samples of a text, without what is not one.
pub(crate) fn parse_samples(text: &str) -> Vec<Sample> {
    text.lines().filter_map(parse_sample).collect()
}

/// Parses `name{label="value",…} number`. Comments are not samples.
fn parse_sample(line: &str) -> Option<Sample> {
    if line.starts_with('#') {
        return None;
    }
    let name_end = line.find(['{', ' '])?;
    let (name, rest) = line.split_at(name_end);
    let mut chars = rest.chars().peekable();
    let labels = if chars.next_if_eq(&'{').is_some() { parse_labels(&mut chars)? } else { BTreeMap::new() };
    let value = chars.collect::<String>().trim().parse().ok()?;
    Some(Sample { name: name.to_owned(), labels, value })
}

/// Parses `label="value",…}`.
fn parse_labels(chars: &mut Peekable<Chars<'_>>) -> Option<BTreeMap<String, String>> {
    let mut labels = BTreeMap::new();
    while chars.next_if_eq(&'}').is_none() {
        let mut name = String::new();
        while let Some(char) = chars.next_if(|char| *char != '=') {
            name.push(char);
        }
        chars.next();
        labels.insert(name, parse_label_value(chars)?);
        chars.next_if_eq(&',');
    }
    Some(labels)
}

/// Parses a value in quotes, in which a backslash, a quote and the end of a line are escaped.
fn parse_label_value(chars: &mut Peekable<Chars<'_>>) -> Option<String> {
    chars.next_if_eq(&'"')?;
    let mut value = String::new();
    loop {
        match chars.next()? {
            '"' => return Some(value),
            '\\' => value.push(match chars.next()? {
                'n' => '\n',
                escaped => escaped,
            }),
            char => value.push(char),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_and_values_are_read() {
        let text = "# HELP a_total Help, with {braces} 1\n# TYPE a_total counter\na_total 3\n\n\
                    b_bucket{route=\"/a\",le=\"+Inf\"} 2\nb_sum{route=\"a\\\\b\\\"c\\nd,}=\"} 0.5\n\
                    age -1e3\nbroken{a=\"b\nmalformed\nnone{a=\"b\"} x\nempty{} 1\n";
        let sample = |name: &str, labels: &[(&str, &str)], value| Sample {
            name: name.to_owned(),
            labels: labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
            value,
        };
        assert_eq!(
            parse_samples(text),
            [
                sample("a_total", &[], 3.0),
                sample("b_bucket", &[("le", "+Inf"), ("route", "/a")], 2.0),
                sample("b_sum", &[("route", "a\\b\"c\nd,}=")], 0.5),
                sample("age", &[], -1000.0),
                sample("empty", &[], 1.0),
            ]
        );
    }
}
