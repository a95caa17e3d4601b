//! The spikes: which neuron fired when.

use std::iter;

use super::{random::SplitMix64, theta_phase, units::Unit};

/// The number of spikes, about four minutes.
pub(super) const SPIKE_COUNT: usize = 100_000;

/// One spike of a neuron.
pub(super) struct Spike<'a> {
    /// Microseconds from the start of the recording.
    pub(super) at_us: i64,
    /// The neuron.
    pub(super) unit: &'a Unit,
    /// The depth of this spike's trough, in counts of the converter.
    pub(super) counts: i32,
}

/// All spikes in the order of time.
pub(super) fn spikes(units: &[Unit]) -> impl Iterator<Item = Spike<'_>> {
    let weighted_units: Vec<&Unit> =
        units.iter().flat_map(|unit| iter::repeat_n(unit, unit.weight)).collect();
    let (mut random, mut at_us) = (SplitMix64::new(2), 0);
    let spike = move || {
        at_us += gap_us(&mut random, theta_phase(at_us));
        let unit = *weighted_units.get(random.below(weighted_units.len()))?;
        Some(Spike { at_us, unit, counts: unit.counts + 8 * random.next_normal() })
    };
    iter::from_fn(spike).take(SPIKE_COUNT)
}

/// The time to the next spike: exponentially distributed, as for independent neurons, and on average four times shorter in
/// the trough of theta than at its crest.
fn gap_us(random: &mut SplitMix64, phase: f64) -> i64 {
    let mean_us = 3_000.0 * (1.0 + 0.6 * phase.cos());
    (mean_us * -(1.0 - random.next_f64()).ln()) as i64
}

#[cfg(test)]
mod tests {
    use super::{
        super::{theta_phase, units::units},
        SPIKE_COUNT, spikes,
    };

    #[test]
    fn spikes_are_sorted_and_more_frequent_in_the_trough_of_theta() {
        let units = units();
        let spikes: Vec<_> = spikes(&units).collect();
        assert_eq!(spikes.len(), SPIKE_COUNT);
        assert!(spikes.is_sorted_by_key(|spike| spike.at_us));
        assert!((230..250).contains(&(spikes[SPIKE_COUNT - 1].at_us / 1_000_000)));
        let trough = spikes.iter().filter(|spike| theta_phase(spike.at_us).cos() < 0.0).count();
        assert!(trough > SPIKE_COUNT * 6 / 10, "{trough}");
    }
}
