//! The socket itself. It is always read, whatever waits to be said, so that an interrupt is seen as soon as it comes.

use std::future::pending;
use std::ops::Deref as _;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::rejection::QueryRejection;
use axum::extract::ws::{CloseFrame, Message, WebSocket, close_code};
use axum::extract::{Extension, Query, State};
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::broadcast::error::RecvError;
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior, interval};
use vultus::generator::Background;
use vultus_native::Notices;
use vultus_native::audio::stream::{CHANNELS_MAX, Promise, RATES, SampleFormat};
use vultus_native::stream::live;

use super::backlog::Session;
use super::control::{self, Change};
use super::shared::{MESSAGE, SMALL_MESSAGE};
use super::talk::{Close, Effect, Floor, Talk, error_message};
use crate::app::App;
use crate::lines::Line;
use crate::refusal::Refusal;
use crate::rooms::{Hold, RoomEvent};
use crate::signal::{self, Wish};
use crate::websocket::{self, LINGER, PING, STALLED, VANISHED};

/// Bytes of a message that are read at a time, before other tasks get their turn: a few milliseconds.
const PIECE: usize = 1 << 19;
/// How often the backlog is looked after, and how often figures are sent.
const TICK: Duration = Duration::from_millis(20);
const STATS: Duration = Duration::from_secs(1);

/// What a query may say about the sound.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Sound {
    rate: Option<String>,
    format: Option<String>,
    channels: Option<String>,
}

impl Sound {
    fn promise(&self) -> Result<Promise, Refusal> {
        let number = |field: &str, text: &Option<String>, least: u32, most: u32| {
            let Some(text) = text.as_deref() else { return Ok(None) };
            let wrong = || {
                Refusal::bad_request(format!(
                    "{field}={} is none; give a whole number from {least} to {most}",
                    control::shown(text)
                ))
            };
            text.parse().ok().filter(|it| (least..=most).contains(it)).map(Some).ok_or_else(wrong)
        };
        let format = self.format.as_deref().map(|name| {
            let names = || SampleFormat::NAMES.map(|(format, _)| format.name()).join(", ");
            let wrong =
                || Refusal::bad_request(format!("there is no format {}; use one of {}", control::shown(name), names()));
            SampleFormat::named(name).ok_or_else(wrong)
        });
        Ok(Promise {
            format: format.transpose()?,
            rate: number("rate", &self.rate, *RATES.start(), *RATES.end())?,
            channels: number("channels", &self.channels, 1, CHANNELS_MAX.into())?.and_then(|it| it.try_into().ok()),
        })
    }
}

pub(crate) async fn speak(
    State(app): State<App>,
    Extension(line): Extension<Arc<Line>>,
    wish: Result<Query<Wish>, QueryRejection>,
    sound: Result<Query<Sound>, QueryRejection>,
    request: websocket::Request,
) -> Result<Response, Refusal> {
    let (Query(wish), Query(sound)) = (wish.map_err(signal::bad_query)?, sound.map_err(signal::bad_query)?);
    let upgrade = websocket::asked(request)?;
    let promise = sound.promise()?;
    let room = wish.room(&app.rooms).await?;
    let busy = line.occupy();
    let large = app.speech.large();
    let message = if large.is_some() { MESSAGE } else { SMALL_MESSAGE };
    let talk = Talk::new(promise, Arc::clone(app.speech.store()));
    let notices = app.rooms.notices().clone();
    Ok(upgrade.max_message_size(message).on_upgrade(move |socket| async move {
        let known = room.live().map_or(0, |live| live.interrupts());
        Channel { socket, room, notices, talk, known, message, changing: None, next: Redraw::default() }.serve().await;
        drop((busy, large));
    }))
}

struct Channel {
    socket: WebSocket,
    room: Hold,
    notices: Notices,
    talk: Talk,
    /// Interrupts of the session that `talk` knows of.
    known: u64,
    /// Longest message, bytes.
    message: usize,
    /// Another avatar or background that is being worked out, and what was asked for meanwhile: the socket is read on.
    changing: Option<JoinHandle<Result<(), Refusal>>>,
    next: Redraw,
}

/// What is to be drawn otherwise.
#[derive(Default)]
struct Redraw {
    avatar: Option<String>,
    background: Option<Background>,
}

/// How many messages that are no sound may come: so many at once, and so many a second.
struct Pace {
    left: f64,
    since: Instant,
}

impl Pace {
    const BURST: f64 = 2000.0;
    const SECOND: f64 = 500.0;

    fn new(now: Instant) -> Self {
        Self { left: Self::BURST, since: now }
    }

    fn allows(&mut self, now: Instant) -> bool {
        let gained = now.duration_since(self.since).as_secs_f64() * Self::SECOND;
        (self.left, self.since) = ((self.left + gained).min(Self::BURST) - 1.0, now);
        self.left >= 0.0
    }
}

/// The channel is over; a client that did something wrong is told what.
struct Over(Option<(u16, Value)>);

impl Over {
    fn told(code: u16, sentence: impl Into<String>) -> Self {
        Self(Some((code, json!({ "type": "error", "error": sentence.into() }))))
    }
}

impl From<axum::Error> for Over {
    fn from(error: axum::Error) -> Self {
        match websocket::fault(error, "send sound in smaller pieces") {
            Some((code, sentence)) => Self::told(code, sentence),
            None => Self(None),
        }
    }
}

impl Channel {
    async fn serve(mut self) {
        if let Err(Over(Some((code, message)))) = self.run().await {
            let reason = message["error"].as_str().unwrap_or_default().chars().take(100).collect::<String>();
            // The client may be gone.
            let _ = self.send(&message).await;
            let close = Message::Close(Some(CloseFrame { code, reason: reason.into() }));
            let _ = tokio::time::timeout(STALLED, self.socket.send(close)).await;
            // Nobody waits for the session meanwhile.
            drop((self.room, self.talk));
            tokio::time::sleep(LINGER).await;
            drop(self.socket);
        }
    }

    async fn run(&mut self) -> Result<(), Over> {
        let mut events = self.room.events();
        let layout = *self.talk.stream().layout();
        self.send(&json!({
            "type": "ready",
            "session": self.room.id,
            "rate": layout.rate,
            "format": layout.format.name(),
            "channels": layout.channels,
            "message_bytes": self.message,
        }))
        .await?;
        self.send_state().await?;
        let mut tick = interval(TICK);
        // However long a round takes, the socket is read in between.
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut told, mut asked, mut heard) = (Instant::now(), Instant::now(), Instant::now());
        let mut pace = Pace::new(Instant::now());
        let mut speaking = false;
        loop {
            tokio::select! {
                // The reason of an end before the end, and neither behind what a client floods us with.
                biased;
                event = events.recv() => match event {
                    Ok(RoomEvent::Changed) => self.send_state().await?,
                    Ok(RoomEvent::Started(mark)) => self.talk.started(mark),
                    Ok(RoomEvent::Spoken(mark, said)) => self.talk.spoken(mark, said, &self.room),
                    Ok(RoomEvent::Interrupted(at)) => {
                        self.catch_up();
                        self.talk.stopped(at);
                    }
                    Ok(event @ (RoomEvent::Failed(_) | RoomEvent::Stopping)) => {
                        return Err(websocket::farewell(event).map_or(Over(None), |(code, why)| Over::told(code, why)));
                    }
                    Err(RecvError::Lagged(_)) => self.send_state().await?,
                    Err(RecvError::Closed) => return Ok(()),
                },
                _ = tick.tick() => {
                    let Ok(live) = self.room.live() else {
                        return Err(Over::told(close_code::NORMAL, "the session has ended"));
                    };
                    self.catch_up();
                    self.talk.hand_on(&live.since(self.known));
                    if heard.elapsed() > VANISHED {
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
                        let queued = report.get("queued_ms").and_then(Value::as_u64).unwrap_or(0) + self.talk.millis();
                        report.insert("type".into(), "stats".into());
                        report.insert("queued_ms".into(), queued.into());
                        self.send(&Value::Object(report)).await?;
                    }
                }
                changed = finished(&mut self.changing, &self.notices) => {
                    self.changing = None;
                    if let Err(refusal) = changed {
                        self.refuse(&refusal, "avatar").await?;
                    }
                    self.redraw();
                }
                message = self.socket.recv() => {
                    let Some(message) = message else { return Ok(()) };
                    let message = message?;
                    heard = Instant::now();
                    if !matches!(message, Message::Binary(_)) && !is_sound(&message) && !pace.allows(heard) {
                        let sentence = format!("more than {} messages a second that are no sound", Pace::SECOND);
                        return Err(Over::told(close_code::POLICY, sentence));
                    }
                    // What comes after an interrupt is not what was interrupted.
                    self.catch_up();
                    match message {
                        Message::Binary(bytes) => {
                            for piece in bytes.chunks(PIECE) {
                                self.talk.binary(piece, &self.room);
                                if self.talk.has_effects() {
                                    // It was refused.
                                    break;
                                }
                                tokio::task::yield_now().await;
                            }
                        }
                        Message::Text(text) => self.talk.text(&text, &self.room),
                        Message::Close(_) => return Ok(()),
                        Message::Ping(_) | Message::Pong(_) => {}
                    }
                }
            }
            while let Some(effect) = self.talk.next_effect() {
                self.perform(effect).await?;
            }
        }
    }

    /// Hears of an interrupt, whoever's it was.
    fn catch_up(&mut self) {
        let now = self.room.live().map_or(self.known, |live| live.interrupts());
        if now != self.known {
            self.known = now;
            self.talk.interrupted();
        }
    }

    async fn perform(&mut self, effect: Effect) -> Result<(), Over> {
        match effect {
            Effect::Tell(message) => self.send(&message).await,
            Effect::Close(why, message) => {
                let code = match why {
                    Close::Invalid => close_code::INVALID,
                    Close::Policy => close_code::POLICY,
                };
                Err(Over(Some((code, message))))
            }
            Effect::Interrupt => {
                let done = self.room.interrupt();
                self.catch_up();
                self.answer(done, "type").await
            }
            Effect::Emotion(change) => {
                let done = self.feel(change);
                self.answer(done, "emotion").await
            }
            Effect::Avatar(name) => {
                self.next.avatar = Some(name);
                self.redraw();
                Ok(())
            }
            Effect::Background(text) => match self.room.studio().background(&text) {
                Ok(background) => {
                    self.next.background = Some(background);
                    self.redraw();
                    Ok(())
                }
                Err(sentence) => self.refuse(&Refusal::bad_request(sentence), "background").await,
            },
            Effect::Playout(offset) => {
                let done = self.room.correct_lead(offset);
                self.answer(done, "av_offset_ms").await
            }
        }
    }

    fn feel(&self, Change { emotion, intensity, ease }: Change) -> Result<(), Refusal> {
        let look = self.room.look();
        let emotion = emotion.unwrap_or(look.emotion);
        let mood = self.room.studio().mood(emotion, intensity.unwrap_or_else(|| look.mood.mu()));
        let mood = mood.map_err(|error| Refusal::bad_request(error.to_string()))?;
        self.room.set_mood(emotion, mood, ease.unwrap_or_else(|| self.room.studio().ease()))
    }

    /// Has what is wanted next worked out, if anything is and nothing is being worked out.
    fn redraw(&mut self) {
        if self.changing.is_some() || (self.next.avatar.is_none() && self.next.background.is_none()) {
            return;
        }
        let (room, Redraw { avatar, background }) = (Arc::clone(&self.room), std::mem::take(&mut self.next));
        self.changing = Some(tokio::task::spawn_blocking(move || room.show(avatar.as_deref(), background)));
    }

    /// A wish that cannot be fulfilled ends nothing.
    async fn answer(&mut self, done: Result<(), Refusal>, field: &str) -> Result<(), Over> {
        match done {
            Ok(()) => Ok(()),
            Err(refusal) => self.refuse(&refusal, field).await,
        }
    }

    async fn refuse(&mut self, refusal: &Refusal, field: &str) -> Result<(), Over> {
        let mut message = error_message(&refusal.sentence, "refused");
        message.insert("field".into(), field.into());
        self.send(&message.into()).await
    }

    async fn send_state(&mut self) -> Result<(), Over> {
        let look = self.room.look();
        let status = self.room.live().map(|live| live.status()).unwrap_or_default();
        let state = json!({
            "type": "state",
            "speaking": status.speaking,
            "queued_ms": (status.queued.as_millis() as u64) + self.talk.millis(),
            "emotion": look.emotion,
            "intensity": look.mood.mu(),
            "avatar": look.avatar,
            "background": look.background.to_string(),
            "recording": self.room.is_recorded(),
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

/// What came of what is being worked out; never, if nothing is.
async fn finished(changing: &mut Option<JoinHandle<Result<(), Refusal>>>, notices: &Notices) -> Result<(), Refusal> {
    match changing {
        Some(task) => task.await.map_err(|error| Refusal::internal(notices, "working the avatar out", error))?,
        None => pending().await,
    }
}

/// Text messages may carry sound as well, as fast as binary ones.
fn is_sound(message: &Message) -> bool {
    matches!(message, Message::Text(text) if text.len() > 200 && text.contains("\"audio\""))
}

/// A session that is spoken in by somebody who knows of so many interrupts.
impl Session for live::Floor<'_> {
    fn say(&self, pcm: Vec<f32>) -> Result<(), Vec<f32>> {
        live::Floor::say(self, pcm)
    }

    fn begin(&self, mark: u64) -> bool {
        live::Floor::begin(self, mark).is_ok()
    }

    fn end(&self, mark: u64) -> bool {
        live::Floor::end(self, mark).is_ok()
    }
}

impl Floor for Hold {
    fn take_floor(&self) -> bool {
        Hold::take_floor(self)
    }

    fn give_floor(&self) {
        Hold::give_floor(self);
    }

    fn mark(&self) -> u64 {
        Hold::deref(self).mark()
    }
}
