//! Who is shown, from where, in which light.

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
        let r = rotation([0, 1, 2].map(|k| f64::from(self.pose[k])));
        [0, 1, 2].map(|k| [r[k][0] as f32, r[k][1] as f32, r[k][2] as f32, self.pose[3 + k]])
    }
}

/// R = Ry(yaw)·Rx(pitch)·Rz(roll), rows.
pub(super) fn rotation([pitch, yaw, roll]: [f64; 3]) -> [[f64; 3]; 3] {
    let ((sp, cp), (sy, cy), (sr, cr)) = (pitch.sin_cos(), yaw.sin_cos(), roll.sin_cos());
    [
        [cy * cr + sy * sp * sr, sy * sp * cr - cy * sr, sy * cp],
        [cp * sr, cp * cr, -sp],
        [cy * sp * sr - sy * cr, sy * sr + cy * sp * cr, cy * cp],
    ]
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
