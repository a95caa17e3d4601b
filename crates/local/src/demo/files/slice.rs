//! The slice under the microscope: bands of nuclei, and a few neurons filled with dye.

use std::f64::consts::TAU;

use super::random::SplitMix64;

/// The width and height of the image in pixels.
pub(super) const SIDE: usize = 512;

/// The width of a pixel with a 10× objective.
pub(super) const MICRONS_PER_PIXEL: f64 = 1.3;

/// A colour channel of the microscope.
pub(super) struct Stain {
    /// Its label in viewers.
    pub(super) label: &'static str,
    /// Its colour in viewers.
    pub(super) rgb: [u8; 3],
    /// The intensities that viewers show as black and as the full colour.
    pub(super) window: (u16, u16),
}

/// The stains of [`planes`], in the same order.
pub(super) const STAINS: [Stain; 2] = [
    Stain { label: "DAPI (nuclei)", rgb: [0x2f, 0x6b, 0xff], window: (200, 3_600) },
    Stain { label: "Biocytin (neurons)", rgb: [0xff, 0xa8, 0x3d], window: (200, 2_600) },
];

/// The intensities of one stain, row by row.
pub(super) struct Plane {
    /// The pixels per row.
    pub(super) width: usize,
    /// The rows, concatenated.
    pub(super) pixels: Vec<u16>,
}

/// The images of the nuclei and of the filled neurons.
pub(super) fn planes() -> [Plane; 2] {
    let mut random = SplitMix64::new(4);
    let (mut nuclei, mut neurons) = (Plane::dark(&mut random), Plane::dark(&mut random));
    for band in BANDS {
        for index in 0..band.cells {
            let cell = band.cell(&mut random);
            cell.stain_nucleus(&mut nuclei, &mut random);
            // Few neurons take up the dye.
            if index % 26 == 0 {
                cell.fill_with_dye(&mut neurons, &mut random);
            }
        }
    }
    [nuclei, neurons]
}

/// A band of cells along an arc of an ellipse. Lengths are in pixels. Angles are in turns, clockwise from the right.
struct Band {
    centre: (f64, f64),
    radii: (f64, f64),
    arc: (f64, f64),
    /// Standard deviation of the distance from the arc.
    spread: f64,
    cells: usize,
}

/// The pyramidal layer above, the dentate gyrus below, and sparse cells all around.
const BANDS: [Band; 3] = [
    Band { centre: (250.0, 330.0), radii: (215.0, 195.0), arc: (0.46, 1.02), spread: 9.0, cells: 480 },
    Band { centre: (300.0, 350.0), radii: (120.0, 70.0), arc: (0.36, 1.10), spread: 8.0, cells: 380 },
    Band { centre: (256.0, 256.0), radii: (200.0, 200.0), arc: (0.0, 1.0), spread: 110.0, cells: 240 },
];

impl Band {
    fn cell(&self, random: &mut SplitMix64) -> Cell {
        let angle = TAU * random.in_range(self.arc.0, self.arc.1);
        let off = self.spread * f64::from(random.next_normal()) / 4.0 + random.next_f64();
        let x = self.centre.0 + (self.radii.0 + off) * angle.cos();
        let y = self.centre.1 + (self.radii.1 + off) * angle.sin();
        Cell { x, y, outward: angle, radius: random.in_range(3.2, 4.6) }
    }
}

/// A cell. Lengths are in pixels.
struct Cell {
    x: f64,
    y: f64,
    /// The direction away from the centre of its band, in radians.
    outward: f64,
    radius: f64,
}

impl Cell {
    /// Draws a round nucleus with a few brighter grains, as in cells of mice.
    fn stain_nucleus(&self, plane: &mut Plane, random: &mut SplitMix64) {
        plane.add_spot(self.x, self.y, self.radius, random.in_range(500.0, 1_500.0));
        for _ in 0..3 {
            let mut offset = || random.in_range(-0.5, 0.5) * self.radius;
            plane.add_spot(self.x + offset(), self.y + offset(), 1.0, 900.0);
        }
    }

    /// Draws a bright cell body and two dendrites, one to each side of the band.
    fn fill_with_dye(&self, plane: &mut Plane, random: &mut SplitMix64) {
        plane.add_spot(self.x, self.y, self.radius, 1_900.0);
        for (mut direction, length) in [(self.outward, 70), (self.outward + TAU / 2.0, 35)] {
            let (mut x, mut y) = (self.x, self.y);
            for step in 0..length {
                direction += f64::from(random.next_normal()) / 50.0;
                (x, y) = (x + direction.cos(), y + direction.sin());
                plane.add_spot(x, y, 1.3, 900.0 - 9.0 * f64::from(step));
            }
        }
    }
}

impl Plane {
    /// An image without light: the offset and the noise of the camera.
    fn dark(random: &mut SplitMix64) -> Self {
        let pixels = (0..SIDE * SIDE).map(|_| (180 + 4 * random.next_normal()) as u16).collect();
        Self { width: SIDE, pixels }
    }

    /// Adds a disc with a soft edge, `peak / (1 + (distance / radius)⁶)`.
    fn add_spot(&mut self, x: f64, y: f64, radius: f64, peak: f64) {
        // Less than one percent of the peak is left there.
        let reach = 2.2 * radius;
        let (left, top, size) = ((x - reach) as usize, (y - reach) as usize, (2.0 * reach) as usize + 1);
        for (row, line) in self.pixels.chunks_mut(self.width).enumerate().skip(top).take(size) {
            for (column, pixel) in line.iter_mut().enumerate().skip(left).take(size) {
                let (dx, dy) = (column as f64 - x, row as f64 - y);
                let squared = (dx * dx + dy * dy) / (radius * radius);
                *pixel = pixel.saturating_add((peak / (1.0 + squared * squared * squared)) as u16);
            }
        }
    }

    /// The image at half the width and height. Each pixel is the mean of four.
    pub(super) fn downsample(&self) -> Self {
        let pairs =
            |row: &[u16]| -> Vec<u16> { row.as_chunks().0.iter().map(|[a, b]| a.midpoint(*b)).collect() };
        let half_row = |rows: &[u16]| {
            let (above, below) = rows.split_at(self.width);
            pairs(above).into_iter().zip(pairs(below)).map(|(a, b)| a.midpoint(b)).collect::<Vec<_>>()
        };
        Self {
            width: self.width / 2,
            pixels: self.pixels.chunks_exact(2 * self.width).flat_map(half_row).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Plane, planes};

    #[test]
    fn downsampling_takes_the_mean_of_four() {
        let plane = Plane { width: 4, pixels: vec![0, 2, 10, 10, 4, 6, 10, 10] };
        let half = plane.downsample();
        assert_eq!((half.width, half.pixels), (2, vec![3, 10]));
    }

    #[test]
    fn images_have_bright_cells() {
        for plane in planes() {
            let lit = plane.pixels.iter().filter(|&&pixel| pixel > 1_000).count();
            assert!((2_000..100_000).contains(&lit), "{lit}");
        }
    }
}
