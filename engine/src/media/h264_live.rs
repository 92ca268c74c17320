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

/// One frame as RTP payloaders take it: units after start codes (H.264, annex B), the parameter sets before each key frame.
#[derive(Clone, Copy, Debug)]
pub struct LiveFrame<'a> {
    /// Whether a decoder can start here.
    pub keyframe: bool,
    /// The frame's units.
    pub annex_b: &'a [u8],
}

/// Encodes square pictures as constrained baseline (RFC 6184, packetization mode 1), colour BT.709 in limited range.
pub struct LiveH264Encoder {
    encoder: Encoder,
    fps: u32,
    bits: u32,
    wanted: u32,
    bytes: Vec<u8>,
}

impl LiveH264Encoder {
    /// An encoder for pictures of side `size` at `fps` frames and about `bits` a second.
    ///
    /// # Errors
    /// When openh264 does not start.
    pub fn new(size: usize, fps: u32, bits: u32) -> Result<Self, MediaError> {
        let bits = bits.clamp(*LIVE_BITS.start(), *LIVE_BITS.end());
        Ok(Self { encoder: open(fps, bits)?, fps, bits, wanted: bits, bytes: Vec::with_capacity(size * size / 4) })
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
        if (f64::from(self.wanted) / f64::from(self.bits) - 1.0).abs() > ENOUGH {
            // The rate of a running encoder can only be changed through the unsafe interface; a new one takes a millisecond.
            self.encoder = open(self.fps, self.wanted)?;
            self.bits = self.wanted;
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

fn open(fps: u32, bits: u32) -> Result<Encoder, MediaError> {
    let config = face_video(fps)
        .profile(Profile::Baseline)
        .rate_control_mode(RateControlMode::Bitrate)
        .bitrate(BitRate::from_bps(bits))
        // Key frames are asked for by those who join or have lost something.
        .intra_frame_period(IntraFramePeriod::from_num_frames(0));
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
}
