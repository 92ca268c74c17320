//! Twin of `hef_cut_out.wgsl`.

use rayon::prelude::*;

use super::crop::Axis;
use super::field::mix;
use super::math::smoothstep;
use crate::kernels::HefCutOutParams;
use crate::shared::hef_channels::{DRIVEN_NEED, RESULT_MATTE};

const MATTE: usize = RESULT_MATTE as usize;
const NEED: usize = DRIVEN_NEED as usize;
/// See the WGSL file.
const NOISE: f32 = 0.02;
const ALIKE: f32 = 0.03;
const OTHER: f32 = 0.12;
const SURE: [f32; 2] = [0.7, 0.95];
const ADDED: [f32; 2] = [0.9, 0.99];

/// The person alone, by HEF's matte; see the WGSL file.
pub fn hef_cut_out(
    p: &HefCutOutParams,
    result: &[f32],
    driven: &[f32],
    picture: &[[f32; 4]],
    pictures: &[[f32; 4]],
    person: &mut [[f32; 4]],
) {
    let (size, crop) = (p.size as usize, p.crop as usize);
    let side = crop as f32;
    let columns = Axis { start: p.left, step: p.step, crop, size };
    let rows = Axis { start: p.top, ..columns };
    let places = columns.places();
    let inside = columns.inside(&places);
    let background = &pictures[size * size..];
    person.par_chunks_exact_mut(size).take(size).enumerate().with_min_len(8).for_each(|(row, to)| {
        let y = rows.place(row);
        if !y.inside(side) {
            return;
        }
        let (needs, mattes) = (&driven[NEED * crop * crop..], &result[MATTE * crop * crop..]);
        for column in inside.clone() {
            let (x, k) = (places[column], row * size + column);
            let at = |plane: &[f32]| {
                let (above, below) = plane[y.first * crop + x.first..].split_at(crop);
                mix(mix(above[0], above[1], x.t), mix(below[0], below[1], x.t), y.t)
            };
            let need = at(needs);
            if need <= 0.0 {
                continue;
            }
            let margin = x.at.min(y.at).min(side - x.at).min(side - y.at);
            let share = need * p.trust * (margin / p.fade).min(1.0);
            let matte = at(mattes);
            let (mut owned, mut apart) = (matte, 0.0f32);
            for (seen, behind) in picture[k].iter().zip(&background[k]).take(3) {
                let off = seen - behind;
                owned = owned.max((-off - NOISE) / behind.max(NOISE)).max((off - NOISE) / (1.0 - behind).max(NOISE));
                apart = apart.max((seen.max(0.0).sqrt() - behind.sqrt()).abs());
            }
            let (before, other) = (to[column][3].clamp(0.0, 1.0), smoothstep(ALIKE, OTHER, apart));
            if p.outline == 1 {
                let sure = smoothstep(SURE[0], SURE[1], matte);
                let alpha = before.max(smoothstep(ADDED[0], ADDED[1], matte) * other);
                let colour = |c: usize| {
                    let drawn = picture[k][c] - background[k][c] + alpha * background[k][c];
                    mix(to[column][c], drawn, mix(1.0, sure, before)).max(0.0).min(alpha)
                };
                to[column] = [colour(0), colour(1), colour(2), alpha];
                continue;
            }
            let alpha = mix(to[column][3], owned.max(before * other).min(mix(other, 1.0, before)), share);
            let colour = |c: usize| picture[k][c] - background[k][c] + alpha * background[k][c];
            to[column] = [colour(0), colour(1), colour(2), alpha];
        }
    });
}
