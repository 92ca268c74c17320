//! What is felt, and what leads there.
//!
//! Wherever an emotion goes, it goes as a [`Mood`]: a place z in the motion network's emotion space, and how strongly it is felt, μ (paper A, eq. 3). A name or a [`Blend`]
//! of names becomes a place by the [`EmotionTable`] that the network brings along. [`Eased`] leads from one mood to the next.

mod blend;
mod ease;
mod mood;
mod names;
mod table;

pub use blend::{Blend, BlendError};
pub use ease::{EASE, EASE_MAX, EaseError, Eased, ease};
pub use mood::{INTENSITY, Mood, MoodError, SPACE, intensity};
pub use names::{Emotion, UnknownEmotion};
pub use table::EmotionTable;
