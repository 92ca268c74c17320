//! What control channels are told.

use std::time::Duration;

/// What happens in a room. Cheap to clone.
#[derive(Clone, Debug)]
pub enum RoomEvent {
    /// Emotion, intensity or avatar have changed.
    Changed,
    /// The first sound of the utterance of this mark leaves.
    Started(u64),
    /// The utterance of this mark is over, and was this long.
    Spoken(u64, Duration),
    /// Everybody who speaks is to stop, and what waits is not to be said. The session has stopped: in the utterance of this mark, if one was being said, after so much of it.
    Interrupted(Option<(u64, Duration)>),
    /// The session has ended by itself.
    Failed(String),
    /// The server is about to end.
    Stopping,
}
