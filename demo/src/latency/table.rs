//! The figures, for people.

use std::fmt;

use serde_json::Value;

use super::report::{Report, Times};

/// Columns of the names and of a number.
const NAME: usize = 46;
const NUMBER: usize = 7;
/// The server's stages with what they are, in the order of the data's way.
const STAGES: [(&str, &str); 8] = [
    ("capture", "capture: sound waits for the media clock"),
    ("mel", "mel: sound to spectra"),
    ("motion", "motion: spectra to expressions"),
    ("face", "face: expressions to a mesh"),
    ("generator", "generator: mesh to a picture"),
    ("encode", "encode: picture to H.264"),
    ("send", "send: H.264 to packets on their way"),
    ("server", "server, all of it: last sound in, packets out"),
];

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let setting = &self.setting;
        let machine = &setting.machine;
        writeln!(
            f,
            "{:.0} s with {} at {size} × {size}, look-ahead {} frames, computed by {}",
            self.seconds,
            setting.avatar,
            setting.lookahead,
            setting.backend,
            size = setting.size,
        )?;
        writeln!(
            f,
            "{}, with the server on one machine: {}, {} threads",
            setting.browser, machine.processor, machine.threads
        )?;
        if setting.lost_percent > 0.0 {
            writeln!(f, "{} % of all datagrams were lost on purpose", setting.lost_percent)?;
        }
        if self.too_slow() {
            writeln!(
                f,
                "this machine was too slow for all of it: it is measured, but sound and picture no longer kept time, and no bound holds"
            )?;
        }
        self.ends(f)?;
        self.picture(f)?;
        self.split(f)
    }
}

impl Report {
    /// What a person at the browser notices.
    fn ends(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        heading(f, "")?;
        row(f, "microphone → lips move on the screen", self.mic_to_glass_ms, "right, or too large by up to 27")?;
        row(f, "microphone → voice in the loudspeaker", self.mic_to_voice_ms, "right, or too large by up to 30")?;
        if self.interrupt_ms.tried > 0 {
            row(f, "interrupt → voice silent", self.interrupt_ms.voice, "right, or too large by up to 20")?;
            row(f, "interrupt → mouth at rest", self.interrupt_ms.mouth, "right, or too large by up to 17")?;
        }
        Ok(())
    }

    fn picture(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f)?;
        let range =
            self.av_offset_range_ms.map_or(String::new(), |[low, high]| format!(" (mostly {low:+.0} … {high:+.0})"));
        match self.av_offset_ms {
            Some(offset) => {
                line(f, "voice after picture", &format!("{offset:+.1} ms{range}, right, or too small by up to 22"))?
            }
            None => line(f, "voice after picture", "not measured")?,
        }
        if let Some(buffer) = self.browser_ms.voice_buffer {
            line(f, "voice in the browser's own buffer", &format!("{buffer:.0} ms"))?;
        }
        let fps = self.fps.map_or("no".into(), |fps| format!("{fps:.2}"));
        let gap = self.longest_gap_ms.map_or(String::new(), |ms| format!("; longest gap {ms:.0} ms"));
        line(f, "picture", &format!("{fps} frames a second{gap}, {} gaps over 200 ms", self.freezes))?;
        line(f, "onsets of sound answered by the mouth", &format!("{} of {}", self.onsets - self.missed, self.onsets))?;
        let sham = self.sham;
        line(f, "the same tried on silence", &format!("{} of {} seemed answered", sham.triggered, sham.tried))
    }

    /// Where the time goes.
    fn split(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        heading(f, "of that, in the server, for each frame")?;
        for (stage, words) in STAGES {
            let at = |percentile: &str| self.stages_ms[stage][percentile].as_f64();
            if let (Some(p50), Some(p95), Some(p99)) = (at("p50"), at("p95"), at("p99")) {
                row(f, words, Some(Times { p50, p95, p99, count: 1 }), "")?;
            }
        }
        let sum = self.stages_ms.pointer("/server/p50").and_then(Value::as_f64);
        let (Some(server), Some(browser), Some(glass)) = (sum, self.browser_ms.total, self.mic_to_glass_ms) else {
            return Ok(());
        };
        let ahead = self.look_ahead_ms();
        writeln!(f, "\nthe way of the median onset, in ms")?;
        let part = |f: &mut fmt::Formatter<'_>, words: &str, ms: f64| writeln!(f, "  {words:NAME$} {ms:>NUMBER$.1}");
        part(f, "look-ahead, and the window of the spectra", ahead)?;
        part(f, "server", server)?;
        part(f, "browser: first packet to decoded picture", browser)?;
        // Nobody can see these one by one. The mouth may begin to move in the frame before the one of the onset, so that the rest can
        // be negative.
        part(f, "the rest: microphone, its packets, frame, screen", glass.p50 - ahead - server - browser)
    }
}

fn heading(f: &mut fmt::Formatter<'_>, title: &str) -> fmt::Result {
    let pad = NAME + 2 - title.chars().count();
    writeln!(f, "\n{title}{:pad$} {:>NUMBER$} {:>NUMBER$} {:>NUMBER$}  ms", "", "p50", "p95", "p99")
}

fn row(f: &mut fmt::Formatter<'_>, name: &str, times: Option<Times>, note: &str) -> fmt::Result {
    write!(f, "  {name:NAME$}")?;
    match times {
        Some(t) => write!(f, " {:>NUMBER$.1} {:>NUMBER$.1} {:>NUMBER$.1}", t.p50, t.p95, t.p99)?,
        None => return writeln!(f, " {:>NUMBER$}", "never"),
    }
    writeln!(f, "{}{note}", if note.is_empty() { "" } else { "  " })
}

fn line(f: &mut fmt::Formatter<'_>, name: &str, value: &str) -> fmt::Result {
    writeln!(f, "  {name:NAME$} {value}")
}

#[cfg(test)]
mod tests {
    use super::super::report::tests::sample;

    #[test]
    fn the_table_says_everything_and_no_line_is_too_long() {
        let text = sample().to_string();
        for words in
            ["lips move", "180.0", "+8.0 ms", "25.00 frames a second", "4 of 5", "1 of 5", "last sound in", "115.0"]
        {
            assert!(text.contains(words), "{words:?} in\n{text}");
        }
        for line in text.lines() {
            assert!(line.chars().count() <= 110 && line.trim_end() == line, "{line:?}");
        }
    }
}
