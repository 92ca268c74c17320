//! H.264 for live use, by openh264: a stated rate, key frames on request only, packets that a decoder can start from.

use std::ops::RangeInclusive;

use openh264::Timestamp;
use openh264::encoder::{BitRate, Encoder, FrameType, IntraFramePeriod, Profile, RateControlMode};

use super::h264::{self, face_video};
use super::{I420, MediaError};

/// Rates that the encoder is run at, bits a second.
pub const LIVE_BITS: RangeInclusive<u32> = 200_000..=2_500_000;
/// A wanted rate that is this close to the present one changes nothing: a change costs a key frame.
const ENOUGH: f64 = 0.25;
/// The most bytes of a unit where each has to fit into one packet. With the headers of RTP, its extensions, RTX and SRTP it stays below the
/// 1200 bytes that every path carries.
const SHORT_UNIT: u32 = 1150;
/// openh264 ends a slice a few bytes after the length that it is told (8 were seen, on noise).
const SLICE_MARGIN: u32 = 100;

/// One frame as RTP payloaders take it: units after start codes (H.264, annex B), the parameter sets before each key frame.
#[derive(Clone, Copy, Debug)]
pub struct LiveFrame<'a> {
    /// Whether a decoder can start here.
    pub keyframe: bool,
    /// The frame's units.
    pub annex_b: &'a [u8],
}

/// Encodes square pictures as constrained baseline (RFC 6184), colour BT.709 in limited range.
pub struct LiveH264Encoder {
    encoder: Encoder,
    fps: u32,
    bits: u32,
    wanted: u32,
    short: bool,
    wanted_short: bool,
    bytes: Vec<u8>,
}

impl LiveH264Encoder {
    /// An encoder for pictures of side `size` at `fps` frames and about `bits` a second.
    ///
    /// # Errors
    /// When openh264 does not start.
    pub fn new(size: usize, fps: u32, bits: u32) -> Result<Self, MediaError> {
        let bits = bits.clamp(*LIVE_BITS.start(), *LIVE_BITS.end());
        Ok(Self {
            encoder: open(fps, bits, false)?,
            fps,
            bits,
            wanted: bits,
            short: false,
            wanted_short: false,
            bytes: Vec::with_capacity(size * size / 4),
        })
    }

    /// Whether every unit has to fit into one packet (RFC 6184, packetization mode 0): a picture is then cut into slices. At first it need not.
    pub fn set_short_units(&mut self, short: bool) {
        self.wanted_short = short;
    }

    /// The rate to aim for, bits a second, clamped to [`LIVE_BITS`]. Small changes wait until they have added up.
    pub fn set_bits(&mut self, bits: u32) {
        self.wanted = bits.clamp(*LIVE_BITS.start(), *LIVE_BITS.end());
    }

    /// The rate that is aimed for, bits a second.
    pub fn bits(&self) -> u32 {
        self.bits
    }

    /// Makes the next frame a key frame.
    pub fn force_keyframe(&mut self) {
        self.encoder.force_intra_frame();
    }

    /// Encodes the next picture, shown at `clock` (48 kHz).
    ///
    /// # Errors
    /// When openh264 refuses.
    pub fn encode(&mut self, picture: &I420, clock: u64) -> Result<LiveFrame<'_>, MediaError> {
        let refused = |reason: String| MediaError::Encoder("H.264", reason);
        if (f64::from(self.wanted) / f64::from(self.bits) - 1.0).abs() > ENOUGH || self.short != self.wanted_short {
            // The rate of a running encoder can only be changed through the unsafe interface; a new one takes a millisecond.
            self.encoder = open(self.fps, self.wanted, self.wanted_short)?;
            (self.bits, self.short) = (self.wanted, self.wanted_short);
        }
        let stream =
            self.encoder.encode_at(picture, Timestamp::from_millis(clock / 48)).map_err(|e| refused(e.to_string()))?;
        let keyframe = match stream.frame_type() {
            FrameType::IDR => true,
            FrameType::Invalid => return Err(refused("it gave an invalid frame".into())),
            _ => false,
        };
        self.bytes.clear();
        stream.write_vec(&mut self.bytes);
        Ok(LiveFrame { keyframe, annex_b: &self.bytes })
    }
}

fn open(fps: u32, bits: u32, short: bool) -> Result<Encoder, MediaError> {
    let mut config = face_video(fps)
        .profile(Profile::Baseline)
        .rate_control_mode(RateControlMode::Bitrate)
        .bitrate(BitRate::from_bps(bits))
        // Key frames are asked for by those who join or have lost something.
        .intra_frame_period(IntraFramePeriod::from_num_frames(0));
    if short {
        config = config.max_slice_len(SHORT_UNIT - SLICE_MARGIN);
    }
    h264::open(config)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_frames_come_first_and_on_request_and_carry_parameter_sets() {
        let mut encoder = LiveH264Encoder::new(64, 25, 500_000).unwrap();
        let mut picture = I420::new(64, 64);
        for n in 0..12u8 {
            picture.set_rgba(&[[n * 20, 90, 120, 255]; 64 * 64].concat());
            if n == 6 {
                encoder.force_keyframe();
            }
            if n == 9 {
                encoder.set_bits(1_500_000);
            }
            let frame = encoder.encode(&picture, u64::from(n) * 1920).unwrap();
            assert_eq!(frame.keyframe, [0, 6, 9].contains(&n), "frame {n}");
            let sps = frame.annex_b.windows(5).any(|w| w[..4] == [0, 0, 0, 1] && w[4] & 31 == 7);
            assert_eq!(sps, frame.keyframe, "frame {n}");
        }
        assert_eq!(encoder.bits(), 1_500_000);
        encoder.set_bits(1);
        encoder.encode(&picture, 12 * 1920).unwrap();
        assert_eq!(encoder.bits(), *LIVE_BITS.start());
    }

    #[test]
    fn short_units_fit_into_a_packet_and_are_the_same_pictures() {
        let noise = |n: u32| {
            let mut dice = n + 1;
            let mut picture = I420::new(256, 256);
            let rgba: Vec<u8> = (0..256 * 256)
                .flat_map(|_| {
                    dice = dice.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    [(dice >> 24) as u8, (dice >> 16) as u8, 90, 255]
                })
                .collect();
            picture.set_rgba(&rgba);
            picture
        };
        let longest = |frame: &LiveFrame<'_>| {
            let starts: Vec<usize> =
                frame.annex_b.windows(4).enumerate().filter(|(_, w)| *w == [0, 0, 0, 1]).map(|(at, _)| at).collect();
            let ends = starts.iter().skip(1).copied().chain([frame.annex_b.len()]);
            starts.iter().zip(ends).map(|(from, to)| to - from - 4).max().unwrap()
        };
        let mut encoder = LiveH264Encoder::new(256, 25, 2_000_000).unwrap();
        let mut decoder = openh264::decoder::Decoder::new().unwrap();
        for n in 0..20 {
            encoder.set_short_units((5..15).contains(&n));
            let frame = encoder.encode(&noise(n), u64::from(n) * 1920).unwrap();
            assert_eq!(frame.keyframe, [0, 5, 15].contains(&n), "frame {n}");
            assert_eq!(longest(&frame) <= SHORT_UNIT as usize, (5..15).contains(&n), "frame {n}: {}", longest(&frame));
            let decoded = decoder.decode(frame.annex_b).unwrap();
            assert!(decoded.is_some(), "frame {n} is one picture");
        }
    }
}
