//! What people call the sounds that stay out, so that an error can name them.

use symphonia::core::codecs::audio::AudioCodecId;
use symphonia::core::codecs::audio::well_known as ids;

/// The name of an encoding.
pub(super) fn codec(id: AudioCodecId) -> String {
    let name = match id {
        ids::CODEC_ID_AC3 => "AC-3 (Dolby Digital)",
        ids::CODEC_ID_EAC3 => "E-AC-3 (Dolby Digital Plus)",
        ids::CODEC_ID_AC4 => "AC-4",
        ids::CODEC_ID_DCA => "DTS",
        ids::CODEC_ID_TRUEHD => "TrueHD",
        ids::CODEC_ID_WMA => "Windows Media Audio",
        ids::CODEC_ID_SPEEX => "Speex",
        ids::CODEC_ID_MUSEPACK => "Musepack",
        ids::CODEC_ID_WAVPACK => "WavPack",
        ids::CODEC_ID_MONKEYS_AUDIO => "Monkey's Audio",
        ids::CODEC_ID_TTA => "True Audio",
        ids::CODEC_ID_RA10 | ids::CODEC_ID_RA20 | ids::CODEC_ID_SIPR | ids::CODEC_ID_COOK | ids::CODEC_ID_RALF => {
            "RealAudio"
        }
        ids::CODEC_ID_ATRAC1 | ids::CODEC_ID_ATRAC3 | ids::CODEC_ID_ATRAC3PLUS | ids::CODEC_ID_ATRAC9 => "ATRAC",
        ids::CODEC_ID_ADPCM_G722 => "G.722",
        ids::CODEC_ID_ADPCM_G726 | ids::CODEC_ID_ADPCM_G726LE => "G.726",
        ids::CODEC_ID_MP1 | ids::CODEC_ID_MP2 | ids::CODEC_ID_MP3 => "MPEG audio",
        ids::CODEC_ID_ALAC => "ALAC",
        ids::CODEC_ID_FLAC => "FLAC",
        ids::CODEC_ID_VORBIS => "Vorbis",
        symphonia::core::codecs::audio::CODEC_ID_NULL_AUDIO => "an encoding that is not known here",
        _ => "a rare encoding of sound",
    };
    name.into()
}

/// The name of a file that is sound or film, but of a kind that is not read here, by its first bytes.
pub(super) fn container(start: &[u8]) -> Option<&'static str> {
    const NAMES: [(usize, &[u8], &str); 22] = [
        (0, b"#!AMR", "AMR (a phone's recording)"),
        (0, b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "ASF (Windows Media)"),
        (0, b"wvpk", "WavPack"),
        (0, b"MAC ", "Monkey's Audio"),
        (0, b"TTA1", "True Audio"),
        (0, b"MPCK", "Musepack"),
        (0, b"MP+", "Musepack"),
        (0, b"DSD ", "DSD"),
        (0, b"FRM8", "DSD"),
        (0, b".RMF", "RealMedia"),
        (0, b".ra\xfd", "RealAudio"),
        (0, b"FLV", "Flash video"),
        (0, b"MThd", "MIDI, which is notes, not sound"),
        (0, b"\x00\x00\x01\xba", "an MPEG program stream"),
        (0, b"\x0b\x77", "AC-3 (Dolby Digital)"),
        (0, b"\x7f\xfe\x80\x01", "DTS"),
        (0, b"Creative Voice File", "Creative's VOC"),
        (0, b"NIST_1A", "NIST SPHERE"),
        (8, b"AVI ", "AVI"),
        (28, b"Speex   ", "Speex"),
        (28, b"OpusHead", "Opus with channels that have no places"),
        (29, b"FLAC", "FLAC in OGG of a kind that is not read here"),
    ];
    let known = NAMES.iter().find(|(at, magic, _)| start.get(*at..).is_some_and(|rest| rest.starts_with(magic)));
    let transport = || start.len() > 376 && (start[0], start[188], start[376]) == (0x47, 0x47, 0x47);
    known.map(|(_, _, name)| *name).or_else(|| transport().then_some("an MPEG transport stream"))
}

/// Whether these bytes begin a file of a kind that is read here, so that it is damaged if it was not.
pub(super) fn is_known(start: &[u8]) -> bool {
    [&b"OggS"[..], b"fLaC", b"caff", b"\x1a\x45\xdf\xa3"].iter().any(|magic| start.starts_with(magic))
        || start.get(4..8) == Some(b"ftyp")
}
