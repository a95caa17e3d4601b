//! The files of the second dataset: a course that works with the recording.

use serde_json::json;
use std::fmt::Write as _;

use super::{random::SplitMix64, units::units};

/// What the dataset is, as Markdown with what a viewer should show: a table, code, a list, and HTML that is only text.
pub const COURSE_README: &str = "# Spikes for beginners

An exercise in two hours: **find the interneurons** of the hippocampal slice by the shape of their spikes.

1. Read `units.csv` of the dataset *Hippocampal slice 12*.
2. Plot trough-to-peak times. Two groups appear:

| group | trough to peak | rate |
|-------|---------------:|-----:|
| interneurons | < 400 µs | high |
| pyramidal cells | > 500 µs | low |

3. Listen to `channel-20.wav`: theta is too low to hear, the spikes are the crackling.

```python
import pandas as pd
units = pd.read_csv(\"units.csv\")
print((units.trough_to_peak_us < 400).mean())
```

> Names of files may be anything: `<b>not bold</b>` is text.

[The answers](https://example.org/answers) come a week later.
";

/// The settings of the exercise, as JSON.
#[must_use]
pub fn course_json() -> String {
    let widths: Vec<i32> = units().iter().take(12).map(|unit| unit.width_us).collect();
    let settings = json!({
        "title": "Spikes for beginners",
        "duration_minutes": 120,
        "threshold_us": 450,
        "example_trough_to_peak_us": widths,
        "groups": { "interneuron": "< 400 µs", "pyramidal": "> 500 µs" },
        "published": false,
        "answers": null,
    });
    format!("{settings:#}\n")
}

/// The answers of the participants, as tab-separated values.
#[must_use]
pub fn answers_tsv() -> String {
    let mut random = SplitMix64::new(12);
    let mut text = "participant\tinterneurons\tminutes\n".to_owned();
    for participant in 1..=40 {
        let (found, minutes) = (95 + 3 * random.next_normal(), 80 + random.below(40));
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{participant}\t{found}\t{minutes}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{answers_tsv, course_json};

    #[test]
    fn files_are_the_same_each_time() {
        let settings: serde_json::Value = serde_json::from_str(&course_json()).unwrap();
        assert_eq!(settings["example_trough_to_peak_us"].as_array().unwrap().len(), 12);
        assert_eq!((course_json(), answers_tsv()), (course_json(), answers_tsv()));
        assert_eq!(answers_tsv().lines().count(), 41);
    }
}
