//! Sound that comes in: files of any kind ([`AudioReader`]), sound devices ([`capture`]), raw sound in chunks ([`stream`]).

pub mod capture;
mod decode;
mod fold;
mod place;
pub mod stream;

pub use decode::{AudioBlock, AudioError, AudioInfo, AudioReader, AudioStats};
pub use place::{NoSound, check_repeatable, check_sound};
