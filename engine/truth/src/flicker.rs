//! What comes and goes from one frame to the next, although the surface only moved.

use crate::area::Area;

/// Mean difference in levels of 255 between each pixel of the person in `area` of `now` and what `then` shows where its surface lay: `motion` (S²) is
/// there − here in pixels (see [`crate::motion`]), `matte` (S²) is of `now`. None where nobody is.
///
/// `then` is sampled by a cubic (Catmull and Rom): a linear filter would blur sharp pictures and call that flicker.
pub fn flicker(
    now: &[u8],
    then: &[u8],
    motion: &[[f32; 2]],
    matte: &[u8],
    [x, y, w, h]: Area,
    size: usize,
) -> Option<f64> {
    let (mut sum, mut count) = (0.0, 0usize);
    for k in (y..y + h).flat_map(|row| (x..x + w).map(move |column| row * size + column)) {
        let at = [(k % size) as f32 + motion[k][0], (k / size) as f32 + motion[k][1]];
        // What was outside the picture nobody can have seen.
        if matte[k] < 128 || !at.iter().all(|v| (0.0..=(size - 1) as f32).contains(v)) {
            continue;
        }
        let before = cubic(then, at, size);
        sum += (0..3).map(|c| (f64::from(now[3 * k + c]) - before[c]).abs()).sum::<f64>() / 3.0;
        count += 1;
    }
    (count > 0).then(|| sum / count as f64)
}

/// A picture between its pixels, whose centres are whole numbers here; the edge repeats.
fn cubic(picture: &[u8], at: [f32; 2], size: usize) -> [f64; 3] {
    let whole = at.map(|v| v.floor() as usize);
    let weights = [0, 1].map(|axis| {
        let t = f64::from(at[axis]) - whole[axis] as f64;
        [
            t * (-0.5 + t * (1.0 - 0.5 * t)),
            1.0 + t * t * (1.5 * t - 2.5),
            t * (0.5 + t * (2.0 - 1.5 * t)),
            t * t * (0.5 * t - 0.5),
        ]
    });
    let inside = |v: usize| v.saturating_sub(1).min(size - 1);
    let mut sum = [0.0; 3];
    for (j, wy) in weights[1].iter().enumerate() {
        let row = inside(whole[1] + j) * size;
        for (i, wx) in weights[0].iter().enumerate() {
            let k = 3 * (row + inside(whole[0] + i));
            (0..3).for_each(|c| sum[c] += wx * wy * f64::from(picture[k + c]));
        }
    }
    sum.map(|v| v.clamp(0.0, 255.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: usize = 64;
    const AREA: Area = [8, 8, 48, 48];

    /// Waves that lie `by` pixels further to the right and below.
    fn waves(by: f32) -> Vec<u8> {
        (0..SIZE * SIZE)
            .flat_map(|k| {
                let (x, y) = ((k % SIZE) as f32 - by, (k / SIZE) as f32 - by);
                [0.6, 0.4, 0.8].map(|f| (128.0 + 60.0 * (f * x).sin() + 50.0 * (0.5 * y).cos()) as u8)
            })
            .collect()
    }

    #[test]
    fn what_moves_as_it_should_does_not_flicker() {
        let (then, now) = (waves(0.0), waves(1.4));
        let person = vec![255; SIZE * SIZE];
        let of = |now: &[u8], by: f32| flicker(now, &then, &vec![[by; 2]; SIZE * SIZE], &person, AREA, SIZE).unwrap();
        assert!(of(&now, -1.4) < 1.5, "{}", of(&now, -1.4));
        // The wrong motion, and the right one with other light, do.
        assert!(of(&now, 0.0) > 15.0, "{}", of(&now, 0.0));
        let brighter: Vec<u8> = now.iter().map(|v| v.saturating_add(9)).collect();
        assert!((of(&brighter, -1.4) - 9.0).abs() < 1.5, "{}", of(&brighter, -1.4));
        assert_eq!(flicker(&then, &then, &vec![[0.0; 2]; SIZE * SIZE], &person, AREA, SIZE), Some(0.0));
    }

    #[test]
    fn only_the_person_counts() {
        let (then, mut now) = (waves(0.0), waves(0.0));
        let mut person = vec![0; SIZE * SIZE];
        let motion = vec![[0.0; 2]; SIZE * SIZE];
        assert_eq!(flicker(&now, &then, &motion, &person, AREA, SIZE), None);
        person[20 * SIZE + 20] = 255;
        now[3 * (30 * SIZE + 30)] ^= 0x80;
        assert_eq!(flicker(&now, &then, &motion, &person, AREA, SIZE), Some(0.0));
        let away = vec![[-40.0, 0.0]; SIZE * SIZE];
        assert_eq!(flicker(&now, &then, &away, &person, AREA, SIZE), None);
    }
}
