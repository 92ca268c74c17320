//! What an MP4 says of its tracks' codecs.

use std::io::{Error, Result};
use std::num::NonZeroU16;

use shiguredo_mp4::boxes::{
    AudioSampleEntryFields, Avc1Box, AvccBox, DopsBox, OpusBox, SampleEntry, UnknownBox, VisualSampleEntryFields,
};
use shiguredo_mp4::{BoxSize, BoxType, FixedPointNumber, Uint};

use super::opus::OPUS_RATE;

/// H.264 with these parameter sets, colour BT.709.
///
/// # Errors
/// `sps` is no such thing.
pub(super) fn avc_entry([width, height]: [u16; 2], sps: &[u8], pps: &[u8]) -> Result<SampleEntry> {
    let &[_, profile, compatibility, level, ..] = sps else {
        return Err(Error::other("the video has no parameter sets"));
    };
    Ok(SampleEntry::Avc1(Avc1Box {
        visual: VisualSampleEntryFields {
            data_reference_index: VisualSampleEntryFields::DEFAULT_DATA_REFERENCE_INDEX,
            width,
            height,
            horizresolution: VisualSampleEntryFields::DEFAULT_HORIZRESOLUTION,
            vertresolution: VisualSampleEntryFields::DEFAULT_VERTRESOLUTION,
            frame_count: VisualSampleEntryFields::DEFAULT_FRAME_COUNT,
            compressorname: VisualSampleEntryFields::NULL_COMPRESSORNAME,
            depth: VisualSampleEntryFields::DEFAULT_DEPTH,
        },
        avcc_box: AvccBox {
            avc_profile_indication: profile,
            profile_compatibility: compatibility,
            avc_level_indication: level,
            length_size_minus_one: Uint::new(3),
            sps_list: vec![sps.to_vec()],
            pps_list: vec![pps.to_vec()],
            // Only profiles from High on say these: 4:2:0 and 8 bits.
            chroma_format: (profile >= 100).then(|| Uint::new(1)),
            bit_depth_luma_minus8: (profile >= 100).then(|| Uint::new(0)),
            bit_depth_chroma_minus8: (profile >= 100).then(|| Uint::new(0)),
            sps_ext_list: Vec::new(),
        },
        unknown_boxes: vec![colour_box()],
    }))
}

/// Opus, of which a decoder drops `delay` frames at 48 kHz from the start. `input_rate` is for information.
pub(super) fn opus_entry(channels: u8, delay: u16, input_rate: u32) -> SampleEntry {
    SampleEntry::Opus(OpusBox {
        audio: sound_fields(channels),
        dops_box: DopsBox {
            output_channel_count: channels,
            pre_skip: delay,
            input_sample_rate: input_rate,
            output_gain: 0,
        },
        unknown_boxes: Vec::new(),
    })
}

/// What all sound at 48 kHz has in common.
pub(super) fn sound_fields(channels: u8) -> AudioSampleEntryFields {
    AudioSampleEntryFields {
        data_reference_index: NonZeroU16::MIN,
        channelcount: channels.into(),
        samplesize: AudioSampleEntryFields::DEFAULT_SAMPLESIZE,
        samplerate: FixedPointNumber::new(OPUS_RATE as u16, 0),
    }
}

/// A box that the library does not know.
pub(super) fn other_box(kind: &[u8; 4], payload: Vec<u8>) -> UnknownBox {
    let box_type = BoxType::Normal(*kind);
    UnknownBox { box_type, box_size: BoxSize::with_payload_size(box_type, payload.len() as u64), payload }
}

/// BT.709 primaries, transfer and matrix, limited range.
fn colour_box() -> UnknownBox {
    other_box(b"colr", [b"nclx".as_slice(), &[0, 1, 0, 1, 0, 1, 0]].concat())
}
