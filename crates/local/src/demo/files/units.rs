//! The neurons that the spike sorter found ("units"), and their table.

use super::{
    CHANNEL_PITCH_UM, CHANNELS, channel_name, microvolts,
    random::SplitMix64,
    spikes::{Spike, spikes},
};

/// The number of neurons.
const UNIT_COUNT: usize = 500;

const CSV_HEADER: &str =
    "unit_id,channel,depth_um,region,cell_type,trough_to_peak_us,amplitude_uv,spikes,rate_hz\n";

/// A neuron.
pub(super) struct Unit {
    /// The id, from 1.
    pub(super) id: usize,
    /// The channel with its strongest signal, from 0.
    pub(super) channel: usize,
    /// The time from trough to peak of its waveform, in microseconds. Interneurons have shorter ones than pyramidal cells.
    pub(super) width_us: i32,
    /// The depth of the trough of its mean waveform, in counts of the converter.
    pub(super) counts: i32,
    /// Its firing rate relative to the others.
    pub(super) weight: usize,
}

impl Unit {
    fn new(id: usize, random: &mut SplitMix64) -> Self {
        let is_interneuron = random.below(5) == 0;
        Self {
            id,
            channel: random.below(CHANNELS),
            width_us: if is_interneuron {
                260 + 7 * random.next_normal()
            } else {
                700 + 20 * random.next_normal()
            },
            counts: 250 + random.below(900) as i32,
            weight: 1 + random.below(if is_interneuron { 30 } else { 6 }),
        }
    }

    fn cell_type(&self) -> &'static str {
        if self.width_us < 480 { "interneuron" } else { "excitatory" }
    }

    /// The part of the hippocampus at its channel.
    pub(super) fn region(&self) -> &'static str {
        match self.channel {
            0..24 => "CA1",
            24..48 => "DG",
            _ => "CA3",
        }
    }
}

/// All neurons in the order of their ids.
pub(super) fn units() -> Vec<Unit> {
    let mut random = SplitMix64::new(1);
    (1..=UNIT_COUNT).map(|id| Unit::new(id, &mut random)).collect()
}

/// The neurons as CSV, a header and 500 rows: the id, position and type of each, and its statistics from the spike table.
#[must_use]
pub fn units_csv() -> String {
    let units = units();
    let spikes: Vec<_> = spikes(&units).collect();
    let seconds = spikes.last().map_or(1.0, |spike| spike.at_us as f64 / 1e6);
    let mut csv = CSV_HEADER.to_owned();
    for (unit, count) in units.iter().zip(count_spikes(&spikes)) {
        csv += &format_row(unit, count, f64::from(count) / seconds);
    }
    csv
}

fn format_row(unit: &Unit, spike_count: u32, rate_hz: f64) -> String {
    format!(
        "{},{},{},{},{},{},{:.1},{spike_count},{rate_hz:.3}\n",
        unit.id,
        channel_name(unit.channel),
        unit.channel * CHANNEL_PITCH_UM,
        unit.region(),
        unit.cell_type(),
        unit.width_us,
        microvolts(unit.counts),
    )
}

/// The number of spikes of each neuron.
fn count_spikes(spikes: &[Spike<'_>]) -> [u32; UNIT_COUNT] {
    let mut counts = [0; UNIT_COUNT];
    for spike in spikes {
        if let Some(count) = counts.get_mut(spike.unit.id - 1) {
            *count += 1;
        }
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::{super::spikes::SPIKE_COUNT, units_csv};

    #[test]
    fn has_one_row_per_neuron_and_counts_every_spike() {
        let csv = units_csv();
        let rows: Vec<Vec<&str>> = csv.lines().map(|line| line.split(',').collect()).collect();
        assert_eq!(rows.len(), 501);
        assert!(rows.iter().all(|row| row.len() == 9));
        let spikes: usize = rows[1..].iter().map(|row| row[7].parse::<usize>().unwrap()).sum();
        assert_eq!(spikes, SPIKE_COUNT);
        assert_eq!(csv, units_csv());
    }
}
