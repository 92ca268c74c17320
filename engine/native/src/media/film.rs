//! Frames and sound in, a finished film out.

use std::path::Path;
use std::time::{Duration, Instant};

use super::mp4::{Mp4Writer, Tracks};
use super::sound::{SoundCodec, SoundEncoder};
use super::{AtomicFile, H264Encoder, I420, MediaError, OPUS_RATE};

/// A film in the making. It appears under its name with [`Film::finish`]; dropped before, it leaves nothing behind.
///
/// Pictures and sound may come in any order and in pieces of any length: the file is the same. Push them about in step: what runs
/// ahead of the other waits in memory.
pub struct Film {
    target: std::path::PathBuf,
    video: H264Encoder,
    audio: SoundEncoder,
    channels: usize,
    /// Frames of sound at 48 kHz that a picture lasts.
    picture_frames: u64,
    writer: Mp4Writer<AtomicFile>,
    picture: I420,
    size: usize,
    frames: u64,
}

impl Film {
    /// Opens a film of square pictures of `size` pixels at `fps` with sound of `channels` channels, encoded by `codec`. `input_rate`
    /// is the sound's rate before it was made 48 kHz.
    ///
    /// # Errors
    /// When the file cannot be created or an encoder does not start.
    pub fn create(
        target: &Path,
        size: usize,
        fps: u32,
        channels: usize,
        input_rate: usize,
        codec: SoundCodec,
    ) -> Result<Self, MediaError> {
        let failed = |e| MediaError::write(target, e);
        let file = AtomicFile::create(target).map_err(failed)?;
        let video = H264Encoder::new(size, size, fps)?;
        let audio = SoundEncoder::new(codec, channels)?;
        let side = u16::try_from(size).map_err(|_| MediaError::Container(format!("pictures of {size} pixels")))?;
        let tracks = Tracks {
            width: side,
            height: side,
            fps,
            sound: audio.format(channels as u8, u32::try_from(input_rate).unwrap_or(OPUS_RATE as u32)),
        };
        let writer = Mp4Writer::new(file, tracks).map_err(failed)?;
        Ok(Self {
            target: target.to_owned(),
            video,
            audio,
            channels,
            picture_frames: OPUS_RATE as u64 / u64::from(fps),
            writer,
            picture: I420::new(size, size),
            size,
            frames: 0,
        })
    }

    /// Appends a picture: 8-bit sRGB, (size, size, 4), its alpha not looked at, or the planes Y, U, V of [`I420`]. Returns the
    /// time it took to encode.
    ///
    /// # Errors
    /// When the encoder or the file refuses.
    ///
    /// # Panics
    /// When the picture has another size.
    pub fn push_picture(&mut self, bytes: &[u8]) -> Result<Duration, MediaError> {
        let start = Instant::now();
        // The two layouts differ in length, 4 and 1½ bytes a pixel.
        if bytes.len() == self.size * self.size * 4 {
            self.picture.set_rgba(bytes);
        } else {
            self.picture.set_planes(bytes);
        }
        let frame = self.video.encode(&self.picture)?;
        let spent = start.elapsed();
        self.writer.video(frame.sample, frame.keyframe).map_err(|e| MediaError::write(&self.target, e))?;
        self.frames += 1;
        Ok(spent)
    }

    /// Appends sound, interleaved at 48 kHz.
    ///
    /// # Errors
    /// When the encoder or the file refuses.
    pub fn push_sound(&mut self, samples: &[f32]) -> Result<(), MediaError> {
        let (writer, target) = (&mut self.writer, &self.target);
        self.audio.push(samples, |packet| writer.audio(packet).map_err(|e| MediaError::write(target, e)))
    }

    /// Frames appended so far.
    pub fn frames(&self) -> u64 {
        self.frames
    }

    /// Completes the film and makes it appear under its name. Sound that ends before the last picture does is made as long, by
    /// silence: some players stop where the shorter track ends.
    ///
    /// # Errors
    /// When the file refuses or there is not one frame in the film.
    pub fn finish(mut self) -> Result<(), MediaError> {
        let short = (self.frames * self.picture_frames).saturating_sub(self.audio.frames());
        if self.audio.frames() > 0 && short < OPUS_RATE as u64 {
            self.push_sound(&vec![0.0; short as usize * self.channels])?;
        }
        let (writer, target) = (&mut self.writer, &self.target);
        self.audio.finish(|packet| writer.audio(packet).map_err(|e| MediaError::write(target, e)))?;
        if self.frames == 0 {
            return Err(MediaError::Container("there is not one frame".into()));
        }
        let (sps, pps) = self.video.parameter_sets();
        let failed = |e| MediaError::write(&self.target, e);
        let file = self.writer.finish(self.audio.frames(), sps, pps).map_err(failed)?;
        file.commit().map_err(failed)
    }
}
