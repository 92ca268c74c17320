//! What all WebSockets have in common.

use std::time::Duration;

use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{WebSocketUpgrade, close_code};
use axum::http::StatusCode;
use tungstenite::error::CapacityError;

use crate::guard::PROTOCOL;
use crate::refusal::Refusal;
use crate::rooms::RoomEvent;

/// How often a client is asked whether it is still there, and how long it may say nothing.
pub(crate) const PING: Duration = Duration::from_secs(5);
pub(crate) const VANISHED: Duration = Duration::from_secs(20);
/// A client that takes no message for this long is cut.
pub(crate) const STALLED: Duration = Duration::from_secs(10);
/// A socket that is closed with a message half read stays open for so long: were it shut at once, the client's system would throw away
/// what the client has not read, the reason of the close.
pub(crate) const LINGER: Duration = Duration::from_secs(1);

/// A request as a handler gets it.
pub(crate) type Request = Result<WebSocketUpgrade, WebSocketUpgradeRejection>;

/// The request, if it is one for a WebSocket.
pub(crate) fn asked(request: Request) -> Result<WebSocketUpgrade, Refusal> {
    let upgrade = request.map_err(|_| {
        Refusal::new(StatusCode::UPGRADE_REQUIRED, "this address is for WebSockets; ask with Upgrade: websocket")
    })?;
    Ok(upgrade.protocols([PROTOCOL]))
}

/// The code and the sentence that a socket is closed with when this happens in its room, if it is then closed.
pub(crate) fn farewell(event: RoomEvent) -> Option<(u16, String)> {
    match event {
        RoomEvent::Failed(why) => Some((close_code::ERROR, why)),
        RoomEvent::Stopping => {
            Some((close_code::AWAY, "the server is stopping; come back when it runs again".to_owned()))
        }
        RoomEvent::Changed | RoomEvent::Started(_) | RoomEvent::Spoken(..) | RoomEvent::Interrupted(_) => None,
    }
}

/// The code and the sentence that a socket is closed with where the client did something wrong; `shorter` says what to do about a message that is too
/// long. None where the client is gone.
pub(crate) fn fault(error: axum::Error, shorter: &str) -> Option<(u16, String)> {
    use tungstenite::Error;
    match error.into_inner().downcast_ref()? {
        Error::Capacity(CapacityError::MessageTooLong { max_size, .. }) => {
            Some((close_code::SIZE, format!("a message may have {} KiB; {shorter}", max_size >> 10)))
        }
        Error::Utf8(_) => Some((close_code::INVALID, "a text message is no text".to_owned())),
        Error::Protocol(error) => Some((close_code::PROTOCOL, error.to_string())),
        _ => None,
    }
}
