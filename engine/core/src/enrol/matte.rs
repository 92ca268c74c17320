//! The matte of a portrait: a small network's opinion, brought to the edges that the picture has, and rid of what is no part of the person.

use rayon::prelude::*;

use crate::avatar::{Matte, Portrait};
use crate::track::{MATTE, Picture, Segmenter, TrackError, View};

/// Side of the picture in which the guided filter is solved; larger portraits take its coefficients from there (He and Sun, *Fast guided filter*, 2015).
const SOLVED: usize = 512;
/// Its window, pixels to each side, and how much of a colour's variance is noise.
const REACH: usize = 9;
const NOISE: f32 = 2e-4;
/// The filter only answers where the network is unsure, and this near to it, pixels.
const BAND: usize = 6;
const SURE: f32 = 0.05;
/// What the filter leaves of the background is taken for nothing, and of the person for all.
const LEVELS: [f32; 2] = [0.08, 0.92];
/// What is half person and has neither a sure person nor a sure background this near is no edge, pixels.
const EDGE: usize = 14;
/// Shares of that window that are sure, from which on an edge is believed.
const BELIEVED: f32 = 0.04;
/// From this on a pixel may join the head to what lies beyond it.
const JOINED: f32 = 0.6;
/// What is softer is decided by what surrounds it, towards the person from the first to the second of these.
const HALF: [f32; 2] = [0.4, 0.8];
/// The face is person whatever the network says: the hull of its points, less a margin (by its size).
const MARGIN: f64 = 0.06;

/// A portrait's matte, and how much of it is guessed.
#[derive(Clone, Debug)]
pub(super) struct Cut {
    pub(super) matte: Matte,
    /// Share of the picture that is soft and no edge: it was decided by what lies around.
    pub(super) unsure: f32,
}

/// The matte of a portrait. `face` are the points of its face, in units of its side.
pub(super) fn matte(segmenter: &mut Segmenter, portrait: &Portrait, face: &[[f64; 2]]) -> Result<Cut, TrackError> {
    let raw = both_ways(segmenter, portrait)?;
    let side = portrait.side;
    let solved = SOLVED.min(side);
    let guide = guide(portrait, solved);
    let rough = enlarged(&raw, MATTE, solved);
    let lines = guided(&guide, &rough, solved);
    let mut fine = applied(portrait, &lines, solved, &rough);
    let [low, high] = LEVELS;
    fine.par_iter_mut().for_each(|v| *v = ((*v - low) / (high - low)).clamp(0.0, 1.0));
    let face = filled(&hull(face), solved);
    let small: Vec<f32> = shrunk(&fine, side, solved).iter().zip(&face).map(|(v, face)| v.max(*face)).collect();
    let (keep, unsure) = kept(&small, solved, &face);
    let (keep, face) = (enlarged(&keep, solved, side), enlarged(&face, solved, side));
    // Both ends of `keep` are decisions: 0 is background, 1 is person, ½ leaves it as it is.
    let alpha = (fine.par_iter().zip(&face).map(|(v, face)| v.max(*face)).zip(&keep))
        .map(|(v, keep)| if *keep < 0.5 { v * 2.0 * keep } else { v + (1.0 - v) * (2.0 * keep - 1.0) })
        .map(|v| (255.0 * v.clamp(0.0, 1.0) + 0.5) as u8)
        .collect();
    Ok(Cut { matte: Matte { side, alpha }, unsure })
}

/// What the network says of the picture and of its mirror image, in the mean: (256, 256).
fn both_ways(segmenter: &mut Segmenter, portrait: &Portrait) -> Result<Vec<f32>, TrackError> {
    let picture = Picture::new(&portrait.rgb, portrait.side, portrait.side);
    let view = View::letter_box(&picture, MATTE);
    let mut raw = segmenter.matte(&picture, &view)?.to_vec();
    let mirror = segmenter.matte(&picture, &view.mirrored(MATTE))?;
    for (row, other) in raw.chunks_exact_mut(MATTE).zip(mirror.chunks_exact(MATTE)) {
        row.iter_mut().zip(other.iter().rev()).for_each(|(v, o)| *v = (0.5 * (*v + o)).clamp(0.0, 1.0));
    }
    Ok(raw)
}

/// The portrait's colours at another size, 0 to 1.
fn guide(portrait: &Portrait, size: usize) -> [Vec<f32>; 3] {
    let picture = Picture::new(&portrait.rgb, portrait.side, portrait.side);
    let mut planes = vec![0.0; 3 * size * size];
    picture.sample(&View::letter_box(&picture, size), size, crate::track::Edge::Repeat, [0.0, 1.0], &mut planes);
    let blue = planes.split_off(2 * size * size);
    let green = planes.split_off(size * size);
    [planes, green, blue]
}

/// The guided filter with a colour guide (He, Sun and Tang 2013, equations 19 and 20): a linear function of the colour for each pixel, (r, g, b, 1).
fn guided(guide: &[Vec<f32>; 3], of: &[f32], size: usize) -> [Vec<f32>; 4] {
    let mean = |plane: &[f32]| box_mean(plane, size, REACH);
    let product = |a: &[f32], b: &[f32]| -> Vec<f32> { a.iter().zip(b).map(|(a, b)| a * b).collect() };
    let pairs = [(0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2)];
    let means: Vec<Vec<f32>> = guide.par_iter().map(|c| mean(c)).collect();
    let squares: Vec<Vec<f32>> = pairs.par_iter().map(|(i, j)| mean(&product(&guide[*i], &guide[*j]))).collect();
    let with: Vec<Vec<f32>> = guide.par_iter().map(|c| mean(&product(c, of))).collect();
    let middle = mean(of);
    let lines: Vec<[f32; 4]> = (0..size * size)
        .into_par_iter()
        .map(|k| {
            let m = [means[0][k], means[1][k], means[2][k]];
            let at = |n: usize| squares[n][k] - m[pairs[n].0] * m[pairs[n].1];
            let [xx, xy, xz, yy, yz, zz] = [at(0) + NOISE, at(1), at(2), at(3) + NOISE, at(4), at(5) + NOISE];
            let c = [0, 1, 2].map(|c| with[c][k] - m[c] * middle[k]);
            // The inverse of a symmetric matrix, by its cofactors.
            let [p, q, r] = [yy * zz - yz * yz, xz * yz - xy * zz, xy * yz - xz * yy];
            let det = (xx * p + xy * q + xz * r).max(1e-12);
            let [s, t, u] = [xx * zz - xz * xz, xy * xz - xx * yz, xx * yy - xy * xy];
            let a = [
                (p * c[0] + q * c[1] + r * c[2]) / det,
                (q * c[0] + s * c[1] + t * c[2]) / det,
                (r * c[0] + t * c[1] + u * c[2]) / det,
            ];
            [a[0], a[1], a[2], middle[k] - a[0] * m[0] - a[1] * m[1] - a[2] * m[2]]
        })
        .collect();
    [0, 1, 2, 3].map(|c| mean(&lines.iter().map(|line| line[c]).collect::<Vec<_>>()))
}

/// The filter's answer at the portrait's own size, where the rough matte is unsure or nearly so; that matte elsewhere.
fn applied(portrait: &Portrait, lines: &[Vec<f32>; 4], size: usize, rough: &[f32]) -> Vec<f32> {
    let doubtful: Vec<f32> = rough.iter().map(|v| f32::from(u8::from(*v > SURE && *v < 1.0 - SURE))).collect();
    let band: Vec<f32> = box_mean(&doubtful, size, BAND).iter().map(|v| (v * 200.0).min(1.0)).collect();
    let side = portrait.side;
    let lines: Vec<Vec<f32>> = lines.par_iter().map(|plane| enlarged(plane, size, side)).collect();
    let (band, rough) = (enlarged(&band, size, side), enlarged(rough, size, side));
    (portrait.rgb.par_chunks_exact(3).enumerate())
        .map(|(k, c)| {
            let said: f32 = (0..3).map(|i| lines[i][k] * f32::from(c[i]) / 255.0).sum::<f32>() + lines[3][k];
            (rough[k] + (said - rough[k]) * band[k]).clamp(0.0, 1.0)
        })
        .collect()
}

/// For each pixel 0 where it is no part of the person, 1 where it is all person, ½ where the matte is right; and the share of pixels that are soft but no edge.
/// These are decided by what lies around them, and what is not joined to the `face` (1 within it) is dropped.
fn kept(alpha: &[f32], size: usize, face: &[f32]) -> (Vec<f32>, f32) {
    let share = |sure: &(dyn Fn(f32) -> bool + Sync)| {
        let sure: Vec<f32> = alpha.iter().map(|v| f32::from(u8::from(sure(*v)))).collect();
        box_mean(&sure, size, EDGE)
    };
    let (person, background) = (share(&|v| v > 0.95), share(&|v| v < 0.05));
    let joined = joined(alpha, size, face);
    let mut unsure = 0;
    let keep = (0..size * size)
        .map(|k| {
            let (p, b) = ((person[k] / BELIEVED).min(1.0), (background[k] / BELIEVED).min(1.0));
            unsure += usize::from((0.1..0.9).contains(&alpha[k]) && p.min(b) < 0.5);
            let half = ((alpha[k] - HALF[0]) / (HALF[1] - HALF[0])).clamp(0.0, 1.0);
            // No person near: 0. Person but no background near: 1, unless it is rather background.
            if joined[k] { p * (0.5 + 0.5 * (1.0 - b) * half) } else { 0.0 }
        })
        .collect();
    (keep, unsure as f32 / (size * size) as f32)
}

/// What can be reached from the face through pixels that are rather person, and as much around it as an edge is wide.
fn joined(alpha: &[f32], size: usize, face: &[f32]) -> Vec<bool> {
    let mut seen: Vec<bool> = face.iter().map(|v| *v > 0.5).collect();
    let mut open: Vec<usize> = (0..seen.len()).filter(|k| seen[*k]).collect();
    while let Some(k) = open.pop() {
        let (x, y) = (k % size, k / size);
        let next = [
            (x > 0, k.wrapping_sub(1)),
            (x + 1 < size, k + 1),
            (y > 0, k.wrapping_sub(size)),
            (y + 1 < size, k + size),
        ];
        for (inside, k) in next {
            if inside && !seen[k] && alpha[k] > JOINED {
                seen[k] = true;
                open.push(k);
            }
        }
    }
    let rim = box_mean(&seen.iter().map(|v| f32::from(u8::from(*v))).collect::<Vec<_>>(), size, EDGE);
    // What is surely person there and cannot be reached is somebody else.
    (0..seen.len()).map(|k| seen[k] || rim[k] > 0.0 && alpha[k] <= JOINED).collect()
}

/// The convex hull of points, shrunk by [`MARGIN`] (Andrew's monotone chain).
fn hull(points: &[[f64; 2]]) -> Vec<[f64; 2]> {
    let mut sorted = points.to_vec();
    sorted.sort_by(|a, b| a[0].total_cmp(&b[0]).then(a[1].total_cmp(&b[1])));
    let turns =
        |o: [f64; 2], a: [f64; 2], b: [f64; 2]| (a[0] - o[0]) * (b[1] - o[1]) - (a[1] - o[1]) * (b[0] - o[0]) > 0.0;
    let chain = |points: &mut dyn Iterator<Item = &[f64; 2]>| {
        let mut chain: Vec<[f64; 2]> = Vec::new();
        for point in points {
            while chain.len() > 1 && !turns(chain[chain.len() - 2], chain[chain.len() - 1], *point) {
                chain.pop();
            }
            chain.push(*point);
        }
        chain.pop();
        chain
    };
    let mut hull = chain(&mut sorted.iter());
    hull.extend(chain(&mut sorted.iter().rev()));
    let count = hull.len().max(1) as f64;
    let middle = [0, 1].map(|c| hull.iter().map(|p| p[c]).sum::<f64>() / count);
    hull.iter().map(|p| [0, 1].map(|c| middle[c] + (1.0 - MARGIN) * (p[c] - middle[c]))).collect()
}

/// A convex polygon in units of a square plane's side: 1 within it, with a soft rim.
fn filled(polygon: &[[f64; 2]], size: usize) -> Vec<f32> {
    let mut plane = vec![0.0; size * size];
    for (row, line) in plane.chunks_exact_mut(size).enumerate() {
        let y = (row as f64 + 0.5) / size as f64;
        let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
        for (k, a) in polygon.iter().enumerate() {
            let b = polygon[(k + 1) % polygon.len()];
            if (a[1] <= y) != (b[1] <= y) {
                let x = a[0] + (y - a[1]) / (b[1] - a[1]) * (b[0] - a[0]);
                (low, high) = (low.min(x), high.max(x));
            }
        }
        let at = |x: f64| (x * size as f64).round().clamp(0.0, size as f64) as usize;
        if low < high {
            line[at(low)..at(high)].fill(1.0);
        }
    }
    box_mean(&plane, size, 2)
}

/// Mean of a square plane over windows of 2 · `reach` + 1; windows are smaller at the border.
fn box_mean(plane: &[f32], size: usize, reach: usize) -> Vec<f32> {
    let mut rows = vec![0.0f32; size * size];
    rows.par_chunks_exact_mut(size).zip(plane.par_chunks_exact(size)).for_each(|(to, from)| line_mean(from, to, reach));
    let mut turned = transposed(&rows, size);
    rows.par_chunks_exact_mut(size)
        .zip(turned.par_chunks_exact(size))
        .for_each(|(to, from)| line_mean(from, to, reach));
    turned.copy_from_slice(&transposed(&rows, size));
    turned
}

fn line_mean(from: &[f32], to: &mut [f32], reach: usize) {
    let mut sum: f64 = from.iter().take(reach).map(|v| f64::from(*v)).sum();
    for (k, to) in to.iter_mut().enumerate() {
        if let Some(v) = from.get(k + reach) {
            sum += f64::from(*v);
        }
        if k > reach {
            sum -= f64::from(from[k - reach - 1]);
        }
        let count = (k + reach + 1).min(from.len()) - k.saturating_sub(reach);
        *to = (sum / count as f64) as f32;
    }
}

fn transposed(plane: &[f32], size: usize) -> Vec<f32> {
    (0..size * size).into_par_iter().map(|k| plane[k % size * size + k / size]).collect()
}

/// A square plane at a larger size (or the same), bilinear, centres at +½.
fn enlarged(plane: &[f32], from: usize, to: usize) -> Vec<f32> {
    if from == to {
        return plane.to_vec();
    }
    let place = |k: usize| {
        let at = ((k as f32 + 0.5) * from as f32 / to as f32 - 0.5).clamp(0.0, from as f32 - 1.0);
        let first = (at as usize).min(from - 2);
        (first, at - first as f32)
    };
    let across: Vec<(usize, f32)> = (0..to).map(place).collect();
    let mut out = vec![0.0; to * to];
    out.par_chunks_exact_mut(to).enumerate().for_each(|(y, row)| {
        let (top, down) = across[y];
        let (above, below) = (&plane[top * from..][..from], &plane[(top + 1) * from..][..from]);
        for (v, (x, t)) in row.iter_mut().zip(&across) {
            let (a, b) = (above[*x] + (above[x + 1] - above[*x]) * t, below[*x] + (below[x + 1] - below[*x]) * t);
            *v = a + (b - a) * down;
        }
    });
    out
}

/// A square plane at a smaller size: the nearest pixels.
fn shrunk(plane: &[f32], from: usize, to: usize) -> Vec<f32> {
    (0..to * to).map(|k| plane[(k / to * from / to) * from + k % to * from / to]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn means_are_over_what_is_there() {
        let plane: Vec<f32> = (0..16).map(|k| k as f32).collect();
        let mean = box_mean(&plane, 4, 1);
        assert_eq!(mean[0], (0.0 + 1.0 + 4.0 + 5.0) / 4.0);
        assert_eq!(mean[5], 5.0);
        assert_eq!(box_mean(&plane, 4, 9), vec![7.5; 16]);
        assert_eq!(enlarged(&plane, 4, 8)[0], 0.0);
        assert_eq!(shrunk(&enlarged(&plane, 4, 8), 8, 4).len(), 16);
    }

    /// A disc in the middle whose matte is half a disc's radius too soft, and another disc that is nobody's.
    #[test]
    fn an_edge_goes_where_the_colours_change_and_strangers_go() {
        let side = SOLVED;
        let disc = |k: usize, [x, y]: [f32; 2]| ((k % side) as f32 - x).hypot((k / side) as f32 - y);
        let (middle, other) = ([256.0, 256.0], [470.0, 60.0]);
        let guide: [Vec<f32>; 3] = std::array::from_fn(|c| {
            (0..side * side).map(|k| if disc(k, middle) < 120.0 { 0.8 } else { 0.2 + 0.1 * c as f32 }).collect()
        });
        let soft = |d: f32, r: f32| (0.5 + (r - d) / 12.0).clamp(0.0, 1.0);
        let rough: Vec<f32> =
            (0..side * side).map(|k| soft(disc(k, middle), 120.0).max(soft(disc(k, other), 25.0))).collect();
        let lines = guided(&guide, &rough, side);
        let at = |k: usize| (0..3).map(|c| lines[c][k] * guide[c][k]).sum::<f32>() + lines[3][k];
        let row = 256 * side;
        let (inside, outside) = (at(row + 256 + 117), at(row + 256 + 123));
        assert!(inside > 0.8 && outside < 0.2, "{inside} {outside}");
        assert!(rough[row + 256 + 117] < 0.8, "the rough matte is softer");

        let corners = [[0.4, 0.4], [0.6, 0.4], [0.5, 0.5], [0.6, 0.6], [0.4, 0.6], [0.45, 0.41]];
        let face = filled(&hull(&corners), side);
        assert_eq!((face[row + 256], face[row + 310], face[row + 5]), (1.0, 0.0, 0.0));
        let (keep, unsure) = kept(&rough, side, &face);
        assert_eq!((keep[60 * side + 470], keep[row + 256]), (0.0, 1.0));
        assert_eq!((keep[row + 256 + 120], unsure), (0.5, 0.0));
        // A haze beside the disc, too wide for an edge.
        let hazy: Vec<f32> = (0..side * side)
            .map(|k| if k % side > 300 && k / side > 200 { rough[k].max(0.4) } else { rough[k] })
            .collect();
        let (keep, unsure) = kept(&hazy, side, &face);
        assert_eq!(keep[row + 450], 0.0);
        assert!(unsure > 0.1, "{unsure}");
    }
}
