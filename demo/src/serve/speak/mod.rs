//! `/v1/speak`: speech as PCM from text-to-speech and agents, and the control channel of a session.
//!
//! Binary messages are mono PCM, text messages JSON. Sound may come faster than it can be said: a minute and a half waits in the
//! [`Backlog`] beside what waits in the session; beyond that the socket is not read, so the sender feels it. (An interrupt behind such a
//! backlog would wait too.)

mod backlog;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::rejection::QueryRejection;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code};
use axum::extract::{Extension, Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::broadcast::error::RecvError;
use tokio::time::{Instant, MissedTickBehavior, interval};
use tungstenite::error::CapacityError;

use self::backlog::{Backlog, Format};
use super::App;
use super::lines::Line;
use super::refusal::Refusal;
use super::rooms::{Hold, RoomEvent};
use super::signal::{self, Wish};
use super::studio::Studio;

const PROTOCOL: &str = "vultus.v1";
/// Longest message, bytes.
const MESSAGE: usize = 1 << 20;
/// Utterances of one client that may wait to be said; another end is refused.
const UTTERANCES: usize = 64;
/// How often the backlog is looked after, and how often figures are sent.
const TICK: Duration = Duration::from_millis(20);
const STATS: Duration = Duration::from_secs(1);
/// How often a client is asked whether it is still there, and how long it may say nothing.
const PING: Duration = Duration::from_secs(5);
const VANISHED: Duration = Duration::from_secs(20);
/// A client that takes no message for this long is cut.
const STALLED: Duration = Duration::from_secs(10);
/// A socket that is closed with a message half read stays open for so long: were it shut at once, the client's system would throw away
/// what the client has not read, the reason of the close.
const LINGER: Duration = Duration::from_secs(1);

/// How the sound is sent.
#[derive(Debug, Deserialize)]
pub(super) struct Sound {
    rate: Option<usize>,
    format: Option<String>,
}

/// Control messages.
#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Control {
    Emotion { emotion: Option<String>, intensity: Option<f32> },
    Avatar { avatar: String },
    Interrupt,
    End,
    Playout { av_offset_ms: f64 },
}

/// What a text message says, in short: for the fuzzer.
pub(super) fn understood(text: &str) -> String {
    serde_json::from_str::<Control>(text).map_or_else(|error| error.to_string(), |_| "understood".to_owned())
}

pub(super) async fn speak(
    State(app): State<App>,
    Extension(line): Extension<Arc<Line>>,
    wish: Result<Query<Wish>, QueryRejection>,
    sound: Result<Query<Sound>, QueryRejection>,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, Refusal> {
    let bad = |error: QueryRejection| Refusal::bad_request(error.body_text());
    let (Query(wish), Query(sound)) = (wish.map_err(bad)?, sound.map_err(bad)?);
    let upgrade = upgrade.map_err(|error| {
        Refusal::new(StatusCode::UPGRADE_REQUIRED, format!("this address is for WebSockets: {}", error.body_text()))
    })?;
    let rate = sound.rate.unwrap_or(24_000);
    if !(8_000..=192_000).contains(&rate) {
        return Err(Refusal::bad_request(format!("a rate of {rate} Hz is out of range; give one from 8000 to 192000")));
    }
    let format = sound.format.as_deref().unwrap_or(Format::S16.name());
    let format = Format::named(format)
        .ok_or_else(|| Refusal::bad_request(format!("there is no format {format:?}; use s16le or f32le")))?;
    let backlog = Backlog::new(format, rate).map_err(Refusal::internal)?;
    let room = wish.room(&app.rooms).await?;
    let busy = line.occupy();
    let studio = Arc::clone(app.rooms.studio());
    Ok(upgrade.protocols([PROTOCOL]).max_message_size(MESSAGE).on_upgrade(move |socket| async move {
        Channel { socket, room, studio, backlog, awaited: VecDeque::new() }.serve().await;
        drop(busy);
    }))
}

struct Channel {
    socket: WebSocket,
    room: Hold,
    studio: Arc<Studio>,
    backlog: Backlog,
    /// Marks of the utterances that the client has ended and that have not been said yet.
    awaited: VecDeque<u64>,
}

/// The channel is over; a client that did something wrong is told what.
struct Over(Option<(u16, String)>);

impl Over {
    fn told(code: u16, sentence: impl Into<String>) -> Self {
        Self(Some((code, sentence.into())))
    }
}

impl From<axum::Error> for Over {
    fn from(error: axum::Error) -> Self {
        use tungstenite::Error;
        match error.into_inner().downcast_ref() {
            Some(Error::Capacity(CapacityError::MessageTooLong { .. })) => {
                let sentence = format!("a message may have {} KiB; send sound in smaller pieces", MESSAGE >> 10);
                Self::told(close_code::SIZE, sentence)
            }
            Some(Error::Utf8(_)) => Self::told(close_code::INVALID, "a text message is no text"),
            Some(Error::Protocol(error)) => Self::told(close_code::PROTOCOL, error.to_string()),
            _ => Self(None),
        }
    }
}

impl Channel {
    async fn serve(mut self) {
        if let Err(Over(Some((code, sentence)))) = self.run().await {
            let reason = sentence.chars().take(100).collect::<String>();
            // The client may be gone.
            let _ = self.send(&json!({ "type": "error", "error": sentence })).await;
            let close = Message::Close(Some(CloseFrame { code, reason: reason.into() }));
            let _ = tokio::time::timeout(STALLED, self.socket.send(close)).await;
            // Nobody waits for the session meanwhile.
            drop(self.room);
            tokio::time::sleep(LINGER).await;
            drop(self.socket);
        }
    }

    async fn run(&mut self) -> Result<(), Over> {
        let mut events = self.room.events();
        let (id, rate, format) = (self.room.id.clone(), self.backlog.rate(), self.backlog.format().name());
        self.send(&json!({ "type": "ready", "session": id, "rate": rate, "format": format })).await?;
        self.send_state().await?;
        let mut tick = interval(TICK);
        // However long a round takes, the socket is read in between.
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut told, mut asked, mut heard) = (Instant::now(), Instant::now(), Instant::now());
        let mut speaking = false;
        loop {
            let full = self.backlog.is_full();
            tokio::select! {
                // The reason of an end before the end, and neither behind what a client floods us with.
                biased;
                event = events.recv() => match event {
                    Ok(RoomEvent::Changed) => self.send_state().await?,
                    Ok(RoomEvent::Spoken(mark)) => self.spoken(mark).await?,
                    Ok(RoomEvent::Interrupted) => {
                        self.forget();
                        self.send(&json!({ "type": "interrupted" })).await?;
                    }
                    Ok(RoomEvent::Failed(why)) => return Err(Over::told(close_code::ERROR, why)),
                    Err(RecvError::Lagged(_)) => self.send_state().await?,
                    Err(RecvError::Closed) => return Ok(()),
                },
                _ = tick.tick() => {
                    let Ok(live) = self.room.live() else {
                        return Err(Over::told(close_code::NORMAL, "the session has ended"));
                    };
                    self.backlog.hand_on(&live);
                    if full {
                        // It is we who do not read.
                        heard = Instant::now();
                    } else if heard.elapsed() > VANISHED {
                        return Ok(());
                    }
                    if asked.elapsed() >= PING {
                        asked = Instant::now();
                        self.socket.send(Message::Ping(Vec::new().into())).await?;
                    }
                    if told.elapsed() >= STATS {
                        told = Instant::now();
                        let now = self.room.live().map(|live| live.status().speaking).unwrap_or(false);
                        if now != speaking {
                            speaking = now;
                            self.send_state().await?;
                        }
                        let Value::Object(mut report) = self.room.report() else { continue };
                        report.insert("type".into(), "stats".into());
                        self.send(&Value::Object(report)).await?;
                    }
                }
                message = self.socket.recv(), if !full => match message {
                    Some(message) => {
                        heard = Instant::now();
                        self.heed(message?).await?;
                    }
                    None => return Ok(()),
                },
            }
        }
    }

    async fn heed(&mut self, message: Message) -> Result<(), Over> {
        match message {
            Message::Binary(bytes) => self.take_sound(&bytes),
            Message::Text(text) => {
                let done = match serde_json::from_str::<Control>(&text) {
                    Ok(control) => self.obey(control).await,
                    Err(error) => Err(Refusal::bad_request(format!("this message is not understood: {error}"))),
                };
                // A wish that cannot be fulfilled ends nothing.
                if let Err(refusal) = done {
                    self.send(&json!({ "type": "error", "error": refusal.sentence })).await?;
                }
                Ok(())
            }
            Message::Close(_) => Err(Over(None)),
            Message::Ping(_) | Message::Pong(_) => Ok(()),
        }
    }

    fn take_sound(&mut self, bytes: &[u8]) -> Result<(), Over> {
        let unit = self.backlog.format().unit();
        if !bytes.len().is_multiple_of(unit) {
            let sentence = format!("a message of {} bytes is not whole samples of {unit} bytes", bytes.len());
            return Err(Over::told(close_code::INVALID, sentence));
        }
        if bytes.is_empty() {
            return Ok(());
        }
        if !self.room.take_floor() {
            return Err(Over::told(close_code::POLICY, "another client is speaking in this session"));
        }
        self.backlog.push(bytes);
        Ok(())
    }

    /// What waits is not said, and what was said is not reported.
    fn forget(&mut self) {
        self.backlog.forget();
        self.awaited.clear();
    }

    /// The utterance of this mark is over, whoever said it. Of a channel's utterances that one ends after those before it.
    async fn spoken(&mut self, mark: u64) -> Result<(), Over> {
        let Some(at) = self.awaited.iter().position(|awaited| *awaited == mark) else { return Ok(()) };
        for _ in self.awaited.drain(..=at).collect::<Vec<_>>() {
            self.send(&json!({ "type": "spoken" })).await?;
        }
        if self.awaited.is_empty() && self.backlog.is_empty() {
            self.room.give_floor();
        }
        Ok(())
    }

    async fn obey(&mut self, control: Control) -> Result<(), Refusal> {
        match control {
            Control::Emotion { emotion, intensity } => {
                let look = self.room.look();
                let emotion = emotion.as_deref().map_or(Ok(look.emotion), signal::emotion)?;
                let intensity = intensity.map_or(Ok(look.intensity), signal::intensity)?;
                self.room.set_emotion(emotion, intensity)
            }
            Control::Avatar { avatar } => {
                let (room, studio) = (Arc::clone(&self.room), Arc::clone(&self.studio));
                let done = tokio::task::spawn_blocking(move || room.set_avatar(&studio, &avatar));
                done.await.map_err(Refusal::internal)?
            }
            Control::Interrupt => {
                self.forget();
                self.room.interrupt()
            }
            Control::End if self.awaited.len() >= UTTERANCES => {
                let sentence = format!("{UTTERANCES} utterances are waiting to be said; wait for one to be spoken");
                Err(Refusal::new(StatusCode::TOO_MANY_REQUESTS, sentence))
            }
            Control::End => {
                let mark = self.room.mark();
                self.backlog.end(mark);
                self.awaited.push_back(mark);
                Ok(())
            }
            Control::Playout { av_offset_ms } => self.room.correct_lead(av_offset_ms),
        }
    }

    async fn send_state(&mut self) -> Result<(), Over> {
        let look = self.room.look();
        let status = self.room.live().map(|live| live.status()).unwrap_or_default();
        let state = json!({
            "type": "state",
            "speaking": status.speaking,
            "queued_ms": (status.queued.as_millis() as usize) + self.backlog.millis(),
            "emotion": look.emotion.name(),
            "intensity": look.intensity,
            "avatar": look.avatar,
        });
        self.send(&state).await
    }

    async fn send(&mut self, value: &Value) -> Result<(), Over> {
        let text = Message::Text(value.to_string().into());
        match tokio::time::timeout(STALLED, self.socket.send(text)).await {
            Ok(sent) => Ok(sent?),
            Err(_) => Err(Over(None)),
        }
    }
}
