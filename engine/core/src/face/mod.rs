//! Face: the 3D morphable model, from coefficients to pixels.
//!
//! [`FaceModel`] is the file `weights/face.safetensors`; [`record`] puts its way from β and head motion to a rasterised mesh into a plan,
//! and [`record_shading`] adds the lit face that the learned generator sees.
//!
//! Spaces. *Head space*: metres, x to the subject's left (right in the picture), y up, z out of the face; origin between the eyes.
//! *Camera space*: metres, x right, y up, z towards the viewer, camera at the origin. *Pixels*: x right, y down, pixel centres at +½.

mod model;
#[cfg(test)]
mod model_tests;
mod placement;
mod points;
mod raster;
mod record;
mod tables;

pub use model::{ARKIT, FaceModel, Mask, Region};
pub use placement::{Light, Placement};
pub(crate) use placement::{angles, harmonics, rotation, shift};
pub use points::Points;
pub use raster::{NONE, Raster, record_raster};
pub use record::{FaceTensors, MOTION, Shading, record, record_shading};
