//! AAC tracks: LC, HE (with SBR and PS), up to 7.1, by `syom`. Symphonia's own decoder knows LC in mono and stereo only.

use symphonia::core::audio::{Channels, Position};
use syom::{Channel, DecodeOptions, Decoder};

/// Sampling frequencies by their index (ISO/IEC 14496-3, table 1.18).
const RATES: [u32; 13] =
    [96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000, 7_350];

/// The decoder of one track.
pub(super) struct AacTrack {
    decoder: Decoder,
    config: Vec<u8>,
}

/// Decoded frames of one access unit.
pub(super) struct Unit {
    pub(super) rate: u32,
    pub(super) channels: Channels,
}

impl AacTrack {
    /// From the AudioSpecificConfig; without one, as in ADTS, for LC of this rate and this many channels (0: the stream says so itself).
    pub(super) fn new(config: Option<&[u8]>, rate: Option<u32>, channels: usize) -> Result<Self, String> {
        let config = match config {
            Some(config) if config.len() >= 2 => config.to_vec(),
            _ => plain_config(rate.unwrap_or(0), channels)?,
        };
        let decoder = Self::decoder(&config)?;
        Ok(Self { decoder, config })
    }

    fn decoder(config: &[u8]) -> Result<Decoder, String> {
        let options = DecodeOptions::unbounded().with_max_sample_rate(96_000);
        Decoder::from_asc(config, options).map_err(|error| format!("AAC of a kind that has no decoder here ({error})"))
    }

    /// Decodes an access unit. `None`: it held no frames.
    pub(super) fn decode(&mut self, unit: &[u8], samples: &mut Vec<f32>) -> Result<Option<Unit>, String> {
        samples.clear();
        if unit.is_empty() {
            return Err("an AAC packet without bytes".into());
        }
        let mut decoded = None;
        let result = self.decoder.decode_au(unit, |frame| {
            let labels: Vec<Channel> = frame.meta.channels.iter().copied().flatten().collect();
            let (channels, order) = layout(&labels, frame.planar.len());
            for n in 0..frame.samples {
                samples.extend(order.iter().map(|c| frame.planar[*c].get(n).copied().unwrap_or(0.0)));
            }
            decoded = Some(Unit { rate: frame.sample_rate, channels });
            Ok(())
        });
        match result {
            Ok(()) => Ok(decoded),
            Err(error) => {
                // A decoder that met an error takes nothing more until it starts anew; the next access unit may be sound.
                self.decoder.reset();
                self.decoder.set_asc(&self.config).map_err(|error| error.to_string())?;
                Err(error.to_string())
            }
        }
    }
}

/// The planes in the order of their positions. Labels that name no place, or one twice, leave the channels without positions.
fn layout(labels: &[Channel], planes: usize) -> (Channels, Vec<usize>) {
    let position = |label: &Channel| match label {
        Channel::FrontLeft => Position::FRONT_LEFT,
        Channel::FrontRight => Position::FRONT_RIGHT,
        Channel::FrontCenter => Position::FRONT_CENTER,
        Channel::Lfe => Position::LFE1,
        Channel::BackLeft => Position::REAR_LEFT,
        Channel::BackRight => Position::REAR_RIGHT,
        Channel::BackCenter => Position::REAR_CENTER,
        Channel::SideLeft => Position::SIDE_LEFT,
        Channel::SideRight => Position::SIDE_RIGHT,
        _ => Position::empty(),
    };
    let mut order: Vec<usize> = (0..planes).collect();
    let all = labels.iter().fold(Position::empty(), |all, label| all | position(label));
    if planes < 2 || all.bits().count_ones() as usize != planes || labels.len() != planes {
        return (Channels::Discrete(planes as u16), order);
    }
    order.sort_by_key(|c| position(&labels[*c]).bits());
    (Channels::Positioned(all), order)
}

/// The AudioSpecificConfig of LC (ISO/IEC 14496-3, section 1.6.2.1).
fn plain_config(rate: u32, channels: usize) -> Result<Vec<u8>, String> {
    let index = RATES.iter().position(|r| *r == rate).ok_or_else(|| format!("AAC at {rate} Hz"))?;
    let configuration = match channels {
        0..=6 => channels,
        8 => 7,
        _ => return Err(format!("AAC with {channels} channels")),
    };
    let bits = 2 << 11 | index << 7 | configuration << 3;
    Ok(vec![(bits >> 8) as u8, bits as u8])
}
