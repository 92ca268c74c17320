//! `/v1/speak`: speech from text-to-speech and agents, and the control channel of a session.
//!
//! Binary messages are sound, text messages JSON. What they mean is in [`Talk`], without I/O, and what waits to be said in [`Backlog`]: both serve any
//! program that speaks in a session by other ways than this socket.
//!
//! | what a client can hold | limit | beyond it |
//! |---|---|---|
//! | a message | 16 MiB for 16 sockets, 1 MiB for others | closed with code 1009 |
//! | messages that are no sound, pings too | 2000 at once, 500 a second | closed with code 1008 |
//! | sound that waits | see [`Backlog`] | told, and the rest of the utterance is left out |
//! | utterances that wait | [`UTTERANCES`] | told |

mod backlog;
mod control;
pub(crate) mod fuzz;
pub(crate) mod shared;
pub(crate) mod socket;
mod talk;

pub use self::backlog::{BYTES, Backlog, Full, SECS, Session, Store};
pub use self::control::Change;
pub use self::talk::{Close, Effect, Floor, Talk, UTTERANCES};
