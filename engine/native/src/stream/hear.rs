//! A sound file to coefficients.

use std::sync::atomic::AtomicBool;
use std::time::Instant;

use super::{Progress, RenderError, Rendered, stop_if, total_frames};
use crate::audio::AudioReader;
use vultus::drive::MotionFrame;
use vultus::pipeline::SpeechToMotion;

/// Decodes `reader` to its end and hands every frame of motion to `each`, with how far it is. No film is made.
///
/// # Errors
/// When the sound cannot be read, the device is lost, `cancel` becomes true, or `each` fails.
pub fn hear(
    mut reader: AudioReader,
    mut speech: SpeechToMotion,
    fps: u32,
    cancel: &AtomicBool,
    mut each: impl FnMut(&MotionFrame, Progress) -> Result<(), RenderError>,
) -> Result<Rendered, RenderError> {
    let start = Instant::now();
    let rate = reader.info().rate;
    let total = total_frames(&reader, fps);
    let (mut frames, mut first_frame, mut ended) = (0, None, false);
    while !ended {
        match reader.next_block()? {
            Some(block) => speech.push(block.mono)?,
            None => {
                speech.finish()?;
                ended = true;
            }
        }
        while let Some(frame) = speech.next_frame() {
            stop_if(cancel)?;
            frames += 1;
            first_frame.get_or_insert_with(|| start.elapsed());
            each(&frame, Progress { frames, total })?;
        }
        stop_if(cancel)?;
    }
    let audio = reader.stats().clone();
    Ok(Rendered {
        frames,
        audio_seconds: audio.frames as f64 / rate as f64,
        wall: start.elapsed(),
        first_frame: first_frame.unwrap_or_default(),
        audio,
        stages: vec![("hearing", speech.hearing), ("motion", speech.moving)],
    })
}
