//! The files of one small made-up study, real in their formats and true to each other.
//!
//! A probe of 64 channels listened to a hippocampal slice. `recording` is what it heard at first, `parquet` every
//! spike that a sorter found, `csv` the neurons that fired them, `ome_zarr` and `png` the slice under the
//! microscope, and `note` the lab notebook. The spikes of the table are in the recording, sample by sample, and
//! the neurons' spike counts are those of the table.
//!
//! Everything is a pure function: the same bytes each time, from no clock and no source of randomness.
#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "made-up numbers, each far inside its type's range"
)]

mod microscope;
mod noise;
mod notebook;
mod preview;
mod recording;
mod slice;
mod spikes;
mod table;
mod units;

use ::time::{OffsetDateTime, macros::datetime};

pub use self::{
    microscope::{Asset, ome_zarr},
    notebook::note,
    preview::png,
    recording::{recording, recording_json},
    table::parquet,
    units::csv,
};

/// When the recording began.
const START: OffsetDateTime = datetime!(2024-04-18 09:30 UTC);

/// Channels of the probe, [`CHANNEL_PITCH_UM`] apart, from the surface down.
const CHANNELS: usize = 64;

/// Distance of neighbouring channels in micrometres.
const CHANNEL_PITCH_UM: usize = 20;

/// Samples per second and channel.
const SAMPLE_RATE: usize = 20_000;

/// Nanovolts per count of the amplifier's converter.
const NANOVOLTS_PER_COUNT: i32 = 195;

/// One cycle of the theta rhythm (8 Hz) in microseconds.
const THETA_US: i64 = 125_000;

/// How a channel is called everywhere.
fn channel_name(channel: usize) -> String {
    format!("CH{channel:02}")
}

/// Counts of the converter in microvolts.
fn microvolts(counts: i32) -> f64 {
    f64::from(counts * NANOVOLTS_PER_COUNT) / 1_000.0
}

/// Where in the theta cycle a moment is, in radians from the crest at 0 up to 2π; time in microseconds from
/// [`START`].
fn theta_phase(at_us: i64) -> f64 {
    std::f64::consts::TAU * (at_us % THETA_US) as f64 / THETA_US as f64
}
