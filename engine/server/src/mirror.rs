//! `/v1/mirror`: a camera drives a session's face.
//!
//! A client sends pictures of itself, each a JPEG in a binary message; what is seen in them moves the face until they end. Whose the lips are, the voice's or the
//! camera's, it says as JSON. A picture is looked at on a thread of the client's own; 25 a second keep three quarters of a core busy
//! (FIGURES.md).
//!
//! | queue | capacity | when full |
//! |---|---|---|
//! | pictures that wait to be looked at | 1 | the older one gives way, and is counted |
//! | clients with a camera | 4 in a server | 503 |

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use axum::extract::ws::{CloseFrame, Message, WebSocket, close_code};
use axum::extract::{Extension, State};
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::time::{Instant, interval, timeout};
use vultus::motion::Mirror;
use vultus_native::seeing::{Looker, SIDE, Seen};

use crate::app::App;
use crate::lines::Line;
use crate::refusal::Refusal;
use crate::rooms::Hold;
use crate::signal::{Whose, WishQuery, bad_query};
use crate::websocket::{self, LINGER, PING, STALLED, VANISHED};

/// Longest picture, bytes.
const PICTURE: usize = 1 << 20;
/// Pictures that cannot be decoded, in a row, before the client is told to go.
const BROKEN: u32 = 25;
/// What is told of pictures that were looked at waits for a client that does not read; beyond this it is left out.
const TOLD: usize = 8;

pub(crate) async fn mirror(
    State(app): State<App>,
    Extension(line): Extension<Arc<Line>>,
    wish: WishQuery,
    request: websocket::Request,
) -> Result<Response, Refusal> {
    let axum::extract::Query(wish) = wish.map_err(bad_query)?;
    let upgrade = websocket::asked(request)?;
    let (place, looker) = app.rooms.studio().camera().await?;
    let room = wish.room(&app.rooms).await?;
    let busy = line.occupy();
    Ok(upgrade.max_message_size(PICTURE).on_upgrade(move |mut socket| async move {
        if let Err(Over(Some((code, reason)))) = serve(&mut socket, room, looker).await {
            let close = Message::Close(Some(CloseFrame { code, reason: reason.into() }));
            let _ = timeout(STALLED, socket.send(close)).await;
            tokio::time::sleep(LINGER).await;
        }
        drop((busy, place));
    }))
}

/// Why the socket is closed, where the client is there to be told.
struct Over(Option<(u16, String)>);

impl Over {
    fn told(code: u16, reason: impl Into<String>) -> Self {
        Self(Some((code, reason.into())))
    }
}

impl From<axum::Error> for Over {
    fn from(error: axum::Error) -> Self {
        Self(websocket::fault(error, "send smaller pictures"))
    }
}

/// What a client says.
#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
enum Order {
    /// Whose the lips are.
    Lips { lips: Whose },
    /// The face looks straight ahead and is at rest: what is seen now is its neutral.
    Calibrate,
}

/// The slot between the socket and the thread that looks.
#[derive(Default)]
struct Desk {
    slot: Mutex<Slot>,
    filled: Condvar,
    missed: AtomicU64,
}

#[derive(Default)]
struct Slot {
    picture: Option<axum::body::Bytes>,
    calibrate: bool,
    over: bool,
}

impl Desk {
    fn slot(&self) -> MutexGuard<'_, Slot> {
        self.slot.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn put(&self, picture: axum::body::Bytes) {
        if self.slot().picture.replace(picture).is_some() {
            self.missed.fetch_add(1, Ordering::Relaxed);
        }
        self.filled.notify_one();
    }

    /// The next picture, and whether a new neutral is asked for; nothing once the client is gone.
    fn next(&self) -> Option<(axum::body::Bytes, bool)> {
        let mut slot = self.slot();
        loop {
            if slot.over {
                return None;
            }
            if let Some(picture) = slot.picture.take() {
                return Some((picture, std::mem::take(&mut slot.calibrate)));
            }
            slot = self.filled.wait(slot).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// Ends the thread that looks, however the socket ends, and lets the face go.
struct Sight {
    desk: Arc<Desk>,
    mirror: Mirror,
}

impl Drop for Sight {
    fn drop(&mut self) {
        self.desk.slot().over = true;
        self.desk.filled.notify_one();
        self.mirror.clear();
    }
}

async fn serve(socket: &mut WebSocket, room: Hold, looker: Looker) -> Result<(), Over> {
    let mirror = room.live().map_err(|_| Over::told(close_code::NORMAL, "the session has ended"))?.mirror().clone();
    let sight = Sight { desk: Arc::default(), mirror: mirror.clone() };
    let (told, mut tell) = mpsc::channel(TOLD);
    let desk = Arc::clone(&sight.desk);
    let work = move || look(looker, &desk, &mirror, &told);
    thread::Builder::new()
        .name("vultus-camera".into())
        .spawn(work)
        .map_err(|_| Over::told(close_code::ERROR, "the server has no thread left for a camera"))?;
    let mut events = room.events();
    send(socket, &json!({ "type": "ready", "session": room.id, "side_max": SIDE, "bytes_max": PICTURE })).await?;
    let (mut ping, mut heard) = (interval(PING), Instant::now());
    loop {
        tokio::select! {
            message = tell.recv() => match message {
                Some(message) => send(socket, &message).await?,
                None => return Err(Over::told(close_code::INVALID, format!("pictures have to be JPEGs of at most {SIDE} pixels a side"))),
            },
            event = events.recv() => if let Some((code, why)) = event.ok().and_then(websocket::farewell) {
                return Err(Over::told(code, why));
            },
            _ = ping.tick() => {
                if heard.elapsed() > VANISHED {
                    return Err(Over(None));
                }
                if room.live().is_err() {
                    return Err(Over::told(close_code::NORMAL, "the session has ended"));
                }
                timeout(STALLED, socket.send(Message::Ping(Vec::new().into()))).await.map_err(|_| Over(None))??;
            }
            message = socket.recv() => {
                heard = Instant::now();
                match message.ok_or(Over(None))?? {
                    Message::Binary(picture) => sight.desk.put(picture),
                    Message::Text(text) => match serde_json::from_str(&text) {
                        Ok(Order::Lips { lips }) => sight.mirror.set_lips(lips.into()),
                        Ok(Order::Calibrate) => sight.desk.slot().calibrate = true,
                        Err(error) => {
                            send(socket, &json!({ "type": "error", "error": format!("the message is not understood: {error}") })).await?;
                        }
                    },
                    Message::Close(_) => return Ok(()),
                    Message::Ping(_) | Message::Pong(_) => {}
                }
            }
        }
    }
}

/// Looks at pictures until the client is gone, or sends what are none.
fn look(mut looker: Looker, desk: &Desk, mirror: &Mirror, told: &mpsc::Sender<Value>) {
    let mut broken = 0;
    while let Some((picture, calibrate)) = desk.next() {
        if calibrate {
            looker.calibrate();
        }
        let seen = match looker.jpeg(&picture) {
            Ok(seen) => seen,
            Err(_) if broken + 1 < BROKEN => {
                broken += 1;
                continue;
            }
            Err(_) => return,
        };
        broken = 0;
        let message = match seen {
            Some(Seen { drive, frame, calibrated }) => {
                mirror.show(drive);
                json!({ "type": "seen", "face": frame, "calibrated": calibrated, "missed": desk.missed.load(Ordering::Relaxed) })
            }
            None => {
                mirror.clear();
                json!({ "type": "seen", "face": null, "missed": desk.missed.load(Ordering::Relaxed) })
            }
        };
        // A client that does not read is told of a later one.
        let _ = told.try_send(message);
    }
}

async fn send(socket: &mut WebSocket, value: &Value) -> Result<(), Over> {
    let text = Message::Text(value.to_string().into());
    timeout(STALLED, socket.send(text)).await.map_err(|_| Over(None))?.map_err(Over::from)
}
