//! Dots, lines, boxes and numbers on a picture.

use image::{Rgb, RgbImage};

/// Digits of 3 × 5 dots, row by row from the top, the left dot of a row in its highest bit.
const DIGITS: [[u8; 5]; 10] = [
    [7, 5, 5, 5, 7],
    [2, 6, 2, 2, 7],
    [7, 1, 7, 4, 7],
    [7, 1, 7, 1, 7],
    [5, 5, 7, 1, 1],
    [7, 4, 7, 1, 7],
    [7, 4, 7, 5, 7],
    [7, 1, 1, 1, 1],
    [7, 5, 7, 5, 7],
    [7, 5, 7, 1, 7],
];

/// A disc with a soft rim.
pub(super) fn dot(picture: &mut RgbImage, [x, y]: [f64; 2], radius: f64, colour: Rgb<u8>) {
    let (width, height) = (f64::from(picture.width()), f64::from(picture.height()));
    let range = |at: f64, length: f64| {
        let from = (at - radius - 1.0).clamp(0.0, length) as u32;
        from..(at + radius + 2.0).clamp(0.0, length) as u32
    };
    for row in range(y, height) {
        for column in range(x, width) {
            let away = (f64::from(column) + 0.5 - x).hypot(f64::from(row) + 0.5 - y);
            let share = (radius + 0.5 - away).clamp(0.0, 1.0);
            let pixel = picture.get_pixel_mut(column, row);
            for (v, c) in pixel.0.iter_mut().zip(colour.0) {
                *v = (f64::from(*v) + share * (f64::from(c) - f64::from(*v))).round() as u8;
            }
        }
    }
}

/// A chain of straight lines.
pub(super) fn line(picture: &mut RgbImage, points: &[[f64; 2]], radius: f64, colour: Rgb<u8>) {
    for pair in points.windows(2) {
        let ([x, y], [u, v]) = (pair[0], pair[1]);
        let length = (u - x).hypot(v - y);
        // No line is longer than a picture is wide.
        let steps = (2.0 * length / radius.max(0.5)).clamp(1.0, 8192.0) as u32;
        for k in 0..=steps {
            let t = f64::from(k) / f64::from(steps);
            dot(picture, [x + t * (u - x), y + t * (v - y)], radius, colour);
        }
    }
}

/// A number on a dark ground; its upper left corner is at a place.
pub(super) fn number(picture: &mut RgbImage, [x, y]: [f64; 2], number: usize, dot: u32, colour: Rgb<u8>) {
    let text = number.to_string();
    let (width, height) = (dot * (4 * text.len() as u32 + 1), 7 * dot);
    let within = |at: f64, size: u32, length: u32| (at.max(0.0) as u32).min(length.saturating_sub(size));
    let (left, top) = (within(x, width, picture.width()), within(y, height, picture.height()));
    for row in 0..height {
        for column in 0..width {
            let (place, cell) = (column / dot, row / dot);
            let (digit, bit) = (place.saturating_sub(1) / 4, place.saturating_sub(1) % 4);
            let value = text.as_bytes().get(digit as usize).map_or(0, |c| usize::from(c - b'0'));
            let lit = place > 0
                && bit < 3
                && (1..6).contains(&cell)
                && DIGITS[value][cell as usize - 1] >> (2 - bit) & 1 == 1;
            if let Some(pixel) = picture.get_pixel_mut_checked(left + column, top + row) {
                *pixel = if lit { colour } else { Rgb([24; 3]) };
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_drawn_outside_does_no_harm() {
        let mut picture = RgbImage::new(20, 10);
        let white = Rgb([255; 3]);
        line(&mut picture, &[[-1e9, 5.0], [1e9, 5.0], [f64::NAN, 1.0]], 1.0, white);
        number(&mut picture, [1e9, -1e9], 1_234_567, 3, white);
        let mut picture = RgbImage::new(20, 10);
        line(&mut picture, &[[2.0, 5.0], [18.0, 5.0]], 1.0, white);
        assert_eq!((picture[(10, 4)], picture[(10, 8)]), (white, Rgb([0; 3])));
        number(&mut picture, [0.0, 0.0], 1, 1, white);
        assert_eq!((picture[(2, 1)], picture[(1, 1)], picture[(1, 5)]), (white, Rgb([24; 3]), white));
    }
}
