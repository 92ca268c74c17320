//! `/v1/drive`: what the face does, as lines of JSON on a WebSocket, for programs that draw it themselves.
//!
//! The first message names the coefficients. One message a frame follows, 25 a second, when the frame is decided: about 25 ms before its picture leaves, and up to
//! 0.1 s after its voice does, which waits for what a browser's buffer does not add (`voice_delay_ms` in `/v1/stats`). Frames that are missing, because the client did not
//! read or the machine was too slow, are counted.
//!
//! | queue | capacity | when full |
//! |---|---|---|
//! | frames, to one client | 25, a second | the new frame is dropped and counted |

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::extract::ws::{CloseFrame, Message, WebSocket, close_code};
use axum::extract::{Extension, State};
use axum::response::Response;
use serde_json::{Value, json};
use tokio::sync::mpsc::{self, Sender};
use tokio::time::{Instant, interval, timeout};
use vultus::pipeline::MOTION_FPS;
use vultus::session::{CLOCK_RATE, FRAME_SAMPLES, SessionFrame};
use vultus_native::stream::live::{DriveSink, Sink, Wish};

use crate::app::App;
use crate::lines::Line;
use crate::refusal::Refusal;
use crate::rooms::Hold;
use crate::signal::{WishQuery, bad_query};
use crate::websocket::{self, PING, STALLED, VANISHED};

/// Frames that may wait for a client.
const WAITING: usize = MOTION_FPS as usize;
/// Longest message of a client, which has nothing to say: its own close and pong.
const MESSAGE: usize = 4096;
/// Messages of a client between two pings: its pongs, and pings of its own.
const MESSAGES: u32 = 100;

pub(crate) async fn drive(
    State(app): State<App>,
    Extension(line): Extension<Arc<Line>>,
    wish: WishQuery,
    request: websocket::Request,
) -> Result<Response, Refusal> {
    let axum::extract::Query(wish) = wish.map_err(bad_query)?;
    let upgrade = websocket::asked(request)?;
    let room = wish.room(&app.rooms).await?;
    let names = app.rooms.studio().expressions().to_vec();
    let busy = line.occupy();
    Ok(upgrade.max_message_size(MESSAGE).on_upgrade(move |socket| async move {
        // A client that went away has nothing more to be told.
        let mut socket = socket;
        let reason = match serve(&mut socket, room, &names).await {
            Ok(()) | Err(Over::Gone) => None,
            Err(Over::Ended) => Some((close_code::NORMAL, "the session has ended".to_owned())),
            Err(Over::Told(code, why)) => Some((code, why)),
            Err(Over::Talkative) => {
                Some((close_code::POLICY, "this socket only tells; send speech and wishes to /v1/speak".to_owned()))
            }
        };
        if let Some((code, reason)) = reason {
            let close = Message::Close(Some(CloseFrame { code, reason: reason.into() }));
            let _ = timeout(STALLED, socket.send(close)).await;
        }
        drop(busy);
    }))
}

/// The session's end of a client's queue.
struct Frames {
    frames: Sender<Value>,
    missed: Arc<AtomicU64>,
    /// Media clock of the frame before.
    last: Option<u64>,
}

impl DriveSink for Frames {
    fn wish(&mut self) -> Wish {
        if self.frames.is_closed() { Wish::Over } else { Wish::More }
    }

    fn drive(&mut self, frame: &SessionFrame) {
        // Frames that the session dropped, or jumped over, never came here.
        let gap = self.last.replace(frame.clock).map_or(0, |last| frame.clock.saturating_sub(last) / FRAME_SAMPLES);
        self.missed.fetch_add(gap.saturating_sub(1), Ordering::Relaxed);
        // What it holds is written into a message only where there is room for one.
        let Ok(place) = self.frames.try_reserve() else {
            self.missed.fetch_add(1, Ordering::Relaxed);
            return;
        };
        let short = |value: &f32| (f64::from(*value) * 1e4).round() / 1e4;
        let precise = |value: &f32| (f64::from(*value) * 1e6).round() / 1e6;
        place.send(json!({
            "type": "frame",
            "time_ms": frame.clock as f64 * 1e3 / CLOCK_RATE as f64,
            "beta": frame.drive.beta.iter().map(short).collect::<Vec<_>>(),
            "pose": frame.drive.pose.iter().map(precise).collect::<Vec<_>>(),
            "missed": self.missed.load(Ordering::Relaxed),
        }));
    }
}

/// Why a client's socket is closed.
enum Over {
    /// It went away, took nothing for too long, or said nothing.
    Gone,
    /// The session has ended.
    Ended,
    /// The session has broken down, or the server ends: the code and the sentence.
    Told(u16, String),
    /// It said more than it should.
    Talkative,
}

impl From<axum::Error> for Over {
    fn from(_: axum::Error) -> Self {
        Self::Gone
    }
}

async fn serve(socket: &mut WebSocket, room: Hold, names: &[String]) -> Result<(), Over> {
    let (sender, mut frames) = mpsc::channel(WAITING);
    let mut events = room.events();
    let first = json!({
        "type": "ready",
        "session": room.id,
        "fps": MOTION_FPS,
        "beta": names,
        "pose": ["pitch", "yaw", "roll", "x", "y", "z"],
    });
    send(socket, &first).await?;
    let sink = Frames { frames: sender, missed: Arc::default(), last: None };
    attach(&room, sink).await?;
    let mut ping = interval(PING);
    let (mut heard, mut messages) = (Instant::now(), 0);
    loop {
        tokio::select! {
            frame = frames.recv() => match frame {
                Some(frame) => send(socket, &frame).await?,
                None => return Err(Over::Ended),
            },
            event = events.recv() => if let Some((code, why)) = event.ok().and_then(websocket::farewell) {
                send(socket, &json!({ "type": "error", "error": &why })).await?;
                return Err(Over::Told(code, why));
            },
            _ = ping.tick() => {
                if heard.elapsed() > VANISHED {
                    return Err(Over::Gone);
                }
                messages = 0;
                timeout(STALLED, socket.send(Message::Ping(Vec::new().into()))).await.map_err(|_| Over::Gone)??;
            }
            message = socket.recv() => {
                messages += 1;
                match message.ok_or(Over::Gone)?? {
                    Message::Close(_) => return Ok(()),
                    Message::Ping(_) | Message::Pong(_) if messages <= MESSAGES => heard = Instant::now(),
                    _ => return Err(Over::Talkative),
                }
            }
        }
    }
}

/// Puts the sink into the session. A session that is busy is asked again.
async fn attach(room: &Hold, sink: Frames) -> Result<(), Over> {
    let Frames { frames, missed, .. } = sink;
    loop {
        let live = room.live().map_err(|_| Over::Ended)?;
        let sink = Frames { frames: frames.clone(), missed: Arc::clone(&missed), last: None };
        if live.add_sink(Sink::Drive(Box::new(sink))).is_ok() {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn send(socket: &mut WebSocket, value: &Value) -> Result<(), Over> {
    let text = Message::Text(value.to_string().into());
    timeout(STALLED, socket.send(text)).await.map_err(|_| Over::Gone)?.map_err(Over::from)
}
