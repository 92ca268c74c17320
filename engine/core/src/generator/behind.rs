//! What other backgrounds need of a portrait, worked out once: the person without traces of their own background, and that background out of focus.

use super::picture::dilate;
use super::seen::smoothstep;

/// Shares below the first are nothing, above the second all: mattes are seldom sure.
const LEVELS: [f32; 2] = [0.02, 0.98];
/// Windows in which colours of the person and of the background are looked for, shares of the side: a far one for wisps of hair, then near ones.
const WINDOWS: [f32; 3] = [1.0 / 12.0, 1.0 / 90.0, 1.0 / 90.0];
/// After so many of them the matte is put right.
const KNOWN: usize = 2;
/// Between which squared distances of both colours, linear light, a pixel's own colour tells its share.
const APART: [f32; 2] = [0.01, 0.06];
/// How far it may lead away from the matte, down and up: light in hair looks like the background, but grain in a matte has more holes than dust.
const TOLD: [f32; 2] = [0.2, 0.4];
/// Reach of the blur, a share of the side: of three box filters, which together are nearly a Gaussian.
const BLUR: f32 = 1.0 / 26.0;
/// What was filled in behind the person counts little, so that the picture beside them is what spreads there.
const FILLED: f32 = 0.02;
/// How far from the person the background is their own no more, a share of the side.
const NEAR: f32 = 1.0 / 64.0;

/// The person (S, S) premultiplied by the matte, as if they had stood before nothing. `person` is premultiplied too, `background` is theirs: together they
/// are the picture.
///
/// Where the matte is soft, `person` holds what the picture has beyond the background's share, and with it all errors of both. Here the colour is looked for
/// nearby instead: the mean of the person's colours, of which as much is corrected as the pixel itself shows (M. Forte, *Approximate fast foreground colour
/// estimation*, ICIP 2021), first in a wide window, then in a narrow one. Between both colours the pixel's own tells its share, better than a matte with grain.
pub(super) fn alone(person: &[[f32; 4]], background: &[[f32; 4]], size: usize) -> Vec<[f32; 4]> {
    let level = |alpha: f32| ((alpha - LEVELS[0]) / (LEVELS[1] - LEVELS[0])).clamp(0.0, 1.0);
    let mut matte: Vec<f32> = person.iter().map(|p| level(p[3])).collect();
    let whole: Vec<[f32; 3]> = (person.iter().zip(background))
        .map(|(p, b)| [0, 1, 2].map(|c| p[c] + (1.0 - p[3].clamp(0.0, 1.0)) * b[c]))
        .collect();
    let mut inside = whole.clone();
    let outside: Vec<[f32; 3]> = background.iter().map(|b| [b[0], b[1], b[2]]).collect();
    for (turn, window) in WINDOWS.into_iter().enumerate() {
        let reach = ((window * size as f32) as usize).max(1);
        let within = mean(&inside, matte.iter().copied(), size, reach);
        // Deep in the person there is no background but the one that was filled in.
        let beyond = mean(&outside, matte.iter().map(|alpha| (1.0 - alpha).max(FILLED)), size, reach);
        if turn == KNOWN {
            matte = told(&whole, &within, &beyond, &matte, size).into_iter().map(level).collect();
        }
        for k in 0..size * size {
            let a = matte[k];
            // What the means do not explain belongs to the person by their share.
            for c in 0..3 {
                let off = whole[k][c] - a * within[k][c] - (1.0 - a) * beyond[k][c];
                inside[k][c] = (within[k][c] + a * off).clamp(0.0, 1.0);
            }
        }
    }
    inside.iter().zip(&matte).map(|(c, a)| [c[0] * a, c[1] * a, c[2] * a, *a]).collect()
}

/// Mean colours of what lies around, by these shares.
fn mean(colours: &[[f32; 3]], shares: impl Iterator<Item = f32>, size: usize, reach: usize) -> Vec<[f32; 3]> {
    let weighed: Vec<[f32; 4]> = colours.iter().zip(shares).map(|(c, w)| [c[0] * w, c[1] * w, c[2] * w, w]).collect();
    box_mean(&weighed, size, reach).into_iter().map(colour_of).collect()
}

/// The matte where it is soft, by where each pixel's colour lies between the person's and the background's.
fn told(whole: &[[f32; 3]], within: &[[f32; 3]], beyond: &[[f32; 3]], matte: &[f32], size: usize) -> Vec<f32> {
    let around = box_mean(&matte.iter().map(|alpha| [*alpha, 0.0, 0.0, 1.0]).collect::<Vec<_>>(), size, 1);
    (0..size * size)
        .map(|k| {
            let around = around[k][0] / around[k][3];
            let soft = smoothstep(0.0, 0.04, around) * (1.0 - smoothstep(0.96, 1.0, around.min(matte[k])));
            let line = [0, 1, 2].map(|c| within[k][c] - beyond[k][c]);
            let apart: f32 = line.iter().map(|v| v * v).sum();
            let along: f32 = (0..3).map(|c| (whole[k][c] - beyond[k][c]) * line[c]).sum();
            let own = (along / apart.max(1e-6)).clamp(around - TOLD[0], around + TOLD[1]).clamp(0.0, 1.0);
            let share = around + (own - around) * smoothstep(APART[0], APART[1], apart);
            matte[k] + (share - matte[k]) * soft
        })
        .collect()
}

/// The background (S, S) out of focus, without the person.
pub(super) fn blurred(person: &[[f32; 4]], background: &[[f32; 4]], size: usize) -> Vec<[f32; 4]> {
    let near = dilate(&person.iter().map(|p| p[3]).collect::<Vec<_>>(), size, ((NEAR * size as f32) as usize).max(1));
    // A picture that the person fills has no background: the picture itself is out of focus.
    let none = background.iter().all(|b| b[..3].iter().all(|v| *v == 0.0));
    let mut out: Vec<[f32; 4]> = (0..size * size)
        .map(|k| {
            let (p, b) = (person[k], background[k]);
            let w = (1.0 - near[k]).clamp(FILLED, 1.0);
            let colour = if none { [p[0], p[1], p[2]] } else { [b[0], b[1], b[2]] };
            [colour[0] * w, colour[1] * w, colour[2] * w, w]
        })
        .collect();
    let reach = ((BLUR * size as f32) as usize).max(1);
    for _ in 0..3 {
        out = box_mean(&out, size, reach);
    }
    out.into_iter().map(colour_of).map(|[r, g, b]| [r, g, b, 0.0]).collect()
}

fn colour_of([r, g, b, weight]: [f32; 4]) -> [f32; 3] {
    [r, g, b].map(|v| (v / weight.max(1e-6)).clamp(0.0, 1.0))
}

/// Means over windows of `reach` pixels to each side, of a picture that is 0 outside.
fn box_mean(from: &[[f32; 4]], size: usize, reach: usize) -> Vec<[f32; 4]> {
    let by = 1.0 / (2 * reach + 1) as f32;
    let add = |sum: &mut [f32; 4], v: &[f32; 4], sign: f32| (0..4).for_each(|c| sum[c] += sign * v[c]);
    let mut across = vec![[0.0f32; 4]; from.len()];
    for (row, to) in from.chunks_exact(size).zip(across.chunks_exact_mut(size)) {
        let mut sum = [0.0f32; 4];
        row[..reach.min(size)].iter().for_each(|v| add(&mut sum, v, 1.0));
        for x in 0..size {
            if let Some(v) = row.get(x + reach) {
                add(&mut sum, v, 1.0);
            }
            to[x] = sum.map(|v| v * by);
            if x >= reach {
                add(&mut sum, &row[x - reach], -1.0);
            }
        }
    }
    let mut out = vec![[0.0f32; 4]; from.len()];
    let mut sums = vec![[0.0f32; 4]; size];
    let row = |y: usize| &across[y * size..(y + 1) * size];
    for y in 0..reach.min(size) {
        sums.iter_mut().zip(row(y)).for_each(|(sum, v)| add(sum, v, 1.0));
    }
    for (y, to) in out.chunks_exact_mut(size).enumerate() {
        if y + reach < size {
            sums.iter_mut().zip(row(y + reach)).for_each(|(sum, v)| add(sum, v, 1.0));
        }
        to.iter_mut().zip(&sums).for_each(|(to, sum)| *to = sum.map(|v| v * by));
        if y >= reach {
            sums.iter_mut().zip(row(y - reach)).for_each(|(sum, v)| add(sum, v, -1.0));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A person of one colour before a background of another: a soft edge in the middle of the picture, by a matte that is off by `wrong` there.
    fn halves(size: usize, [fore, back]: [[f32; 3]; 2], wrong: f32) -> (Vec<[f32; 4]>, Vec<[f32; 4]>) {
        let background = vec![[back[0], back[1], back[2], 0.0]; size * size];
        let person = (0..size * size).map(|k| {
            let true_share = ((size as f32 / 2.0 + 3.0 - (k % size) as f32) / 6.0).clamp(0.0, 1.0);
            let soft = true_share > 0.0 && true_share < 1.0;
            let alpha = if soft { (true_share + wrong).clamp(0.0, 1.0) } else { true_share };
            let colour = |c: usize| true_share * fore[c] + (1.0 - true_share) * back[c] - (1.0 - alpha) * back[c];
            [colour(0), colour(1), colour(2), alpha]
        });
        (person.collect(), background)
    }

    #[test]
    fn an_edge_has_the_persons_colour_also_where_the_matte_is_wrong() {
        let size = 96;
        for colours in [[[0.1, 0.05, 0.02], [0.8, 0.9, 1.0]], [[0.7, 0.5, 0.4], [0.02, 0.02, 0.02]]] {
            for wrong in [0.0, 0.2, -0.2] {
                let (person, background) = halves(size, colours, wrong);
                for (k, p) in alone(&person, &background, size).iter().enumerate() {
                    let alpha = p[3];
                    assert!((0.0..=1.0).contains(&alpha), "{alpha}");
                    if alpha == 0.0 {
                        assert_eq!(p[..3], [0.0; 3], "{k}");
                        continue;
                    }
                    for c in 0..3 {
                        let off = p[c] / alpha - colours[0][c];
                        // A colour that is off by this counts by its share only.
                        let most = if wrong == 0.0 { 0.04 } else { 0.25 };
                        assert!(alpha * off.abs() < most, "{wrong} {k}: {p:?}, expected {:?}", colours[0]);
                    }
                }
            }
        }
    }

    #[test]
    fn grain_in_a_matte_leaves_no_holes() {
        let (size, fore, back) = (96, [0.03, 0.02, 0.02], [0.5, 0.45, 0.4]);
        let (mut person, background) = halves(size, [fore, back], 0.0);
        let holes = [20 * size + 20, 31 * size + 36, 60 * size + 40];
        for k in holes {
            person[k][3] = 0.7;
            (0..3).for_each(|c| person[k][c] = fore[c] - 0.3 * back[c]);
        }
        let alone = alone(&person, &background, size);
        for p in holes.map(|k| alone[k]) {
            assert!(p[3] > 0.95 && (0..3).all(|c| (p[c] - fore[c]).abs() < 0.02), "{p:?}");
        }
    }

    #[test]
    fn a_blur_keeps_one_colour_and_knows_nothing_of_the_person() {
        let size = 96;
        let (person, background) = halves(size, [[0.9, 0.1, 0.1], [0.2, 0.4, 0.3]], 0.0);
        for p in blurred(&person, &background, size) {
            assert!(p[..3].iter().zip([0.2, 0.4, 0.3]).all(|(a, b)| (a - b).abs() < 1e-4), "{p:?}");
        }
        let ramp: Vec<[f32; 4]> = (0..size * size).map(|k| [(k % size) as f32 / 96.0, 0.5, 0.5, 1.0]).collect();
        let sums = box_mean(&ramp, size, 4);
        assert!((sums[48 * size + 40][0] - 40.0 / 96.0).abs() < 1e-5, "the middle of a ramp stays");
        assert!((sums[0][3] - 25.0 / 81.0).abs() < 1e-5, "beyond the edges is nothing");
    }
}
