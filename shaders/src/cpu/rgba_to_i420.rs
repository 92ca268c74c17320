//! Twin of `rgba_to_i420.wgsl`.

use rayon::prelude::*;

use crate::kernels::RgbaToI420Params;

/// RGBA bytes to I420, BT.709 limited range; see the WGSL file.
pub fn rgba_to_i420(p: &RgbaToI420Params, rgba: &[u32], planes: &mut [u32]) {
    let size = p.size as usize;
    let planes: &mut [u8] = bytemuck::cast_slice_mut(planes);
    let (luma, chroma) = planes.split_at_mut(size * size);
    let (us, vs) = chroma.split_at_mut(size * size / 4);
    let lines = luma.par_chunks_mut(size * 2).zip(us.par_chunks_mut(size / 2)).zip(vs.par_chunks_mut(size / 2));
    lines.enumerate().with_min_len(8).for_each(|(row, ((luma, us), vs))| {
        let two = &rgba[row * 2 * size..][..size * 2];
        for (c, y) in two.iter().zip(luma) {
            let [r, g, b] = split(*c);
            *y = (16.5 + (r * 0.182_586 + g * 0.614_231 + b * 0.062_007)) as u8;
        }
        let (top, low) = two.split_at(size);
        for x in 0..size / 2 {
            let four = [top[x * 2], top[x * 2 + 1], low[x * 2], low[x * 2 + 1]].map(split);
            let [r, g, b] = [0, 1, 2].map(|i| (four[0][i] + four[1][i] + four[2][i] + four[3][i]) * 0.25);
            us[x] = (128.5 + (r * -0.100_644 + g * -0.338_572 + b * 0.439_216)) as u8;
            vs[x] = (128.5 + (r * 0.439_216 + g * -0.398_942 + b * -0.040_274)) as u8;
        }
    });
}

fn split(c: u32) -> [f32; 3] {
    [(c & 255) as f32, ((c >> 8) & 255) as f32, ((c >> 16) & 255) as f32]
}
