//! Vultus: speech in, a living, emotional face out.
//!
//! What a face does, and nothing of where it runs: no file, thread, socket, clock or codec. `vultus-native` brings these for a computer with an operating
//! system. This crate builds for `wasm32-unknown-unknown` too.
//!
//! A face that talks is a [`session::Session`]. Whoever runs it brings sound and time, and takes what is due:
//!
//! ```
//! use std::error::Error;
//! use std::time::Duration;
//!
//! use vultus::avatar::AvatarFile;
//! use vultus::compute::Compute;
//! use vultus::emotion::Emotion;
//! use vultus::face::FaceModel;
//! use vultus::generator::{Method, OutputFormat, PreparedAvatar};
//! use vultus::motion::MotionNetwork;
//! use vultus::session::{Due, Session, SessionEvent};
//! use vultus::weights::WeightReader;
//!
//! /// The CPU draws this avatar, happy, from weights that somebody has read: `face.safetensors` and `eac.safetensors`.
//! fn open(face: WeightReader, eac: WeightReader, avatar: &AvatarFile) -> Result<Session, Box<dyn Error>> {
//!     let compute = Compute::Cpu;
//!     // What is worked out once a program, once an avatar, and once a session.
//!     let model = FaceModel::read(face)?;
//!     let network = MotionNetwork::load(&compute, eac, 2)?;
//!     let prepared = PreparedAvatar::new(&compute, &model, avatar, 256, OutputFormat::Rgba, Method::Geometric)?;
//!     let happy = network.emotions().mood(Emotion::Happy, 1.5)?;
//!     let (motion, generator) = (network.stream(&happy, 7)?, prepared.generator()?);
//!     Ok(Session::new(Box::new(motion), Box::new(generator))?)
//! }
//!
//! /// Two seconds in real time. `sound` gives what the microphone has caught since it was asked last, if anything: mono, 48 kHz.
//! fn talk(
//!     session: &mut Session,
//!     now: impl Fn() -> Duration,
//!     sleep_until: impl Fn(Duration),
//!     mut sound: impl FnMut() -> Option<Vec<f32>>,
//!     mut show: impl FnMut(&[u8]),
//!     mut play: impl FnMut(&[f32]),
//! ) -> Result<(), Box<dyn Error>> {
//!     while now() < Duration::from_secs(2) {
//!         if let Some(mut pcm) = sound() {
//!             session.hear(&mut pcm, now());
//!         }
//!         match session.poll(now())? {
//!             // A frame was decided. Draw it, or leave it: the next one does not need it.
//!             Due::Frame(frame) => show(session.draw(&frame)?.bytes),
//!             // The voice leaves when its lips do, a fifth of a second after it was heard.
//!             Due::Event(SessionEvent::Voice { pcm, .. }) => play(&pcm),
//!             Due::Event(_) => {}
//!             Due::Later(at) => sleep_until(at),
//!         }
//!     }
//!     Ok(())
//! }
//! # fn bytes(path: &str) -> Vec<u8> { std::fs::read(format!("{}/../../weights/{path}", env!("CARGO_MANIFEST_DIR"))).unwrap() }
//! # let weights = |path: &str| WeightReader::new(path, bytes(path)).unwrap();
//! # let avatar = AvatarFile::parse("amara", bytes("avatars/amara.avatar"))?;
//! # let mut session = open(weights("face.safetensors"), weights("eac.safetensors"), &avatar)?;
//! # let (time, pictures, voice) = (std::cell::Cell::new(Duration::ZERO), std::cell::Cell::new(0), std::cell::Cell::new(0));
//! # talk(
//! #     &mut session,
//! #     || time.get(),
//! #     |at| time.set(at),
//! #     || None,
//! #     |picture| { assert_eq!(picture.len(), 4 * 256 * 256); pictures.set(pictures.get() + 1); time.set(time.get() + Duration::from_millis(20)) },
//! #     |pcm| voice.set(voice.get() + pcm.len()),
//! # )?;
//! # assert!((40..=50).contains(&pictures.get()), "{} pictures", pictures.get());
//! # assert!(voice.get() > 70_000, "{} samples", voice.get());
//! # Ok::<(), Box<dyn Error>>(())
//! ```
#![forbid(unsafe_code)]

pub mod align;
pub mod audio;
pub mod avatar;
pub mod compute;
pub mod drive;
pub mod emotion;
pub mod enrol;
pub mod face;
pub mod fit;
pub mod generator;
pub mod motion;
mod nn;
pub mod pipeline;
pub mod session;
#[cfg(test)]
mod shipped;
pub mod timing;
pub mod track;
pub mod weights;
