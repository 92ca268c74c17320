//! Pictures of S × S pixels through a crop of C × C.

use vultus::generator::hef::Crop;

/// S, the crop, C.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sight {
    pub size: usize,
    pub crop: Crop,
    pub side: usize,
}

impl Sight {
    fn step(&self) -> f32 {
        self.crop.side / self.side as f32
    }

    fn exact(&self) -> bool {
        self.side == self.size && self.crop == Crop::whole(self.size)
    }

    /// (N, C, C) of sRGB bytes (S², N): blended in linear light, as the engine does. With one channel the bytes are shares and blended as they are.
    pub(crate) fn planes<const N: usize>(&self, from: &[u8]) -> Vec<u8> {
        let (plane, size) = (self.side * self.side, self.size);
        let linear: Vec<f32> = (0..=255u8).map(|b| if N == 1 { f32::from(b) / 255.0 } else { to_linear(b) }).collect();
        let mut out = vec![0; N * plane];
        for k in 0..plane {
            if self.exact() {
                (0..N).for_each(|c| out[c * plane + k] = from[N * k + c]);
                continue;
            }
            let q = self.crop.at(k, self.side).map(|v| (v - 0.5).clamp(0.0, size as f32 - 1.0));
            let i = q.map(|v| (v as usize).min(size - 2));
            let t = [q[0] - i[0] as f32, q[1] - i[1] as f32];
            for c in 0..N {
                let at = |dx: usize, dy: usize| linear[from[N * ((i[1] + dy) * size + i[0] + dx) + c] as usize];
                let row = |dy: usize| at(0, dy) * (1.0 - t[0]) + at(1, dy) * t[0];
                let light = row(0) * (1.0 - t[1]) + row(1) * t[1];
                let value = if N == 1 { light } else { to_srgb(light) };
                out[c * plane + k] = (255.0 * value + 0.5) as u8;
            }
        }
        out
    }

    /// (2, C, C) of offsets in pixels (S²), in shares of the crop; taken from the nearest pixel.
    pub(crate) fn flow(&self, from: &[[f32; 2]]) -> Vec<f32> {
        let plane = self.side * self.side;
        let mut out = vec![0.0; 2 * plane];
        for k in 0..plane {
            let [x, y] = self.crop.at(k, self.side).map(|v| (v.max(0.0) as usize).min(self.size - 1));
            (0..2).for_each(|c| out[c * plane + k] = from[y * self.size + x][c] / self.crop.side);
        }
        out
    }

    /// The box in the crop, in its pixels: see [`vultus_truth::bounds`]. Zero width where none of it is seen.
    pub(crate) fn bounds(&self, mask: &[f32], meshes: &[&[[f32; 4]]], pad: f32) -> [i32; 4] {
        let (Crop { left, top, .. }, step) = (self.crop, self.step());
        let seen = |mesh: &&[[f32; 4]]| -> Vec<[f32; 4]> {
            mesh.iter().map(|[x, y, depth, inverse]| [(x - left) / step, (y - top) / step, *depth, *inverse]).collect()
        };
        let meshes: Vec<Vec<[f32; 4]>> = meshes.iter().map(seen).collect();
        let meshes: Vec<&[[f32; 4]]> = meshes.iter().map(Vec::as_slice).collect();
        vultus_truth::bounds(mask, &meshes, pad, self.side).map(|v| v as i32)
    }
}

fn to_linear(byte: u8) -> f32 {
    let s = f32::from(byte) / 255.0;
    if s <= 0.04045 { s / 12.92 } else { ((s + 0.055) / 1.055).powf(2.4) }
}

fn to_srgb(light: f32) -> f32 {
    if light <= 0.0031308 { 12.92 * light } else { 1.055 * light.powf(1.0 / 2.4) - 0.055 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_even_picture_stays_even_through_any_crop() {
        let from: Vec<u8> = [40, 130, 220].repeat(64 * 64);
        for (crop, side) in [(Crop::whole(64), 64), (Crop { left: -7.0, top: 10.3, side: 80.0 }, 33)] {
            let sight = Sight { size: 64, crop, side };
            let out = sight.planes::<3>(&from);
            for (c, plane) in out.chunks_exact(side * side).enumerate() {
                assert!(plane.iter().all(|v| *v == [40, 130, 220][c]), "{side}");
            }
            let flow = sight.flow(&vec![[2.0, -4.0]; 64 * 64]);
            assert!(flow[..side * side].iter().all(|v| *v == 2.0 / crop.side));
        }
    }

    #[test]
    fn boxes_outside_the_crop_have_no_width() {
        let sight = Sight { size: 64, crop: Crop { left: 16.0, top: 16.0, side: 32.0 }, side: 64 };
        let mesh = [[20.0, 24.0, 1.0, 1.0], [30.0, 28.0, 1.0, 1.0], [2.0, 2.0, 1.0, 1.0]];
        assert_eq!(sight.bounds(&[1.0, 1.0, 0.0], &[&mesh], 2.0), [6, 14, 24, 12]);
        assert_eq!(sight.bounds(&[0.0, 0.0, 1.0], &[&mesh], 2.0), [0; 4]);
    }
}
