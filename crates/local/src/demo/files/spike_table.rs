//! All spikes, as Parquet.

use std::{io, sync::Arc};

use parquet::{
    basic::{Compression, Encoding},
    data_type::{ByteArray, ByteArrayType, DataType, DoubleType, FloatType, Int32Type, Int64Type},
    errors::{ParquetError, Result},
    file::{
        properties::WriterProperties,
        writer::{SerializedFileWriter, SerializedRowGroupWriter},
    },
    schema::{parser::parse_message_type, types::ColumnPath},
};

use super::{
    CHANNELS, START, channel_name, microvolts,
    spikes::{Spike, spikes},
    theta_phase,
    units::units,
};

/// Rows per row group. A reader of a short time range needs one or two of the ten groups.
const ROWS_PER_GROUP: usize = 10_000;

// `TIMESTAMP(MICROS, true)` means UTC.
const SCHEMA: &str = "message spikes {
    REQUIRED INT64 time (TIMESTAMP(MICROS, true));
    REQUIRED INT32 unit_id;
    REQUIRED BYTE_ARRAY channel (STRING);
    REQUIRED BYTE_ARRAY region (STRING);
    REQUIRED DOUBLE amplitude_uv;
    REQUIRED INT32 trough_to_peak_us;
    REQUIRED FLOAT theta_phase_rad;
}";

/// A Parquet file of 100,000 spikes in ten row groups, sorted by time. The columns are the time (UTC), the neuron, its channel
/// and region, the depth of the trough in microvolts, the width in microseconds, and the theta phase in radians.
pub fn spikes_parquet() -> io::Result<Vec<u8>> {
    let units = units();
    write_file(&spikes(&units).collect::<Vec<_>>()).map_err(io::Error::other)
}

fn write_file(spikes: &[Spike<'_>]) -> Result<Vec<u8>> {
    let schema = Arc::new(parse_message_type(SCHEMA)?);
    let mut file = SerializedFileWriter::new(Vec::new(), schema, Arc::new(writer_properties()))?;
    let channels: Vec<ByteArray> =
        (0..CHANNELS).map(|channel| ByteArray::from(&*channel_name(channel))).collect();
    for rows in spikes.chunks(ROWS_PER_GROUP) {
        let mut group = file.next_row_group()?;
        write_columns(&mut group, rows, &channels)?;
        group.close()?;
    }
    file.into_inner()
}

/// Times only increase, so their differences compress well. The other columns repeat few values, so dictionaries compress
/// well.
fn writer_properties() -> WriterProperties {
    let time = ColumnPath::from("time");
    WriterProperties::builder()
        .set_compression(Compression::SNAPPY)
        .set_column_dictionary_enabled(time.clone(), false)
        .set_column_encoding(time, Encoding::DELTA_BINARY_PACKED)
        .build()
}

/// Writes the columns in the order of [`SCHEMA`].
fn write_columns(
    group: &mut SerializedRowGroupWriter<'_, Vec<u8>>,
    rows: &[Spike<'_>],
    channels: &[ByteArray],
) -> Result<()> {
    let start_us = START.unix_timestamp() * 1_000_000;
    let name = |spike: &Spike<'_>| channels.get(spike.unit.channel).cloned().unwrap_or_default();
    write_column::<Int64Type>(group, rows, |spike| start_us + spike.at_us)?;
    write_column::<Int32Type>(group, rows, |spike| spike.unit.id as i32)?;
    write_column::<ByteArrayType>(group, rows, name)?;
    write_column::<ByteArrayType>(group, rows, |spike| ByteArray::from(spike.unit.region()))?;
    write_column::<DoubleType>(group, rows, |spike| microvolts(spike.counts))?;
    write_column::<Int32Type>(group, rows, |spike| spike.unit.width_us)?;
    write_column::<FloatType>(group, rows, |spike| (theta_phase(spike.at_us) * 100.0).round() as f32 / 100.0)
}

fn write_column<T: DataType>(
    group: &mut SerializedRowGroupWriter<'_, Vec<u8>>,
    rows: &[Spike<'_>],
    value: impl Fn(&Spike<'_>) -> T::T,
) -> Result<()> {
    let values: Vec<T::T> = rows.iter().map(value).collect();
    let mut column =
        group.next_column()?.ok_or(ParquetError::General("the schema has fewer columns".to_owned()))?;
    column.typed::<T>().write_batch(&values, None, None)?;
    column.close()
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use parquet::{
        file::{
            reader::{FileReader, SerializedFileReader},
            statistics::Statistics,
        },
        record::RowAccessor,
    };

    use super::{super::spikes::SPIKE_COUNT, START, spikes_parquet};

    fn reader() -> SerializedFileReader<Bytes> {
        SerializedFileReader::new(Bytes::from(spikes_parquet().unwrap())).unwrap()
    }

    #[test]
    fn returns_the_same_small_file_each_time() {
        let file = spikes_parquet().unwrap();
        assert!(file.len() < 3_000_000, "{}", file.len());
        assert!(file == spikes_parquet().unwrap());
    }

    #[test]
    fn row_groups_are_sorted_by_time() {
        let reader = reader();
        let meta = reader.metadata();
        assert_eq!((meta.num_row_groups(), meta.file_metadata().num_rows()), (10, SPIKE_COUNT as i64));
        let mut end = START.unix_timestamp() * 1_000_000;
        for group in meta.row_groups() {
            assert_eq!(group.num_rows(), 10_000);
            let Some(Statistics::Int64(time)) = group.column(0).statistics() else { panic!("no statistics") };
            let (first, last) = (*time.min_opt().unwrap(), *time.max_opt().unwrap());
            assert!(end <= first && first < last);
            end = last;
        }
    }

    #[test]
    fn rows_have_the_right_types() {
        let reader = reader();
        let row = reader.get_row_iter(None).unwrap().next().unwrap().unwrap();
        let names: Vec<&str> = row.get_column_iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(
            names,
            "time unit_id channel region amplitude_uv trough_to_peak_us theta_phase_rad"
                .split(' ')
                .collect::<Vec<_>>()
        );
        assert!(row.get_timestamp_micros(0).unwrap() >= START.unix_timestamp() * 1_000_000);
        assert!((1..=500).contains(&row.get_int(1).unwrap()));
        assert!(row.get_string(2).unwrap().starts_with("CH"));
        assert!((1.0..300.0).contains(&row.get_double(4).unwrap()));
    }
}
