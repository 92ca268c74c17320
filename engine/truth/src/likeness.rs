//! How alike two pictures are.

use crate::area::Area;
use crate::luma;

/// Peak signal to noise ratio within `area`, dB.
pub fn psnr(a: &[u8], b: &[u8], [x, y, w, h]: Area, size: usize) -> f64 {
    let mut sum = 0.0;
    for row in y..y + h {
        let at = (row * size + x) * 3;
        sum +=
            a[at..at + w * 3].iter().zip(&b[at..]).map(|(p, q)| (f64::from(*p) - f64::from(*q)).powi(2)).sum::<f64>();
    }
    10.0 * (255.0f64.powi(2) / (sum / (w * h * 3) as f64).max(1e-9)).log10()
}

/// How far the window reaches, pixels.
const REACH: usize = 5;

/// Mean structural similarity of luma within `area`: Gaussian window of σ 1.5, cut at 5 pixels; the picture's edge repeats.
pub fn ssim(a: &[u8], b: &[u8], [x, y, w, h]: Area, size: usize) -> f64 {
    let (a, b) = (luma(a), luma(b));
    let window: Vec<f64> = (0..=2 * REACH).map(|i| (-(i as f64 - REACH as f64).powi(2) / 4.5).exp()).collect();
    let sum: f64 = window.iter().sum();
    let window: Vec<f64> = window.into_iter().map(|v| v / sum).collect();
    let inside = |v: usize| v.saturating_sub(REACH).min(size - 1);

    // The window is a product of two, so rows can be done before columns: (h + 2·5 rows, w) of five moments.
    let mut rows = Vec::with_capacity((h + 2 * REACH) * w);
    for row in (y..y + h + 2 * REACH).map(|v| inside(v) * size) {
        for column in x..x + w {
            let mut m = [0.0f64; 5];
            for (i, g) in window.iter().enumerate() {
                let k = row + inside(column + i);
                let (p, q) = (a[k], b[k]);
                [p, q, p * p, q * q, p * q].iter().zip(&mut m).for_each(|(v, m)| *m += g * v);
            }
            rows.push(m);
        }
    }
    let mut total = 0.0;
    for k in 0..w * h {
        let mut m = [0.0f64; 5];
        for (j, g) in window.iter().enumerate() {
            rows[k + j * w].iter().zip(&mut m).for_each(|(v, m)| *m += g * v);
        }
        let (va, vb, c) = (m[2] - m[0] * m[0], m[3] - m[1] * m[1], m[4] - m[0] * m[1]);
        total +=
            (2.0 * m[0] * m[1] + 1e-4) * (2.0 * c + 9e-4) / ((m[0] * m[0] + m[1] * m[1] + 1e-4) * (va + vb + 9e-4));
    }
    total / (w * h) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: usize = 24;

    fn noise(seed: u32) -> Vec<u8> {
        let mut state = seed;
        (0..SIZE * SIZE * 3)
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 24) as u8
            })
            .collect()
    }

    #[test]
    fn a_level_of_difference_is_48_decibels() {
        let a = vec![100; SIZE * SIZE * 3];
        let mut b = vec![101; SIZE * SIZE * 3];
        // Outside the area anything may differ.
        b[0] = 255;
        let figure = psnr(&a, &b, [4, 4, 9, 7], SIZE);
        assert!((figure - 20.0 * 255.0f64.log10()).abs() < 1e-9, "{figure}");
    }

    #[test]
    fn rows_then_columns_is_the_window_at_once() {
        let (a, b) = (noise(1), noise(2));
        let (la, lb) = (luma(&a), luma(&b));
        for area in [[0, 0, SIZE, SIZE], [7, 3, 5, 11]] {
            let [x, y, w, h] = area;
            let mut total = 0.0;
            for (py, px) in (y..y + h).flat_map(|py| (x..x + w).map(move |px| (py, px))) {
                let (mut m, mut sum) = ([0.0f64; 5], 0.0);
                for (j, i) in (-5isize..=5).flat_map(|j| (-5isize..=5).map(move |i| (j, i))) {
                    let inside = |v: usize, d: isize| v.saturating_add_signed(d).min(SIZE - 1);
                    let k = inside(py, j) * SIZE + inside(px, i);
                    let g = (-((i * i + j * j) as f64) / 4.5).exp();
                    let (p, q) = (la[k], lb[k]);
                    sum += g;
                    [p, q, p * p, q * q, p * q].iter().zip(&mut m).for_each(|(v, m)| *m += g * v);
                }
                let m = m.map(|v| v / sum);
                let (va, vb, c) = (m[2] - m[0] * m[0], m[3] - m[1] * m[1], m[4] - m[0] * m[1]);
                total += (2.0 * m[0] * m[1] + 1e-4) * (2.0 * c + 9e-4)
                    / ((m[0] * m[0] + m[1] * m[1] + 1e-4) * (va + vb + 9e-4));
            }
            let (got, expected) = (ssim(&a, &b, area, SIZE), total / (w * h) as f64);
            assert!((got - expected).abs() < 1e-12, "{area:?}: {got} {expected}");
        }
        assert!((ssim(&a, &a, [2, 2, 20, 20], SIZE) - 1.0).abs() < 1e-12);
    }
}
