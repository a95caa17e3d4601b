//! The slice under the microscope: bands of nuclei, and some neurons filled with dye.

use std::f64::consts::TAU;

use super::noise::Noise;

/// Pixels along each side.
pub(super) const SIDE: usize = 512;

/// The width of a pixel, as with a 10× objective.
pub(super) const MICRONS_PER_PIXEL: f64 = 1.3;

/// A colour channel of the microscope.
pub(super) struct Stain {
    /// What it shows.
    pub(super) label: &'static str,
    /// The colour to show it in.
    pub(super) rgb: [u8; 3],
    /// The intensities to show as black and as the full colour.
    pub(super) window: (u16, u16),
}

/// The stains of [`planes`], in order.
pub(super) const STAINS: [Stain; 2] = [
    Stain { label: "DAPI (nuclei)", rgb: [0x2f, 0x6b, 0xff], window: (200, 3_600) },
    Stain { label: "Biocytin (neurons)", rgb: [0xff, 0xa8, 0x3d], window: (200, 2_600) },
];

/// Intensities of one stain, row by row.
pub(super) struct Plane {
    /// Pixels of a row.
    pub(super) width: usize,
    /// The rows, one after the other.
    pub(super) pixels: Vec<u16>,
}

/// Nuclei and filled neurons.
pub(super) fn planes() -> [Plane; 2] {
    let mut noise = Noise::new(4);
    let (mut nuclei, mut neurons) = (Plane::dark(&mut noise), Plane::dark(&mut noise));
    for band in BANDS {
        for nth in 0..band.cells {
            let cell = band.cell(&mut noise);
            cell.stain_nucleus(&mut nuclei, &mut noise);
            if nth % 26 == 0 {
                cell.fill(&mut neurons, &mut noise);
            }
        }
    }
    [nuclei, neurons]
}

/// A band of cells along an arc of an ellipse; lengths are in pixels and angles in turns, clockwise from the right.
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
    fn cell(&self, noise: &mut Noise) -> Cell {
        let angle = TAU * noise.between(self.arc.0, self.arc.1);
        let off = self.spread * f64::from(noise.bell()) / 4.0 + noise.fraction();
        let x = self.centre.0 + (self.radii.0 + off) * angle.cos();
        let y = self.centre.1 + (self.radii.1 + off) * angle.sin();
        Cell { x, y, outward: angle, radius: noise.between(3.2, 4.6) }
    }
}

/// A cell; lengths in pixels.
struct Cell {
    x: f64,
    y: f64,
    /// The direction away from its band's centre, in radians.
    outward: f64,
    radius: f64,
}

impl Cell {
    /// A round nucleus with a few brighter grains, as DNA of the mouse has.
    fn stain_nucleus(&self, plane: &mut Plane, noise: &mut Noise) {
        plane.add_spot((self.x, self.y), self.radius, noise.between(500.0, 1_500.0));
        for _ in 0..3 {
            let mut offset = || noise.between(-0.5, 0.5) * self.radius;
            plane.add_spot((self.x + offset(), self.y + offset()), 1.0, 900.0);
        }
    }

    /// A bright body, and two dendrites that wander off to either side of the band.
    fn fill(&self, plane: &mut Plane, noise: &mut Noise) {
        plane.add_spot((self.x, self.y), self.radius, 1_900.0);
        for (mut direction, length) in [(self.outward, 70), (self.outward + TAU / 2.0, 35)] {
            let (mut x, mut y) = (self.x, self.y);
            for step in 0..length {
                direction += f64::from(noise.bell()) / 50.0;
                (x, y) = (x + direction.cos(), y + direction.sin());
                plane.add_spot((x, y), 1.3, 900.0 - 9.0 * f64::from(step));
            }
        }
    }
}

impl Plane {
    /// No light but the camera's own: an offset and noise.
    fn dark(noise: &mut Noise) -> Self {
        let pixels = (0..SIDE * SIDE).map(|_| (180 + 4 * noise.bell()) as u16).collect();
        Self { width: SIDE, pixels }
    }

    /// Adds a soft disc, `peak / (1 + (distance / radius)⁶)`.
    fn add_spot(&mut self, (x, y): (f64, f64), radius: f64, peak: f64) {
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

    /// The same picture at half the width and height, each pixel the mean of four.
    pub(super) fn halved(&self) -> Self {
        let pairs =
            |row: &[u16]| -> Vec<u16> { row.as_chunks().0.iter().map(|[a, b]| a.midpoint(*b)).collect() };
        let halved = |rows: &[u16]| {
            let (above, below) = rows.split_at(self.width);
            pairs(above).into_iter().zip(pairs(below)).map(|(a, b)| a.midpoint(b)).collect::<Vec<_>>()
        };
        Self {
            width: self.width / 2,
            pixels: self.pixels.chunks_exact(2 * self.width).flat_map(halved).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Plane, planes};

    #[test]
    fn halving_takes_the_mean_of_four() {
        let plane = Plane { width: 4, pixels: vec![0, 2, 10, 10, 4, 6, 10, 10] };
        let half = plane.halved();
        assert_eq!((half.width, half.pixels), (2, vec![3, 10]));
    }

    #[test]
    fn cells_stand_out_from_the_dark() {
        for plane in planes() {
            let lit = plane.pixels.iter().filter(|&&pixel| pixel > 1_000).count();
            assert!((2_000..100_000).contains(&lit), "{lit}");
        }
    }
}
