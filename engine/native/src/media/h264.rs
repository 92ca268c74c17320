//! H.264, by openh264.

use openh264::OpenH264API;
use openh264::encoder::{
    BitRate, Complexity, Encoder, EncoderConfig, FrameRate, FrameType, IntraFramePeriod, QpRange, RateControlMode,
    UsageType, VuiConfig,
};

use super::{I420, MediaError};

/// Seconds between two frames that a player can start at.
const KEYFRAME_SECS: u32 = 4;
/// Quantiser of every frame, 0 best to 51 worst.
const QUALITY: u8 = 18;
/// The rate that is announced to the encoder, for each pixel at 25 fps: 2 Mbit/s at 512×512.
const BITS_PER_PIXEL: f64 = 0.30;

const NAL_IDR: u8 = 5;
const NAL_SPS: u8 = 7;
const NAL_PPS: u8 = 8;
const NAL_DELIMITER: u8 = 9;

/// One frame as it stands in an MP4: each unit after its length as a big-endian u32.
#[derive(Clone, Copy, Debug)]
pub struct EncodedFrame<'a> {
    /// Whether a player can start here.
    pub keyframe: bool,
    /// The frame's units.
    pub sample: &'a [u8],
}

/// Encodes pictures of one size at a constant frame rate. Colour is signalled as BT.709, limited range.
pub struct H264Encoder {
    encoder: Encoder,
    sample: Vec<u8>,
    sps: Vec<u8>,
    pps: Vec<u8>,
}

impl H264Encoder {
    /// An encoder for pictures of `width` × `height` at `fps` frames a second.
    ///
    /// # Errors
    /// When openh264 does not start.
    pub fn new(width: usize, height: usize, fps: u32) -> Result<Self, MediaError> {
        // Faster rates show smaller differences from frame to frame, so bits grow with the square root only.
        let bits = BITS_PER_PIXEL * (width * height) as f64 * 25.0 * (f64::from(fps) / 25.0).sqrt();
        let config = face_video(fps)
            // One quality for every frame, whatever it costs: a face that moves little costs little, and quality that
            // breathes with a rate controller shows on skin. The other modes warn on stderr unless they may leave
            // frames out. Measured at 512² on the sample: 47 dB at 0.5 Mbit/s.
            .rate_control_mode(RateControlMode::Bufferbased)
            .qp(QpRange::new(QUALITY, QUALITY))
            .bitrate(BitRate::from_bps(bits as u32))
            .intra_frame_period(IntraFramePeriod::from_num_frames(KEYFRAME_SECS * fps));
        let encoder = open(config)?;
        Ok(Self { encoder, sample: Vec::with_capacity(width * height), sps: Vec::new(), pps: Vec::new() })
    }

    /// Encodes the next picture.
    ///
    /// # Errors
    /// When openh264 refuses.
    pub fn encode(&mut self, picture: &I420) -> Result<EncodedFrame<'_>, MediaError> {
        let refused = |reason: String| MediaError::Encoder("H.264", reason);
        let stream = self.encoder.encode(picture).map_err(|e| refused(e.to_string()))?;
        if matches!(stream.frame_type(), FrameType::Skip | FrameType::Invalid) {
            return Err(refused("it left a frame out".into()));
        }
        self.sample.clear();
        let mut keyframe = false;
        for layer in (0..stream.num_layers()).filter_map(|i| stream.layer(i)) {
            for unit in (0..layer.nal_count()).filter_map(|i| layer.nal_unit(i)) {
                let unit = without_start_code(unit);
                let Some(&header) = unit.first() else { continue };
                match header & 0x1f {
                    // Parameter sets belong in the sample description, not in the samples.
                    NAL_SPS => replace(&mut self.sps, unit),
                    NAL_PPS => replace(&mut self.pps, unit),
                    NAL_DELIMITER => {}
                    kind => {
                        keyframe |= kind == NAL_IDR;
                        let len = u32::try_from(unit.len()).map_err(|_| refused("a unit of 4 GiB".into()))?;
                        self.sample.extend(len.to_be_bytes());
                        self.sample.extend_from_slice(unit);
                    }
                }
            }
        }
        Ok(EncodedFrame { keyframe, sample: &self.sample })
    }

    /// Sequence and picture parameter set; empty before the first frame.
    pub fn parameter_sets(&self) -> (&[u8], &[u8]) {
        (&self.sps, &self.pps)
    }
}

/// An encoder that prints nothing.
pub(super) fn open(config: EncoderConfig) -> Result<Encoder, MediaError> {
    let mut encoder = Encoder::with_api_config(OpenH264API::from_source(), config)
        .map_err(|e| MediaError::Encoder("H.264", e.to_string()))?;
    // One that does not understand prints a line: no reason to do without it.
    vultus_quiet::hush(&mut encoder);
    Ok(encoder)
}

/// What films and live video have in common.
pub(super) fn face_video(fps: u32) -> EncoderConfig {
    EncoderConfig::new()
        .usage_type(UsageType::CameraVideoRealTime)
        .max_frame_rate(FrameRate::from_hz(fps as f32))
        // Every frame must be there, and a face that stands still is no background.
        .skip_frames(false)
        .background_detection(false)
        .scene_change_detect(false)
        // Measured at 512²: medium and high take a quarter more time for 1 % fewer bits.
        .complexity(Complexity::Low)
        // The generator uses every core; a second encoder thread would only take one from it.
        .num_threads(1)
        .vui(VuiConfig::bt709())
}

fn replace(old: &mut Vec<u8>, new: &[u8]) {
    old.clear();
    old.extend_from_slice(new);
}

fn without_start_code(unit: &[u8]) -> &[u8] {
    unit.strip_prefix(&[0, 0, 0, 1]).or_else(|| unit.strip_prefix(&[0, 0, 1])).unwrap_or(unit)
}
