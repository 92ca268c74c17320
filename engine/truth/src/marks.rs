//! How far the features of a face are from where they belong, without a detector.
//!
//! The truth's geometry says where each of the 68 landmarks lies in the true picture. The patch of luma around it is looked for in the other picture, by
//! normalised correlation: brightness and contrast do not matter, places do. Of places that are about as much alike the nearest counts, so a straight edge
//! (most of the lips) is found across it and not wherever along it. Landmarks without contrast, or on a mere gradient, are left out, and so is what is not
//! on the person.

use std::ops::Range;

use crate::luma;

/// Landmarks.
pub const MARKS: usize = 68;
/// How far a patch is looked for, pixels; what is not found counts as so far away.
pub const SEARCH: isize = 6;
/// A patch reaches so far from its middle.
const REACH: isize = 6;
const SIDE: usize = 2 * REACH as usize + 1;
/// Patches of less contrast (standard deviation of luma) have nothing to be found by: path tracing leaves noise of 2 or 3 levels.
const CONTRAST: f64 = 6.0 / 255.0;
/// A patch that is so much like the truth's own surroundings everywhere could be found anywhere.
const ALIKE: f64 = 0.8;
/// How much more alike a place must be for each square pixel that it is further away.
const NEARER: f64 = 0.003;
/// Offsets at which correlations are worked out: one beyond the search, for the parabola.
const GRID: isize = SEARCH + 1;
const WIDTH: usize = 2 * GRID as usize + 1;

/// What of a true picture can be found in others.
#[derive(Clone, Debug)]
pub struct Marks {
    size: usize,
    all: Vec<Option<Mark>>,
}

#[derive(Clone, Debug)]
struct Mark {
    at: [isize; 2],
    /// Mean 0, sum of squares 1.
    patch: [f64; SIDE * SIDE],
    /// Where the truth's own peak lies between pixels: what the parabola makes of a patch that is where it belongs.
    peak: [f64; 2],
}

impl Marks {
    /// Of a true picture of `size`² pixels with the person's `matte` (S²) and its landmarks `at`, in pixels.
    pub fn new(truth: &[u8], matte: &[u8], at: &[Option<[f32; 2]>], size: usize) -> Self {
        let luma = luma(truth);
        let mark = |at: &Option<[f32; 2]>| {
            let at = (*at)?.map(|v| v.floor() as isize);
            let on = at.iter().all(|v| (0..size as isize).contains(v));
            if !on || matte[at[1] as usize * size + at[0] as usize] < 128 {
                return None;
            }
            let (patch, contrast) = patch(&luma, at, size)?;
            let mut mark = Mark { at, patch, peak: [0.0; 2] };
            let alike = mark.correlations(&luma, size);
            if contrast < CONTRAST || offsets().all(|d| alike[index(d)] > ALIKE) {
                return None;
            }
            mark.peak = peak(&alike, [0, 0]);
            Some(mark)
        };
        Self { size, all: at.iter().map(mark).collect() }
    }

    /// (68) how far from its place each landmark is found in `made`, in pixels; none where the truth has too little texture.
    pub fn distances(&self, made: &[u8]) -> Vec<Option<f64>> {
        let luma = luma(made);
        self.all.iter().map(|mark| mark.as_ref().map(|mark| mark.distance(&luma, self.size))).collect()
    }
}

/// The mean distance of the landmarks `of`, where any of them has one.
pub fn mean(distances: &[Option<f64>], of: Range<usize>) -> Option<f64> {
    let known: Vec<f64> = distances[of].iter().copied().flatten().collect();
    (!known.is_empty()).then(|| known.iter().sum::<f64>() / known.len() as f64)
}

impl Mark {
    fn distance(&self, luma: &[f64], size: usize) -> f64 {
        let alike = self.correlations(luma, size);
        let worth = |[x, y]: [isize; 2]| alike[index([x, y])] - NEARER * (x * x + y * y) as f64;
        let best = offsets().max_by(|a, b| worth(*a).total_cmp(&worth(*b)));
        match best.filter(|at| alike[index(*at)] > 0.0) {
            None => SEARCH as f64,
            Some(at) => {
                let found = peak(&alike, at);
                let [x, y] = [0, 1].map(|i| found[i] - self.peak[i]);
                x.hypot(y).min(SEARCH as f64)
            }
        }
    }

    /// (WIDTH²) at every offset; −1 where there is no contrast.
    fn correlations(&self, luma: &[f64], size: usize) -> Vec<f64> {
        let mut all = Vec::with_capacity(WIDTH * WIDTH);
        for dy in -GRID..=GRID {
            for dx in -GRID..=GRID {
                let there = patch(luma, [self.at[0] + dx, self.at[1] + dy], size);
                all.push(there.map_or(-1.0, |(there, _)| there.iter().zip(&self.patch).map(|(a, b)| a * b).sum()));
            }
        }
        all
    }
}

/// Every offset of the search.
fn offsets() -> impl Iterator<Item = [isize; 2]> {
    (-SEARCH..=SEARCH)
        .flat_map(|y| (-SEARCH..=SEARCH).map(move |x| [x, y]))
        .filter(|[x, y]| x * x + y * y <= SEARCH * SEARCH)
}

fn index([x, y]: [isize; 2]) -> usize {
    (y + GRID) as usize * WIDTH + (x + GRID) as usize
}

/// The parabola's peak through an offset and its neighbours, along both axes; along an edge there is hardly one, and the offset stays.
fn peak(alike: &[f64], at: [isize; 2]) -> [f64; 2] {
    [[1, 0], [0, 1]].map(|step: [isize; 2]| {
        let value = |sign: isize| alike[index([at[0] + sign * step[0], at[1] + sign * step[1]])];
        let (before, here, after) = (value(-1), value(0), value(1));
        let bend = (before - 2.0 * here + after).min(0.0) - 2.0 * NEARER;
        let off = (0.5 * (before - after) / bend).clamp(-0.5, 0.5);
        (at[0] * step[0] + at[1] * step[1]) as f64 + off
    })
}

/// The patch around a pixel without its mean and of length 1, and its standard deviation; none where it is even. The picture's edge repeats.
fn patch(luma: &[f64], at: [isize; 2], size: usize) -> Option<([f64; SIDE * SIDE], f64)> {
    let inside = |v: isize| v.clamp(0, size as isize - 1) as usize;
    let mut out = [0.0; SIDE * SIDE];
    for (row, dy) in out.as_chunks_mut::<SIDE>().0.iter_mut().zip(-REACH..) {
        let line = inside(at[1] + dy) * size;
        row.iter_mut().zip(-REACH..).for_each(|(v, dx)| *v = luma[line + inside(at[0] + dx)]);
    }
    let count = out.len() as f64;
    let mean = out.iter().sum::<f64>() / count;
    out.iter_mut().for_each(|v| *v -= mean);
    let square: f64 = out.iter().map(|v| v * v).sum();
    let length = square.sqrt();
    if length < 1e-6 {
        return None;
    }
    out.iter_mut().for_each(|v| *v /= length);
    Some((out, (square / count).sqrt()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: usize = 96;

    /// Blots without order, `by` pixels further to the right and below: a sum of waves in many directions.
    fn blots(by: [f64; 2], contrast: f64) -> Vec<u8> {
        (0..SIZE * SIZE)
            .flat_map(|k| {
                let (x, y) = ((k % SIZE) as f64 - by[0], (k / SIZE) as f64 - by[1]);
                let sum: f64 = (1..12)
                    .map(|i| {
                        let (i, turn) = (f64::from(i), f64::from(i) * 2.4);
                        ((0.15 + 0.04 * i) * (x * turn.cos() + y * turn.sin()) + i * i).sin()
                    })
                    .sum();
                [(128.0 + contrast * 12.0 * sum).clamp(0.0, 255.0) as u8; 3]
            })
            .collect()
    }

    fn places() -> Vec<Option<[f32; 2]>> {
        (0..MARKS).map(|k| Some([20.3 + 7.0 * (k % 8) as f32, 20.7 + 6.0 * (k / 8) as f32])).collect()
    }

    fn lmd(truth: &[u8], made: &[u8]) -> Option<f64> {
        mean(&Marks::new(truth, &[255; SIZE * SIZE], &places(), SIZE).distances(made), 0..MARKS)
    }

    #[test]
    fn a_shift_is_found_to_a_fraction_of_a_pixel() {
        let truth = blots([0.0; 2], 1.0);
        let known = Marks::new(&truth, &[255; SIZE * SIZE], &places(), SIZE).all.iter().flatten().count();
        assert!(known > 30, "{known}");
        assert_eq!(lmd(&truth, &truth), Some(0.0));
        for by in [[1.5, 0.0], [0.0, -0.4], [2.0, 3.3], [-4.6, 1.2]] {
            let [expected, found] = [f64::hypot(by[0], by[1]), lmd(&truth, &blots(by, 1.0)).unwrap()];
            assert!((found - expected).abs() < 0.15, "{by:?}: {found}");
        }
        // Darker and flatter, but where it belongs.
        let dim: Vec<u8> = blots([0.0; 2], 0.5).iter().map(|v| v / 2).collect();
        assert!(lmd(&truth, &dim).unwrap() < 0.1);
    }

    #[test]
    fn an_edge_is_found_across_it_and_not_along_it() {
        // Softly from dark to bright, with grain that is another in every picture.
        let edge = |at: f64, seed: u32| -> Vec<u8> {
            let level = |k: usize| {
                let mixed = (k as u32 ^ seed).wrapping_mul(0x9e37_79b9);
                let grain = f64::from((mixed ^ mixed >> 15).wrapping_mul(0x85eb_ca6b) >> 24) / 128.0 - 1.0;
                120.0 + 60.0 * (((k % SIZE) as f64 - at) / 2.0).tanh() + grain
            };
            (0..SIZE * SIZE).flat_map(|k| [level(k) as u8; 3]).collect()
        };
        let truth = edge(48.0, 1 << 20);
        for by in [0.0, 0.7, -2.5] {
            let found = lmd(&truth, &edge(48.0 + by, 1 << 24)).unwrap();
            assert!((found - f64::abs(by)).abs() < 0.25, "{by}: {found}");
        }
    }

    #[test]
    fn what_has_no_texture_is_left_out_of_the_truth_and_lost_in_the_other() {
        let (truth, even) = (blots([0.0; 2], 1.0), vec![90; SIZE * SIZE * 3]);
        assert_eq!(lmd(&even, &truth), None);
        assert_eq!(lmd(&truth, &even), Some(SEARCH as f64));
        let ramp: Vec<u8> = (0..SIZE * SIZE).flat_map(|k| [(2 * (k % SIZE)) as u8; 3]).collect();
        assert_eq!(lmd(&ramp, &truth), None);
        let nobody = Marks::new(&truth, &[0; SIZE * SIZE], &places(), SIZE);
        assert!(nobody.all.iter().all(Option::is_none));
        let nowhere = Marks::new(&truth, &[255; SIZE * SIZE], &[None, Some([-3.0, 9.0]), Some([9.0, 1e6])], SIZE);
        assert!(nowhere.all.iter().all(Option::is_none));
    }
}
