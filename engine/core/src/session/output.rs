//! What leaves a session.

use std::time::Duration;

use super::VOICE_PACKET;
use crate::drive::Drive;

/// What [`super::Session::poll`] wants done.
#[derive(Clone, Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "it lives on the stack for a moment; a box would be an allocation a packet"
)]
pub enum Due {
    /// Something leaves.
    Event(SessionEvent),
    /// A frame is to be drawn.
    Frame(SessionFrame),
    /// Nothing before this time, unless sound comes in or something is asked for.
    Later(Duration),
}

/// A frame that is ready to be drawn.
#[derive(Clone, Debug)]
pub struct SessionFrame {
    /// Media clock of the frame's start.
    pub clock: u64,
    /// When the last sound came in that the frame depends on.
    pub heard: Duration,
    /// When the frame was decided.
    pub decided: Duration,
    /// What the face does.
    pub drive: Drive,
}

/// Something that leaves a session other than pictures.
#[derive(Clone, Copy, Debug, PartialEq)]
#[expect(
    clippy::large_enum_variant,
    reason = "it lives on the stack for a moment; a box would be an allocation a packet"
)]
pub enum SessionEvent {
    /// A packet of voice, mono at 48 kHz.
    Voice {
        /// Media clock of the first sample.
        clock: u64,
        /// How long from now it should leave.
        wait: Duration,
        /// The samples.
        pcm: [f32; VOICE_PACKET],
    },
    /// The first sound of an utterance leaves as voice.
    Started {
        /// What it was marked with by [`super::Session::begin_speech`] or [`super::Session::end_speech`].
        mark: u64,
    },
    /// Speech that was marked complete by [`super::Session::end_speech`] has left as voice, to its end.
    Spoken {
        /// What it was marked with.
        mark: u64,
        /// How long it was.
        said: Duration,
    },
    /// What was queued and what was on its way has been dropped by [`super::Session::interrupt`].
    Interrupted {
        /// The utterance that was being said, if one was: its mark, and how much of it had left as voice.
        at: Option<(u64, Duration)>,
    },
}

/// How many of what a session has handled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SessionCounts {
    /// Frames handed out.
    pub frames: u64,
    /// Frames dropped because drawing did not keep up.
    pub dropped: u64,
    /// Samples of microphone sound dropped.
    pub microphone_dropped: u64,
    /// Samples of the media clock that were jumped over.
    pub jumped: u64,
    /// Samples of the media clock in which nobody watched and nothing was heard, so that no frames were made.
    pub rested: u64,
}
