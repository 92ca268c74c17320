//! Many channels to one voice, so that nothing a person hears is lost.
//!
//! The plain mix (the mean of two channels, or what BS.775 says of a known layout) loses a voice where one channel is the other upside
//! down, and buries it where it is in one channel of many. So the plain mix is checked against what is there: over blocks of 20 ms, the
//! covariance of the channels above 200 Hz, where speech is understood, gives the power of the plain mix and that of the loudest channel.
//! As long as the first is not far below the second, the plain mix is taken as it is, bit for bit. Below that, all channels are added, each
//! with the sign that adds to the others, scaled to the loudness of the loudest. Between the two, and from block to
//! block, the weights are cross-faded.
//!
//! All of it depends on the sound alone, not on the sizes of the pieces in which it comes.

/// Length of a block, as a part of a second.
const BLOCKS_A_SECOND: u32 = 50;
/// What is left of a block's weight in the covariance a block later: a time constant of 60 ms.
const KEPT: f64 = 0.7165;
/// Power of the plain mix as a share of the loudest channel's: above the first it is taken as it is, below the second not at all. Two
/// channels without anything in common have 0.5, one of which is dead has 0.25, one upside down 0.
const SOUND: f64 = 0.42;
const LOST: f64 = 0.3;
/// A block this much weaker than the loudest of late is a pause: it says nothing about the voice.
const PAUSE: f64 = 1e-3;
/// How much of the loudest block's power is left a block later: 6 dB a second.
const FORGOTTEN: f64 = 0.9727;
/// Covariances computed a frame at most; of more channels only every n-th frame is looked at.
const PRODUCTS: usize = 2048;

/// How the channels are mixed at the end of a block.
#[derive(Clone, Debug, PartialEq)]
pub struct Weights {
    /// One a channel.
    pub channels: Vec<f32>,
    /// How much of the plain mix was given up, 0 to 1.
    pub departure: f32,
}

impl Weights {
    fn plain(plain: &[f32]) -> Self {
        Self { channels: plain.to_vec(), departure: 0.0 }
    }
}

/// Watches the channels and says, block by block, how to mix them.
#[derive(Debug)]
pub struct Watch {
    plain: Vec<f32>,
    block: usize,
    stride: usize,
    /// Frames of the present block.
    frames: usize,
    filters: Vec<HighPass>,
    filtered: Vec<f64>,
    /// Covariance of the present block, and of those before; upper triangles, row by row.
    now: Vec<f64>,
    before: Vec<f64>,
    loudest: f64,
    last: Weights,
}

impl Watch {
    /// For interleaved sound at `rate` Hz whose channels have these weights in the plain mix.
    pub fn new(rate: u32, plain: &[f32]) -> Self {
        let channels = plain.len();
        let products = channels * (channels + 1) / 2;
        Self {
            plain: plain.to_vec(),
            block: (rate / BLOCKS_A_SECOND).max(1) as usize,
            stride: products.div_ceil(PRODUCTS).max(1),
            frames: 0,
            filters: vec![HighPass::new(f64::from(rate)); channels],
            filtered: vec![0.0; channels],
            now: vec![0.0; products],
            before: vec![0.0; products],
            loudest: 0.0,
            last: Weights::plain(plain),
        }
    }

    /// Frames of a block.
    pub fn block(&self) -> usize {
        self.block
    }

    /// How to mix by what has been heard so far.
    pub fn weights(&self) -> &Weights {
        &self.last
    }

    /// Frames that are missing to the end of the present block.
    fn room(&self) -> usize {
        self.block - self.frames
    }

    /// Looks at the next interleaved samples; `each` gets the weights at the end of every block.
    pub fn look(&mut self, samples: &[f32], mut each: impl FnMut(&Weights)) {
        for frame in samples.chunks_exact(self.plain.len()) {
            for ((sample, filter), filtered) in frame.iter().zip(&mut self.filters).zip(&mut self.filtered) {
                let sample = if sample.is_finite() { f64::from(*sample) } else { 0.0 };
                *filtered = filter.next(sample);
            }
            if self.frames.is_multiple_of(self.stride) {
                let mut products = self.now.iter_mut();
                for (c, a) in self.filtered.iter().enumerate() {
                    for (b, product) in self.filtered[c..].iter().zip(products.by_ref()) {
                        *product += a * b;
                    }
                }
            }
            self.frames += 1;
            if self.frames == self.block {
                self.end_block();
                each(&self.last);
            }
        }
    }

    fn end_block(&mut self) {
        self.frames = 0;
        let mut power = 0.0;
        let mut at = 0;
        for c in 0..self.plain.len() {
            power += self.now[at];
            at += self.plain.len() - c;
        }
        self.loudest = (self.loudest * FORGOTTEN).max(power);
        // Below about −110 dB of full scale there is nothing to hear.
        let heard = power > self.loudest * PAUSE && power > 1e-11 * self.block as f64;
        for (before, now) in self.before.iter_mut().zip(&mut self.now) {
            if heard {
                *before = *before * KEPT + *now;
            }
            *now = 0.0;
        }
        if heard {
            self.decide();
        }
    }

    fn covariance(&self, a: usize, b: usize) -> f64 {
        let (a, b) = (a.min(b), a.max(b));
        self.before[a * self.plain.len() - a * (a + 1) / 2 + b]
    }

    fn decide(&mut self) {
        let channels = self.plain.len();
        let loudest = (0..channels).map(|c| self.covariance(c, c)).fold(0.0, f64::max);
        let mut power = 0.0;
        for a in 0..channels {
            for b in 0..channels {
                power += f64::from(self.plain[a]) * f64::from(self.plain[b]) * self.covariance(a, b);
            }
        }
        let departure = ((SOUND - power / loudest) / (SOUND - LOST)).clamp(0.0, 1.0);
        if departure.is_nan() || departure == 0.0 {
            self.last = Weights::plain(&self.plain);
            return;
        }
        let added = self.add_up(loudest);
        // The same voice upside down is the same voice; turning over from block to block would pass through silence.
        let same: f32 = added.iter().zip(&self.last.channels).map(|(a, b)| a * b).sum();
        let turn = if same < 0.0 { -1.0 } else { 1.0 };
        let departure = departure as f32;
        let channels =
            self.plain.iter().zip(added).map(|(plain, add)| (1.0 - departure) * plain + departure * turn * add);
        self.last = Weights { channels: channels.collect(), departure };
    }

    /// Weights of the sum of all channels in which each has the sign that adds to the louder ones, as loud as the loudest.
    fn add_up(&self, loudest: f64) -> Vec<f32> {
        let channels = self.plain.len();
        let mut order: Vec<usize> = (0..channels).collect();
        order.sort_by(|a, b| self.covariance(*b, *b).total_cmp(&self.covariance(*a, *a)));
        let mut signs = vec![0.0; channels];
        let mut power = 0.0;
        for c in order {
            let common: f64 = (0..channels).map(|d| signs[d] * self.covariance(c, d)).sum();
            signs[c] = if common < 0.0 { -1.0 } else { 1.0 };
            power += self.covariance(c, c) + 2.0 * common.abs();
        }
        let scale = (loudest / power).sqrt();
        signs.into_iter().map(|sign| (sign * scale) as f32).collect()
    }
}

/// Second order Butterworth high-pass at 200 Hz: hum, rumble and offsets are no voice.
#[derive(Clone, Copy, Debug)]
struct HighPass {
    gain: f64,
    a1: f64,
    a2: f64,
    z1: f64,
    z2: f64,
}

impl HighPass {
    fn new(rate: f64) -> Self {
        let k = (std::f64::consts::PI * 200.0 / rate).tan();
        let norm = 1.0 / (1.0 + std::f64::consts::SQRT_2 * k + k * k);
        let (a1, a2) = (2.0 * (k * k - 1.0) * norm, (1.0 - std::f64::consts::SQRT_2 * k + k * k) * norm);
        Self { gain: norm, a1, a2, z1: 0.0, z2: 0.0 }
    }

    fn next(&mut self, sample: f64) -> f64 {
        let x = self.gain * sample;
        let y = x + self.z1;
        self.z1 = -2.0 * x - self.a1 * y + self.z2;
        self.z2 = x - self.a2 * y;
        y
    }
}

/// The weights of frame `at` of `block`, on the way from one block's to the next one's.
fn on_the_way(from: f32, to: f32, at: usize, block: usize) -> f32 {
    if from == to { to } else { from + (to - from) * ((at + 1) as f32 / block as f32) }
}

/// One mixed block of a file, whose weights are known ahead: `emit` gets each mixed sample and how far the plain mix was left for it.
pub fn mix_block(frames: &[f32], from: &Weights, to: &Weights, block: usize, mut emit: impl FnMut(f32, f32)) {
    for (at, frame) in frames.chunks_exact(to.channels.len()).enumerate() {
        let mut mono = 0.0;
        for ((sample, from), to) in frame.iter().zip(&from.channels).zip(&to.channels) {
            mono += sample * on_the_way(*from, *to, at, block);
        }
        emit(mono, on_the_way(from.departure, to.departure, at, block));
    }
}

/// Mixes a live sound of several channels without delay: each block is mixed by what the ones before it said.
#[derive(Debug)]
pub struct LiveMix {
    watch: Watch,
    from: Weights,
    to: Weights,
    mono: Vec<f32>,
}

impl LiveMix {
    /// For interleaved sound of this many channels at `rate` Hz. No channels count as one.
    pub fn new(rate: u32, channels: usize) -> Self {
        let channels = channels.max(1);
        Self::of(rate, &vec![1.0 / channels as f32; channels])
    }

    /// For interleaved sound at `rate` Hz whose channels have these weights in the plain mix.
    pub fn of(rate: u32, plain: &[f32]) -> Self {
        let weights = Weights::plain(plain);
        Self { watch: Watch::new(rate, plain), from: weights.clone(), to: weights, mono: Vec::new() }
    }

    /// Channels of what goes in.
    pub fn channels(&self) -> usize {
        self.to.channels.len()
    }

    /// The mix of the next whole frames; samples of a frame that is not whole are left out.
    pub fn mix(&mut self, samples: &[f32]) -> &mut [f32] {
        self.mono.clear();
        let channels = self.channels();
        if channels == 1 {
            self.mono.extend_from_slice(samples);
            return &mut self.mono;
        }
        let mut rest = &samples[..samples.len() / channels * channels];
        while !rest.is_empty() {
            let (at, block) = (self.watch.block() - self.watch.room(), self.watch.block());
            let (piece, later) = rest.split_at(rest.len().min(self.watch.room() * channels));
            rest = later;
            for (n, frame) in piece.chunks_exact(channels).enumerate() {
                let mut mono = 0.0;
                for ((sample, from), to) in frame.iter().zip(&self.from.channels).zip(&self.to.channels) {
                    mono += sample * on_the_way(*from, *to, at + n, block);
                }
                self.mono.push(mono);
            }
            let (from, to) = (&mut self.from, &mut self.to);
            self.watch.look(piece, |weights| {
                std::mem::swap(from, to);
                to.clone_from(weights);
            });
        }
        &mut self.mono
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: u32 = 16_000;

    fn noise(seed: u64, len: usize) -> Vec<f32> {
        let mut s = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
        (0..len)
            .map(|_| {
                s ^= s << 13;
                s ^= s >> 7;
                s ^= s << 17;
                0.2 * ((s >> 40) as f32 / (1u64 << 23) as f32 - 1.0)
            })
            .collect()
    }

    fn interleave(channels: &[Vec<f32>]) -> Vec<f32> {
        (0..channels[0].len()).flat_map(|n| channels.iter().map(move |c| c[n])).collect()
    }

    fn scaled(sound: &[f32], by: f32) -> Vec<f32> {
        sound.iter().map(|x| x * by).collect()
    }

    fn rms(sound: &[f32]) -> f32 {
        (sound.iter().map(|x| x * x).sum::<f32>() / sound.len() as f32).sqrt()
    }

    fn mixed(channels: &[Vec<f32>]) -> Vec<f32> {
        LiveMix::new(RATE, channels.len()).mix(&interleave(channels)).to_vec()
    }

    #[test]
    fn a_voice_is_as_loud_in_the_mix_as_in_its_channel() {
        let voice = noise(1, 16_000);
        let silence = vec![0.0; 16_000];
        let floor = |seed| scaled(&noise(seed, 16_000), 0.003);
        let hum: Vec<f32> =
            (0..16_000).map(|n| 0.5 * (n as f32 * std::f32::consts::TAU * 50.0 / 16_000.0).sin()).collect();
        let over = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a + b).collect::<Vec<_>>();
        let mut one_of_sixteen = vec![silence.clone(); 16];
        one_of_sixteen[11] = voice.clone();
        let mut noisy: Vec<_> = (0..8).map(|c| floor(20 + c)).collect();
        noisy[3] = voice.clone();
        let cases = [
            ("upside down", vec![voice.clone(), scaled(&voice, -1.0)]),
            ("upside down and weaker", vec![voice.clone(), scaled(&voice, -0.7)]),
            ("upside down, with noise", vec![voice.clone(), over(&scaled(&voice, -1.0), &floor(2))]),
            ("upside down, under a hum in both", vec![over(&voice, &hum), over(&scaled(&voice, -1.0), &hum)]),
            ("left is dead", vec![silence.clone(), voice.clone()]),
            ("right is dead but for noise", vec![voice.clone(), floor(3)]),
            ("two pairs, upside down", vec![voice.clone(), voice.clone(), scaled(&voice, -1.0), scaled(&voice, -1.0)]),
            ("one of sixteen", one_of_sixteen),
            ("one of eight, the others have noise", noisy),
        ];
        for (name, channels) in cases {
            let mono = mixed(&channels);
            // Without the hum, which is not asked for.
            let mut filter = HighPass::new(f64::from(RATE));
            let mono: Vec<f32> = mono.iter().map(|x| filter.next(f64::from(*x)) as f32).collect();
            let ratio = rms(&mono[1000..]) / rms(&voice[1000..]);
            assert!((0.85..1.15).contains(&ratio), "{name}: {ratio} of the voice's loudness");
        }
    }

    #[test]
    fn ordinary_stereo_is_the_mean_to_the_bit() {
        let (voice, left, right) = (noise(1, 16_000), noise(2, 16_000), noise(3, 16_000));
        for room in [0.0, 0.3, 1.0] {
            let side = |room_sound: &[f32]| voice.iter().zip(room_sound).map(|(v, r)| v + room * r).collect::<Vec<_>>();
            let channels = [side(&left), side(&right)];
            let mono = mixed(&channels);
            let plain: Vec<f32> = channels[0].iter().zip(&channels[1]).map(|(l, r)| 0.5 * (l + r)).collect();
            assert_eq!(mono, plain, "room {room}");
        }
    }

    #[test]
    fn pieces_of_any_size_give_the_same() {
        let (voice, other) = (noise(1, 20_000), noise(5, 20_000));
        // Ordinary, then upside down, then one dead.
        let right: Vec<f32> = (0..20_000)
            .map(|n| match n / 7000 {
                0 => voice[n] + 0.2 * other[n],
                1 => -voice[n],
                _ => 0.0,
            })
            .collect();
        let sound = interleave(&[voice, right]);
        let whole = LiveMix::new(RATE, 2).mix(&sound).to_vec();
        for size in [1, 7, 320, 333, 5000] {
            let mut mix = LiveMix::new(RATE, 2);
            let pieces: Vec<f32> = sound.chunks(size * 2).flat_map(|piece| mix.mix(piece).to_vec()).collect();
            assert_eq!(pieces, whole, "pieces of {size}");
        }
        // A live sound that turns over in the middle of a word is followed within a tenth of a second.
        let holes = whole.chunks_exact(800).skip(1).filter(|chunk| rms(chunk) < 0.03).count();
        assert!(holes <= 2, "{holes} twentieths of a second are lost");
    }

    #[test]
    fn who_speaks_next_in_another_channel_is_heard_from_the_start() {
        let voice = noise(1, 16_000);
        let first: Vec<f32> = voice.iter().enumerate().map(|(n, x)| if n < 8000 { *x } else { 0.0 }).collect();
        let second: Vec<f32> = voice.iter().enumerate().map(|(n, x)| if n < 8000 { 0.0 } else { *x }).collect();
        let mono = mixed(&[vec![0.0; 16_000], first, vec![0.0; 16_000], second]);
        assert!(rms(&mono[8000..8320]) > 0.6 * rms(&voice[8000..8320]));
    }

    #[test]
    fn what_is_no_number_does_no_harm() {
        let voice = noise(1, 3200);
        let mut broken = voice.clone();
        (broken[100], broken[101]) = (f32::NAN, f32::INFINITY);
        let mono = mixed(&[voice, broken]);
        assert!(mono[400..].iter().all(|x| x.is_finite()));
        assert!(LiveMix::new(RATE, 0).mix(&[]).is_empty());
        assert_eq!(LiveMix::new(RATE, 2).mix(&[0.5, 0.5, 0.5]).len(), 1);
    }
}
