//! What `vultus` needs of a computer with an operating system: files, sound devices, codecs, threads, a graphics driver that is waited for.
#![forbid(unsafe_code)]

pub mod assets;
pub mod audio;
pub mod backdrop;
pub mod compute;
pub mod enrol;
pub mod graphics;
mod io_advice;
pub mod media;
pub mod names;
mod notices;
pub mod photo;
pub mod registry;
pub mod seeing;
pub mod stream;
pub mod video;

pub use notices::Notices;
