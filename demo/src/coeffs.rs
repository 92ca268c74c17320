//! `vultus coeffs`: a sound file to the face's coefficients, frame by frame.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::Result;
use clap::Args;
use vultus::pipeline::MOTION_FPS;
use vultus_native::media::MediaError;
use vultus_native::stream::{self, RenderError};

use crate::console::Bar;
use crate::frames::{Format, Writer};
use crate::report::{Report, Run};
use crate::speech::Speech;
use crate::{cancel, setup};

#[derive(Debug, Args)]
pub(crate) struct Coeffs {
    #[command(flatten)]
    speech: Speech,
    /// The file to write; its ending, .json or .csv, says which format.
    #[arg(short, long, value_name = "OUT.json|OUT.csv")]
    output: PathBuf,
}

pub(crate) fn run(weights: Option<&Path>, arguments: &Coeffs, start: Instant) -> Result<()> {
    let cancel = cancel::flag(cancel::PATIENCE, || ())?;
    let output = arguments.output.as_path();
    let format = Format::of(output)?;
    let mut bar = Bar::new();
    let parts = setup::open(weights, &arguments.speech, &[], output, MOTION_FPS)?;
    let loaded = Instant::now();
    let failed = |e: io::Error| MediaError::Write { file: output.display().to_string(), cause: e };
    let mut writer = Writer::create(output, format, &parts.face).map_err(failed)?;
    let done = stream::hear(parts.reader, parts.speech, MOTION_FPS, &cancel, |frame, progress| {
        bar.show(progress);
        writer.frame(frame, parts.face.lip_gap(&frame.drive.beta), None).map_err(|e| RenderError::Media(failed(e)))
    })?;
    writer.finish().map_err(failed)?;
    bar.end();
    let report = Report::new(
        &Run {
            command: "coeffs",
            speech: &arguments.speech,
            emotion: parts.emotion,
            compute: &parts.compute,
            audio: &parts.audio,
            output,
            avatar: None,
            size: None,
            generator: None,
            fps: MOTION_FPS,
            start,
            loaded,
        },
        &done,
    );
    report.tell(&done, arguments.speech.report.as_deref())
}
