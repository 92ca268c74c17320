//! `vultus render`: a sound file to a film.

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Error, Result, bail};
use clap::{Args, ValueEnum};
use vultus::generator::OutputFormat;
use vultus_native::assets::DEFAULT_AVATAR;
use vultus_native::media::SoundCodec;
use vultus_native::registry::{Easel, GENERATOR, Registry};
use vultus_native::stream::{self, FilmSettings};

use crate::console::{self, Bar};
use crate::options::{Behind, Size, generators};
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
    #[command(flatten)]
    behind: Behind,
    /// Width and height in pixels.
    #[arg(long, value_enum, default_value = "512")]
    size: Size,
    /// Who draws the pictures.
    #[arg(long, value_parser = generators(), default_value = GENERATOR)]
    generator: String,
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
    let background = arguments.behind.background()?;
    let reads = [("the avatar", Path::new(&arguments.avatar)), ("the background", arguments.behind.path())];
    let parts = setup::open(weights, &arguments.speech, &reads, output, fps)?;
    let avatar = parts.assets.avatar(&arguments.avatar)?;
    let registry = Registry::default();
    let entry = registry.generator(&arguments.generator).map_err(Error::msg)?;
    let drawer = (entry.open)(&Easel {
        assets: &parts.assets,
        face: &parts.face,
        compute: &parts.compute,
        size,
        format: OutputFormat::I420,
        notices: &console::notices(),
    })?;
    let name = avatar.name.clone();
    let mut generator = drawer.prepare(avatar)?.open_before(&background)?;
    let loaded = Instant::now();
    let film = FilmSettings { target: output, size, fps, sound: arguments.audio_codec.into() };
    let done =
        stream::render(parts.reader, parts.speech, &mut *generator, film, &cancel, |progress| bar.show(progress))?;
    bar.end();
    let report = Report::new(
        &Run {
            command: "render",
            speech: &arguments.speech,
            emotion: parts.emotion,
            compute: &parts.compute,
            audio: &parts.audio,
            output,
            avatar: Some(&name),
            size: Some(size),
            generator: Some(entry.name),
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
