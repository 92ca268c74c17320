//! `vultus render`: a sound file to a film.

use std::path::Path;
use std::time::Instant;

use anyhow::{Result, bail};
use vultus::generator::{OutputFormat, PortraitGenerator};
use vultus::stream::{self, FilmSettings};

use crate::args::Render;
use crate::console::Bar;
use crate::generator::Drawer;
use crate::report::{Report, Run};
use crate::{cancel, errors, setup};

pub(crate) fn run(weights: Option<&Path>, arguments: &Render, start: Instant) -> Result<()> {
    let cancel = cancel::flag(cancel::PATIENCE)?;
    let output = arguments.output.as_path();
    if !output.extension().is_some_and(|e| e.eq_ignore_ascii_case("mp4")) {
        bail!("{} does not end in .mp4; films are written as MP4 only", output.display());
    }
    let (fps, size) = (arguments.fps as u32, arguments.size as usize);
    let mut bar = Bar::new();
    let parts = setup::open(weights, &arguments.speech, Some(&arguments.avatar), output, fps)?;
    let avatar = parts.assets.avatar(&arguments.avatar).map_err(errors::asset)?;
    let drawer = Drawer::open(arguments.generator, &parts.assets, &parts.face)?;
    let avatar = drawer.fitted(&parts.compute, &parts.face, avatar)?;
    let (compute, method) = (&parts.compute, drawer.method());
    let mut generator = PortraitGenerator::new(compute, &parts.face, &avatar, size, OutputFormat::I420, method)?;
    let loaded = Instant::now();
    let film = FilmSettings { target: output, size, fps, sound: arguments.audio_codec.into() };
    let done =
        stream::render(parts.reader, parts.speech, &mut generator, film, &cancel, |progress| bar.show(progress))?;
    bar.end();
    let report = Report::new(
        &Run {
            command: "render",
            speech: &arguments.speech,
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
