//! From what the page measured and the server counted to figures.

use serde::Serialize;
use serde_json::Value;

/// Sound after its end that a frame's last mel column reaches into, in milliseconds: 560 samples at 16 kHz.
pub(super) const MEL_REACH_MS: f64 = 35.0;
/// Of a frame of motion.
pub(super) const FRAME_MS: f64 = 40.0;

/// What the command knows besides the measurements.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Setting {
    pub(super) machine: Machine,
    pub(super) browser: String,
    pub(super) avatar: String,
    /// Side of the picture, in pixels.
    pub(super) size: usize,
    /// In frames of 40 ms.
    pub(super) lookahead: usize,
    /// Where networks and pictures are computed.
    pub(super) backend: String,
    /// Datagrams lost on purpose, of a hundred.
    pub(super) lost_percent: f32,
}

/// Where it was measured.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Machine {
    /// The processor's name, where the system tells.
    pub(super) processor: String,
    pub(super) threads: usize,
    /// Operating system.
    pub(super) system: &'static str,
}

impl Machine {
    pub(super) fn this() -> Self {
        let information = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let name = information.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
        Self {
            processor: name.map_or_else(|| std::env::consts::ARCH.into(), |(_, name)| name.trim().into()),
            threads: std::thread::available_parallelism().map_or(1, usize::from),
            system: std::env::consts::OS,
        }
    }
}

/// Some times, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(super) struct Times {
    pub(super) p50: f64,
    pub(super) p95: f64,
    pub(super) p99: f64,
    /// How many were measured.
    pub(super) count: usize,
}

impl Times {
    /// Each percentile is one of the values: the smallest that is not exceeded by so many of them. `None` of nothing.
    pub(super) fn of(values: &[f64]) -> Option<Self> {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let at = |share: f64| sorted[((share * sorted.len() as f64).ceil() as usize).clamp(1, sorted.len()) - 1];
        (!sorted.is_empty()).then(|| Self { p50: at(0.50), p95: at(0.95), p99: at(0.99), count: sorted.len() })
    }
}

/// Frames a second below which a machine does not keep up with 25, and the share of onsets that the mouth answers at least where it does.
const KEEPS_UP: f64 = 20.0;
const ANSWERED: f64 = 0.8;

/// Moments of silence that were treated as onsets.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Sham {
    pub(super) tried: u64,
    /// Of these, how many seemed to be answered.
    pub(super) triggered: u64,
}

/// Until speech was silent, and the mouth shut, after an interrupt with 5 s of speech queued.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Interrupts {
    pub(super) voice: Option<Times>,
    pub(super) mouth: Option<Times>,
    /// How many were tried.
    pub(super) tried: usize,
}

/// What the browser spends on a frame, and on the voice, on average, in milliseconds.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct InBrowser {
    /// From a frame's first packet to the decoded picture; both parts below are in it.
    pub(super) total: Option<f64>,
    pub(super) jitter_buffer: Option<f64>,
    pub(super) decoding: Option<f64>,
    /// How long the voice waits before it is played; the server sends it sooner by so much.
    pub(super) voice_buffer: Option<f64>,
}

/// What `--json` writes.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Report {
    pub(super) vultus: &'static str,
    #[serde(flatten)]
    pub(super) setting: Setting,
    /// How long onsets were given and frames counted.
    pub(super) seconds: f64,
    pub(super) mic_to_glass_ms: Option<Times>,
    pub(super) mic_to_voice_ms: Option<Times>,
    /// Median; positive where the voice comes after its picture.
    pub(super) av_offset_ms: Option<f64>,
    /// The 5th and the 95th percentile.
    pub(super) av_offset_range_ms: Option<[f64; 2]>,
    /// The server's, as /v1/stats has them.
    pub(super) stages_ms: Value,
    pub(super) browser_ms: InBrowser,
    /// Frames decoded in a second.
    pub(super) fps: Option<f64>,
    /// Times between two frames on the screen that were longer than 200 ms, and the longest.
    pub(super) freezes: usize,
    pub(super) longest_gap_ms: Option<f64>,
    pub(super) interrupt_ms: Interrupts,
    /// Onsets that the mouth could answer, and those that it did not.
    pub(super) onsets: usize,
    pub(super) missed: usize,
    pub(super) sham: Sham,
    /// Everything that the page measured.
    pub(super) page: Value,
}

impl Report {
    /// Whether the machine did not keep up, so that the page's figures do not hold.
    pub(super) fn too_slow(&self) -> bool {
        let answered = self.onsets.saturating_sub(self.missed);
        self.fps.is_some_and(|fps| fps < KEEPS_UP) || (answered as f64) < ANSWERED * self.onsets as f64
    }

    /// `page` is what measure.js posts, `stages` the server's `stages_ms`.
    pub(super) fn new(setting: Setting, page: Value, stages: Value) -> Self {
        let number = |path: &str| page.pointer(path).and_then(Value::as_f64);
        let per = |what: &str, count: &str| Some(number(what)? / number(count).filter(|count| *count > 0.0)?);
        let glass = numbers(&page["mic_to_glass_ms"]);
        let missed = page["missed"].as_array().map_or(0, Vec::len);
        let mut offsets = numbers(&page["av_offset_ms"]);
        offsets.sort_by(f64::total_cmp);
        let offset = |share: f64| offsets.get(((offsets.len().max(1) - 1) as f64 * share).round() as usize).copied();
        let interrupts = page["interrupt"].as_array().map(Vec::as_slice).unwrap_or_default();
        let interrupt =
            |what: &str| Times::of(&interrupts.iter().filter_map(|one| one[what].as_f64()).collect::<Vec<_>>());
        let gaps = numbers(&page["video"]["intervals_ms"]);
        Self {
            vultus: env!("CARGO_PKG_VERSION"),
            seconds: number("/seconds").unwrap_or(0.0),
            mic_to_glass_ms: Times::of(&glass),
            mic_to_voice_ms: Times::of(&numbers(&page["mic_to_voice_ms"])),
            av_offset_ms: offset(0.5),
            av_offset_range_ms: offset(0.05).zip(offset(0.95)).map(|(low, high)| [low, high]),
            stages_ms: stages,
            browser_ms: InBrowser {
                total: per("/video/total_processing_delay_ms", "/video/frames_decoded"),
                jitter_buffer: per("/video/jitter_buffer_delay_ms", "/video/jitter_buffer_emitted_count"),
                decoding: per("/video/total_decode_time_ms", "/video/frames_decoded"),
                // Counted for each sample.
                voice_buffer: per("/video/voice_jitter_buffer_delay_ms", "/video/voice_jitter_buffer_emitted_count"),
            },
            fps: per("/video/frames_decoded", "/video/counted_seconds"),
            freezes: page["video"]["freezes_ms"].as_array().map_or(0, Vec::len),
            longest_gap_ms: gaps.iter().copied().max_by(f64::total_cmp),
            interrupt_ms: Interrupts {
                voice: interrupt("voice_silent_ms"),
                mouth: interrupt("mouth_rest_ms"),
                tried: interrupts.len(),
            },
            onsets: glass.len() + missed,
            missed,
            sham: Sham {
                tried: page["sham"]["tried"].as_u64().unwrap_or(0),
                triggered: page["sham"]["triggered"].as_u64().unwrap_or(0),
            },
            setting,
            page,
        }
    }

    /// What a frame waits for the sound that it depends on, from its own end on.
    pub(super) fn look_ahead_ms(&self) -> f64 {
        self.setting.lookahead as f64 * FRAME_MS + MEL_REACH_MS
    }
}

fn numbers(list: &Value) -> Vec<f64> {
    list.as_array().into_iter().flatten().filter_map(Value::as_f64).collect()
}

#[cfg(test)]
pub(super) mod tests {
    use serde_json::json;

    use super::*;

    /// A short run, as the page posts it.
    pub(in super::super) fn sample() -> Report {
        let page = json!({
            "version": 1, "browser": "Chromium", "session": "12345678", "seconds": 8.0,
            "mic_to_glass_ms": [180.0, 150.5, 210.0, 190.0], "mic_to_voice_ms": [230.0, 240.0], "missed": [4711.0],
            "sham": {"tried": 5, "triggered": 1}, "av_offset_ms": [12.0, -3.0, 8.0, 9.5, 7.0],
            "video": {"shown": 200, "intervals_ms": [40.0, 33.3, 250.0], "freezes_ms": [250.0], "frames_decoded": 200,
                "total_decode_time_ms": 300.0, "total_processing_delay_ms": 1600.0, "jitter_buffer_delay_ms": 800.0,
                "jitter_buffer_emitted_count": 200, "counted_seconds": 8.0, "packets_lost": 2,
                "voice_jitter_buffer_delay_ms": 20_000_000.0, "voice_jitter_buffer_emitted_count": 400_000},
            "interrupt": [{"voice_silent_ms": 120.0, "mouth_rest_ms": 190.0}, {"voice_silent_ms": 140.0, "mouth_rest_ms": null}],
        });
        let setting = Setting {
            machine: Machine { processor: "some processor".into(), threads: 2, system: "linux" },
            browser: "Chromium 156".into(),
            avatar: "amara".into(),
            size: 256,
            lookahead: 2,
            backend: "cpu".into(),
            lost_percent: 0.0,
        };
        Report::new(setting, page, json!({"server": {"p50": 21.0, "p95": 30.0, "p99": 34.5}}))
    }

    #[test]
    fn percentiles_are_values_that_occurred() {
        let hundred: Vec<f64> = (1..=100).rev().map(f64::from).collect();
        assert_eq!(Times::of(&hundred), Some(Times { p50: 50.0, p95: 95.0, p99: 99.0, count: 100 }));
        assert_eq!(Times::of(&[7.0]), Some(Times { p50: 7.0, p95: 7.0, p99: 7.0, count: 1 }));
        assert_eq!(Times::of(&[]), None);
    }

    #[test]
    fn figures_follow_from_the_pages_lists() {
        let report = sample();
        assert_eq!(report.mic_to_glass_ms, Some(Times { p50: 180.0, p95: 210.0, p99: 210.0, count: 4 }));
        assert_eq!((report.onsets, report.missed), (5, 1));
        assert_eq!(report.av_offset_ms, Some(8.0));
        assert_eq!(report.av_offset_range_ms, Some([-3.0, 12.0]));
        assert_eq!(report.fps, Some(25.0));
        assert_eq!((report.freezes, report.longest_gap_ms), (1, Some(250.0)));
        assert_eq!((report.browser_ms.total, report.browser_ms.voice_buffer), (Some(8.0), Some(50.0)));
        let interrupts = report.interrupt_ms;
        assert_eq!((interrupts.tried, interrupts.voice.unwrap().count, interrupts.mouth.unwrap().count), (2, 2, 1));
        assert_eq!(report.look_ahead_ms(), 115.0);
    }

    #[test]
    fn the_json_has_the_agreed_names() {
        let json = serde_json::to_value(sample()).unwrap();
        for path in ["/mic_to_glass_ms/p50", "/mic_to_glass_ms/p99", "/av_offset_ms", "/stages_ms/server/p95", "/fps"] {
            assert!(json.pointer(path).is_some_and(Value::is_number), "{path} in {json}");
        }
        for key in [
            "mic_to_voice_ms",
            "freezes",
            "interrupt_ms",
            "onsets",
            "missed",
            "sham",
            "lost_percent",
            "machine",
            "size",
            "lookahead",
        ] {
            assert!(!json[key].is_null(), "{key} in {json}");
        }
    }

    #[test]
    fn a_page_that_saw_nothing_makes_a_report_all_the_same() {
        let report = Report::new(sample().setting, json!({}), Value::Null);
        assert!(report.mic_to_glass_ms.is_none() && report.fps.is_none() && report.av_offset_ms.is_none());
        assert_eq!((report.onsets, report.freezes), (0, 0));
    }
}
