//! Pictures as video encoders want them.

use openh264::formats::YUVSource;

/// Coefficients of BT.709 in 16.16 fixed point, with the limited range's scale (219 or 224 over 255) inside.
const Y: [i32; 3] = [11_966, 40_254, 4_064];
const U: [i32; 3] = [-6_596, -22_189, 28_784];
const V: [i32; 3] = [28_784, -26_145, -2_640];

/// A picture in BT.709 limited range, chroma at half the resolution: luma 16 to 235, chroma 16 to 240.
///
/// Chroma samples lie where H.264 puts them unless told otherwise: horizontally on every second luma sample, vertically
/// between two.
#[derive(Clone, Debug)]
pub struct I420 {
    width: usize,
    height: usize,
    y: Vec<u8>,
    u: Vec<u8>,
    v: Vec<u8>,
    /// R, G, B of the mean of two rows, each (width + 2) with one repeated pixel at both ends.
    rows: [Vec<i32>; 3],
}

impl I420 {
    /// A black picture.
    ///
    /// # Panics
    /// When a side is odd or zero.
    pub fn new(width: usize, height: usize) -> Self {
        assert!(
            width > 0 && height > 0 && width.is_multiple_of(2) && height.is_multiple_of(2),
            "sides must be even: {width}×{height}"
        );
        Self {
            width,
            height,
            y: vec![16; width * height],
            u: vec![128; width * height / 4],
            v: vec![128; width * height / 4],
            rows: std::array::from_fn(|_| vec![0; width + 2]),
        }
    }

    /// Width and height in pixels.
    pub fn size(&self) -> (usize, usize) {
        (self.width, self.height)
    }

    /// Copies a picture that is converted already: the planes Y (height, width), U and V (height/2, width/2), one after another.
    ///
    /// # Panics
    /// When the picture has another size.
    pub fn set_planes(&mut self, planes: &[u8]) {
        let (luma, chroma) = (self.y.len(), self.u.len());
        assert_eq!(planes.len(), luma + 2 * chroma, "picture of another size");
        self.y.copy_from_slice(&planes[..luma]);
        self.u.copy_from_slice(&planes[luma..luma + chroma]);
        self.v.copy_from_slice(&planes[luma + chroma..]);
    }

    /// Converts an 8-bit sRGB picture with an alpha channel that is not looked at, (height, width, 4). Allocates nothing.
    ///
    /// # Panics
    /// When the picture has another size.
    pub fn set_rgba(&mut self, rgba: &[u8]) {
        self.set::<4>(rgba);
    }

    /// Converts an 8-bit sRGB picture, (height, width, 3). Allocates nothing.
    ///
    /// # Panics
    /// When the picture has another size.
    pub fn set_rgb(&mut self, rgb: &[u8]) {
        self.set::<3>(rgb);
    }

    fn set<const N: usize>(&mut self, pixels: &[u8]) {
        let (width, half) = (self.width, self.width / 2);
        assert_eq!(pixels.len(), width * self.height * N, "picture of another size");
        let weigh = |w: [i32; 3], r: i32, g: i32, b: i32| w[0] * r + w[1] * g + w[2] * b;
        for (pair, rgb) in pixels.chunks_exact(2 * width * N).enumerate() {
            let luma = &mut self.y[pair * 2 * width..][..2 * width];
            for (out, p) in luma.iter_mut().zip(rgb.chunks_exact(N)) {
                let sum = weigh(Y, p[0].into(), p[1].into(), p[2].into());
                *out = ((sum + (16 << 16) + (1 << 15)) >> 16) as u8;
            }
            let (upper, lower) = rgb.split_at(width * N);
            for (channel, row) in self.rows.iter_mut().enumerate() {
                let pixels = upper.chunks_exact(N).zip(lower.chunks_exact(N));
                for (out, (a, b)) in row[1..=width].iter_mut().zip(pixels) {
                    *out = i32::from(a[channel]) + i32::from(b[channel]);
                }
                (row[0], row[width + 1]) = (row[1], row[width]);
            }
            let [red, green, blue] = &self.rows;
            let out = self.u[pair * half..][..half].iter_mut().zip(&mut self.v[pair * half..][..half]);
            for (i, (u, v)) in out.enumerate() {
                // Column 2i of the picture is at 2i + 1; the filter (1, 2, 1)/4 is centred on it. Two rows: eight in all.
                let at = |row: &[i32]| row[2 * i] + 2 * row[2 * i + 1] + row[2 * i + 2];
                let (r, g, b) = (at(red), at(green), at(blue));
                let fixed = |w: [i32; 3]| ((weigh(w, r, g, b) + (128 << 19) + (1 << 18)) >> 19) as u8;
                (*u, *v) = (fixed(U), fixed(V));
            }
        }
    }
}

impl YUVSource for I420 {
    fn dimensions(&self) -> (usize, usize) {
        (self.width, self.height)
    }

    fn strides(&self) -> (usize, usize, usize) {
        (self.width, self.width / 2, self.width / 2)
    }

    fn y(&self) -> &[u8] {
        &self.y
    }

    fn u(&self) -> &[u8] {
        &self.u
    }

    fn v(&self) -> &[u8] {
        &self.v
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn convert(rgb: [u8; 3]) -> [u8; 3] {
        let mut picture = I420::new(4, 2);
        picture.set_rgb(&rgb.repeat(8));
        let first = [picture.y[0], picture.u[0], picture.v[0]];
        assert!(picture.y.iter().all(|&y| y == first[0]));
        assert!(picture.u.iter().all(|&u| u == first[1]) && picture.v.iter().all(|&v| v == first[2]));
        first
    }

    #[test]
    fn flat_colours_are_bt709_limited_range() {
        for rgb in [[0, 0, 0], [255, 255, 255], [255, 0, 0], [0, 255, 0], [0, 0, 255], [200, 150, 120], [1, 2, 3]] {
            let [r, g, b] = rgb.map(|c: u8| f64::from(c) / 255.0);
            let y = 0.2126 * r + 0.7152 * g + 0.0722 * b;
            let want = [16.0 + 219.0 * y, 128.0 + 224.0 * (b - y) / 1.8556, 128.0 + 224.0 * (r - y) / 1.5748];
            for (got, want) in convert(rgb).iter().zip(want) {
                assert!((f64::from(*got) - want).abs() <= 0.51, "{rgb:?}: {got} is not {want}");
            }
        }
    }

    #[test]
    fn alpha_is_not_looked_at() {
        let (mut a, mut b) = (I420::new(2, 2), I420::new(2, 2));
        a.set_rgb(&[10, 20, 30, 40, 50, 60, 70, 80, 90, 100, 110, 120]);
        b.set_rgba(&[10, 20, 30, 0, 40, 50, 60, 99, 70, 80, 90, 255, 100, 110, 120, 1]);
        assert_eq!((a.y, a.u, a.v), (b.y, b.u, b.v));
    }

    #[test]
    fn chroma_sits_on_every_second_column() {
        // Columns 0 and 1 blue, the rest grey: sample 1 lies on column 2 and sees one of its four shares blue.
        let mut picture = I420::new(8, 2);
        let row: Vec<u8> = (0..8).flat_map(|x| if x < 2 { [0, 0, 255] } else { [128, 128, 128] }).collect();
        picture.set_rgb(&[row.clone(), row].concat());
        assert_eq!(picture.u[0], 240);
        assert_eq!(picture.u[1], 128 + 28);
        assert_eq!(picture.u[2], 128);
    }
}
