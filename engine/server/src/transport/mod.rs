//! WebRTC behind a narrow seam: one UDP port, offers in, answers out, encoded units to the browser, Opus packets from its microphone, pictures from its camera.
//!
//! ```text
//! offer ─► sdp ─► peer (one a browser: the `webrtc` stack, its tracks and send loops, feedback)
//!                  │ lane (the peer's share of the port)
//!                 mux ── the UDP port
//! ```
//!
//! Nothing here knows HTTP, sessions or codecs' insides; nothing outside knows ICE, DTLS or RTP.

mod arrivals;
mod camera;
mod dtls;
mod events;
mod feedback;
mod gate;
mod lane;
mod layer;
mod mux;
mod peer;
mod port;
mod queue;
pub(crate) mod rate;
mod repair;
mod reports;
mod role;
mod sdp;
mod send;
mod stun;
#[cfg(test)]
mod tests;
mod weather;

pub use self::events::PeerEvents;
pub(crate) use self::gate::first_look;
pub use self::peer::Peer;
pub use self::port::{Options, PATIENCE, Transport};
pub use self::role::{Brings, Role, SignalError};
pub use self::weather::Weather;
pub use vultus_native::media::OpusPacket;
pub use vultus_native::stream::live::{VideoUnit, VoiceUnit};
