//! A sound file to a film.
//!
//! Three threads, so that what one of them cannot spread over the cores fills the gaps of another:
//!
//! | thread | work | queue to the next |
//! |---|---|---|
//! | `vultus-hear` | decode, resample, mel, motion | [`FRAMES`] frames of coefficients; the sound goes straight to the encoder |
//! | the caller's | face and generator | [`MESSAGES`] pictures and pieces of sound |
//! | `vultus-encode` | H.264, AAC or Opus, MP4 | the file |
//!
//! A full queue makes its writer wait: nothing is ever dropped, and memory does not grow with the length of the sound.

use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::Instant;

use super::{Progress, RenderError, Rendered, stop_if, total_frames};
use vultus::audio::Resampler;

use crate::audio::{AudioReader, AudioStats};
use crate::media::{Film, MediaError, OPUS_RATE, SoundCodec};
use vultus::drive::MotionFrame;
use vultus::generator::Generator;
use vultus::pipeline::SpeechToMotion;
use vultus::timing::StageTimes;

/// Frames of coefficients that may wait to be drawn.
const FRAMES: usize = 8;
/// Pictures and pieces of sound that may wait for the encoder.
const MESSAGES: usize = 8;

/// The film that is being made, apart from the sound it is made of.
#[derive(Clone, Copy, Debug)]
pub struct FilmSettings<'a> {
    /// File to write.
    pub target: &'a Path,
    /// Width and height of the generator's pictures, pixels.
    pub size: usize,
    /// Frames a second; the same as the stream of motion has.
    pub fps: u32,
    /// How the sound is encoded.
    pub sound: SoundCodec,
}

/// Makes a film of what `reader` says, drawn by `generator`. See the module's text.
///
/// # Errors
/// See [`RenderError`]. In every case nothing is left behind, and a file that had the name before is as it was.
pub fn render(
    reader: AudioReader,
    speech: SpeechToMotion,
    generator: &mut dyn Generator,
    film: FilmSettings<'_>,
    cancel: &AtomicBool,
    mut progress: impl FnMut(Progress),
) -> Result<Rendered, RenderError> {
    let start = Instant::now();
    let info = reader.info().clone();
    let total = total_frames(&reader, film.fps);
    let speakers = Resampler::new(info.rate, OPUS_RATE, info.speakers)?;
    let opened = Film::create(film.target, film.size, film.fps, info.speakers, info.rate, film.sound)?;

    let (messages, inbox) = sync_channel(MESSAGES);
    let (used, spare) = channel();
    let encoder = spawn("vultus-encode", film.target, move || encode(opened, &inbox, &used))?;
    let (moves, waiting) = sync_channel(FRAMES);
    let sounds = messages.clone();
    let hearer = spawn("vultus-hear", film.target, move || listen(reader, speech, speakers, &moves, &sounds))?;

    // Each of the three says `None` where it stopped because a queue closed: the cause is then told by another.
    let mut drawing = StageTimes::new();
    let (mut frames, mut first_frame) = (0, None);
    let mut draw = || -> Result<Option<()>, RenderError> {
        for frame in &waiting {
            stop_if(cancel)?;
            let began = Instant::now();
            let picture = generator.frame(&frame.drive)?;
            let mut buffer: Vec<u8> = spare.try_recv().unwrap_or_default();
            buffer.clear();
            buffer.extend_from_slice(picture.bytes);
            drawing.record(began.elapsed());
            if messages.send(Message::Picture(buffer)).is_err() {
                return Ok(None);
            }
            frames += 1;
            first_frame.get_or_insert_with(|| start.elapsed());
            progress(Progress { frames, total });
        }
        stop_if(cancel)?;
        Ok(Some(()))
    };
    let drawn = draw();
    // A hearer that is still at work finds its queue closed and stops.
    drop(waiting);
    let heard = join(hearer);
    if matches!((&drawn, &heard), (Ok(Some(())), Ok(Some(_)))) {
        // Where the encoder is gone already, its own error is told below.
        let _ = messages.send(Message::End);
    }
    // Without an end the encoder drops the film, and with it the unfinished file.
    drop(messages);
    let encoded = join(encoder);
    let (Some(()), Some(heard), Some(encoding)) = (drawn?, heard?, encoded?) else {
        return Err(RenderError::Thread);
    };
    Ok(Rendered {
        frames,
        audio_seconds: heard.audio.frames as f64 / info.rate as f64,
        wall: start.elapsed(),
        first_frame: first_frame.unwrap_or_default(),
        audio: heard.audio,
        stages: vec![
            ("hearing", heard.hearing),
            ("motion", heard.moving),
            ("picture", drawing),
            ("encoding", encoding),
        ],
    })
}

enum Message {
    Picture(Vec<u8>),
    Sound(Vec<f32>),
    End,
}

struct Heard {
    audio: AudioStats,
    hearing: StageTimes,
    moving: StageTimes,
}

fn listen(
    mut reader: AudioReader,
    mut speech: SpeechToMotion,
    mut speakers: Resampler,
    moves: &SyncSender<MotionFrame>,
    sounds: &SyncSender<Message>,
) -> Result<Option<Heard>, RenderError> {
    let mut ended = false;
    while !ended {
        let mut sound = Vec::new();
        match reader.next_block()? {
            Some(block) => {
                speakers.push(block.speakers, |samples| sound.extend_from_slice(samples));
                speech.push(block.mono)?;
            }
            None => {
                speakers.finish(|samples| sound.extend_from_slice(samples));
                speech.finish()?;
                ended = true;
            }
        }
        if !sound.is_empty() && sounds.send(Message::Sound(sound)).is_err() {
            return Ok(None);
        }
        while let Some(frame) = speech.next_frame() {
            if moves.send(frame).is_err() {
                return Ok(None);
            }
        }
    }
    Ok(Some(Heard { audio: reader.stats().clone(), hearing: speech.hearing, moving: speech.moving }))
}

fn encode(
    mut film: Film,
    inbox: &Receiver<Message>,
    used: &Sender<Vec<u8>>,
) -> Result<Option<StageTimes>, RenderError> {
    let mut times = StageTimes::new();
    for message in inbox {
        match message {
            Message::Picture(picture) => {
                times.record(film.push_picture(&picture)?);
                // The other side may have drawn its last frame; then nobody needs the buffer.
                let _ = used.send(picture);
            }
            Message::Sound(samples) => film.push_sound(&samples)?,
            Message::End => {
                film.finish()?;
                return Ok(Some(times));
            }
        }
    }
    Ok(None)
}

fn spawn<T: Send + 'static>(
    name: &str,
    target: &Path,
    work: impl FnOnce() -> Result<T, RenderError> + Send + 'static,
) -> Result<JoinHandle<Result<T, RenderError>>, RenderError> {
    thread::Builder::new().name(name.into()).spawn(work).map_err(|e| MediaError::write(target, e).into())
}

fn join<T>(thread: JoinHandle<Result<T, RenderError>>) -> Result<T, RenderError> {
    // A panic has already been reported by its thread.
    thread.join().unwrap_or(Err(RenderError::Thread))
}
