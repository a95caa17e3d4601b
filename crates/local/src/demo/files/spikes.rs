//! When which neuron fired.

use std::iter;

use super::{noise::Noise, theta_phase, units::Unit};

/// How many spikes were found: four minutes of them.
pub(super) const SPIKES: usize = 100_000;

/// A neuron that fired.
pub(super) struct Spike<'a> {
    /// Microseconds from the start of the recording.
    pub(super) at_us: i64,
    /// Who fired.
    pub(super) unit: &'a Unit,
    /// How deep the trough was this time, in counts of the converter.
    pub(super) counts: i32,
}

/// All spikes in order of time.
pub(super) fn spikes(units: &[Unit]) -> impl Iterator<Item = Spike<'_>> {
    let lottery: Vec<&Unit> = units.iter().flat_map(|unit| iter::repeat_n(unit, unit.weight)).collect();
    let (mut noise, mut at_us) = (Noise::new(2), 0);
    let spike = move || {
        at_us += gap_us(&mut noise, theta_phase(at_us));
        let unit = *lottery.get(noise.below(lottery.len()))?;
        Some(Spike { at_us, unit, counts: unit.counts + 8 * noise.bell() })
    };
    iter::from_fn(spike).take(SPIKES)
}

/// How long until someone fires: exponential, as for independent neurons, and four times shorter in the trough of
/// theta than at its crest.
fn gap_us(noise: &mut Noise, phase: f64) -> i64 {
    let mean_us = 3_000.0 * (1.0 + 0.6 * phase.cos());
    (mean_us * -(1.0 - noise.fraction()).ln()) as i64
}

#[cfg(test)]
mod tests {
    use super::{
        super::{theta_phase, units::units},
        SPIKES, spikes,
    };

    #[test]
    fn spikes_are_in_order_and_prefer_the_trough_of_theta() {
        let units = units();
        let spikes: Vec<_> = spikes(&units).collect();
        assert_eq!(spikes.len(), SPIKES);
        assert!(spikes.is_sorted_by_key(|spike| spike.at_us));
        assert!((230..250).contains(&(spikes[SPIKES - 1].at_us / 1_000_000)));
        let trough = spikes.iter().filter(|spike| theta_phase(spike.at_us).cos() < 0.0).count();
        assert!(trough > SPIKES * 6 / 10, "{trough}");
    }
}
