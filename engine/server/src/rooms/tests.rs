//! Rooms with real sessions: how they begin, and how they end when something goes wrong.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use vultus::compute::ComputeError;
use vultus::drive::Drive;
use vultus::emotion::Emotion;
use vultus::generator::{Background, Frame, Generator};
use vultus_native::Notices;
use vultus_native::compute::Backend;

use super::*;
use crate::source::{Source, SourceOptions};
use crate::studio::{Studio, StudioOptions};
use crate::transport::{Brings, Role};

/// With a microphone.
const HEARD: Brings = Brings { microphone: true, camera: false };

struct Broken;

impl Generator for Broken {
    fn frame(&mut self, _: &Drive) -> Result<Frame<'_>, ComputeError> {
        panic!("this generator is broken, for a test")
    }
}

impl Room {
    fn break_down(&self) {
        let live = self.live().unwrap();
        live.set_avatar(Box::new(Broken)).unwrap();
        self.hub.set_watched(true);
    }
}

fn rooms(max: usize) -> Arc<Rooms> {
    let weights = Some(PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../weights")));
    let options = StudioOptions { weights, backend: Backend::Cpu, size: 256, ..StudioOptions::default() };
    Rooms::new(Arc::new(Studio::open(&options, Notices::new(|_| ())).unwrap()), max, None)
}

fn look(rooms: &Rooms) -> Look {
    let emotion = Emotion::Neutral.into();
    let mood = rooms.studio().mood(emotion, 1.0).unwrap();
    Look { avatar: "amara".into(), background: Background::Portrait, emotion, mood }
}

/// The time is a guard against waiting for ever.
async fn eventually(what: &str, condition: impl Fn() -> bool) {
    let end = Instant::now() + Duration::from_secs(60);
    while !condition() {
        assert!(Instant::now() < end, "this never came: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_room_that_is_held_does_not_give_way() {
    let rooms = rooms(1);
    let hold = rooms.open(look(&rooms)).unwrap();
    assert_eq!(rooms.open(look(&rooms)).err().unwrap().status, 503);
    assert!(hold.live().is_ok(), "it gave way between its opening and its first guest");
    drop(hold);
    assert!(rooms.open(look(&rooms)).is_ok(), "a room that nobody holds is only kept in case somebody comes back");
    rooms.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_place_that_is_not_taken_is_given_back() {
    let rooms = rooms(1);
    let hold = rooms.open(look(&rooms)).unwrap();
    let place = hold.admit(Role::Call, HEARD, None).unwrap();
    assert_eq!(hold.admit(Role::Publish, HEARD, None).err().unwrap().status, 409);
    let id = place.id.clone();
    assert!(rooms.room_of_peer(&id).is_some());
    // What happens when a request is cancelled half-way.
    drop(place);
    assert!(rooms.room_of_peer(&id).is_none());
    assert!(hold.admit(Role::Publish, HEARD, None).is_ok());
    rooms.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_that_breaks_down_leaves_no_zombie() {
    let rooms = rooms(1);
    let hold = rooms.open(look(&rooms)).unwrap();
    let mut events = hold.events();
    hold.break_down();
    eventually("the room is gone", || rooms.all().is_empty()).await;
    assert!(matches!(events.recv().await, Ok(RoomEvent::Failed(_))), "those who are in it are told");
    assert!(hold.live().is_err());
    let other = rooms.open(look(&rooms)).expect("the place is free");
    assert!(other.live().is_ok());
    rooms.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_session_of_this_machines_sound_is_started_again() {
    let rooms = rooms(1);
    let file = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../weights/sample.wav"));
    let opening = Arc::clone(&rooms);
    let start = move || Source::start(&SourceOptions::Loop(file), &opening, look(&opening)).unwrap();
    let source = tokio::task::spawn_blocking(start).await.unwrap();
    let before = rooms.find(&source.room).unwrap();
    before.break_down();
    eventually("it ended", || before.live().is_err()).await;
    drop(before);
    eventually("the same address has a session again", || rooms.find(&source.room).is_ok()).await;
    assert!(rooms.find(&source.room).unwrap().live().is_ok());
    tokio::task::spawn_blocking(move || drop(source)).await.unwrap();
    rooms.close().await;
}
