//! Rooms: one session each, with everybody who watches it, speaks through it or steers it.
//!
//! A room lives as long as somebody is in it, and a little longer, so that who lost the connection finds it again.
//!
//! | file | what it owns |
//! |---|---|
//! | `all` | all rooms: how they begin and end |
//! | `room` | one room: its look, who holds it open, who speaks |
//! | `event` | what happens in it |
//! | `guests`, `guest` | its connections |
//! | `visit`, `hearing` | what a connection does in it; its microphone |
//! | `hub` | what the session's thread gives out, on its way to them |
//! | `offers` | offers that nobody has connected to yet |
//! | `report` | how a room is doing |
//! | `record` | sessions to files |

mod all;
mod camera;
mod event;
mod guest;
mod guests;
mod hearing;
mod hub;
mod lock;
mod offers;
mod record;
mod report;
mod room;
#[cfg(test)]
mod tests;
mod visit;

pub use self::all::Rooms;
pub use self::event::RoomEvent;
pub use self::offers::Unanswered;
pub use self::room::{Hold, Look, Room};
