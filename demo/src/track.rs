//! `vultus track`: the face in a film to coefficients, frame by frame.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use clap::Args;
use vultus::drive::{Drive, MotionFrame};
use vultus::face::FaceModel;
use vultus::pipeline::MOTION_FPS;
use vultus::track::Picture;
use vultus_native::assets::{Assets, FACE};
use vultus_native::graphics::Graphics;
use vultus_native::media::MediaError;
use vultus_native::seeing::{Looker, Sight};
use vultus_native::stream::Progress;
use vultus_native::video::VideoReader;

use crate::cancel::{self, stop_if};
use crate::console::{self, Bar, warn};
use crate::files::Files;
use crate::frames::{Format, Writer};
use crate::graphics::trial;
use crate::options::BackendName;

/// Time of a frame of coefficients.
const FRAME: Duration = Duration::from_millis(1000 / MOTION_FPS as u64);
/// A face that is out of sight for longer than this is taken to rest.
const BRIDGED: Duration = Duration::from_millis(400);

#[derive(Debug, Args)]
pub(crate) struct Track {
    /// A film with a face in it: MP4 or MOV with H.264. The face should be at rest and look straight ahead in its first two seconds.
    film: PathBuf,
    /// The file to write; its ending, .json or .csv, says which format.
    #[arg(short, long, value_name = "OUT.json|OUT.csv")]
    output: PathBuf,
    /// Where networks are computed.
    #[arg(long, value_enum, default_value_t = BackendName::Auto)]
    backend: BackendName,
}

pub(crate) fn run(weights: Option<&Path>, arguments: &Track) -> Result<()> {
    let cancel = cancel::flag(cancel::PATIENCE, || ())?;
    let output = arguments.output.as_path();
    let format = Format::of(output)?;
    let assets = Assets::locate(weights)?;
    Files::of(&assets).reads("the film", &arguments.film).writes("--output", Some(output)).check()?;
    let mut film = VideoReader::open(&arguments.film)?;
    let graphics = Graphics::ask(arguments.backend.into(), Some(&trial()))?;
    let face = Arc::new(FaceModel::read(assets.weights(FACE)?)?);
    let compute = graphics.open(&console::notices())?;
    let mut looker = Sight::load(&compute, &assets, &face)?.looker()?;

    // What the face looks like at rest is known before the first frame is told.
    while looker.calibrated() < 1.0
        && let Some(frame) = film.next_frame()?
    {
        stop_if(&cancel)?;
        looker.look(&Picture::new(frame.rgb, frame.width, frame.height))?;
    }
    looker.again();
    let mut film = VideoReader::open(&arguments.film)?;

    let failed = |e: io::Error| MediaError::Write { file: output.display().to_string(), cause: e };
    let mut writer = Writer::create(output, format, &face).map_err(failed)?;
    let mut bar = Bar::new();
    let (start, mut pictures, mut looking) = (Instant::now(), 0u64, Duration::ZERO);
    let mut grid = Grid::default();
    let total = film.frames() as u64;
    // A picture stands for the middle of the time it is shown, as a frame of coefficients does.
    let half = Duration::from_secs_f64((0.5 * film.seconds() / film.frames().max(1) as f64).clamp(0.0, 0.1));
    let mut write =
        |frame: &MotionFrame, seen| writer.frame(frame, face.lip_gap(&frame.drive.beta), Some(seen)).map_err(failed);
    while let Some(frame) = film.next_frame()? {
        stop_if(&cancel)?;
        let before = Instant::now();
        let seen = look(&mut looker, &Picture::new(frame.rgb, frame.width, frame.height))?;
        looking += before.elapsed();
        pictures += 1;
        bar.show(Progress { frames: pictures, total: Some(total.max(pictures)) });
        grid.push(frame.time + half, seen, &mut write)?;
    }
    if pictures == 0 {
        bail!("{} has no picture that can be decoded", arguments.film.display());
    }
    let length = Duration::from_secs_f64(film.seconds().max(0.0));
    grid.finish(length, &mut write)?;
    bar.end();
    if grid.seen == 0 {
        bail!(
            "there is no face in {}; give a film in which one is at least a tenth as wide as the picture",
            arguments.film.display()
        );
    }
    writer.finish().map_err(failed)?;
    let share = 100 * grid.seen / grid.next.max(1);
    if share < 90 {
        warn(&format!("the face was out of sight in {} of 100 frames; there it rests", 100 - share));
    }
    let per_picture = |time: Duration| time.as_secs_f64() * 1e3 / pictures as f64;
    writeln!(
        io::stdout(),
        "{}: {} frames of {:.1} s of film, a face in {share} %; {:.1} ms a picture, {:.1} in all, on {}",
        output.display(),
        grid.next,
        film.seconds(),
        per_picture(looking),
        per_picture(start.elapsed()),
        compute.name()
    )?;
    Ok(())
}

fn look(looker: &mut Looker, picture: &Picture<'_>) -> Result<Option<Drive>> {
    Ok(looker.look(picture)?.map(|seen| seen.drive))
}

/// Brings the film's frames, at whatever times, to 25 a second.
#[derive(Default)]
struct Grid {
    last: Option<(Duration, Drive)>,
    /// Frames written, and how many of them show a face that was seen.
    next: u64,
    seen: u64,
}

impl Grid {
    /// The middle of the next frame.
    fn at(&self) -> Duration {
        Duration::from_micros((2 * self.next + 1) * 500_000 / u64::from(MOTION_FPS))
    }

    /// Writes the frames up to `time`, between what was seen before and what is seen now.
    fn push<E>(
        &mut self,
        time: Duration,
        seen: Option<Drive>,
        write: &mut impl FnMut(&MotionFrame, bool) -> Result<(), E>,
    ) -> Result<(), E> {
        let Some(drive) = seen else { return Ok(()) };
        while self.at() < time {
            let at = self.at();
            let bridged = self.last.as_ref().filter(|(before, _)| time - *before <= BRIDGED);
            let frame = match bridged {
                Some((before, from)) => {
                    let share = at.saturating_sub(*before).as_secs_f32() / (time - *before).as_secs_f32().max(1e-6);
                    Some(Drive::between([from, from, &drive, &drive], share.clamp(0.0, 1.0)))
                }
                // A face that comes into sight is there for the frame that it is in.
                None => (time - at <= FRAME / 2).then(|| drive.clone()),
            };
            self.write(frame, write)?;
        }
        self.last = Some((time, drive));
        Ok(())
    }

    /// Writes what is left up to the film's end.
    fn finish<E>(
        &mut self,
        length: Duration,
        write: &mut impl FnMut(&MotionFrame, bool) -> Result<(), E>,
    ) -> Result<(), E> {
        while self.at() < length {
            let at = self.at();
            let held = self
                .last
                .as_ref()
                .filter(|(time, _)| at.saturating_sub(*time) <= BRIDGED)
                .map(|(_, drive)| drive.clone());
            self.write(held, write)?;
        }
        Ok(())
    }

    fn write<E>(
        &mut self,
        drive: Option<Drive>,
        write: &mut impl FnMut(&MotionFrame, bool) -> Result<(), E>,
    ) -> Result<(), E> {
        let seen = drive.is_some();
        self.seen += u64::from(seen);
        write(&MotionFrame { index: self.next, drive: drive.unwrap_or_default() }, seen)?;
        self.next += 1;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(jaw: f32) -> Drive {
        let mut drive = Drive::default();
        drive.beta[17] = jaw;
        drive
    }

    #[test]
    fn frames_of_any_rate_become_twenty_five_a_second_and_what_is_not_seen_rests() {
        let (mut grid, mut out) = (Grid::default(), Vec::new());
        let mut write = |frame: &MotionFrame, seen: bool| -> Result<(), ()> {
            assert_eq!(frame.index, out.len() as u64);
            out.push((frame.drive.beta[17], seen));
            Ok(())
        };
        // Two seconds at 30 frames a second, a ramp; a second of nothing in the middle.
        for k in 0..60 {
            let time = Duration::from_secs_f64(f64::from(k) / 30.0);
            let seen = !(20..50).contains(&k);
            grid.push(time, seen.then(|| at(k as f32 / 60.0)), &mut write).unwrap();
        }
        grid.finish(Duration::from_secs(2), &mut write).unwrap();
        assert_eq!(out.len(), 50);
        assert!(
            out[3..15]
                .iter()
                .enumerate()
                .all(|(k, (jaw, seen))| *seen && (jaw - (0.02 + 0.04 * (k + 3) as f32) / 2.0).abs() < 0.01)
        );
        assert!(out[18..40].iter().all(|(jaw, seen)| !seen && *jaw == 0.0), "{out:?}");
        assert!(out[43..].iter().all(|(_, seen)| *seen));
    }
}
