//! Where in the picture the mouth is.

use vultus::avatar::AvatarFile;
use vultus::face::{FaceModel, Placement};

/// Landmarks of the lips, in the order of iBUG's 68.
const LIPS: std::ops::Range<usize> = 48..68;
/// How far the jaw opens in the widest case to be seen.
const OPEN: f32 = 0.5;
/// Added on every side, in widths of the shut mouth: the head sways.
const MARGIN: f32 = 0.12;

/// The lips, shut and open, with a margin, in shares of the picture from its top left corner: x, y, width, height.
pub(super) fn region(face: &FaceModel, avatar: &AvatarFile) -> [f32; 4] {
    let placement = Placement::of(avatar);
    let mut open = placement.beta;
    if let Some(jaw) = face.expression_index("jawOpen") {
        open[jaw] += OPEN;
    }
    let shut = points(face, &placement, &placement.beta);
    let all: Vec<_> = shut.iter().copied().chain(points(face, &placement, &open)).collect();
    let margin = MARGIN * span(&shut, 0).1;
    let [(x, width), (y, height)] = [0, 1].map(|axis| {
        let (start, length) = span(&all, axis);
        let from = (start - margin).clamp(0.0, 1.0);
        (from, (start + length + margin).clamp(0.0, 1.0) - from)
    });
    [x, y, width, height]
}

/// The lips' landmarks in the picture.
fn points(face: &FaceModel, placement: &Placement, beta: &[f32]) -> Vec<[f32; 2]> {
    let camera_from_head = placement.camera_from_head();
    let [focal, center_x, center_y] = placement.camera;
    let project = |p: &[f32; 3]| {
        let [x, y, z] = camera_from_head.map(|row| row[0] * p[0] + row[1] * p[1] + row[2] * p[2] + row[3]);
        [center_x + focal * x / -z, center_y - focal * y / -z]
    };
    face.landmarks(&placement.alpha, beta)[LIPS].iter().map(project).collect()
}

/// Start and length of what points cover along an axis.
fn span(points: &[[f32; 2]], axis: usize) -> (f32, f32) {
    let values = points.iter().map(|p| p[axis]);
    let low = values.clone().fold(f32::INFINITY, f32::min);
    (low, values.fold(f32::NEG_INFINITY, f32::max) - low)
}

#[cfg(test)]
mod tests {
    use vultus_native::assets::{Assets, FACE};

    use super::*;

    #[test]
    fn every_avatar_has_a_mouth_below_the_middle() {
        let assets = Assets::locate(None).unwrap();
        let face = FaceModel::read(assets.weights(FACE).unwrap()).unwrap();
        for name in assets.avatars().unwrap() {
            let [x, y, width, height] = region(&face, &assets.avatar(&name).unwrap());
            let middle = [x + width / 2.0, y + height / 2.0];
            assert!((0.35..0.65).contains(&middle[0]), "{name}: {middle:?}");
            assert!((0.45..0.8).contains(&middle[1]), "{name}: {middle:?}");
            assert!((0.08..0.4).contains(&width) && (0.06..0.35).contains(&height), "{name}: {width} × {height}");
        }
    }
}
