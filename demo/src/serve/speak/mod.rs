//! `/v1/speak`: speech from text-to-speech and agents, and the control channel of a session.
//!
//! Binary messages are sound, text messages JSON. What they mean is in [`talk`], without I/O; here is the socket. It is always read, whatever
//! waits to be said, so that an interrupt is seen as soon as it comes.
//!
//! | what a client can hold | limit | beyond it |
//! |---|---|---|
//! | a message | [`MESSAGE`] for [`LARGE`] sockets, [`SMALL_MESSAGE`] for others | closed with code 1009 |
//! | messages that are no sound, pings too | [`Pace`] | closed with code 1008 |
//! | sound that waits | see [`backlog`] | told, and the rest of the utterance is left out |
//! | utterances that wait | [`talk::UTTERANCES`] | told |

mod backlog;
mod control;
pub(super) mod fuzz;
mod talk;

use std::future::pending;
use std::ops::Deref as _;
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
use tokio::sync::Semaphore;
use tokio::sync::broadcast::error::RecvError;
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior, interval};
use tungstenite::error::CapacityError;
use vultus::audio::stream::{CHANNELS_MAX, Promise, RATES, SampleFormat};
use vultus::stream::live;

use self::backlog::Store;
use self::talk::{Close, Effect, Talk, error_message};
use super::App;
use super::lines::Line;
use super::refusal::Refusal;
use super::rooms::{Hold, RoomEvent};
use super::signal::{self, Wish};
use super::studio::Studio;

const PROTOCOL: &str = "vultus.v1";
/// Longest message, bytes: five minutes at 24 kHz in one. So many sockets at a time may send such; the others get less.
const MESSAGE: usize = 16 << 20;
const LARGE: usize = 16;
const SMALL_MESSAGE: usize = 1 << 20;
/// Bytes of a message that are read at a time, before other tasks get their turn: a few milliseconds.
const PIECE: usize = 1 << 19;
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

/// What all speak sockets share.
pub(super) struct Shared {
    store: Arc<Store>,
    large: Arc<Semaphore>,
}

impl Default for Shared {
    fn default() -> Self {
        Self { store: Arc::default(), large: Arc::new(Semaphore::new(LARGE)) }
    }
}

/// What a query may say about the sound.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Sound {
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

/// What a text message says, in short: for the fuzzer.
pub(super) fn understood(text: &str) -> String {
    control::Control::parse(text).map_or_else(|wrong| wrong.sentence, |_| "understood".to_owned())
}

pub(super) async fn speak(
    State(app): State<App>,
    Extension(line): Extension<Arc<Line>>,
    wish: Result<Query<Wish>, QueryRejection>,
    sound: Result<Query<Sound>, QueryRejection>,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, Refusal> {
    let (Query(wish), Query(sound)) = (wish.map_err(signal::bad_query)?, sound.map_err(signal::bad_query)?);
    let upgrade = upgrade.map_err(|_| {
        Refusal::new(StatusCode::UPGRADE_REQUIRED, "this address is for WebSockets; ask with Upgrade: websocket")
    })?;
    let promise = sound.promise()?;
    let room = wish.room(&app.rooms).await?;
    let busy = line.occupy();
    let studio = Arc::clone(app.rooms.studio());
    let large = Arc::clone(&app.speech.large).try_acquire_owned().ok();
    let message = if large.is_some() { MESSAGE } else { SMALL_MESSAGE };
    let talk = Talk::new(promise, Arc::clone(&app.speech.store));
    Ok(upgrade.protocols([PROTOCOL]).max_message_size(message).on_upgrade(move |socket| async move {
        let known = room.live().map_or(0, |live| live.interrupts());
        Channel { socket, room, studio, talk, known, message, changing: None, next: None }.serve().await;
        drop((busy, large));
    }))
}

struct Channel {
    socket: WebSocket,
    room: Hold,
    studio: Arc<Studio>,
    talk: Talk,
    /// Interrupts of the session that `talk` knows of.
    known: u64,
    /// Longest message, bytes.
    message: usize,
    /// Another avatar that is being worked out, and the one that was asked for meanwhile: the socket is read on.
    changing: Option<JoinHandle<Result<(), Refusal>>>,
    next: Option<String>,
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
        use tungstenite::Error;
        match error.into_inner().downcast_ref() {
            Some(Error::Capacity(CapacityError::MessageTooLong { max_size, .. })) => {
                let sentence = format!("a message may have {} KiB; send sound in smaller pieces", max_size >> 10);
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
                    Ok(RoomEvent::Failed(why)) => return Err(Over::told(close_code::ERROR, why)),
                    Err(RecvError::Lagged(_)) => self.send_state().await?,
                    Err(RecvError::Closed) => return Ok(()),
                },
                _ = tick.tick() => {
                    let Ok(live) = self.room.live() else {
                        return Err(Over::told(close_code::NORMAL, "the session has ended"));
                    };
                    self.catch_up();
                    self.talk.hand_on(&Mouth(live.since(self.known)));
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
                changed = finished(&mut self.changing) => {
                    self.changing = None;
                    if let Err(refusal) = changed {
                        self.refuse(&refusal, "avatar").await?;
                    }
                    if let Some(name) = self.next.take() {
                        self.change(name);
                    }
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
            Effect::Emotion { emotion, intensity } => {
                let look = self.room.look();
                let wanted = emotion.as_deref().map_or(Ok(look.emotion), signal::emotion).map_err(|it| (it, "emotion"));
                let strong = intensity.map_or(Ok(look.intensity), signal::intensity).map_err(|it| (it, "intensity"));
                match wanted.and_then(|emotion| Ok((emotion, strong?))) {
                    Ok((emotion, intensity)) => {
                        let done = self.room.set_emotion(emotion, intensity);
                        self.answer(done, "emotion").await
                    }
                    Err((refusal, field)) => self.refuse(&refusal, field).await,
                }
            }
            Effect::Avatar(name) => {
                if self.changing.is_some() {
                    self.next = Some(name);
                } else {
                    self.change(name);
                }
                Ok(())
            }
            Effect::Playout(offset) => {
                let done = self.room.correct_lead(offset);
                self.answer(done, "av_offset_ms").await
            }
        }
    }

    fn change(&mut self, name: String) {
        let (room, studio) = (Arc::clone(&self.room), Arc::clone(&self.studio));
        self.changing = Some(tokio::task::spawn_blocking(move || room.set_avatar(&studio, &name)));
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

/// What came of the avatar that is being worked out; never, if none is.
async fn finished(changing: &mut Option<JoinHandle<Result<(), Refusal>>>) -> Result<(), Refusal> {
    match changing {
        Some(task) => task.await.map_err(|error| Refusal::internal("working the avatar out", error))?,
        None => pending().await,
    }
}

/// Text messages may carry sound as well, as fast as binary ones.
fn is_sound(message: &Message) -> bool {
    matches!(message, Message::Text(text) if text.len() > 200 && text.contains("\"audio\""))
}

/// A session that is spoken in by somebody who knows of so many interrupts.
struct Mouth<'a>(live::Floor<'a>);

impl talk::Session for Mouth<'_> {
    fn say(&self, pcm: Vec<f32>) -> Result<(), Vec<f32>> {
        self.0.say(pcm)
    }

    fn begin(&self, mark: u64) -> bool {
        self.0.begin(mark).is_ok()
    }

    fn end(&self, mark: u64) -> bool {
        self.0.end(mark).is_ok()
    }
}

impl talk::Floor for Hold {
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
