//! The image of the microscope as OME-Zarr 0.4 (Zarr version 2): <https://ngff.openmicroscopy.org/0.4/>.

use std::iter;

use serde_json::{Map, Value, json};

use super::{
    FileContent,
    slice::{MICRONS_PER_PIXEL, Plane, SIDE, STAINS, Stain, planes},
};

/// A file of a viewer asset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AssetFile {
    /// The path in the asset, without a leading slash.
    pub path: String,
    /// The content.
    pub content: FileContent,
}

/// The width and height of a chunk in pixels.
const CHUNK_PIXELS: usize = 128;

/// The number of resolutions. Each is half of the previous one.
const LEVELS: usize = 3;

/// The image as a pyramid of 512, 256 and 128 pixels, two channels of 16 bits: 48 files, six of them metadata.
#[must_use]
pub fn ome_zarr() -> Vec<AssetFile> {
    let levels: Vec<[Plane; 2]> =
        iter::successors(Some(planes()), |level| Some(level.each_ref().map(Plane::downsample)))
            .take(LEVELS)
            .collect();
    let mut files = metadata_files();
    for (level, planes) in levels.iter().enumerate() {
        for (channel, plane) in planes.iter().enumerate() {
            files.extend(chunk_files(plane, &format!("{level}/{channel}")));
        }
    }
    files
}

/// The JSON documents, and `.zmetadata`, which repeats all of them for readers that want a single request.
fn metadata_files() -> Vec<AssetFile> {
    let mut documents = Map::new();
    documents.insert(".zgroup".to_owned(), json!({ "zarr_format": 2 }));
    documents.insert(
        ".zattrs".to_owned(),
        json!({ "multiscales": [multiscale_document()], "omero": omero_document() }),
    );
    documents.extend((0..LEVELS).map(|level| (format!("{level}/.zarray"), array_document(SIDE >> level))));
    let all = json!({ "zarr_consolidated_format": 1, "metadata": documents });
    documents.insert(".zmetadata".to_owned(), all);
    let file = |(path, document): (String, Value)| AssetFile {
        path,
        content: FileContent::new("application/json", format!("{document:#}\n")),
    };
    documents.into_iter().map(file).collect()
}

fn multiscale_document() -> Value {
    let dataset = |level: usize| {
        let scale = MICRONS_PER_PIXEL * f64::from(1 << level);
        json!({
            "path": level.to_string(),
            "coordinateTransformations": [{ "type": "scale", "scale": [1.0, scale, scale] }],
        })
    };
    json!({
        "version": "0.4",
        "name": "slice",
        "type": "mean",
        "axes": [
            { "name": "c", "type": "channel" },
            { "name": "y", "type": "space", "unit": "micrometer" },
            { "name": "x", "type": "space", "unit": "micrometer" },
        ],
        "datasets": (0..LEVELS).map(dataset).collect::<Vec<_>>(),
    })
}

/// The display settings of the channels.
fn omero_document() -> Value {
    let channel = |Stain { label, rgb, window }: &Stain| {
        json!({
            "label": label,
            "color": hex::encode_upper(rgb),
            "active": true,
            "coefficient": 1,
            "family": "linear",
            "inverted": false,
            "window": { "min": 0, "max": u16::MAX, "start": window.0, "end": window.1 },
        })
    };
    json!({
        "version": "0.4",
        "name": "slice",
        "channels": STAINS.iter().map(channel).collect::<Vec<_>>(),
        "rdefs": { "defaultT": 0, "defaultZ": 0, "model": "color" },
    })
}

fn array_document(side: usize) -> Value {
    json!({
        "zarr_format": 2,
        "shape": [STAINS.len(), side, side],
        "chunks": [1, CHUNK_PIXELS, CHUNK_PIXELS],
        "dtype": "<u2",
        "order": "C",
        "fill_value": 0,
        "filters": null,
        // Without a compressor every reader can read the chunks.
        "compressor": null,
        // The layout of OME-Zarr 0.4: one directory per dimension.
        "dimension_separator": "/",
    })
}

/// The chunks of one channel, under `{prefix}/{row}/{column}`.
fn chunk_files(plane: &Plane, prefix: &str) -> impl Iterator<Item = AssetFile> {
    let bands = plane.pixels.chunks(CHUNK_PIXELS * plane.width).enumerate();
    bands.flat_map(move |(row, band)| {
        let chunk = move |column: usize| {
            let lines = band.chunks(plane.width).filter_map(|line| line.chunks(CHUNK_PIXELS).nth(column));
            let bytes: Vec<u8> = lines.flatten().flat_map(|pixel| pixel.to_le_bytes()).collect();
            let content = FileContent::new("application/octet-stream", bytes);
            AssetFile { path: format!("{prefix}/{row}/{column}"), content }
        };
        (0..plane.width / CHUNK_PIXELS).map(chunk)
    })
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use serde_json::Value;

    use super::{super::slice::planes, ome_zarr};

    #[test]
    fn has_every_chunk_in_the_right_size() {
        let files: HashMap<_, _> =
            ome_zarr().into_iter().map(|file| (file.path, file.content.bytes)).collect();
        assert_eq!(files.len(), 6 + 2 * (16 + 4 + 1));
        assert!(files.keys().all(|path| !path.starts_with('/')));
        for level in 0..3 {
            let array: Value = serde_json::from_slice(&files[&format!("{level}/.zarray")]).unwrap();
            let chunks = array["shape"][1].as_u64().unwrap() / 128;
            for (channel, row, column) in [(0, 0, 0), (1, chunks - 1, chunks - 1)] {
                assert_eq!(files[&format!("{level}/{channel}/{row}/{column}")].len(), 2 * 128 * 128);
            }
        }
    }

    #[test]
    fn a_chunk_holds_its_part_of_the_image() {
        let file = ome_zarr().into_iter().find(|file| file.path == "0/1/2/3").unwrap();
        let pixels = file.content.bytes;
        let [_, neurons] = planes();
        let (row, column) = (5, 9);
        let at = 2 * (row * 128 + column);
        let expected = neurons.pixels[(2 * 128 + row) * 512 + 3 * 128 + column];
        assert_eq!(u16::from_le_bytes([pixels[at], pixels[at + 1]]), expected);
    }

    #[test]
    fn returns_the_same_bytes_each_time() {
        assert!(ome_zarr() == ome_zarr());
    }
}
