//! Where what a session makes goes, at three levels: what the face does, pictures, packets. Any number of each, at any time.
//!
//! All of it is called on the session's thread and must not block: whoever is slow keeps a queue of their own, with a capacity and a policy.

use std::time::{Duration, Instant};

use bytes::Bytes;
use vultus::session::SessionFrame;

/// A picture as it was drawn.
#[derive(Clone, Copy, Debug)]
pub struct PictureUnit<'a> {
    /// The planes Y (side, side), U and V (side/2, side/2): BT.709, limited range.
    pub planes: &'a [u8],
    /// Pixels.
    pub side: usize,
    /// Media clock (48 kHz) of the frame's start.
    pub clock: u64,
}

/// A frame of video as it leaves.
#[derive(Clone, Debug)]
pub struct VideoUnit {
    /// H.264, annex B.
    pub data: Bytes,
    /// Whether a decoder can start here.
    pub key: bool,
    /// Media clock (48 kHz) of the frame's start.
    pub clock: u64,
    /// When the last sound came in that the frame depends on.
    pub heard: Instant,
    /// When the frame was ready.
    pub encoded: Instant,
}

/// A packet of voice as it leaves.
#[derive(Clone, Debug)]
pub struct VoiceUnit {
    /// One Opus packet of 20 ms, mono.
    pub data: Bytes,
    /// Media clock (48 kHz) of the first sample that a decoder gives for it.
    pub clock: u64,
    /// When it should leave.
    pub due: Instant,
}

/// What a sink wants from now on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// The next unit.
    More,
    /// A frame of video that a decoder can start from: something was lost.
    KeyFrame,
    /// Nothing at present, so that the session may rest.
    Rest,
    /// Nothing any more: the sink is taken out and dropped.
    Over,
}

/// Takes what the face does, frame by frame, whether or not it is drawn.
pub trait DriveSink: Send {
    /// Asked before every round.
    fn wish(&mut self) -> Wish {
        Wish::More
    }
    /// The next frame.
    fn drive(&mut self, frame: &SessionFrame);
}

/// Takes pictures before they are encoded.
pub trait PictureSink: Send {
    /// Asked before every round.
    fn wish(&mut self) -> Wish {
        Wish::More
    }
    /// The next picture.
    fn picture(&mut self, unit: PictureUnit<'_>);
}

/// Takes encoded media.
pub trait PacketSink: Send {
    /// Asked before every round. After [`Wish::Rest`] the first video that a sink gets is a key frame.
    fn wish(&mut self) -> Wish {
        Wish::More
    }
    /// The next frame of video.
    fn video(&mut self, unit: &VideoUnit);
    /// The next packet of voice.
    fn voice(&mut self, unit: &VoiceUnit);
}

/// Hears what becomes of a session's speech and of the session itself.
pub trait Listener: Send {
    /// The first sound of the utterance of this mark leaves.
    fn started(&self, mark: u64);
    /// The utterance of this mark has been said; it was this long.
    fn spoken(&self, mark: u64, said: Duration);
    /// An interrupt was carried out. `at`: the utterance that was being said, if one was, and how much of it has left.
    fn interrupted(&self, at: Option<(u64, Duration)>);
    /// The session has ended by itself: the device was lost, an encoder failed, or its thread panicked. Comes last, and only then.
    fn failed(&self, why: &str);
}

/// A sink of any level.
pub enum Sink {
    /// What the face does.
    Drive(Box<dyn DriveSink>),
    /// Pictures.
    Picture(Box<dyn PictureSink>),
    /// Packets.
    Packet(Box<dyn PacketSink>),
}

impl std::fmt::Debug for Sink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Drive(_) => "Drive",
            Self::Picture(_) => "Picture",
            Self::Packet(_) => "Packet",
        })
    }
}

/// The sinks of a session, with what each wanted when it was asked last.
#[derive(Default)]
pub(super) struct Sinks {
    drives: Vec<(Box<dyn DriveSink>, Wish)>,
    pictures: Vec<(Box<dyn PictureSink>, Wish)>,
    packets: Vec<(Box<dyn PacketSink>, Wish)>,
}

/// What all sinks together want.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Wanted {
    /// The face is to move.
    pub(super) drive: bool,
    /// It is to be drawn.
    pub(super) pictures: bool,
    /// Pictures and voice are to be encoded.
    pub(super) packets: bool,
    /// The next picture is to be one that a decoder can start from.
    pub(super) key_frame: bool,
}

impl Sinks {
    pub(super) fn add(&mut self, sink: Sink) {
        // It rested before it was there: its first video is a key frame.
        match sink {
            Sink::Drive(sink) => self.drives.push((sink, Wish::Rest)),
            Sink::Picture(sink) => self.pictures.push((sink, Wish::Rest)),
            Sink::Packet(sink) => self.packets.push((sink, Wish::Rest)),
        }
    }

    /// Asks everybody, and takes those out that want nothing any more.
    pub(super) fn ask(&mut self) -> Wanted {
        let mut wanted = Wanted::default();
        self.drives.retain_mut(|(sink, wish)| {
            *wish = sink.wish();
            wanted.drive |= wants(*wish);
            *wish != Wish::Over
        });
        self.pictures.retain_mut(|(sink, wish)| {
            *wish = sink.wish();
            wanted.pictures |= wants(*wish);
            *wish != Wish::Over
        });
        self.packets.retain_mut(|(sink, wish)| {
            let before = std::mem::replace(wish, sink.wish());
            wanted.packets |= wants(*wish);
            wanted.key_frame |= *wish == Wish::KeyFrame || (before == Wish::Rest && *wish == Wish::More);
            *wish != Wish::Over
        });
        wanted.pictures |= wanted.packets;
        wanted.drive |= wanted.pictures;
        wanted
    }

    pub(super) fn drive(&mut self, frame: &SessionFrame) {
        self.drives.iter_mut().filter(|(_, wish)| wants(*wish)).for_each(|(sink, _)| sink.drive(frame));
    }

    pub(super) fn picture(&mut self, unit: PictureUnit<'_>) {
        self.pictures.iter_mut().filter(|(_, wish)| wants(*wish)).for_each(|(sink, _)| sink.picture(unit));
    }

    pub(super) fn video(&mut self, unit: &VideoUnit) {
        self.packets.iter_mut().filter(|(_, wish)| wants(*wish)).for_each(|(sink, _)| sink.video(unit));
    }

    pub(super) fn voice(&mut self, unit: &VoiceUnit) {
        self.packets.iter_mut().filter(|(_, wish)| wants(*wish)).for_each(|(sink, _)| sink.voice(unit));
    }
}

fn wants(wish: Wish) -> bool {
    matches!(wish, Wish::More | Wish::KeyFrame)
}
