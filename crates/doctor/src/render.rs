//! The report as text: aligned, grouped, and with colours on a terminal.

use std::fmt::Write as _;

use crate::report::{Report, Section, Status};

/// Names longer than this do not widen the column of names.
const MAX_NAME_WIDTH: usize = 36;

/// The width of the longest status.
const STATUS_WIDTH: usize = 7;

/// Escape sequences of a terminal (ECMA-48, "Select Graphic Rendition").
const BOLD: &str = "\x1b[1m";
const DIM: &str = "\x1b[2m";
const GREEN: &str = "\x1b[32m";
const YELLOW: &str = "\x1b[33m";
const RED: &str = "\x1b[31m";
const RESET: &str = "\x1b[0m";

/// Renders the report for a person.
#[must_use]
pub fn render(report: &Report, is_colored: bool) -> String {
    let widths = report.checks().map(|check| check.name.chars().count());
    let width = widths.filter(|width| *width <= MAX_NAME_WIDTH).max().unwrap_or(0);
    let mut text = String::new();
    for section in &report.sections {
        write_section(&mut text, section, width, is_colored);
    }
    write_summary(&mut text, report, is_colored);
    text
}

fn write_section(text: &mut String, section: &Section, width: usize, is_colored: bool) {
    let paint = |code: &'static str| if is_colored { code } else { "" };
    let (bold, dim, reset) = (paint(BOLD), paint(DIM), paint(RESET));
    // Writing to a String does not fail.
    let _ = writeln!(text, "{bold}{}{reset}", section.title);
    for check in &section.checks {
        let (color, status) = (paint(status_color(check.status)), check.status.name());
        let _ =
            writeln!(text, "  {color}{status:STATUS_WIDTH$}{reset}  {:width$}  {}", check.name, check.found);
        if let Some(advice) = &check.advice {
            let _ = writeln!(text, "  {:STATUS_WIDTH$}  {dim}→ {advice}{reset}", "");
        }
    }
    text.push('\n');
}

fn write_summary(text: &mut String, report: &Report, is_colored: bool) {
    let paint = |code: &'static str| if is_colored { code } else { "" };
    let describe_count = |status: Status, one: &str, many: &str| match report.count(status) {
        0 => None,
        1 => Some(format!("{}1 {one}{}", paint(status_color(status)), paint(RESET))),
        count => Some(format!("{}{count} {many}{}", paint(status_color(status)), paint(RESET))),
    };
    let counts = [
        describe_count(Status::Failure, "failure", "failures"),
        describe_count(Status::Warning, "warning", "warnings"),
        describe_count(Status::Skipped, "skipped", "skipped"),
        describe_count(Status::Ok, "ok", "ok"),
    ];
    let counts: Vec<String> = counts.into_iter().flatten().collect();
    let _ = writeln!(text, "{}", counts.join(", "));
}

fn status_color(status: Status) -> &'static str {
    match status {
        Status::Ok => GREEN,
        Status::Skipped => DIM,
        Status::Warning => YELLOW,
        Status::Failure => RED,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Check;

    fn report() -> Report {
        let mut report = Report::default();
        report.add_section(
            "Network",
            vec![
                Check::ok("sqs", "reached in 3 ms"),
                Check::failure("database", "no answer within 3 s", "look at the security groups"),
                Check::warning("a name that is longer than any other name is", "odd", "do"),
            ],
        );
        report.add_section("Empty", vec![]);
        report.add_section("Clock", vec![Check::skipped("clock", "no answer")]);
        report
    }

    #[test]
    fn aligns_and_groups_lines() {
        let expected = "\
Network
  ok       sqs       reached in 3 ms
  failure  database  no answer within 3 s
           → look at the security groups
  warning  a name that is longer than any other name is  odd
           → do

Clock
  skipped  clock     no answer

1 failure, 1 warning, 1 skipped, 1 ok
";
        assert_eq!(render(&report(), false), expected);
    }

    #[test]
    fn colours_do_not_change_the_text() {
        let colored = render(&report(), true);
        assert!(colored.contains("\x1b[31mfailure\x1b[0m"));
        let plain =
            [BOLD, DIM, GREEN, YELLOW, RED, RESET].iter().fold(colored, |text, code| text.replace(code, ""));
        assert_eq!(plain, render(&report(), false));
    }

    #[test]
    fn serializes_as_json() {
        let json = serde_json::to_value(report()).unwrap();
        assert_eq!(json["status"], "failure");
        assert_eq!(json["sections"][0]["checks"][1]["advice"], "look at the security groups");
        assert_eq!(json["sections"][0]["checks"][0].get("advice"), None);
        assert_eq!(serde_json::to_value(Report::default()).unwrap()["status"], "ok");
    }
}
