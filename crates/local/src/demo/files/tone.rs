//! The signal of one channel as sound: what an experimenter listens to while the probe goes down.

use super::{CHANNELS, SAMPLE_RATE};

/// The channel.
const CHANNEL: usize = 20;

/// Bytes of a frame of the recording.
const FRAME_BYTES: usize = 2 * CHANNELS;

/// Seconds of sound.
const SECONDS: usize = 3;

/// How many of the recording's samples become one: 10 kHz are enough to hear spikes.
const DECIMATION: usize = 2;

/// The first seconds of a channel of the recording as WAV: mono, 16 bits, 10 kHz (Microsoft, "Multimedia Programming Interface and Data
/// Specifications 1.0", section "Waveform Audio File Format").
#[must_use]
pub fn recording_wav(recording: &[u8]) -> Vec<u8> {
    let frames = recording.chunks_exact(FRAME_BYTES).take(SECONDS * SAMPLE_RATE).step_by(DECIMATION);
    let samples: Vec<u8> =
        frames.filter_map(|frame| frame.as_chunks::<2>().0.get(CHANNEL)).flatten().copied().collect();
    let mut wav = Vec::with_capacity(44 + samples.len());
    let rate = (SAMPLE_RATE / DECIMATION) as u32;
    wav.extend_from_slice(b"RIFF");
    wav.extend_from_slice(&(36 + samples.len() as u32).to_le_bytes());
    wav.extend_from_slice(b"WAVEfmt ");
    wav.extend_from_slice(&16_u32.to_le_bytes());
    // PCM, one channel.
    wav.extend_from_slice(&[1, 0, 1, 0]);
    wav.extend_from_slice(&rate.to_le_bytes());
    wav.extend_from_slice(&(2 * rate).to_le_bytes());
    // Two bytes for each sample, of 16 bits.
    wav.extend_from_slice(&[2, 0, 16, 0]);
    wav.extend_from_slice(b"data");
    wav.extend_from_slice(&(samples.len() as u32).to_le_bytes());
    wav.extend_from_slice(&samples);
    wav
}

#[cfg(test)]
mod tests {
    use super::{super::recording, recording_wav};

    #[test]
    fn the_header_has_the_sizes() {
        let wav = recording_wav(&recording());
        let number = |at: usize| u32::from_le_bytes(wav[at..at + 4].try_into().unwrap());
        assert_eq!((&wav[..4], &wav[8..16], &wav[36..40]), (&b"RIFF"[..], &b"WAVEfmt "[..], &b"data"[..]));
        assert_eq!(number(4) as usize, wav.len() - 8);
        assert_eq!(number(40) as usize, wav.len() - 44);
        assert_eq!((number(24), number(28)), (10_000, 20_000));
        assert_eq!(wav.len(), 44 + 2 * 3 * 10_000);
        assert!(wav[44..].iter().any(|byte| *byte != 0), "not silent");
    }
}
