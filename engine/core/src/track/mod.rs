//! Where a face is in a picture, and how it looks: find ([`Detector`]), 478 points ([`Mesh`]), person and background ([`Segmenter`]), and following it through a
//! film ([`Tracker`]).
//!
//! The networks are MediaPipe's (Google, Apache-2.0; `weights/track.md`), recorded over our kernels. Positions are pixels of the picture with centres at +½,
//! and what shrinks is averaged: so results differ by half a pixel from those of programs that sample otherwise.
//!
//! ```
//! use std::error::Error;
//!
//! use vultus::compute::Compute;
//! use vultus::track::{Detector, Mesh, Picture, Range, Tracker};
//! use vultus::weights::WeightReader;
//!
//! fn follow(compute: Compute, file: impl Fn(&str) -> WeightReader, frames: &[Vec<u8>]) -> Result<(), Box<dyn Error>> {
//!     let near = Detector::new(&compute, Range::Short, file(Range::Short.file()))?;
//!     let far = Detector::new(&compute, Range::Full, file(Range::Full.file()))?;
//!     let mut tracker = Tracker::new(vec![near, far], Mesh::new(&compute, file(Mesh::FILE))?);
//!     for rgb in frames {
//!         if let Some(face) = tracker.next(&Picture::new(rgb, 640, 480))? {
//!             let [x, y, _] = face.points[1]; // the tip of the nose
//!         }
//!     }
//!     Ok(())
//! }
//! ```

pub mod detector;
mod look;
pub mod mesh;
mod net;
mod picture;
mod roi;
pub mod segmenter;
mod tables;
mod tracker;

pub use detector::{Detection, Detector, KEYS, Range};
pub use look::TrackError;
pub use mesh::{Face, Mesh};
pub use net::Probes;
pub use picture::{Edge, Picture, View};
pub use roi::Roi;
pub use segmenter::{MATTE, Segmenter};
pub use tables::{LEFT_EYE, LIPS, POINTS, RIGHT_EYE};
pub use tracker::Tracker;
