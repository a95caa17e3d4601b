//! The files of a small invented study, in real formats and consistent with each other.
//!
//! A probe with 64 channels recorded a hippocampal slice. `recording` has the first seconds of the signal, `spike_table` all
//! spikes of a spike sorter, `units` the neurons that fired them, `microscope` and `preview` the image of the slice, and
//! `notebook` the pages of the lab notebook. The recording contains the spikes of the table, sample by sample, and the spike
//! counts of the neurons are those of the table.
//!
//! All functions are pure: they use no clock and no source of randomness, so they return the same bytes each time.
#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "invented numbers, each far inside the range of its type"
)]

mod course;
mod microscope;
mod notebook;
mod preview;
mod random;
mod recording;
mod slice;
mod spike_table;
mod spikes;
mod tone;
mod units;

use ::time::{OffsetDateTime, macros::datetime};

pub use self::{
    course::{COURSE_README, answers_tsv, course_json},
    microscope::{AssetFile, ome_zarr},
    notebook::notebook_page,
    preview::preview_png,
    recording::{recording, recording_json},
    spike_table::spikes_parquet,
    tone::recording_wav,
    units::units_csv,
};

/// The content of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileContent {
    /// The content type.
    pub content_type: &'static str,
    /// The bytes.
    pub bytes: Vec<u8>,
}

impl FileContent {
    /// Content of this type.
    #[must_use]
    pub fn new(content_type: &'static str, bytes: impl Into<Vec<u8>>) -> Self {
        Self { content_type, bytes: bytes.into() }
    }
}

/// The start of the recording.
const START: OffsetDateTime = datetime!(2024-04-18 09:30 UTC);

/// The channels of the probe, [`CHANNEL_PITCH_UM`] apart, from the surface down.
const CHANNELS: usize = 64;

/// The distance between neighbouring channels in micrometres.
const CHANNEL_PITCH_UM: usize = 20;

/// Samples per second and channel.
const SAMPLE_RATE: usize = 20_000;

/// Nanovolts per count of the amplifier's converter.
const NANOVOLTS_PER_COUNT: i32 = 195;

/// One cycle of the theta rhythm (8 Hz) in microseconds.
const THETA_US: i64 = 125_000;

/// The name of a channel in all files.
fn channel_name(channel: usize) -> String {
    format!("CH{channel:02}")
}

/// Converts counts of the amplifier to microvolts.
fn microvolts(counts: i32) -> f64 {
    f64::from(counts * NANOVOLTS_PER_COUNT) / 1_000.0
}

/// The phase of the theta cycle at a time in microseconds since [`START`]: radians from 0 at the crest up to 2π.
fn theta_phase(at_us: i64) -> f64 {
    std::f64::consts::TAU * (at_us % THETA_US) as f64 / THETA_US as f64
}
