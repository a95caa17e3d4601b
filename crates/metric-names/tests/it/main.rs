//! The declared metrics against the documentation, Terraform and the code that emits metrics.
#![expect(clippy::unwrap_used, reason = "these are tests")]

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use metric_names::{ALL, Kind, Unit};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

fn declared_names() -> BTreeSet<String> {
    ALL.iter().map(|metric| metric.name.to_owned()).collect()
}

/// The texts between `start` and the next `end`.
fn texts_between<'a>(text: &'a str, start: &str, end: &[char]) -> Vec<&'a str> {
    text.split(start).skip(1).filter_map(|rest| rest.split(end).next()).collect()
}

/// All files with this extension below `folder`.
fn find_files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(find_files(&path, extension));
        } else if path.extension().is_some_and(|found| found == extension) {
            files.push(path);
        }
    }
    files
}

#[test]
fn names_are_unique_and_follow_the_conventions() {
    assert_eq!(declared_names().len(), ALL.len());
    for metric in ALL {
        let name = metric.name;
        assert_eq!(name.ends_with("_total"), metric.kind == Kind::Counter, "{name}");
        assert_eq!(name.ends_with("_seconds"), metric.unit == Unit::Seconds, "{name}");
        assert_eq!(metric.buckets.is_empty(), metric.kind != Kind::Histogram, "{name}");
        assert!(metric.buckets.is_sorted_by(|one, next| one < next), "{name}");
        assert!(!metric.help.is_empty() && !metric.help.ends_with('.'), "{name}");
    }
}

/// The names are in the first column of the table.
#[test]
fn operations_md_lists_exactly_the_declared_metrics() {
    let text = fs::read_to_string(root().join("docs/operations.md")).unwrap();
    let (_, table) = text.split_once("| metric |").unwrap();
    let rows = table.lines().skip(1).map(str::trim).take_while(|line| line.starts_with('|'));
    let first_column = rows.filter_map(|row| row.split('|').nth(1));
    let listed: Vec<String> =
        first_column.flat_map(|cell| cell.split('`').skip(1).step_by(2)).map(str::to_owned).collect();
    assert_eq!(listed.len(), ALL.len(), "each metric is listed once");
    assert_eq!(listed.into_iter().collect::<BTreeSet<_>>(), declared_names());
}

/// Log metric filters read `$.name` of a metric's line. The dashboard searches for the names of a list.
#[test]
fn terraform_uses_only_declared_metrics() {
    let mut used = BTreeSet::new();
    for file in ["alarms.tf", "dashboard.tf"] {
        let text = fs::read_to_string(root().join("terraform").join(file)).unwrap();
        used.extend(texts_between(&text, "$.", &[' ', '"', '}']).into_iter().map(str::to_owned));
        let searched = text.split("MetricName=").next().filter(|before| before.len() < text.len());
        let list = searched.and_then(|before| before.rsplit("for name in [").next());
        let names = list.and_then(|list| list.split(']').next()).unwrap_or_default();
        used.extend(names.split('"').skip(1).step_by(2).map(str::to_owned));
    }
    assert!(used.contains("restores_given_up_total") && used.contains("links_issued_total"), "{used:?}");
    let undeclared: Vec<_> = used.difference(&declared_names()).cloned().collect();
    assert_eq!(undeclared, Vec::<String>::new());
}

/// Metrics are emitted by `metric_names::NAME.name`, never by a literal. `telemetry` emits metrics in its tests only.
#[test]
fn code_emits_only_declared_metrics() {
    let mut emitted = BTreeSet::new();
    for folder in ["crates", "lambda"] {
        for file in find_files(&root().join(folder), "rs") {
            let path = file.display().to_string();
            if path.contains("/telemetry/") || path.contains("/metric-names/") {
                continue;
            }
            let text = fs::read_to_string(&file).unwrap();
            for macro_name in ["counter!(", "gauge!(", "histogram!("] {
                for argument in texts_between(&text, macro_name, &[',', ')']) {
                    let name = argument
                        .trim()
                        .strip_prefix("metric_names::")
                        .and_then(|text| text.strip_suffix(".name"));
                    let name = name.unwrap_or_else(|| panic!("{path}: {macro_name}{argument}"));
                    emitted.insert(name.to_lowercase());
                }
            }
        }
    }
    assert_eq!(emitted, declared_names(), "each declared metric is emitted");
}
