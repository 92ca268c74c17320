//! Log-mel columns, streaming.
//!
//! Short-time Fourier transform over a periodic Hann window of 1280 samples with a hop of 160 at 16 kHz, power |X|²/Σw²,
//! 80 triangular filters on the HTK mel scale from 20 to 8000 Hz whose weights sum to 1 each, natural logarithm of the power
//! plus 1e-9, normalised as (x + 9)/4. Column m is centred on sample 160·m + 80, so the four columns of video frame t stand
//! inside its samples [640·t, 640·(t + 1)); samples before the start and after the end are zeros.
//!
//! `train/speech/mel.py` computes the same for a whole clip; `tests/mel.rs` holds both to the same golden file.

use std::sync::Arc;

use realfft::num_complex::Complex;
use realfft::{RealFftPlanner, RealToComplex};

use super::{COLUMNS_PER_FRAME, RATE, SAMPLES_PER_FRAME};

/// Filters, and so values in a column.
pub const MELS: usize = 80;
const WINDOW: usize = 1280;
const HOP: usize = 160;
const BINS: usize = WINDOW / 2 + 1;
/// Zeros that column 0 sees before the first sample: its window starts at 80 − 640.
const LEAD: usize = WINDOW / 2 - HOP / 2;
const LOWEST_HZ: f64 = 20.0;
const HIGHEST_HZ: f64 = 8000.0;
const FLOOR: f64 = 1e-9;
/// Samples after a video frame's own that its last column reaches into.
pub const REACH: usize = (WINDOW - HOP) / 2;

/// One filter: its weights on the bins from `first_bin` on.
struct Filter {
    first_bin: usize,
    weights: Vec<f64>,
}

/// Turns 16 kHz mono samples into columns. Allocates only in [`LogMel::new`].
///
/// The transform runs in f64: single precision would put a noise floor of its own, that depends on the loudest partial, far
/// above the 1e-9 of quiet bands, and 100 columns a second cost nothing.
pub struct LogMel {
    fft: Arc<dyn RealToComplex<f64>>,
    hann: Vec<f64>,
    inverse_window_power: f64,
    filters: Vec<Filter>,
    /// The last samples, oldest first; a column is due when `filled` reaches WINDOW.
    window: Vec<f32>,
    filled: usize,
    samples: u64,
    columns: u64,
    windowed: Vec<f64>,
    spectrum: Vec<Complex<f64>>,
    scratch: Vec<Complex<f64>>,
}

impl LogMel {
    /// A front-end at the start of a stream.
    pub fn new() -> Self {
        let fft = RealFftPlanner::<f64>::new().plan_fft_forward(WINDOW);
        let hann: Vec<f64> =
            (0..WINDOW).map(|n| 0.5 - 0.5 * (std::f64::consts::TAU * n as f64 / WINDOW as f64).cos()).collect();
        let filters = filter_rows().into_iter().map(|row| {
            let first_bin = row.iter().position(|&w| w > 0.0).unwrap_or(0);
            let last_bin = row.iter().rposition(|&w| w > 0.0).unwrap_or(0);
            Filter { first_bin, weights: row[first_bin..=last_bin].to_vec() }
        });
        Self {
            inverse_window_power: 1.0 / hann.iter().map(|w| w * w).sum::<f64>(),
            filters: filters.collect(),
            window: vec![0.0; WINDOW],
            filled: LEAD,
            samples: 0,
            columns: 0,
            windowed: vec![0.0; WINDOW],
            spectrum: vec![Complex::default(); BINS],
            scratch: fft.make_scratch_vec(),
            hann,
            fft,
        }
    }

    /// Takes the next samples and hands every column that is now complete to `emit`, in order.
    pub fn push(&mut self, samples: &[f32], mut emit: impl FnMut(&[f32; MELS])) {
        self.samples += samples.len() as u64;
        self.feed(samples, &mut emit);
    }

    /// Ends the stream: hands out the columns that still lack samples, with zeros for those, up to the end of the video frame
    /// that the last sample lies in. Returns the number of video frames. The front-end is then at the start of a new stream.
    pub fn finish(&mut self, mut emit: impl FnMut(&[f32; MELS])) -> u64 {
        let frames = self.samples.div_ceil(SAMPLES_PER_FRAME as u64);
        let zeros = [0.0; HOP];
        while self.columns < frames * COLUMNS_PER_FRAME as u64 {
            // At most one column is due per hop of zeros, so none past the last frame is made.
            self.feed(&zeros[..(WINDOW - self.filled).min(HOP)], &mut emit);
        }
        self.window.fill(0.0);
        (self.filled, self.samples, self.columns) = (LEAD, 0, 0);
        frames
    }

    /// Takes back the samples that columns still wait for, as if they had been zeros. The count of columns goes on.
    pub fn forget(&mut self) {
        self.window.fill(0.0);
    }

    fn feed(&mut self, mut samples: &[f32], emit: &mut impl FnMut(&[f32; MELS])) {
        while !samples.is_empty() {
            let (now, later) = samples.split_at(samples.len().min(WINDOW - self.filled));
            self.window[self.filled..self.filled + now.len()].copy_from_slice(now);
            self.filled += now.len();
            samples = later;
            if self.filled == WINDOW {
                emit(&self.column());
                self.columns += 1;
                self.window.copy_within(HOP.., 0);
                self.filled = WINDOW - HOP;
            }
        }
    }

    fn column(&mut self) -> [f32; MELS] {
        for ((out, &sample), &weight) in self.windowed.iter_mut().zip(&self.window).zip(&self.hann) {
            *out = f64::from(sample) * weight;
        }
        self.fft
            .process_with_scratch(&mut self.windowed, &mut self.spectrum, &mut self.scratch)
            .expect("the buffers were sized by the plan");
        std::array::from_fn(|row| {
            let filter = &self.filters[row];
            let bins = &self.spectrum[filter.first_bin..];
            let power: f64 = filter.weights.iter().zip(bins).map(|(weight, bin)| weight * bin.norm_sqr()).sum();
            normalise(power * self.inverse_window_power)
        })
    }
}

impl std::fmt::Debug for LogMel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "LogMel({} samples)", self.samples)
    }
}

impl Default for LogMel {
    fn default() -> Self {
        Self::new()
    }
}

fn normalise(power: f64) -> f32 {
    (((power + FLOOR).ln() + 9.0) / 4.0) as f32
}

/// The column of digital silence.
pub fn silent_column() -> [f32; MELS] {
    [normalise(0.0); MELS]
}

/// The filter bank, (80, 641) row-major.
pub fn mel_filters() -> Vec<f32> {
    filter_rows().into_iter().flatten().map(|w| w as f32).collect()
}

fn filter_rows() -> Vec<Vec<f64>> {
    let mel_from_hz = |hz: f64| 2595.0 * (1.0 + hz / 700.0).log10();
    let hz_from_mel = |mel: f64| 700.0 * (10f64.powf(mel / 2595.0) - 1.0);
    let (low, high) = (mel_from_hz(LOWEST_HZ), mel_from_hz(HIGHEST_HZ));
    let edge = |i: usize| hz_from_mel(low + (high - low) * i as f64 / (MELS + 1) as f64);
    let hz_per_bin = RATE as f64 / WINDOW as f64;
    let row = |i: usize| {
        let (left, centre, right) = (edge(i), edge(i + 1), edge(i + 2));
        let triangle = |bin: usize| {
            let hz = bin as f64 * hz_per_bin;
            ((hz - left) / (centre - left)).min((right - hz) / (right - centre)).max(0.0)
        };
        let mut row: Vec<f64> = (0..BINS).map(triangle).collect();
        let mut sum: f64 = row.iter().sum();
        if sum == 0.0 {
            // The narrow low filters fall between two bins.
            row[(centre / hz_per_bin).round() as usize] = 1.0;
            sum = 1.0;
        }
        row.iter_mut().for_each(|w| *w /= sum);
        row
    };
    (0..MELS).map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn columns(blocks: impl Iterator<Item = Vec<f32>>) -> (Vec<[f32; MELS]>, u64) {
        let (mut mel, mut out) = (LogMel::new(), Vec::new());
        for block in blocks {
            mel.push(&block, |column| out.push(*column));
        }
        let frames = mel.finish(|column| out.push(*column));
        (out, frames)
    }

    fn sine(hz: f64, amplitude: f64, len: usize) -> Vec<f32> {
        (0..len).map(|n| (amplitude * (std::f64::consts::TAU * hz * n as f64 / 16_000.0).sin()) as f32).collect()
    }

    #[test]
    fn streaming_equals_batch_bit_for_bit() {
        let pcm = sine(317.0, 0.3, 12_345);
        let (batch, frames) = columns(std::iter::once(pcm.clone()));
        assert_eq!((batch.len(), frames), (80, 20));
        for size in [1, 7, 160, 640, 1279, 1280, 1281, 5000] {
            let (streamed, _) = columns(pcm.chunks(size).map(<[f32]>::to_vec));
            assert_eq!(streamed, batch, "block size {size}");
        }
    }

    #[test]
    fn a_sine_stands_in_its_filter_with_its_power() {
        let hz = 1000.0;
        let (got, _) = columns(std::iter::once(sine(hz, 0.5, 6400)));
        let column = got[20];
        let peak = (0..MELS).max_by(|&a, &b| column[a].total_cmp(&column[b])).unwrap();
        let filters = mel_filters();
        let bin = (hz / 12.5) as usize;
        // The peak bin has |X| = a/2 · Σw = a/2 · 640; its neighbours half of that.
        let bin_power = (0.25f64 * 640.0).powi(2) / 480.0;
        let weights = &filters[peak * BINS..(peak + 1) * BINS];
        let expected = f64::from(weights[bin]) * bin_power
            + (f64::from(weights[bin - 1]) + f64::from(weights[bin + 1])) * bin_power / 4.0;
        assert!((f64::from(column[peak]) - ((expected + 1e-9).ln() + 9.0) / 4.0).abs() < 1e-4);
        assert!(weights[bin] > 0.0, "the loudest filter covers the sine");
    }

    #[test]
    fn an_impulse_is_heard_by_the_columns_around_it() {
        let at = 3000;
        let mut pcm = vec![0.0; 6400];
        pcm[at] = 1.0;
        let (got, _) = columns(std::iter::once(pcm));
        for (m, column) in got.iter().enumerate() {
            let from = (160 * m + 80) as i64 - 640;
            // The window's first weight is zero.
            let heard = (from + 1..from + 1280).contains(&(at as i64));
            assert_eq!(column[40] > silent_column()[40], heard, "column {m}");
        }
    }

    #[test]
    fn silence_is_the_floor_and_nothing_is_no_frame() {
        let (got, frames) = columns(std::iter::once(vec![0.0; 641]));
        assert_eq!(frames, 2);
        assert!(got.iter().all(|column| *column == silent_column()));
        assert_eq!(columns(std::iter::empty()), (vec![], 0));
    }

    #[test]
    fn finish_starts_a_new_stream() {
        let pcm = sine(200.0, 0.1, 3000);
        let (mut mel, mut first, mut second) = (LogMel::new(), Vec::new(), Vec::new());
        for out in [&mut first, &mut second] {
            mel.push(&pcm, |c| out.push(*c));
            mel.finish(|c| out.push(*c));
        }
        assert_eq!(first, second);
    }
}
