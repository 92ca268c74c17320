//! Pictures of people whose geometry is known, and how close other pictures come to them; and how well lips keep to speech whose phonemes are known.
//!
//! A person is a [`Folder`], as train/crowd writes it: a portrait with its exact fit, and [`Case`]s of other expressions and turns of the head.
//! [`disturbed`] makes the fit as wrong as noisy landmarks would. A [`Moment`] is what the exact fit's mesh says of a case; [`motion`] compares two.
//!
//! Figures of a picture against the true one: [`psnr`] and [`ssim`]; [`Marks`] for how far the face's features are from where they belong; [`flicker`]
//! for what comes and goes from frame to frame. Pictures are (S², 3) sRGB, row-major.
//!
//! Figures of lips against the phonemes that were spoken: [`speech`], on clips that are read by [`voices`].
#![forbid(unsafe_code)]

mod area;
mod fit;
mod flicker;
mod folder;
mod likeness;
mod marks;
mod motion;
pub mod speech;
pub mod voices;

pub use area::{Area, Part, bounds, landmarks, project};
pub use fit::{NOISE, disturbed, noise};
pub use flicker::flicker;
pub use folder::{Case, Folder, folders};
pub use likeness::{psnr, ssim};
pub use marks::{MARKS, Marks, SEARCH, mean};
pub use motion::{Moment, motion};

/// (S²) brightness from 0 to 1, as BT.601 weighs sRGB.
fn luma(rgb: &[u8]) -> Vec<f64> {
    rgb.chunks_exact(3)
        .map(|c| (0.299 * f64::from(c[0]) + 0.587 * f64::from(c[1]) + 0.114 * f64::from(c[2])) / 255.0)
        .collect()
}
