//! The signal of the probe, as raw samples.

use std::{f64::consts::TAU, io};

use serde_json::json;
use time::format_description::well_known::Rfc3339;

use super::{
    CHANNEL_PITCH_UM, CHANNELS, SAMPLE_RATE, START, THETA_US, channel_name, microvolts,
    random::SplitMix64,
    spikes::{Spike, spikes},
    units::units,
};

/// Samples per channel. All channels together have 12 MiB, about five seconds.
const FRAMES: usize = 98_304;

/// Bytes of a frame: one sample of every channel.
const FRAME_BYTES: usize = 2 * CHANNELS;

/// The waveform of a spike, one value per sample (50 µs), in percent of its trough.
const WAVEFORM: [i32; 26] =
    [0, -2, -6, -15, -42, -84, -100, -82, -46, -14, 8, 22, 30, 33, 33, 31, 28, 24, 20, 16, 12, 9, 6, 4, 2, 1];

/// The first seconds of the recording, 12 MiB: frames of signed 16-bit little-endian samples, one per channel.
#[must_use]
pub fn recording() -> Vec<u8> {
    let mut samples = background();
    let units = units();
    for spike in spikes(&units).take_while(|spike| frame_of(spike) < FRAMES) {
        add_spike(&mut samples, &spike);
    }
    samples
}

/// The format of the recording, as JSON.
pub fn recording_json() -> io::Result<String> {
    let start = START.format(&Rfc3339).map_err(io::Error::other)?;
    let names: Vec<String> = (0..CHANNELS).map(channel_name).collect();
    let sidecar = json!({
        "description": "Extracellular recording of a hippocampal slice, first seconds of the session",
        "start": start,
        "sampling_frequency_hz": SAMPLE_RATE,
        "frames": FRAMES,
        "dtype": "<i2",
        "shape": [FRAMES, CHANNELS],
        "microvolts_per_count": microvolts(1),
        "channel_pitch_um": CHANNEL_PITCH_UM,
        "channels": names,
    });
    Ok(format!("{sidecar:#}\n"))
}

/// Rhythms and noise. After one second both rhythms are at their start again, so the rest repeats the first second. That
/// makes it fast even in an unoptimised build.
fn background() -> Vec<u8> {
    let mut random = SplitMix64::new(3);
    let mut samples = Vec::with_capacity(FRAMES * FRAME_BYTES);
    for frame in 0..SAMPLE_RATE {
        let field = field_counts(frame);
        // Theta changes its sign in the middle of the probe, as it does between the layers of the hippocampus.
        for depth in -(CHANNELS as i32) / 2..CHANNELS as i32 / 2 {
            let count = -field * depth / 32 + 7 * random.next_normal();
            samples.extend_from_slice(&(count as i16).to_le_bytes());
        }
    }
    while samples.len() < FRAMES * FRAME_BYTES {
        let rest = FRAMES * FRAME_BYTES - samples.len();
        samples.extend_from_within(..rest.min(SAMPLE_RATE * FRAME_BYTES));
    }
    samples
}

/// The local field at the surface, in counts: theta plus gamma (40 Hz).
fn field_counts(frame: usize) -> i32 {
    let seconds = frame as f64 / SAMPLE_RATE as f64;
    let theta_hz = 1e6 / THETA_US as f64;
    (900.0 * (TAU * theta_hz * seconds).cos() + 150.0 * (TAU * 40.0 * seconds).cos()) as i32
}

/// The frame with the trough of a spike.
fn frame_of(spike: &Spike<'_>) -> usize {
    spike.at_us as usize * SAMPLE_RATE / 1_000_000
}

fn add_spike(samples: &mut [u8], spike: &Spike<'_>) {
    let trough = WAVEFORM.iter().position(|&percent| percent == -100).unwrap_or_default();
    let frames = samples.chunks_exact_mut(FRAME_BYTES).skip(frame_of(spike).saturating_sub(trough));
    for (frame, percent) in frames.zip(WAVEFORM) {
        if let Some(sample) = frame.as_chunks_mut().0.get_mut(spike.unit.channel) {
            // Spikes add up with the background, as in a real recording.
            let count = (spike.counts * percent / 100) as i16;
            *sample = i16::from_le_bytes(*sample).saturating_add(count).to_le_bytes();
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::{CHANNELS, FRAMES, frame_of, recording, recording_json, spikes, units};

    #[test]
    fn the_sidecar_has_the_size() {
        let sidecar: Value = serde_json::from_str(&recording_json().unwrap()).unwrap();
        let size =
            sidecar["shape"].as_array().unwrap().iter().map(|n| n.as_u64().unwrap()).product::<u64>() * 2;
        let recording = recording();
        assert_eq!(recording.len() as u64, size);
        assert_eq!(size, 12 << 20);
        assert_eq!(sidecar["start"], "2024-04-18T09:30:00Z");
        assert!(recording == super::recording());
    }

    #[test]
    fn the_recording_contains_the_spikes_of_the_table() {
        let (recording, units) = (recording(), units());
        let sample = |frame: usize, channel: usize| {
            let index = 2 * (frame * CHANNELS + channel);
            i32::from(i16::from_le_bytes([recording[index], recording[index + 1]]))
        };
        let is_recorded = |spike: &super::Spike<'_>| {
            let (frame, channel) = (frame_of(spike), spike.unit.channel);
            sample(frame, channel)
                < sample(frame - 6, channel).min(sample(frame + 13, channel)) - spike.counts / 2
        };
        let loud: Vec<_> = spikes(&units)
            .take_while(|spike| frame_of(spike) + 13 < FRAMES)
            .filter(|spike| frame_of(spike) > 6 && spike.counts > 600)
            .collect();
        let found = loud.iter().filter(|spike| is_recorded(spike)).count();
        assert!(loud.len() > 500 && found > loud.len() * 9 / 10, "{found} of {}", loud.len());
    }
}
