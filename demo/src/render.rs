//! `vultus render`: a sound file to a film.

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Result, bail};
use clap::{Args, ValueEnum};
use vultus::generator::{OutputFormat, PreparedAvatar};
use vultus_native::assets::DEFAULT_AVATAR;
use vultus_native::compute::clock;
use vultus_native::drawer::{Drawer, GeneratorName};
use vultus_native::media::SoundCodec;
use vultus_native::stream::{self, FilmSettings};

use crate::console::{self, Bar};
use crate::options::{Size, generators};
use crate::report::{Report, Run};
use crate::speech::Speech;
use crate::{cancel, setup};

#[derive(Debug, Args)]
pub(crate) struct Render {
    #[command(flatten)]
    speech: Speech,
    /// The film to write; an existing file is replaced when the new one is complete.
    #[arg(short, long, value_name = "OUT.mp4")]
    output: PathBuf,
    /// Name of an avatar (see `vultus avatars`) or an .avatar file.
    #[arg(long, value_name = "NAME|FILE", default_value = DEFAULT_AVATAR)]
    avatar: String,
    /// Width and height in pixels.
    #[arg(long, value_enum, default_value = "512")]
    size: Size,
    /// Who draws the pictures.
    #[arg(long, value_parser = generators(), default_value = GeneratorName::DEFAULT.name())]
    generator: GeneratorName,
    /// Frames a second.
    #[arg(long, value_enum, default_value = "25")]
    fps: FrameRate,
    /// How the sound is encoded.
    #[arg(long, value_enum, default_value_t = SoundName::Aac)]
    audio_codec: SoundName,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum FrameRate {
    #[value(name = "25")]
    Hz25 = 25,
    #[value(name = "30")]
    Hz30 = 30,
    #[value(name = "50")]
    Hz50 = 50,
    #[value(name = "60")]
    Hz60 = 60,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum SoundName {
    /// AAC-LC: everything plays it.
    Aac,
    /// Opus: half the size; browsers, VLC and ffmpeg play it, QuickTime and Windows' own players do not.
    Opus,
}

impl From<SoundName> for SoundCodec {
    fn from(name: SoundName) -> Self {
        match name {
            SoundName::Aac => Self::Aac,
            SoundName::Opus => Self::Opus,
        }
    }
}

pub(crate) fn run(weights: Option<&Path>, arguments: &Render, start: Instant) -> Result<()> {
    let cancel = cancel::flag(cancel::PATIENCE, || ())?;
    let output = arguments.output.as_path();
    if !output.extension().is_some_and(|e| e.eq_ignore_ascii_case("mp4")) {
        bail!("{} does not end in .mp4; films are written as MP4 only", output.display());
    }
    let (fps, size) = (arguments.fps as u32, arguments.size as usize);
    let mut bar = Bar::new();
    let parts = setup::open(weights, &arguments.speech, Some(&arguments.avatar), output, fps)?;
    let avatar = parts.assets.avatar(&arguments.avatar)?;
    let drawer = Drawer::open(arguments.generator, &parts.assets, &parts.face, &console::notices())?;
    let avatar = drawer.fitted(&parts.compute, &parts.face, avatar)?;
    let (compute, method) = (&parts.compute, drawer.method());
    let prepared = PreparedAvatar::new(compute, &parts.face, &avatar, size, OutputFormat::I420, method)?;
    let mut generator = prepared.timed_by(clock()).generator()?;
    let loaded = Instant::now();
    let film = FilmSettings { target: output, size, fps, sound: arguments.audio_codec.into() };
    let done =
        stream::render(parts.reader, parts.speech, &mut generator, film, &cancel, |progress| bar.show(progress))?;
    bar.end();
    let report = Report::new(
        &Run {
            command: "render",
            speech: &arguments.speech,
            emotion: parts.emotion,
            compute: &parts.compute,
            audio: &parts.audio,
            output,
            avatar: Some(&avatar.name),
            size: Some(size),
            generator: Some(arguments.generator.name()),
            fps,
            start,
            loaded,
        },
        &done,
    );
    report.tell(&done, arguments.speech.report.as_deref())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_frame_rate_of_the_engine_can_be_asked_for() {
        assert!(vultus::pipeline::FRAME_RATES.iter().all(|rate| FrameRate::from_str(&rate.to_string(), false).is_ok()));
    }
}
