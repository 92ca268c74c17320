//! Who is shown, from where, in which light.

use glam::{DMat3, DVec3};

use crate::avatar::{ALBEDO, AvatarFile, EXPRESSION, IDENTITY, LIGHT, POSE};

/// A portrait's geometry.
#[derive(Clone, Debug, PartialEq)]
pub struct Placement {
    /// Identity.
    pub alpha: [f32; IDENTITY],
    /// Expression in the portrait.
    pub beta: [f32; EXPRESSION],
    /// Where the bust stands: pitch, yaw, roll in radians, x, y, z in metres, camera space.
    pub pose: [f32; POSE],
    /// Focal length, centre x, centre y, in units of the picture's height.
    pub camera: [f32; 3],
}

impl Placement {
    /// An avatar's.
    pub fn of(avatar: &AvatarFile) -> Self {
        Self { alpha: avatar.alpha, beta: avatar.beta, pose: avatar.pose, camera: avatar.camera }
    }

    /// The mean head straight in front of a camera with a picture height of about 45 cm around it.
    pub fn mean() -> Self {
        Self {
            alpha: [0.0; IDENTITY],
            beta: [0.0; EXPRESSION],
            pose: [0.0, 0.0, 0.0, 0.0, 0.02, -1.25],
            camera: [2.8, 0.5, 0.5],
        }
    }

    /// Rows of the rigid map from head space to camera space: rotation and, last, translation.
    pub fn camera_from_head(&self) -> [[f32; 4]; 3] {
        let turn = rotation(angles(&self.pose));
        [0, 1, 2].map(|k| {
            let [x, y, z] = turn.row(k).as_vec3().to_array();
            [x, y, z, self.pose[3 + k]]
        })
    }

    /// Where a point of the bust (head space, metres) lies in the picture, in units of its height: x right, y down.
    pub fn project(&self, at: [f32; 3]) -> [f32; 2] {
        let [x, y, z] = self.camera_from_head().map(|r| r[0] * at[0] + r[1] * at[1] + r[2] * at[2] + r[3]);
        let [focal, cx, cy] = self.camera;
        [cx - focal * x / z, cy + focal * y / z]
    }

    /// Where the head stands in camera space when it moves by `motion` about `pivot`: R = R_s·R_Δ, t = R_s·(pivot − R_Δ·pivot + Δt) + t_s.
    /// At rest that is the bust's pose.
    pub fn head(&self, pivot: [f32; 3], motion: &[f32; POSE]) -> [f32; POSE] {
        let (bust, turn) = (rotation(angles(&self.pose)), rotation(angles(motion)));
        let pivot = DVec3::from(pivot.map(f64::from));
        let from = bust * (pivot - turn * pivot + shift(motion));
        // Row 1 is (cos p · sin r, cos p · cos r, −sin p), the last column (sin y · cos p, −sin p, cos y · cos p).
        let both = bust * turn;
        let (row, last) = (both.row(1), both.z_axis);
        let angles = [(-row.z).clamp(-1.0, 1.0).asin(), last.x.atan2(last.z), row.x.atan2(row.y)];
        std::array::from_fn(|k| if k < 3 { angles[k] as f32 } else { from[k - 3] as f32 + self.pose[k] })
    }
}

/// Pitch, yaw and roll of a pose or a motion.
pub(crate) fn angles(pose: &[f32; POSE]) -> DVec3 {
    DVec3::new(pose[0].into(), pose[1].into(), pose[2].into())
}

/// Its translation.
pub(crate) fn shift(pose: &[f32; POSE]) -> DVec3 {
    DVec3::new(pose[3].into(), pose[4].into(), pose[5].into())
}

/// R = Ry(yaw)·Rx(pitch)·Rz(roll), of (pitch, yaw, roll).
pub(crate) fn rotation(angles: DVec3) -> DMat3 {
    let [(sp, cp), (sy, cy), (sr, cr)] = angles.to_array().map(f64::sin_cos);
    DMat3::from_cols(
        DVec3::new(cy * cr + sy * sp * sr, cp * sr, cy * sp * sr - sy * cr),
        DVec3::new(sy * sp * cr - cy * sr, cp * cr, sy * sr + cy * sp * cr),
        DVec3::new(sy * cp, -sp, cy * cp),
    )
}

/// A portrait's colours and light.
#[derive(Clone, Debug, PartialEq)]
pub struct Light {
    /// Albedo.
    pub delta: [f32; ALBEDO],
    /// Nine spherical harmonics for each of red, green and blue: `gamma[3·i + channel]`.
    pub gamma: [f32; LIGHT],
}

impl Light {
    /// An avatar's.
    pub fn of(avatar: &AvatarFile) -> Self {
        Self { delta: avatar.delta, gamma: avatar.gamma }
    }

    /// The mean skin under soft light from above and in front.
    pub fn mean() -> Self {
        let mut gamma = [0.0; LIGHT];
        for (i, value) in [2.2, 0.35, 0.55, 0.15].into_iter().enumerate() {
            gamma[3 * i..3 * i + 3].fill(value);
        }
        Self { delta: [0.0; ALBEDO], gamma }
    }
}

/// Real spherical harmonics of a unit normal in camera space: Y00, Y1-1, Y10, Y11, Y2-2, Y2-1, Y20, Y21, Y22.
pub(crate) fn harmonics([x, y, z]: [f32; 3]) -> [f32; 9] {
    [
        0.282_095,
        0.488_603 * y,
        0.488_603 * z,
        0.488_603 * x,
        1.092_548 * x * y,
        1.092_548 * y * z,
        0.315_392 * (3.0 * z * z - 1.0),
        1.092_548 * x * z,
        0.546_274 * (x * x - y * y),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_that_moves_stands_where_its_vertices_go() {
        let mut bust = Placement::mean();
        bust.pose = [0.1, -0.2, 0.05, 0.01, 0.02, -1.2];
        let pivot = [0.0, -0.1, -0.05];
        let motion = [0.12, 0.25, -0.1, 0.003, -0.004, 0.002];
        for (a, b) in bust.head(pivot, &[0.0; POSE]).iter().zip(bust.pose) {
            assert!((a - b).abs() < 1e-6, "{a} {b}");
        }
        let moved = Placement { pose: bust.head(pivot, &motion), ..bust.clone() };
        let pivot = DVec3::from(pivot.map(f64::from));
        for at in [[0.0, 0.0, 0.0], [0.05, 0.1, 0.07], [-0.06, -0.08, 0.02]] {
            let about = DVec3::from(at.map(f64::from)) - pivot;
            let to = rotation(angles(&motion)) * about + pivot + shift(&motion);
            let (one, other) = (bust.project(to.as_vec3().to_array()), moved.project(at));
            assert!((0..2).all(|k| (one[k] - other[k]).abs() < 1e-5), "{one:?} {other:?}");
        }
    }
}
