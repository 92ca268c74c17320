//! Opus tracks of OGG, WebM, Matroska and MP4, by libopus.

use opus::MSDecoder;
use symphonia::core::audio::{Channels, Position};

/// Sample rate of every Opus stream, Hz.
const RATE: u32 = 48_000;
/// Frames of the longest packet, 120 ms.
const LONGEST: usize = RATE as usize * 120 / 1000;

/// Where the channels of mapping family 1 are, by their number (RFC 7845, section 5.1.1.2).
const ORDERS: [&[Position]; 8] = {
    use Position as P;
    [
        &[P::FRONT_CENTER],
        &[P::FRONT_LEFT, P::FRONT_RIGHT],
        &[P::FRONT_LEFT, P::FRONT_CENTER, P::FRONT_RIGHT],
        &[P::FRONT_LEFT, P::FRONT_RIGHT, P::REAR_LEFT, P::REAR_RIGHT],
        &[P::FRONT_LEFT, P::FRONT_CENTER, P::FRONT_RIGHT, P::REAR_LEFT, P::REAR_RIGHT],
        &[P::FRONT_LEFT, P::FRONT_CENTER, P::FRONT_RIGHT, P::REAR_LEFT, P::REAR_RIGHT, P::LFE1],
        &[P::FRONT_LEFT, P::FRONT_CENTER, P::FRONT_RIGHT, P::SIDE_LEFT, P::SIDE_RIGHT, P::REAR_CENTER, P::LFE1],
        &[
            P::FRONT_LEFT,
            P::FRONT_CENTER,
            P::FRONT_RIGHT,
            P::SIDE_LEFT,
            P::SIDE_RIGHT,
            P::REAR_LEFT,
            P::REAR_RIGHT,
            P::LFE1,
        ],
    ]
};

/// The decoder of one track.
pub(super) struct OpusTrack {
    decoder: MSDecoder,
    channels: Channels,
    /// Frames at the start that only warm the decoder up, as far as they are still to come.
    skip: usize,
    pcm: Vec<f32>,
}

impl OpusTrack {
    /// From the identification header (RFC 7845, section 5.1). Without one: stereo.
    pub(super) fn new(head: Option<&[u8]>) -> Result<Self, String> {
        let head = Head::read(head.unwrap_or(b"OpusHead\x01\x02\0\0\0\0\0\0\0\0\0\0\0"))?;
        let (channels, order) = head.layout();
        let mapping: Vec<u8> = order.into_iter().map(|c| head.mapping[c]).collect();
        let failed = |error: opus::Error| error.to_string();
        let mut decoder = MSDecoder::new(RATE, head.streams, head.coupled, &mapping).map_err(failed)?;
        decoder.set_gain(head.gain.into()).map_err(failed)?;
        let pcm = vec![0.0; LONGEST * mapping.len()];
        Ok(Self { decoder, channels, skip: head.pre_skip, pcm })
    }

    pub(super) fn rate(&self) -> u32 {
        RATE
    }

    pub(super) fn channels(&self) -> Channels {
        self.channels.clone()
    }

    /// Decodes a packet, of which the last `trim` frames are not meant to be heard.
    pub(super) fn decode(&mut self, packet: &[u8], trim: usize, samples: &mut Vec<f32>) -> Result<(), String> {
        samples.clear();
        // No bytes would mean a lost packet, made up for as long as the buffer is.
        if packet.is_empty() {
            return Err("an Opus packet without bytes".into());
        }
        let frames = self.decoder.decode_float(packet, &mut self.pcm, false).map_err(|error| error.to_string())?;
        let skipped = self.skip.min(frames);
        self.skip -= skipped;
        let channels = self.channels.count();
        let end = frames.saturating_sub(trim).max(skipped);
        samples.extend_from_slice(&self.pcm[skipped * channels..end * channels]);
        Ok(())
    }
}

/// What an identification header says.
struct Head {
    pre_skip: usize,
    gain: i16,
    family: u8,
    streams: u8,
    coupled: u8,
    mapping: Vec<u8>,
}

impl Head {
    fn read(bytes: &[u8]) -> Result<Self, String> {
        let bad = || "a damaged Opus header".to_owned();
        let fields = bytes.strip_prefix(b"OpusHead").filter(|fields| fields.len() >= 11).ok_or_else(bad)?;
        let (channels, family) = (usize::from(fields[1]), fields[10]);
        // MP4 has the same fields, but its own way round, and version 0 ("Encapsulation of Opus in ISO Base Media", section 4.3.2).
        let two = |at: usize| match fields[0] {
            0 => u16::from_be_bytes([fields[at], fields[at + 1]]),
            _ => u16::from_le_bytes([fields[at], fields[at + 1]]),
        };
        let (pre_skip, gain) = (usize::from(two(2)), two(8) as i16);
        let (streams, coupled, mapping) = match (family, channels) {
            (0, 1 | 2) => (1, fields[1] - 1, (0..fields[1]).collect()),
            (1, 1..=8) | (255, 1..) => {
                let table = fields.get(11..13 + channels).ok_or_else(bad)?;
                (table[0], table[1], table[2..].to_vec())
            }
            _ => return Err(format!("Opus with {channels} channels in mapping family {family}")),
        };
        Ok(Self { pre_skip, gain, family, streams, coupled, mapping })
    }

    /// The channels in the order of their positions, and where each is in the stream.
    fn layout(&self) -> (Channels, Vec<usize>) {
        let count = self.mapping.len();
        if self.family == 255 {
            return (Channels::Discrete(count as u16), (0..count).collect());
        }
        let positions = ORDERS[count - 1];
        let mut order: Vec<usize> = (0..count).collect();
        order.sort_by_key(|c| positions[*c].bits());
        let all = positions.iter().fold(Position::empty(), |all, position| all | *position);
        (Channels::Positioned(all), order)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_give_the_channels_their_places() {
        let track =
            OpusTrack::new(Some(b"OpusHead\x01\x06\x38\x01\x80\xbb\0\0\0\0\x01\x04\x02\x00\x04\x01\x02\x03\x05"))
                .unwrap();
        assert_eq!((track.channels().count(), track.skip), (6, 312));
        let head =
            Head::read(b"OpusHead\x01\x06\x38\x01\x80\xbb\0\0\0\0\x01\x04\x02\x00\x04\x01\x02\x03\x05").ok().unwrap();
        // Left, right, centre, low, rear left, rear right.
        assert_eq!(head.layout().1, [0, 2, 1, 5, 3, 4]);
        let mp4 = Head::read(b"OpusHead\0\x02\x01\x38\0\0\xbb\x80\xff\0\0").ok().unwrap();
        assert_eq!((mp4.pre_skip, mp4.gain), (312, -256));
        assert!(OpusTrack::new(Some(b"OpusHead\x01\x02\0\0\0\0\0\0\0\0\x02")).is_err_and(|e| e.contains("family 2")));
        for cut in 0..19 {
            assert!(OpusTrack::new(Some(&b"OpusHead\x01\x02\0\0\0\0\0\0\0\0\0"[..cut])).is_err(), "{cut} bytes");
        }
        assert!(
            OpusTrack::new(Some(b"OpusHead\x01\x02\0\0\0\0\0\0\0\0\xff\xff\xff\0\0")).is_err(),
            "more coupled than can be"
        );
    }
}
