//! MP4 with its index in front of the media data, so that a player need not have the end of the file to start.
//!
//! Media data are written as they come; when all are there, they are moved back by the length of the index (`front.rs`). Memory
//! grows by four bytes a sample (its length) and a few bytes a chunk; a track that runs ahead of the other waits in memory. Chunks of
//! about half a second of video and the sound beside it alternate (`interleave.rs`), so that a player reads the file from front to
//! back.

use std::io::{Read, Seek, SeekFrom, Write};
use std::num::NonZeroU32;

use shiguredo_mp4::boxes::{
    Brand, Co64Box, DinfBox, EdtsBox, ElstBox, ElstEntry, EsdsBox, FtypBox, HdlrBox, MdhdBox, MdiaBox, MediaHeader,
    MinfBox, MoovBox, Mp4aBox, MvhdBox, SampleEntry, SmhdBox, StblBox, StcoBox, StscBox, StscEntry, StsdBox, StssBox,
    StszBox, SttsBox, SttsEntry, TkhdBox, TrakBox, UnknownBox, VmhdBox,
};
use shiguredo_mp4::descriptors::{DecoderConfigDescriptor, DecoderSpecificInfo, EsDescriptor, SlConfigDescriptor};
use shiguredo_mp4::{Either, Encode, FixedPointNumber, LanguageCode, Mp4FileTime, Uint};

use super::entries::{avc_entry, opus_entry, other_box, sound_fields};
use super::front::move_back;
use super::interleave::{Track, write_chunks};
use super::marked;
use super::opus::OPUS_RATE;
use super::sound::{SoundCodec, SoundFormat};

/// Ticks a second of the movie and its sound: 48 kHz frames, so that the sound's length is exact.
const MOVIE_TICKS: u32 = OPUS_RATE as u32;
/// Ticks a second of the video: a multiple of every frame rate.
const VIDEO_TICKS: u32 = 90_000;
/// Room for the header of the media data: a short one with an empty box before it, or one with a 64-bit length.
const MDAT_HEADER: u64 = 16;
/// Largest packet of AAC, bytes a channel (ISO/IEC 14496-3, 4.5.3).
const AAC_PACKET_BYTES: u32 = 768;

/// What the two tracks hold.
#[derive(Clone, Debug)]
pub(super) struct Tracks {
    /// Width of the video, pixels.
    pub(super) width: u16,
    /// Height of the video, pixels.
    pub(super) height: u16,
    /// Frames a second; one of 25, 30, 50, 60, or any other divisor of 90000 that also divides 48000.
    pub(super) fps: u32,
    /// The sound.
    pub(super) sound: SoundFormat,
}

/// Writes one file. See the module's text.
pub(super) struct Mp4Writer<W> {
    out: W,
    tracks: Tracks,
    video: Track,
    audio: Track,
    keyframes: Vec<NonZeroU32>,
    mdat_start: u64,
    position: u64,
}

impl<W: Read + Write + Seek> Mp4Writer<W> {
    /// Writes the start of the file.
    ///
    /// # Errors
    /// When `out` does not take it.
    pub(super) fn new(mut out: W, tracks: Tracks) -> std::io::Result<Self> {
        let start = FtypBox {
            major_brand: Brand::ISOM,
            minor_version: 0x200,
            compatible_brands: vec![Brand::ISOM, Brand::ISO2, Brand::AVC1, Brand::MP41, Brand::new(*b"mp42")],
        };
        let mut head = start.encode_to_vec().map_err(std::io::Error::other)?;
        head.extend(marked::source());
        let mdat_start = head.len() as u64;
        head.extend([0; MDAT_HEADER as usize]);
        out.write_all(&head)?;
        // Ticks of the movie; a chunk is the least number of whole frames that last half a second.
        let frame = u64::from(MOVIE_TICKS / tracks.fps);
        let chunk = frame * u64::from(tracks.fps.div_ceil(2));
        Ok(Self {
            out,
            video: Track::new(frame, chunk),
            audio: Track::new(tracks.sound.packet.into(), chunk),
            tracks,
            keyframes: Vec::new(),
            mdat_start,
            position: head.len() as u64,
        })
    }

    /// Appends a video frame, as [`super::H264Encoder`] makes it.
    ///
    /// # Errors
    /// When `out` does not take it.
    pub(super) fn video(&mut self, sample: &[u8], keyframe: bool) -> std::io::Result<()> {
        self.video.append(sample)?;
        if keyframe {
            // The sample has just been counted, so its number is at least 1.
            let number = u32::try_from(self.video.sizes.len()).ok().and_then(NonZeroU32::new);
            self.keyframes.push(number.ok_or(std::io::ErrorKind::FileTooLarge)?);
        }
        self.write_chunks(false)
    }

    /// Appends a packet of sound.
    ///
    /// # Errors
    /// When `out` does not take it.
    pub(super) fn audio(&mut self, packet: &[u8]) -> std::io::Result<()> {
        self.audio.append(packet)?;
        self.write_chunks(false)
    }

    /// Puts the index before the media data and gives `out` back. `sound_frames` is the length of the sound at 48 kHz without its
    /// delay; `sps` and `pps` are the video's parameter sets.
    ///
    /// # Errors
    /// When `out` does not take it or a parameter set is no such thing.
    pub(super) fn finish(mut self, sound_frames: u64, sps: &[u8], pps: &[u8]) -> std::io::Result<W> {
        self.write_chunks(true)?;
        // The index has the same length wherever the data lie.
        let encode = |moov: MoovBox| moov.encode_to_vec().map_err(std::io::Error::other);
        let by = encode(self.movie(sound_frames, sps, pps)?)?.len() as u64;
        move_back(&mut self.out, self.mdat_start + MDAT_HEADER, self.position, by)?;
        self.video.moved(by);
        self.audio.moved(by);
        let index = encode(self.movie(sound_frames, sps, pps)?)?;
        debug_assert_eq!(index.len() as u64, by);
        self.out.seek(SeekFrom::Start(self.mdat_start))?;
        self.out.write_all(&index)?;
        self.out.write_all(&mdat_header(self.position - self.mdat_start))?;
        self.out.flush()?;
        Ok(self.out)
    }

    fn write_chunks(&mut self, all: bool) -> std::io::Result<()> {
        write_chunks(&mut self.video, &mut self.audio, &mut self.out, &mut self.position, all)
    }

    fn movie(&self, sound_frames: u64, sps: &[u8], pps: &[u8]) -> std::io::Result<MoovBox> {
        let tracks = &self.tracks;
        let frames = self.video.sizes.len() as u64;
        let video_duration = frames * u64::from(MOVIE_TICKS / tracks.fps);
        let mut trak_boxes = vec![self.video_track(frames, video_duration, sps, pps)?];
        if !self.audio.sizes.is_empty() {
            trak_boxes.push(self.audio_track(sound_frames));
        }
        Ok(MoovBox {
            mvhd_box: MvhdBox {
                creation_time: Mp4FileTime::default(),
                modification_time: Mp4FileTime::default(),
                timescale: ticks(MOVIE_TICKS),
                duration: video_duration.max(sound_frames),
                rate: MvhdBox::DEFAULT_RATE,
                volume: MvhdBox::DEFAULT_VOLUME,
                matrix: MvhdBox::DEFAULT_MATRIX,
                next_track_id: 3,
            },
            trak_boxes,
            mvex_box: None,
            unknown_boxes: vec![marked::tags()],
        })
    }

    fn video_track(&self, frames: u64, duration: u64, sps: &[u8], pps: &[u8]) -> std::io::Result<TrakBox> {
        let tracks = &self.tracks;
        let entry = avc_entry([tracks.width, tracks.height], sps, pps)?;
        let side = |pixels: u16| FixedPointNumber::new(i16::try_from(pixels).unwrap_or(i16::MAX), 0);
        let times = SttsBox { entries: vec![stts(frames, VIDEO_TICKS / tracks.fps)] };
        let table =
            self.sample_table(entry, times, &self.video, Some(StssBox { sample_numbers: self.keyframes.clone() }));
        let mut tkhd = track_header(1, duration, TkhdBox::DEFAULT_VIDEO_VOLUME);
        (tkhd.width, tkhd.height) = (side(tracks.width), side(tracks.height));
        Ok(TrakBox {
            tkhd_box: tkhd,
            edts_box: None,
            mdia_box: media(
                VIDEO_TICKS,
                frames * u64::from(VIDEO_TICKS / tracks.fps),
                HdlrBox::HANDLER_TYPE_VIDE,
                MediaHeader::Vmhd(VmhdBox::default()),
                table,
            ),
            unknown_boxes: Vec::new(),
        })
    }

    fn audio_track(&self, sound_frames: u64) -> TrakBox {
        let sound = &self.tracks.sound;
        // The last packet is only as long as the sound that is left for it.
        let packets = self.audio.sizes.len() as u64;
        let length = sound_frames + u64::from(sound.delay);
        let packet = u64::from(sound.packet);
        let last = length.saturating_sub((packets - 1) * packet).min(packet);
        let mut entries = vec![stts(packets - 1, sound.packet), stts(1, last as u32)];
        entries.retain(|entry| entry.sample_count > 0);
        let entry = self.sound_entry(length);
        let mut table = self.sample_table(entry, SttsBox { entries }, &self.audio, None);
        table.unknown_boxes = roll_boxes(packets as u32, sound.roll);
        TrakBox {
            tkhd_box: track_header(2, sound_frames, TkhdBox::DEFAULT_AUDIO_VOLUME),
            // Presentation starts after the encoder's delay and ends with the sound.
            edts_box: Some(EdtsBox {
                elst_box: Some(ElstBox {
                    entries: vec![ElstEntry {
                        edit_duration: sound_frames,
                        media_time: sound.delay.into(),
                        media_rate: FixedPointNumber::new(1, 0),
                    }],
                }),
                unknown_boxes: Vec::new(),
            }),
            mdia_box: media(
                OPUS_RATE as u32,
                length,
                HdlrBox::HANDLER_TYPE_SOUN,
                MediaHeader::Smhd(SmhdBox::default()),
                table,
            ),
            unknown_boxes: Vec::new(),
        }
    }

    fn sound_entry(&self, length: u64) -> SampleEntry {
        let sound = &self.tracks.sound;
        let bytes: u64 = self.audio.sizes.iter().map(|&size| u64::from(size)).sum();
        let average = (bytes * 8 * OPUS_RATE as u64 / length.max(1)) as u32;
        match sound.codec {
            SoundCodec::Opus => opus_entry(sound.channels, sound.delay, sound.input_rate),
            SoundCodec::Aac => SampleEntry::Mp4a(Mp4aBox {
                audio: sound_fields(sound.channels),
                esds_box: EsdsBox {
                    es: EsDescriptor {
                        // The track says which one it is (ISO/IEC 14496-14, 3.1.2), but zero is reserved.
                        es_id: EsDescriptor::MIN_ES_ID,
                        stream_priority: EsDescriptor::LOWEST_STREAM_PRIORITY,
                        depends_on_es_id: None,
                        url_string: None,
                        ocr_es_id: None,
                        dec_config_descr: DecoderConfigDescriptor {
                            object_type_indication:
                                DecoderConfigDescriptor::OBJECT_TYPE_INDICATION_AUDIO_ISO_IEC_14496_3,
                            stream_type: DecoderConfigDescriptor::STREAM_TYPE_AUDIO,
                            up_stream: DecoderConfigDescriptor::UP_STREAM_FALSE,
                            buffer_size_db: Uint::new(AAC_PACKET_BYTES * u32::from(sound.channels)),
                            max_bitrate: average,
                            avg_bitrate: average,
                            dec_specific_info: Some(DecoderSpecificInfo { payload: sound.config.clone() }),
                        },
                        sl_config_descr: SlConfigDescriptor,
                    },
                },
                unknown_boxes: Vec::new(),
            }),
        }
    }

    /// Whether 32 bits do for every place in the file. Not every player reads longer ones. The index has at most a 16th of the
    /// file's possible length: its samples have five bytes each and no sample is empty.
    fn is_small(&self) -> bool {
        self.position < u64::from(u32::MAX / 16 * 15)
    }

    fn sample_table(&self, entry: SampleEntry, stts_box: SttsBox, track: &Track, stss_box: Option<StssBox>) -> StblBox {
        let mut entries: Vec<StscEntry> = Vec::new();
        for (index, &(_, samples)) in track.chunks.iter().enumerate() {
            if entries.last().is_none_or(|entry| entry.sample_per_chunk != samples) {
                entries.push(StscEntry {
                    first_chunk: NonZeroU32::MIN.saturating_add(index as u32),
                    sample_per_chunk: samples,
                    sample_description_index: NonZeroU32::MIN,
                });
            }
        }
        let offsets = track.chunks.iter().map(|&(offset, _)| offset);
        let offsets = if self.is_small() {
            Either::A(StcoBox { chunk_offsets: offsets.map(|offset| offset as u32).collect() })
        } else {
            Either::B(Co64Box { chunk_offsets: offsets.collect() })
        };
        StblBox {
            stsd_box: StsdBox { entries: vec![entry] },
            stts_box,
            ctts_box: None,
            cslg_box: None,
            stsc_box: StscBox { entries },
            stsz_box: StszBox::Variable { entry_sizes: track.sizes.clone() },
            stco_or_co64_box: offsets,
            stss_box,
            sdtp_box: None,
            unknown_boxes: Vec::new(),
        }
    }
}

/// The header of media data of `size` bytes, with itself and the room before it.
fn mdat_header(size: u64) -> [u8; MDAT_HEADER as usize] {
    let mut header = [0; MDAT_HEADER as usize];
    match u32::try_from(size) {
        Ok(size) => {
            header[..8].copy_from_slice(b"\0\0\0\x08free");
            header[8..12].copy_from_slice(&(size - 8).to_be_bytes());
            header[12..].copy_from_slice(b"mdat");
        }
        Err(_) => {
            header[..8].copy_from_slice(b"\0\0\0\x01mdat");
            header[8..].copy_from_slice(&size.to_be_bytes());
        }
    }
    header
}

fn ticks(a_second: u32) -> NonZeroU32 {
    NonZeroU32::new(a_second).unwrap_or(NonZeroU32::MIN)
}

fn stts(count: u64, delta: u32) -> SttsEntry {
    SttsEntry { sample_count: count as u32, sample_delta: delta }
}

fn track_header(track_id: u32, duration: u64, volume: FixedPointNumber<i8, u8>) -> TkhdBox {
    TkhdBox {
        flag_track_enabled: true,
        flag_track_in_movie: true,
        flag_track_in_preview: false,
        flag_track_size_is_aspect_ratio: false,
        creation_time: Mp4FileTime::default(),
        modification_time: Mp4FileTime::default(),
        track_id,
        duration,
        layer: TkhdBox::DEFAULT_LAYER,
        alternate_group: TkhdBox::DEFAULT_ALTERNATE_GROUP,
        volume,
        matrix: TkhdBox::DEFAULT_MATRIX,
        width: FixedPointNumber::new(0, 0),
        height: FixedPointNumber::new(0, 0),
    }
}

fn media(timescale: u32, duration: u64, handler_type: [u8; 4], header: MediaHeader, table: StblBox) -> MdiaBox {
    MdiaBox {
        mdhd_box: MdhdBox {
            creation_time: Mp4FileTime::default(),
            modification_time: Mp4FileTime::default(),
            timescale: ticks(timescale),
            duration,
            language: LanguageCode::UNDEFINED,
        },
        hdlr_box: HdlrBox { handler_type, name: b"Vultus\0".to_vec() },
        minf_box: MinfBox {
            media_header: Some(header),
            dinf_box: DinfBox::LOCAL_FILE,
            stbl_box: table,
            unknown_boxes: Vec::new(),
        },
        unknown_boxes: Vec::new(),
    }
}

/// The sample group that tells a player to decode some packets ahead of the one it seeks to.
fn roll_boxes(packets: u32, roll: i16) -> Vec<UnknownBox> {
    // Version and flags, the grouping's type, then for sgpd: length of a description, number of them, the description;
    // for sbgp: number of runs, the run's length, the description's number.
    let version = |v: u8| [v, 0, 0, 0];
    let sgpd = [&version(1), b"roll".as_slice(), &2u32.to_be_bytes(), &1u32.to_be_bytes(), &roll.to_be_bytes()];
    let sbgp = [&version(0), b"roll".as_slice(), &1u32.to_be_bytes(), &packets.to_be_bytes(), &1u32.to_be_bytes()];
    vec![other_box(b"sgpd", sgpd.concat()), other_box(b"sbgp", sbgp.concat())]
}
