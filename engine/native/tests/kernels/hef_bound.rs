//! Cases of `hef_bound`.

use vultus::compute::Grid;
use vultus_shaders::cpu;
use vultus_shaders::kernels::{HefBoundParams, HefRangeParams};

use crate::common::{Tolerance, noise};
use crate::{Case, Data};

pub(crate) fn cases() -> Vec<Case> {
    [8usize, 12, 36]
        .into_iter()
        .map(|crop| {
            let cells = crop / 4;
            // Some changes stay within the bounds, most do not, and a third changes nothing.
            let range = (0..6 * cells * cells)
                .zip(noise(1, 6 * cells * cells))
                .map(|(k, v)| 0.1 * v + if k / (cells * cells) < 3 { -0.3 } else { 0.4 })
                .collect();
            let mut result = noise(2, 6 * crop * crop);
            for (k, v) in result.iter_mut().enumerate() {
                if k / crop % crop < crop / 3 {
                    *v = 0.0;
                }
            }
            // Colours, and how much is inside of the mouth.
            let driven = noise(3, 16 * crop * crop).iter().map(|v| 0.5 + 0.5 * v).collect();
            let bindings = vec![Data::F32(driven), Data::F32(range), Data::F32(result)];
            let params = HefBoundParams { crop: crop as u32 };
            Case::new(params, bindings, Grid::image(crop, crop), Tolerance::chain(2 * cells, 1.0))
        })
        .collect()
}

#[test]
fn colours_stay_among_those_nearby_and_what_is_there_already_may_stay() {
    let crop = 32;
    let plane = crop * crop;
    const INSIDE: std::ops::Range<usize> = 8 * 32 * 32..9 * 32 * 32;
    // A ramp and an edge, so that what is nearby is not what is anywhere.
    let mut driven: Vec<f32> = (0..16 * plane)
        .map(|k| {
            let (x, y) = (k % crop, k / crop % crop);
            0.2 + 0.015 * x as f32 + if y > 20 { 0.3 } else { 0.0 } + 0.05 * (k / plane) as f32
        })
        .collect();
    driven[INSIDE].fill(0.0);
    let mut range = vec![0.0f32; 6 * plane / 16];
    cpu::hef_range::hef_range(&HefRangeParams { crop: crop as u32 }, &driven, &mut range);
    let held = |change: &[f32], driven: &[f32]| {
        let mut result = change.to_vec();
        cpu::hef_bound::hef_bound(&HefBoundParams { crop: crop as u32 }, driven, &range, &mut result);
        result
    };
    let luma = |colours: &dyn Fn(usize) -> f32| 0.25 * colours(0) + 0.5 * colours(1) + 0.25 * colours(2);
    let before = |x: usize, y: usize| luma(&|c| driven[c * plane + y * crop + x]);

    let wild: Vec<f32> = noise(7, 6 * plane);
    let result = held(&wild, &driven);
    let mut moved = 0;
    for (x, y) in (0..crop).flat_map(|y| (0..crop).map(move |x| (x, y))) {
        let here = luma(&|c| driven[c * plane + y * crop + x] + result[c * plane + y * crop + x]);
        // Bounds are those of the cells around and of their neighbours.
        let window = |at: usize| at.saturating_sub(12)..(at + 13).min(crop);
        let nearby = || window(y).flat_map(|v| window(x).map(move |u| before(u, v)));
        let (low, high) = (nearby().fold(f32::MAX, f32::min), nearby().fold(f32::MIN, f32::max));
        assert!((low - 0.003..=high + 0.003).contains(&here), "at {x}, {y}: {here}, nearby {low} to {high}");
        moved += usize::from((here - before(x, y)).abs() > 0.05);
    }
    assert!(moved > plane / 4, "{moved}");
    assert!(result[3 * plane..] == wild[3 * plane..], "matte and flow are not colours");

    // A neighbour's colour is one that is nearby.
    let copied: Vec<f32> = (0..6 * plane)
        .map(|k| {
            let there = if k % crop == 0 { k } else { k - 1 };
            driven[there] - driven[k]
        })
        .collect();
    assert!(held(&copied, &driven) == copied);

    // Inside the mouth nothing moves far.
    let mut mouth = driven.clone();
    mouth[INSIDE].fill(1.0);
    let result = held(&wild, &mouth);
    let change = |k: usize| luma(&|c| result[c * plane + k]);
    assert!((0..plane).all(|k| change(k).abs() < 0.031) && (0..plane).any(|k| change(k).abs() > 0.02));
}
