//! Products of tall matrices with themselves, which is where a fit's time goes.

use nalgebra::DMatrix;

/// Values that are added up side by side.
const LANES: usize = 4;

/// Sum of the products of two rows.
pub(super) fn dot(a: &[f64], b: &[f64]) -> f64 {
    let mut sums = [0.0; 2 * LANES];
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<{ 2 * LANES }>(), b.as_chunks::<{ 2 * LANES }>());
    for (a, b) in a.iter().zip(b) {
        (0..2 * LANES).for_each(|k| sums[k] += a[k] * b[k]);
    }
    sums.iter().sum::<f64>() + a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum::<f64>()
}

/// Sums of the products of a row with two others: `a` is read once.
fn two(a: &[f64], b: &[f64], c: &[f64]) -> [f64; 2] {
    let (mut ab, mut ac) = ([0.0; LANES], [0.0; LANES]);
    let (a_all, b_all, c_all) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>(), c.as_chunks::<LANES>());
    for ((a, b), c) in a_all.0.iter().zip(b_all.0).zip(c_all.0) {
        for k in 0..LANES {
            ab[k] += a[k] * b[k];
            ac[k] += a[k] * c[k];
        }
    }
    let rest = |b: &[f64]| a_all.1.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    [ab.iter().sum::<f64>() + rest(b_all.1), ac.iter().sum::<f64>() + rest(c_all.1)]
}

/// A·Aᵀ of `rows` of equal `length`, row after row.
pub(super) fn gram(rows: &[f64], length: usize) -> DMatrix<f64> {
    let rows: Vec<&[f64]> = rows.chunks_exact(length).collect();
    let mut all = DMatrix::zeros(rows.len(), rows.len());
    for (i, a) in rows.iter().enumerate() {
        let mut j = 0;
        while j < i {
            [all[(i, j)], all[(i, j + 1)]] = two(a, rows[j], rows[j + 1]);
            j += 2;
        }
        all[(i, i)] = dot(a, a);
        // A pair may have reached over the diagonal, which is written once more from its own side.
        for j in 0..i {
            all[(j, i)] = all[(i, j)];
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gram_matrix_is_what_its_definition_says() {
        for (count, length) in [(1, 1), (2, 7), (5, 8), (6, 29)] {
            let rows: Vec<f64> = (0..count * length).map(|k| ((k * 7919) % 31) as f64 - 15.0).collect();
            let made = gram(&rows, length);
            for i in 0..count {
                for j in 0..count {
                    let expected: f64 = (0..length).map(|k| rows[i * length + k] * rows[j * length + k]).sum();
                    assert!((made[(i, j)] - expected).abs() < 1e-9, "{count} {length}: ({i}, {j})");
                }
            }
        }
    }
}
