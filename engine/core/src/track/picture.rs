//! A picture, and sampling it through a view.

use rayon::prelude::*;

/// Samples a side that a pixel is the mean of, at most: beyond that a view shrinks so much that no face is left.
const SAMPLES: f64 = 32.0;

/// An 8-bit sRGB picture in memory.
#[derive(Clone, Copy)]
pub struct Picture<'a> {
    rgb: &'a [[u8; 3]],
    width: usize,
    height: usize,
}

impl std::fmt::Debug for Picture<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Picture({}×{})", self.width, self.height)
    }
}

impl<'a> Picture<'a> {
    /// `rgb` is (height, width, 3), row-major.
    ///
    /// # Panics
    /// Where `rgb` has another length, or a side is 0: mistakes in the caller's code.
    pub fn new(rgb: &'a [u8], width: usize, height: usize) -> Self {
        assert!(width > 0 && height > 0, "a picture of {width}×{height}");
        assert_eq!(rgb.len(), 3 * width * height, "a picture of {width}×{height} has three bytes a pixel");
        Self { rgb: rgb.as_chunks().0, width, height }
    }

    /// (height, width, 3), row-major.
    pub fn rgb(&self) -> &'a [u8] {
        self.rgb.as_flattened()
    }

    /// Width in pixels.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Height in pixels.
    pub fn height(&self) -> usize {
        self.height
    }

    /// Bilinear value at a position, pixel centres at whole numbers.
    #[inline(always)]
    fn at(&self, x: f64, y: f64, edge: Edge) -> [f32; 3] {
        let (left, top) = (x.floor(), y.floor());
        let (tx, ty) = ((x - left) as f32, (y - top) as f32);
        // Beyond the far border of any picture; keeps the numbers below within a whole number's range.
        let (left, top) = (left.clamp(-1e6, 1e6) as i64, top.clamp(-1e6, 1e6) as i64);
        let (a, b) = (self.pixel(left, top, edge), self.pixel(left + 1, top, edge));
        let (c, d) = (self.pixel(left, top + 1, edge), self.pixel(left + 1, top + 1, edge));
        std::array::from_fn(|k| {
            let above = a[k] + (b[k] - a[k]) * tx;
            above + (c[k] + (d[k] - c[k]) * tx - above) * ty
        })
    }

    #[inline(always)]
    fn pixel(&self, x: i64, y: i64, edge: Edge) -> [f32; 3] {
        let (right, bottom) = (self.width as i64 - 1, self.height as i64 - 1);
        if edge == Edge::Black && !((0..=right).contains(&x) && (0..=bottom).contains(&y)) {
            return [0.0; 3];
        }
        self.rgb[(y.clamp(0, bottom) * (right + 1) + x.clamp(0, right)) as usize].map(f32::from)
    }

    /// Samples the picture for a network: `to` (3, size, size) planar, with 0 mapped to `range[0]` and 255 to `range[1]`. Pixel (i, j) of `to` is the mean over
    /// the square between view · (i, j) and view · (i + 1, j + 1), by samples that lie a pixel of the picture apart at most.
    pub fn sample(&self, view: &View, size: usize, edge: Edge, range: [f32; 2], to: &mut [f32]) {
        assert_eq!(to.len(), 3 * size * size, "three planes of {size}×{size}");
        let across = view.scale().ceil().clamp(1.0, SAMPLES).max(1.0) as usize;
        let (share, count) = (1.0 / across as f64, (across * across) as f32);
        let factor = (range[1] - range[0]) / (255.0 * count);
        let [[ax, bx, cx], [ay, by, cy]] = view.0;
        let mut pixels = vec![[0.0f32; 3]; size * size];
        pixels.par_chunks_exact_mut(size).enumerate().for_each(|(row, line)| {
            for (col, pixel) in line.iter_mut().enumerate() {
                let mut sum = [0.0f32; 3];
                for b in 0..across {
                    let v = row as f64 + (b as f64 + 0.5) * share;
                    for a in 0..across {
                        let u = col as f64 + (a as f64 + 0.5) * share;
                        let value = self.at(ax * u + bx * v + cx - 0.5, ay * u + by * v + cy - 0.5, edge);
                        for (sum, value) in sum.iter_mut().zip(value) {
                            *sum += value;
                        }
                    }
                }
                *pixel = sum.map(|v| range[0] + v * factor);
            }
        });
        for (c, plane) in to.chunks_exact_mut(size * size).enumerate() {
            for (v, pixel) in plane.iter_mut().zip(&pixels) {
                *v = pixel[c];
            }
        }
    }
}

/// What lies around a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edge {
    /// The outermost pixels again.
    Repeat,
    /// Nothing.
    Black,
}

/// Where the pixels of a small square picture lie in another: p = M · (u, v, 1), M (2, 3), both in pixels with centres at +½.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct View(pub [[f64; 3]; 2]);

impl View {
    /// The whole picture fitted into a square of `size`², in its middle.
    pub fn letter_box(picture: &Picture<'_>, size: usize) -> Self {
        let (width, height) = (picture.width as f64, picture.height as f64);
        let side = width.max(height);
        Self([[side / size as f64, 0.0, (width - side) / 2.0], [0.0, side / size as f64, (height - side) / 2.0]])
    }

    /// What it shows of `size` pixels across, in a mirror: left is right.
    pub fn mirrored(&self, size: usize) -> Self {
        Self(self.0.map(|[a, b, c]| [-a, b, a * size as f64 + c]))
    }

    /// What it shows of `size`², turned by quarters: the small picture's right is the other's down after one of them.
    pub fn turned(&self, quarters: usize, size: usize) -> Self {
        let turn = |[a, b, c]: [f64; 3]| [b, -a, a * size as f64 + c];
        (0..quarters % 4).fold(*self, |view, _| Self(view.0.map(turn)))
    }

    /// Where a point of the small picture lies.
    pub fn apply(&self, [u, v]: [f32; 2]) -> [f32; 2] {
        let (u, v) = (f64::from(u), f64::from(v));
        self.0.map(|[a, b, c]| (a * u + b * v + c) as f32)
    }

    /// Pixels of the picture that a pixel of the small one has along a side.
    fn scale(&self) -> f64 {
        let [[a, b, _], [c, d, _]] = self.0;
        (a * d - b * c).abs().sqrt()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RANGE: [f32; 2] = [0.0, 255.0];

    fn ramp(width: usize, height: usize) -> Vec<u8> {
        (0..width * height).flat_map(|k| [(10 * (k % width)) as u8, (20 * (k / width)) as u8, 7]).collect()
    }

    #[test]
    fn the_identity_copies() {
        let rgb = ramp(4, 4);
        let mut to = vec![0.0; 48];
        let view = View([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]);
        Picture::new(&rgb, 4, 4).sample(&view, 4, Edge::Black, RANGE, &mut to);
        let expected: Vec<f32> = (0..3).flat_map(|c| rgb.iter().skip(c).step_by(3).map(|v| f32::from(*v))).collect();
        assert_eq!(to, expected);
    }

    #[test]
    fn shrinking_averages_and_growing_interpolates() {
        let rgb = ramp(8, 8);
        let picture = Picture::new(&rgb, 8, 8);
        let mut to = vec![0.0; 12];
        picture.sample(&View([[4.0, 0.0, 0.0], [0.0, 4.0, 0.0]]), 2, Edge::Repeat, RANGE, &mut to);
        assert_eq!(to, [15.0, 55.0, 15.0, 55.0, 30.0, 30.0, 110.0, 110.0, 7.0, 7.0, 7.0, 7.0]);
        picture.sample(&View([[0.5, 0.0, 2.0], [0.0, 0.5, 3.0]]), 2, Edge::Repeat, RANGE, &mut to);
        assert_eq!(to[..8], [17.5, 22.5, 17.5, 22.5, 55.0, 55.0, 65.0, 65.0]);
    }

    #[test]
    fn what_lies_around_is_the_edge_or_black() {
        let rgb = [200u8; 3];
        let picture = Picture::new(&rgb, 1, 1);
        let mut to = vec![0.0; 27];
        let view = View([[1.0, 0.0, -1.0], [0.0, 1.0, -1.0]]);
        picture.sample(&view, 3, Edge::Repeat, [-1.0, 1.0], &mut to);
        assert!(to.iter().all(|v| (v - (200.0 / 127.5 - 1.0)).abs() < 1e-6), "{to:?}");
        picture.sample(&view, 3, Edge::Black, [-1.0, 1.0], &mut to);
        assert_eq!((to[0], to[8]), (-1.0, -1.0));
        assert!((to[4] - (200.0 / 127.5 - 1.0)).abs() < 1e-6);
    }

    #[test]
    fn a_wide_picture_is_fitted_into_the_middle() {
        let rgb = ramp(6, 2);
        let view = View::letter_box(&Picture::new(&rgb, 6, 2), 3);
        assert_eq!(view.apply([1.5, 1.5]), [3.0, 1.0]);
        assert_eq!(view.apply([0.0, 1.0]), [0.0, 0.0]);
    }

    #[test]
    fn views_are_mirrored_and_turned_about_their_middle() {
        let view = View([[2.0, 0.0, 10.0], [0.0, 2.0, 20.0]]);
        assert_eq!(view.mirrored(4).apply([0.0, 1.0]), [18.0, 22.0]);
        assert_eq!(view.turned(1, 4).apply([0.0, 0.0]), [18.0, 20.0]);
        assert_eq!(view.turned(1, 4).apply([4.0, 0.0]), [18.0, 28.0]);
        assert_eq!(view.turned(2, 4).apply([1.0, 0.0]), [16.0, 28.0]);
        assert_eq!(view.turned(4, 4), view);
    }

    #[test]
    fn views_far_outside_and_absurd_ones_do_no_harm() {
        let rgb = ramp(5, 3);
        let mut to = vec![0.0; 12];
        for by in [1e12, -1e12, f64::NAN, f64::INFINITY] {
            let view = View([[1.0, by, by], [0.0, by, 1.0]]);
            Picture::new(&rgb, 5, 3).sample(&view, 2, Edge::Repeat, RANGE, &mut to);
        }
    }
}
