//! The image of the microscope as a small colour picture.

use std::io;

use png::{BitDepth, ColorType, Compression, Encoder, EncodingError};

use super::slice::{MICRONS_PER_PIXEL, STAINS, Stain, planes};

const WIDTH: usize = 480;
const HEIGHT: usize = 320;

/// The first row and column of the image in the preview.
const CORNER: (usize, usize) = (84, 16);

/// The length of the scale bar.
const BAR_MICRONS: f64 = 100.0;

/// The image in colour as PNG, 480 by 320 pixels, with a scale bar of 100 µm.
pub fn preview_png() -> io::Result<Vec<u8>> {
    let mut rgb = vec![[0; 3]; WIDTH * HEIGHT];
    for (stain, plane) in STAINS.iter().zip(planes()) {
        let rows = plane.pixels.chunks(plane.width).skip(CORNER.0);
        for (line, row) in rgb.chunks_mut(WIDTH).zip(rows) {
            for (pixel, &intensity) in line.iter_mut().zip(row.iter().skip(CORNER.1)) {
                add_light(pixel, stain, intensity);
            }
        }
    }
    draw_scale_bar(&mut rgb);
    Ok(encode(rgb.as_flattened())?)
}

/// Adds the colour of a stain to a pixel. Light of several stains adds up.
fn add_light(pixel: &mut [u8; 3], stain: &Stain, intensity: u16) {
    let (black, full) = (u32::from(stain.window.0), u32::from(stain.window.1));
    let light = u32::from(intensity).clamp(black, full) - black;
    if light == 0 {
        return; // most pixels are black
    }
    for (value, colour) in pixel.iter_mut().zip(stain.rgb) {
        *value = value.saturating_add((light * u32::from(colour) / (full - black)) as u8);
    }
}

fn draw_scale_bar(rgb: &mut [[u8; 3]]) {
    let length = (BAR_MICRONS / MICRONS_PER_PIXEL) as usize;
    for line in rgb.chunks_mut(WIDTH).skip(HEIGHT - 18).take(4) {
        line.iter_mut().rev().skip(16).take(length).for_each(|pixel| *pixel = [0xff; 3]);
    }
}

fn encode(rgb: &[u8]) -> Result<Vec<u8>, EncodingError> {
    let mut file = Vec::new();
    let mut encoder = Encoder::new(&mut file, WIDTH as u32, HEIGHT as u32);
    encoder.set_color(ColorType::Rgb);
    encoder.set_depth(BitDepth::Eight);
    encoder.set_compression(Compression::Fastest);
    let mut writer = encoder.write_header()?;
    writer.write_image_data(rgb)?;
    writer.finish()?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::preview_png;

    #[test]
    fn decodes_as_png() {
        let file = preview_png().unwrap();
        let mut reader = ::png::Decoder::new(Cursor::new(&file)).read_info().unwrap();
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        let info = reader.next_frame(&mut pixels).unwrap();
        assert_eq!((info.width, info.height, pixels.len()), (480, 320, 480 * 320 * 3));
        assert!(pixels.iter().filter(|&&value| value > 100).count() > 10_000);
        assert!(file == preview_png().unwrap());
    }
}
