//! Sample rate conversion with exact times.
//!
//! rubato's FFT resampler works on blocks of a size of its own; this wrapper collects samples into such blocks, so that the
//! output does not depend on the sizes of the pushes, drops the filter's delay, and ends the output where the input ends.
//! Output sample n lies at the time n / rate_out of the input, exactly: block sizes are chosen even, so that the filter's
//! delay is a whole number of samples on both sides. (The low-delay filter is exact to half an output sample.)

use rubato::audioadapter_buffers::direct::InterleavedSlice;
use rubato::{Async, Fft, FixedAsync, FixedSync, SincInterpolationParameters, WindowFunction};
use thiserror::Error;

/// Filter length to aim for, in samples of the slower side. 1024 keep 97 % of the band.
const FILTER_LEN: usize = 1024;
/// The same for live sound, in samples of the faster side, where the filter delays by half of it: 2 ms at 48 kHz.
const SHORT_FILTER_LEN: usize = 192;
/// Blocks for live sound, a second: 5 ms each.
const SHORT_BLOCKS: usize = 200;

/// The two rates cannot be converted into each other.
#[derive(Debug, Error)]
#[error("cannot convert {from} Hz to {to} Hz: {reason}")]
pub struct RateError {
    /// Input rate, Hz.
    pub from: usize,
    /// Output rate, Hz.
    pub to: usize,
    /// What the resampler says.
    pub reason: String,
}

/// Converts interleaved samples from one rate to another. See the module's text.
pub struct Resampler {
    from: usize,
    to: usize,
    channels: usize,
    /// `None` where the rates are equal: samples then pass through untouched.
    inner: Option<Inner>,
    frames_in: u64,
    frames_out: u64,
}

struct Inner {
    converter: Box<dyn rubato::Resampler<f32> + Send>,
    /// Interleaved input of one block, of which `filled` frames are there.
    input: Vec<f32>,
    filled: usize,
    output: Vec<f32>,
    /// The filter's delay, in output frames.
    delay: usize,
    /// Output frames of it still to be dropped.
    skip: usize,
}

impl Resampler {
    /// A converter for `channels` interleaved channels, at the start of a stream.
    ///
    /// # Errors
    /// When a rate is zero.
    pub fn new(from: usize, to: usize, channels: usize) -> Result<Self, RateError> {
        let inner = if from == to { None } else { Some(Inner::new(from, to, channels)?) };
        Ok(Self { from, to, channels, inner, frames_in: 0, frames_out: 0 })
    }

    /// A converter that delays by little more than a block of 5 ms, for live sound.
    ///
    /// # Errors
    /// When a rate is zero.
    pub fn low_delay(from: usize, to: usize, channels: usize) -> Result<Self, RateError> {
        let inner = if from == to { None } else { Some(Inner::low_delay(from, to, channels)?) };
        Ok(Self { from, to, channels, inner, frames_in: 0, frames_out: 0 })
    }

    /// Takes the next interleaved samples (whole frames) and hands interleaved output to `emit` as it gets ready.
    /// Allocates nothing.
    pub fn push(&mut self, samples: &[f32], mut emit: impl FnMut(&[f32])) {
        debug_assert_eq!(samples.len() % self.channels, 0, "whole frames only");
        self.frames_in += (samples.len() / self.channels) as u64;
        let Some(inner) = &mut self.inner else {
            self.frames_out = self.frames_in;
            emit(samples);
            return;
        };
        inner.feed(samples, self.channels, |out| {
            self.frames_out += (out.len() / self.channels) as u64;
            emit(out);
        });
    }

    /// Takes back the samples that the filter still holds, as if they had been zeros. Time goes on.
    pub fn forget(&mut self) {
        if let Some(inner) = &mut self.inner {
            inner.converter.reset();
            inner.input.fill(0.0);
        }
    }

    /// Ends the stream: hands out what the filter still holds, until the output is as long as the input, rounded up to a whole
    /// frame. The converter is then at the start of a new stream.
    pub fn finish(&mut self, mut emit: impl FnMut(&[f32])) {
        let total = (u128::from(self.frames_in) * self.to as u128).div_ceil(self.from as u128) as u64;
        if let Some(inner) = &mut self.inner {
            let zeros = vec![0.0; self.channels * 256];
            while self.frames_out < total {
                inner.feed(&zeros, self.channels, |out| {
                    let frames = ((out.len() / self.channels) as u64).min(total - self.frames_out);
                    self.frames_out += frames;
                    if frames > 0 {
                        emit(&out[..frames as usize * self.channels]);
                    }
                });
            }
            inner.reset();
        }
        (self.frames_in, self.frames_out) = (0, 0);
    }
}

impl Inner {
    fn new(from: usize, to: usize, channels: usize) -> Result<Self, RateError> {
        let error = |reason: String| RateError { from, to, reason };
        if from == 0 || to == 0 {
            return Err(error("a rate is zero".into()));
        }
        let divisor = greatest_common_divisor(from, to);
        let (unit_in, unit_out) = (from / divisor, to / divisor);
        let units = FILTER_LEN.div_ceil(unit_in.min(unit_out)).next_multiple_of(2);
        let fft =
            Fft::new_custom(from, to, unit_in * units, 1, channels, WindowFunction::BlackmanHarris2, FixedSync::Both)
                .map_err(|e| error(e.to_string()))?;
        Ok(Self::around(Box::new(fft), channels))
    }

    fn low_delay(from: usize, to: usize, channels: usize) -> Result<Self, RateError> {
        let error = |reason: String| RateError { from, to, reason };
        if from == 0 || to == 0 {
            return Err(error("a rate is zero".into()));
        }
        // The filter's length counts samples of the input.
        let length = (SHORT_FILTER_LEN * from / from.max(to)).max(32);
        let sinc = Async::new_sinc(
            to as f64 / from as f64,
            1.0,
            &SincInterpolationParameters::new(length, WindowFunction::BlackmanHarris2),
            (from / SHORT_BLOCKS).max(1),
            channels,
            FixedAsync::Input,
        )
        .map_err(|e| error(e.to_string()))?;
        let mut inner = Self::around(Box::new(sinc), channels);
        // Its first output sample lies one before what it calls its delay (see the test below).
        inner.delay = inner.delay.saturating_sub(1);
        inner.skip = inner.delay;
        Ok(inner)
    }

    fn around(converter: Box<dyn rubato::Resampler<f32> + Send>, channels: usize) -> Self {
        let input = vec![0.0; converter.input_frames_next() * channels];
        let output = vec![0.0; converter.output_frames_max() * channels];
        let delay = converter.output_delay();
        Self { converter, input, filled: 0, output, delay, skip: delay }
    }

    fn feed(&mut self, mut samples: &[f32], channels: usize, mut emit: impl FnMut(&[f32])) {
        let block = self.converter.input_frames_next();
        while !samples.is_empty() {
            let frames = (samples.len() / channels).min(block - self.filled);
            let (now, later) = samples.split_at(frames * channels);
            self.input[self.filled * channels..][..now.len()].copy_from_slice(now);
            self.filled += frames;
            samples = later;
            if self.filled == block {
                self.filled = 0;
                let frames_out = self.convert(channels);
                let skipped = self.skip.min(frames_out);
                self.skip -= skipped;
                let ready = &self.output[skipped * channels..frames_out * channels];
                if !ready.is_empty() {
                    emit(ready);
                }
            }
        }
    }

    fn convert(&mut self, channels: usize) -> usize {
        let frames_in = self.input.len() / channels;
        let frames_out = self.output.len() / channels;
        let input = InterleavedSlice::new(&self.input, channels, frames_in).expect("sized in new");
        let mut output = InterleavedSlice::new_mut(&mut self.output, channels, frames_out).expect("sized in new");
        let (_, written) = self
            .converter
            .process_into_buffer(&input, &mut output, None)
            .expect("both buffers have the sizes it asked for");
        written
    }

    fn reset(&mut self) {
        self.converter.reset();
        self.filled = 0;
        self.skip = self.delay;
    }
}

fn greatest_common_divisor(mut a: usize, mut b: usize) -> usize {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

#[cfg(test)]
mod tests {
    use super::*;

    fn convert(from: usize, to: usize, channels: usize, pcm: &[f32], block: usize) -> Vec<f32> {
        let mut resampler = Resampler::new(from, to, channels).unwrap();
        let mut out = Vec::new();
        for chunk in pcm.chunks(block * channels) {
            resampler.push(chunk, |samples| out.extend_from_slice(samples));
        }
        resampler.finish(|samples| out.extend_from_slice(samples));
        out
    }

    fn tone(hz: f64, rate: usize, frames: usize) -> Vec<f32> {
        (0..frames).map(|n| (std::f64::consts::TAU * hz * n as f64 / rate as f64).sin() as f32 * 0.5).collect()
    }

    #[test]
    fn output_does_not_depend_on_block_sizes() {
        let pcm = tone(440.0, 44_100, 10_001);
        let whole = convert(44_100, 16_000, 1, &pcm, pcm.len());
        for block in [1, 13, 441, 1764, 4096] {
            assert_eq!(convert(44_100, 16_000, 1, &pcm, block), whole, "block {block}");
        }
    }

    #[test]
    fn times_and_lengths_are_exact_at_every_rate() {
        for (from, to) in [
            (8_000, 16_000),
            (11_025, 16_000),
            (22_050, 16_000),
            (32_000, 16_000),
            (44_100, 16_000),
            (44_099, 16_000),
            (48_000, 16_000),
            (96_000, 16_000),
            (192_000, 16_000),
            (16_000, 16_000),
            (44_100, 48_000),
            (16_000, 48_000),
        ] {
            let frames = from * 7 / 10;
            let out = convert(from, to, 1, &tone(440.0, from, frames), 1000);
            assert_eq!(out.len(), (frames * to).div_ceil(from), "{from} to {to}");
            let expected = tone(440.0, to, out.len());
            // Away from the ends, where the filter sees the silence around the clip.
            let inside = out.len() / 4..out.len() * 3 / 4;
            let worst = inside.map(|n| (out[n] - expected[n]).abs()).fold(0.0, f32::max);
            assert!(worst < 2e-3, "{from} to {to}: off by {worst}");
        }
    }

    #[test]
    fn nothing_above_the_new_band_comes_through() {
        let out = convert(48_000, 16_000, 1, &tone(9_500.0, 48_000, 48_000), 480);
        let inside = &out[4000..12_000];
        let rms = (inside.iter().map(|x| x * x).sum::<f32>() / inside.len() as f32).sqrt();
        assert!(rms < 1e-4, "aliased to {rms}");
    }

    #[test]
    fn channels_stay_apart() {
        let left = tone(300.0, 44_100, 20_000);
        let right = tone(700.0, 44_100, 20_000);
        let both: Vec<f32> = left.iter().zip(&right).flat_map(|(l, r)| [*l, *r]).collect();
        let out = convert(44_100, 48_000, 2, &both, 777);
        let alone = convert(44_100, 48_000, 1, &right, 777);
        assert!(out.iter().skip(1).step_by(2).zip(&alone).all(|(a, b)| (a - b).abs() < 1e-6));
    }

    #[test]
    fn short_and_empty_streams() {
        assert_eq!(convert(44_100, 16_000, 1, &[0.5], 1).len(), 1);
        assert_eq!(convert(44_100, 16_000, 1, &[], 1).len(), 0);
    }

    #[test]
    fn low_delay_is_low_and_keeps_time() {
        for (from, to) in [(48_000, 16_000), (44_100, 48_000), (24_000, 48_000), (16_000, 48_000), (48_000, 24_000)] {
            let mut resampler = Resampler::low_delay(from, to, 1).unwrap();
            let pcm = tone(440.0, from, from);
            let mut out = Vec::new();
            for (block, chunk) in pcm.chunks(from / 200).enumerate() {
                resampler.push(chunk, |samples| out.extend_from_slice(samples));
                let heard = (block + 1) * chunk.len();
                let behind = (heard * to / from).saturating_sub(out.len()) as f64 / to as f64;
                // Half a filter, and what does not fill a block where the rate is no multiple of 200.
                assert!(behind < 0.009, "{from} to {to}: {behind} s behind after {heard}");
            }
            let expected = tone(440.0, to, out.len());
            let inside = out.len() / 4..out.len() * 3 / 4;
            let worst = inside.map(|n| (out[n] - expected[n]).abs()).fold(0.0, f32::max);
            // Half a sample at 440 Hz and an amplitude of a half.
            let half_sample = (std::f64::consts::PI * 440.0 / to as f64 * 0.5) as f32;
            assert!(worst < half_sample + 0.01, "{from} to {to}: off by {worst}");
        }
    }
}
