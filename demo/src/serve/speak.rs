//! `/v1/speak`: speech as PCM from text-to-speech and agents, and the control channel of a session.
//!
//! Binary messages are mono PCM, text messages JSON. Sound may come faster than it can be said: [`BACKLOG_SECS`] wait here beside what
//! waits in the session; beyond that the socket is not read, so the sender feels it. (An interrupt behind such a backlog would wait too.)

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::rejection::QueryRejection;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code};
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::broadcast::error::RecvError;
use tokio::time::{Instant, MissedTickBehavior, interval};
use vultus::audio::Resampler;
use vultus::session::CLOCK_RATE;

use super::App;
use super::refusal::Refusal;
use super::rooms::{Room, RoomEvent};
use super::signal::{self, Wish};
use super::studio::Studio;

const PROTOCOL: &str = "vultus.v1";
/// Longest message, bytes.
const MESSAGE: usize = 1 << 20;
/// Seconds of sound that wait for room in the session.
const BACKLOG_SECS: usize = 90;
/// Pieces of sound that are handed to the session at a time, each a tenth of a second: resampling a whole minute at once would hold up
/// everybody else's packets.
const PIECES: usize = 5;
const PIECES_PER_SEC: usize = 10;
/// How often the backlog is looked after, and how often figures are sent.
const TICK: Duration = Duration::from_millis(20);
const STATS: Duration = Duration::from_secs(1);
/// How often a client is asked whether it is still there, and how long it may say nothing.
const PING: Duration = Duration::from_secs(5);
const VANISHED: Duration = Duration::from_secs(20);
/// A client that takes no message for this long is cut.
const STALLED: Duration = Duration::from_secs(10);

/// How the sound is sent.
#[derive(Debug, Deserialize)]
pub(super) struct Sound {
    rate: Option<usize>,
    format: Option<String>,
}

#[derive(Clone, Copy, PartialEq)]
enum Format {
    S16,
    F32,
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

pub(super) async fn speak(
    State(app): State<App>,
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
    let format = match sound.format.as_deref().unwrap_or("s16le") {
        "s16le" => Format::S16,
        "f32le" => Format::F32,
        other => return Err(Refusal::bad_request(format!("there is no format {other:?}; use s16le or f32le"))),
    };
    let resampler = Resampler::low_delay(rate, CLOCK_RATE as usize, 1).map_err(Refusal::internal)?;
    let room = wish.room(&app.rooms).await?;
    let studio = Arc::clone(app.rooms.studio());
    Ok(upgrade.protocols([PROTOCOL]).max_message_size(MESSAGE).on_upgrade(move |socket| async move {
        let holder = room.hold();
        let channel = Channel {
            socket,
            room: Arc::clone(&room),
            studio,
            holder,
            rate,
            format,
            resampler,
            backlog: VecDeque::new(),
            refused: Vec::new(),
            ending: false,
            awaits_spoken: false,
        };
        channel.serve().await;
        room.release(holder);
    }))
}

struct Channel {
    socket: WebSocket,
    room: Arc<Room>,
    studio: Arc<Studio>,
    holder: u64,
    rate: usize,
    format: Format,
    resampler: Resampler,
    /// Sound that waits for room, at the client's rate.
    backlog: VecDeque<f32>,
    /// A piece at 48 kHz that the session had no room for.
    refused: Vec<f32>,
    /// The client has said that its speech is complete, and not all of it has been handed on.
    ending: bool,
    awaits_spoken: bool,
}

/// The channel is over; a client that did something wrong is told what.
struct Over(Option<(u16, String)>);

impl From<axum::Error> for Over {
    fn from(_: axum::Error) -> Self {
        Self(None)
    }
}

impl Channel {
    async fn serve(mut self) {
        if let Err(Over(Some((code, sentence)))) = self.run().await {
            let reason = sentence.chars().take(100).collect::<String>();
            // The client may be gone.
            let _ = self.send(&json!({ "type": "error", "error": sentence })).await;
            let _ = self.socket.send(Message::Close(Some(CloseFrame { code, reason: reason.into() }))).await;
        }
    }

    async fn run(&mut self) -> Result<(), Over> {
        let mut events = self.room.events();
        let format = if self.format == Format::S16 { "s16le" } else { "f32le" };
        let id = self.room.id.clone();
        self.send(&json!({ "type": "ready", "session": id, "rate": self.rate, "format": format })).await?;
        self.send_state().await?;
        let mut tick = interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let (mut told, mut asked, mut heard) = (Instant::now(), Instant::now(), Instant::now());
        let mut speaking = false;
        loop {
            let full = self.backlog.len() > BACKLOG_SECS * self.rate;
            tokio::select! {
                message = self.socket.recv(), if !full => match message {
                    Some(message) => {
                        heard = Instant::now();
                        self.heed(message?).await?;
                    }
                    None => return Ok(()),
                },
                event = events.recv() => match event {
                    Ok(RoomEvent::Changed) => self.send_state().await?,
                    Ok(RoomEvent::Spoken) => {
                        self.room.give_floor(self.holder);
                        if std::mem::take(&mut self.awaits_spoken) {
                            self.send(&json!({ "type": "spoken" })).await?;
                        }
                    }
                    Ok(RoomEvent::Interrupted) => {
                        self.forget();
                        self.send(&json!({ "type": "interrupted" })).await?;
                    }
                    Ok(RoomEvent::Failed(why)) => return Err(Over(Some((close_code::ERROR, why)))),
                    Err(RecvError::Lagged(_)) => self.send_state().await?,
                    Err(RecvError::Closed) => return Ok(()),
                },
                _ = tick.tick() => {
                    self.hand_on()?;
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
        let unit = if self.format == Format::S16 { 2 } else { 4 };
        if !bytes.len().is_multiple_of(unit) {
            let sentence = format!("a message of {} bytes is not whole samples of {unit} bytes", bytes.len());
            return Err(Over(Some((close_code::INVALID, sentence))));
        }
        if bytes.is_empty() {
            return Ok(());
        }
        if !self.room.take_floor(self.holder) {
            let sentence = "another client is speaking in this session".to_owned();
            return Err(Over(Some((close_code::POLICY, sentence))));
        }
        let pcm: Vec<f32> = match self.format {
            Format::S16 => {
                bytes.as_chunks::<2>().0.iter().map(|b| f32::from(i16::from_le_bytes(*b)) / 32768.0).collect()
            }
            Format::F32 => {
                // What is no number must not get into the resampler's memory.
                let clean = |b: &[u8; 4]| Some(f32::from_le_bytes(*b)).filter(|x| x.is_finite()).unwrap_or(0.0);
                bytes.as_chunks::<4>().0.iter().map(|b| clean(b).clamp(-1.0, 1.0)).collect()
            }
        };
        self.backlog.extend(pcm);
        Ok(())
    }

    /// What waits is not said.
    fn forget(&mut self) {
        self.backlog.clear();
        self.refused.clear();
        self.resampler.forget();
        (self.ending, self.awaits_spoken) = (false, false);
    }

    /// Hands as much of the backlog on as there is room for.
    fn hand_on(&mut self) -> Result<(), Over> {
        let gone = |_| Over(Some((close_code::NORMAL, "the session has ended".to_owned())));
        let live = self.room.live().map_err(gone)?;
        for _ in 0..PIECES {
            let mut piece = std::mem::take(&mut self.refused);
            if piece.is_empty() {
                let count = self.backlog.len().min(self.rate / PIECES_PER_SEC);
                let pcm: Vec<f32> = self.backlog.drain(..count).collect();
                self.resampler.push(&pcm, |samples| piece.extend_from_slice(samples));
                if self.backlog.is_empty() && self.ending {
                    // The last samples are still in the filter.
                    self.resampler.finish(|samples| piece.extend_from_slice(samples));
                }
            }
            if piece.is_empty() {
                break;
            }
            if let Err(back) = live.say(piece) {
                self.refused = back;
                return Ok(());
            }
        }
        if self.ending && self.backlog.is_empty() {
            self.awaits_spoken = true;
            self.ending = live.end_speech().is_err();
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
            Control::End => {
                self.ending = true;
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
            "queued_ms": (status.queued.as_millis() as usize) + self.backlog.len() * 1000 / self.rate,
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
