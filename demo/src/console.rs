//! Progress and warnings on stderr.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressFinish, ProgressState, ProgressStyle};
use vultus_native::Notices;
use vultus_native::stream::Progress;

/// A bar with frames a second and the time left; nothing where stderr is no terminal.
pub(crate) struct Bar {
    bar: ProgressBar,
    started: Option<Instant>,
}

impl Bar {
    pub(crate) fn new() -> Self {
        // Cleared however the run ends, so that an error has its line for itself.
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(10))
            .with_finish(ProgressFinish::AndClear);
        bar.set_style(style("{spinner} {pos} frames  {fps}  {elapsed}"));
        bar.enable_steady_tick(Duration::from_millis(100));
        Self { bar, started: None }
    }

    pub(crate) fn show(&mut self, progress: Progress) {
        if self.started.is_none() {
            // Loading is over: what follows is what the rate is about.
            self.started = Some(Instant::now());
            if let Some(total) = progress.total {
                self.bar.set_length(total);
                self.bar.set_style(style("{bar:32} {pos}/{len} frames  {fps}  {eta} left").progress_chars("━╸─"));
            }
            self.bar.reset_eta();
        }
        self.bar.set_position(progress.frames);
    }

    pub(crate) fn end(self) {
        self.bar.finish_and_clear();
    }
}

fn style(template: &str) -> ProgressStyle {
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    style.with_key("fps", |state: &ProgressState, out: &mut dyn std::fmt::Write| {
        // A bar that cannot be drawn is no reason to fail.
        let _ = write!(out, "{:.1} fps", state.per_sec());
    })
}

/// Something that the user should know although the run succeeds.
pub(crate) fn warn(text: &str) {
    eprintln!("vultus: note: {text}");
}

/// The library's own go there too.
pub(crate) fn notices() -> Notices {
    Notices::new(warn)
}
