//! A face that a camera sees, together with what is heard.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::Motion;
use crate::compute::ComputeError;
use crate::drive::{Drive, MotionFrame};
use crate::emotion::Mood;

/// jawForward to mouthUpperUpRight, and what follows the brows and cheeks that belongs to the mouth.
const MOUTH: std::ops::Range<usize> = 14..41;
const CHEEK_PUFF: usize = 46;
/// tongueOut, and of the model's own twelve those of tongue and lips.
const TONGUE: std::ops::Range<usize> = 51..62;
const BREATH: usize = 63;
/// The corners, which tell a feeling as much as a sound: smile, frown and dimple, left and right.
const CORNERS: [usize; 6] = [23, 24, 25, 26, 27, 28];
/// Frames that a face is still believed after the camera has shown it last, and frames that coming and going take.
const BELIEVED: u32 = 8;
const EASE: f32 = 8.0;

/// Whose the lips are while a camera sees the face.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Lips {
    /// The voice's: they fit what is heard; a smile of the camera's joins them.
    #[default]
    Voice,
    /// The camera's.
    Camera,
}

/// Where a camera's faces are left for a stream to find them: a slot for one, the latest. Cheap to clone; clones are the same slot.
#[derive(Clone, Debug, Default)]
pub struct Mirror(Arc<Mutex<Slot>>);

#[derive(Debug, Default)]
struct Slot {
    seen: Option<Drive>,
    /// Frames since it was shown.
    age: u32,
    lips: Lips,
}

impl Mirror {
    /// What the camera sees now. It takes the place of what nobody has looked at.
    pub fn show(&self, drive: Drive) {
        let mut slot = self.slot();
        (slot.seen, slot.age) = (Some(drive), 0);
    }

    /// Nothing is seen any more.
    pub fn clear(&self) {
        self.slot().age = BELIEVED;
    }

    /// Whose the lips are from now on.
    pub fn set_lips(&self, lips: Lips) {
        self.slot().lips = lips;
    }

    fn slot(&self) -> MutexGuard<'_, Slot> {
        // Whoever panicked left a whole drive.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is seen in the next frame, and whose the lips are; nothing once it is too old to be believed.
    fn look(&self) -> (Option<Drive>, Lips) {
        let mut slot = self.slot();
        if slot.age >= BELIEVED {
            slot.seen = None;
        }
        slot.age = slot.age.saturating_add(1);
        (slot.seen.clone(), slot.lips)
    }
}

/// Moves a face as a camera sees it while it sees one, and as another stream says otherwise.
pub struct Mirrored {
    voice: Box<dyn Motion>,
    mirror: Mirror,
    /// What was seen last, and how much of it is shown.
    seen: Drive,
    share: f32,
}

impl Mirrored {
    /// Over `voice`.
    pub fn new(voice: Box<dyn Motion>, mirror: Mirror) -> Self {
        Self { voice, mirror, seen: Drive::default(), share: 0.0 }
    }
}

/// The frame of a voice with what a camera sees laid over it.
fn mixed(voice: &Drive, seen: &Drive, lips: Lips) -> Drive {
    let mut drive = Drive { sigma: voice.sigma, ..seen.clone() };
    if lips == Lips::Voice {
        let of_the_voice = MOUTH.chain([CHEEK_PUFF, BREATH]).chain(TONGUE);
        of_the_voice.for_each(|k| drive.beta[k] = voice.beta[k]);
        CORNERS.into_iter().for_each(|k| drive.beta[k] = voice.beta[k].max(seen.beta[k]));
    }
    drive
}

/// `share` of the way from `a` to `b`.
fn between(a: &Drive, b: &Drive, share: f32) -> Drive {
    let mix = |a: f32, b: f32| a + (b - a) * share;
    Drive {
        beta: std::array::from_fn(|k| mix(a.beta[k], b.beta[k])),
        pose: std::array::from_fn(|k| mix(a.pose[k], b.pose[k])),
        sigma: mix(a.sigma, b.sigma),
    }
}

impl Motion for Mirrored {
    fn delay(&self) -> usize {
        self.voice.delay()
    }

    fn set_mood(&mut self, mood: &Mood, ease: Duration) {
        self.voice.set_mood(mood, ease);
    }

    fn hear(&mut self, samples: &[f32], decided: &mut dyn FnMut(MotionFrame)) -> Result<(), ComputeError> {
        let Self { voice, mirror, seen, share } = self;
        voice.hear(samples, &mut |mut frame| {
            let (now, lips) = mirror.look();
            let step = if now.is_some() { 1.0 } else { -1.0 } / EASE;
            *share = (*share + step).clamp(0.0, 1.0);
            if let Some(now) = now {
                *seen = now;
            }
            // Without a camera the frame stays the voice's, to the bit.
            if *share > 0.0 {
                frame.drive = between(&frame.drive, &mixed(&frame.drive, seen, lips), *share);
            }
            decided(frame);
        })
    }

    fn forget(&mut self) {
        self.voice.forget();
    }

    fn finish(&mut self, decided: &mut dyn FnMut(MotionFrame)) -> Result<(), ComputeError> {
        self.voice.finish(decided)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::SAMPLES_PER_FRAME;
    use crate::motion::VolumeStream;

    const JAW: usize = 17;
    const SMILE: usize = 23;
    const BROW: usize = 43;

    fn frames(stream: &mut dyn Motion, count: usize) -> Vec<Drive> {
        let (mut drives, sound) = (Vec::new(), vec![0.0; SAMPLES_PER_FRAME]);
        while drives.len() < count {
            stream.hear(&sound, &mut |frame| drives.push(frame.drive)).unwrap();
        }
        drives
    }

    fn smiling() -> Drive {
        let mut drive = Drive::default();
        [JAW, SMILE, BROW].into_iter().for_each(|k| drive.beta[k] = 0.8);
        drive.pose[1] = 0.3;
        drive
    }

    #[test]
    fn without_a_camera_nothing_changes() {
        let mut mirrored = Mirrored::new(Box::new(VolumeStream::new(3)), Mirror::default());
        assert_eq!(frames(&mut mirrored, 40), frames(&mut VolumeStream::new(3), 40));
    }

    #[test]
    fn a_face_comes_is_followed_and_goes() {
        let mirror = Mirror::default();
        let mut stream = Mirrored::new(Box::new(VolumeStream::new(3)), mirror.clone());
        mirror.show(smiling());
        let coming = frames(&mut stream, 1)[0].clone();
        assert!(coming.beta[BROW] > 0.0 && coming.beta[BROW] < 0.3, "it comes gradually: {}", coming.beta[BROW]);
        for _ in 0..20 {
            mirror.show(smiling());
            frames(&mut stream, 1);
        }
        mirror.show(smiling());
        let there = frames(&mut stream, 1)[0].clone();
        assert_eq!([there.beta[BROW], there.beta[SMILE], there.pose[1]], [0.8, 0.8, 0.3]);
        assert!(there.beta[JAW] < 0.1, "nobody speaks: the voice's jaw is shut");
        mirror.set_lips(Lips::Camera);
        assert_eq!(frames(&mut stream, 1)[0].beta[JAW], 0.8);
        let after = frames(&mut stream, 40);
        assert_eq!(after[2].beta[JAW], 0.8, "a frame that is missed is bridged");
        assert!(after[39].beta[JAW] < 0.1 && after[39].pose[1] < 0.1, "a camera that is gone leaves the voice's face");
    }
}
