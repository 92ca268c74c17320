//! Folding any channel layout to two speakers.

use std::f32::consts::FRAC_1_SQRT_2;

use symphonia::core::audio::{Channels, Position};

/// What each channel of a layout gives to the left and right speaker, as ITU-R BS.775 says: the centre goes to both at −3 dB,
/// a surround channel to its side at −3 dB, the low-frequency channel to none. One channel goes to both in full.
///
/// Six and eight channels without positions are taken for 5.1 and 7.1. Of any other number without positions every one counts
/// equally: they may be as many microphones.
pub(super) fn stereo_weights(channels: &Channels) -> Vec<[f32; 2]> {
    let count = channels.count();
    if count == 1 {
        return vec![[1.0, 1.0]];
    }
    let positions = match channels {
        Channels::Positioned(positions) => Some(*positions),
        _ if matches!(count, 2 | 6 | 8) => Position::from_wave_channel_count(count as u32),
        _ => None,
    };
    match positions {
        Some(positions) if positions.iter().count() == count => positions.iter().map(weights_of).collect(),
        _ => vec![[1.0 / count as f32; 2]; count],
    }
}

/// Whether it is known, or as good as known, which channel belongs to which side.
pub(super) fn has_places(channels: &Channels) -> bool {
    matches!(channels, Channels::Positioned(_)) || matches!(channels.count(), 1 | 2 | 6 | 8)
}

fn weights_of(position: Position) -> [f32; 2] {
    const LEFT: Position = Position::REAR_LEFT
        .union(Position::SIDE_LEFT)
        .union(Position::FRONT_LEFT_CENTER)
        .union(Position::TOP_FRONT_LEFT)
        .union(Position::TOP_REAR_LEFT)
        .union(Position::TOP_SIDE_LEFT)
        .union(Position::BOTTOM_FRONT_LEFT)
        .union(Position::FRONT_LEFT_WIDE);
    const RIGHT: Position = Position::REAR_RIGHT
        .union(Position::SIDE_RIGHT)
        .union(Position::FRONT_RIGHT_CENTER)
        .union(Position::TOP_FRONT_RIGHT)
        .union(Position::TOP_REAR_RIGHT)
        .union(Position::TOP_SIDE_RIGHT)
        .union(Position::BOTTOM_FRONT_RIGHT)
        .union(Position::FRONT_RIGHT_WIDE);
    const LOW_FREQUENCY: Position = Position::LFE1.union(Position::LFE2);
    if position == Position::FRONT_LEFT {
        [1.0, 0.0]
    } else if position == Position::FRONT_RIGHT {
        [0.0, 1.0]
    } else if LEFT.contains(position) {
        [FRAC_1_SQRT_2, 0.0]
    } else if RIGHT.contains(position) {
        [0.0, FRAC_1_SQRT_2]
    } else if LOW_FREQUENCY.contains(position) {
        [0.0, 0.0]
    } else if position == Position::FRONT_CENTER {
        [FRAC_1_SQRT_2, FRAC_1_SQRT_2]
    } else {
        // Rear, top and bottom centres.
        [0.5, 0.5]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_layouts() {
        assert_eq!(stereo_weights(&Channels::Discrete(1)), [[1.0, 1.0]]);
        let stereo = Channels::Positioned(Position::FRONT_LEFT | Position::FRONT_RIGHT);
        assert_eq!(stereo_weights(&stereo), [[1.0, 0.0], [0.0, 1.0]]);
        let surround = stereo_weights(&Channels::Discrete(8));
        assert_eq!(surround.len(), 8);
        assert_eq!(surround[2], [FRAC_1_SQRT_2; 2], "centre");
        assert_eq!(surround[3], [0.0; 2], "low frequencies");
        assert_eq!(stereo_weights(&Channels::Discrete(30)), [[1.0 / 30.0; 2]; 30]);
    }
}
