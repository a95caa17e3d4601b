//! The neurons that the sorter told apart ("units"), and their table.

use super::{
    CHANNEL_PITCH_UM, CHANNELS, channel_name, microvolts,
    noise::Noise,
    spikes::{Spike, spikes},
};

/// How many neurons were found.
const UNITS: usize = 500;

const HEADER: &str =
    "unit_id,channel,depth_um,region,cell_type,trough_to_peak_us,amplitude_uv,spikes,rate_hz\n";

/// A neuron.
pub(super) struct Unit {
    /// From 1.
    pub(super) id: usize,
    /// The channel that hears it best, from 0.
    pub(super) channel: usize,
    /// Trough to peak of its waveform, in microseconds: what tells interneurons from pyramidal cells.
    pub(super) width_us: i32,
    /// Depth of its mean waveform's trough, in counts of the converter.
    pub(super) counts: i32,
    /// How often it fires beside the others.
    pub(super) weight: usize,
}

impl Unit {
    fn new(id: usize, noise: &mut Noise) -> Self {
        let interneuron = noise.below(5) == 0;
        Self {
            id,
            channel: noise.below(CHANNELS),
            width_us: if interneuron { 260 + 7 * noise.bell() } else { 700 + 20 * noise.bell() },
            counts: 250 + noise.below(900) as i32,
            weight: 1 + noise.below(if interneuron { 30 } else { 6 }),
        }
    }

    fn cell_type(&self) -> &'static str {
        if self.width_us < 480 { "interneuron" } else { "excitatory" }
    }

    /// What part of the hippocampus its channel is in.
    pub(super) fn region(&self) -> &'static str {
        match self.channel {
            0..24 => "CA1",
            24..48 => "DG",
            _ => "CA3",
        }
    }
}

/// All neurons, by id.
pub(super) fn units() -> Vec<Unit> {
    let mut noise = Noise::new(1);
    (1..=UNITS).map(|id| Unit::new(id, &mut noise)).collect()
}

/// The neurons as CSV, a header and 500 rows: id, place, kind, and what the spike table says of each.
#[must_use]
pub fn csv() -> String {
    let units = units();
    let spikes: Vec<_> = spikes(&units).collect();
    let seconds = spikes.last().map_or(1.0, |spike| spike.at_us as f64 / 1e6);
    let mut csv = HEADER.to_owned();
    for (unit, fired) in units.iter().zip(counts(&spikes)) {
        csv += &row(unit, fired, f64::from(fired) / seconds);
    }
    csv
}

fn row(unit: &Unit, fired: u32, rate_hz: f64) -> String {
    format!(
        "{},{},{},{},{},{},{:.1},{fired},{rate_hz:.3}\n",
        unit.id,
        channel_name(unit.channel),
        unit.channel * CHANNEL_PITCH_UM,
        unit.region(),
        unit.cell_type(),
        unit.width_us,
        microvolts(unit.counts),
    )
}

/// How often each neuron fired, by id.
fn counts(spikes: &[Spike<'_>]) -> [u32; UNITS] {
    let mut counts = [0; UNITS];
    for spike in spikes {
        if let Some(count) = counts.get_mut(spike.unit.id - 1) {
            *count += 1;
        }
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::{super::spikes::SPIKES, csv};

    #[test]
    fn a_row_a_neuron_and_every_spike_counted() {
        let csv = csv();
        let rows: Vec<Vec<&str>> = csv.lines().map(|line| line.split(',').collect()).collect();
        assert_eq!(rows.len(), 501);
        assert!(rows.iter().all(|row| row.len() == 9));
        let spikes: usize = rows[1..].iter().map(|row| row[7].parse::<usize>().unwrap()).sum();
        assert_eq!(spikes, SPIKES);
        assert_eq!(csv, super::csv());
    }
}
