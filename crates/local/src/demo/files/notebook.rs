//! The pages of the lab notebook.

use time::Duration;

use super::{START, random::SplitMix64};

const PREPARATIONS: [&str; 6] = [
    "Slices rested 60 min at 32 °C, then at room temperature.",
    "Sucrose cutting solution made fresh; blade changed before the second hemisphere.",
    "Slices from the left hemisphere only; the right went to histology.",
    "A little slow today: 9 min from dissection to the first slice.",
    "Used the new carbogen line; bubbles are finer, tissue looks better.",
    "Thickness 350 µm; the first two slices too ventral, discarded.",
];

const OBSERVATIONS: [&str; 8] = [
    "Clear theta on the upper half of the probe, reversing around channel 32.",
    "Sharp-wave ripples every few seconds until the bath warmed up.",
    "Lost the deepest eight channels for a while; reseating the connector helped.",
    "Beautiful dentate spikes after carbachol.",
    "One very large interneuron near the pyramidal layer, easily isolated.",
    "Mains hum again; the perfusion pump was the culprit.",
    "Drift of about 30 µm in the first ten minutes, stable afterwards.",
    "Quiet slice. Raised potassium to 5 mM and it woke up.",
];

const PLANS: [&str; 5] = [
    "Sort tonight and compare with the last slice.",
    "Image the slice at 10× before fixing.",
    "Repeat with the lower carbachol concentration.",
    "Look into the spectral leak above 300 Hz.",
    "Order more artificial CSF salts.",
];

/// Page `n` of the notebook, as Markdown. There is one page per day. Page 60 has the day of the recording.
#[must_use]
pub fn notebook_page(n: u32) -> String {
    let mut random = SplitMix64::new(1_000 + u64::from(n));
    let day = START.date() + Duration::days(i64::from(n) - 60);
    let (temperature, osmolarity) =
        (32.0 + f64::from(random.next_normal()) / 10.0, 300 + random.next_normal());
    let (slices, units) = (3 + random.below(5), 300 + 20 * random.next_normal());
    format!(
        "# Page {n}: {day}

## Preparation

{preparation}

| Bath (°C) | Osmolarity (mOsm/kg) | Slices | Units after a first sort |
|----------:|---------------------:|-------:|-------------------------:|
| {temperature:.1} | {osmolarity} | {slices} | {units} |

## Observations

{observation}

## Next

{plan}
",
        preparation = random.choose(&PREPARATIONS),
        observation = random.choose(&OBSERVATIONS),
        plan = random.choose(&PLANS),
    )
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::notebook_page;

    #[test]
    fn pages_differ() {
        assert_eq!((0..=60).map(notebook_page).collect::<HashSet<_>>().len(), 61);
        assert!(notebook_page(60).starts_with("# Page 60: 2024-04-18\n"));
        assert_eq!(notebook_page(7), notebook_page(7));
    }
}
