//! A microphone of this machine.
//!
//! **The contract of the audio callback**: it copies, counts and returns. No lock, no log, no allocation, no system call. Sound goes
//! through a lock-free ring (half a second long); what finds it full is dropped and counted. Everything else happens on the
//! thread that calls [`Microphone::read`].

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use cpal::traits::{DeviceTrait as _, HostTrait as _, StreamTrait as _};
use cpal::{Device, ErrorKind, FromSample, SampleFormat, SizedSample, StreamConfig};
use ringbuf::traits::{Consumer as _, Producer as _, Split as _};
use ringbuf::{HeapCons, HeapProd, HeapRb};
use thiserror::Error;

/// Sound that may wait to be read, seconds.
const RING_SECS: f64 = 0.5;
/// Samples that are read at a time.
const PIECE: usize = 1024;

/// Why there is no microphone.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum CaptureError {
    /// No device at all.
    #[error("this machine has no microphone; plug one in, or use the browser's")]
    NoMicrophone,
    /// None of this name.
    #[error("there is no microphone named {name:?}; there are: {}", list(.known))]
    Unknown {
        /// What was asked for.
        name: String,
        /// What is there.
        known: Vec<String>,
    },
    /// The sound system refused.
    #[error(
        "the microphone {name} cannot be opened: {reason}; check that one is plugged in and no other program holds it"
    )]
    Device {
        /// Its name.
        name: String,
        /// The sound system's words.
        reason: String,
    },
}

fn list(names: &[String]) -> String {
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

/// What callback and reader share.
#[derive(Debug, Default)]
struct Shared {
    overruns: AtomicU64,
    gone: AtomicBool,
}

/// An open microphone, mono. See the module's text.
pub struct Microphone {
    /// Held so that sound keeps coming.
    stream: Option<cpal::Stream>,
    sound: HeapCons<f32>,
    shared: Arc<Shared>,
    rate: u32,
    piece: Vec<f32>,
}

impl Microphone {
    /// Opens the microphone of this name (as `vultus doctor` lists it), or the system's default one.
    ///
    /// # Errors
    /// See [`CaptureError`].
    pub fn open(name: Option<&str>) -> Result<Self, CaptureError> {
        keep_alsa_quiet();
        let device = find(name)?;
        let shown = device_name(&device);
        let refused = |error: cpal::Error| CaptureError::Device { name: shown.clone(), reason: error.to_string() };
        let supported = device.default_input_config().map_err(refused)?;
        let (format, config) = (supported.sample_format(), supported.config());
        let rate = config.sample_rate;
        let (to_reader, sound) = HeapRb::new((f64::from(rate) * RING_SECS) as usize).split();
        let shared = Arc::new(Shared::default());
        let filler =
            Filler { ring: to_reader, shared: Arc::clone(&shared), channels: usize::from(config.channels.max(1)) };
        let stream = match format {
            SampleFormat::F32 => filler.listen::<f32>(&device, config),
            SampleFormat::I16 => filler.listen::<i16>(&device, config),
            SampleFormat::U16 => filler.listen::<u16>(&device, config),
            SampleFormat::I32 => filler.listen::<i32>(&device, config),
            SampleFormat::U8 => filler.listen::<u8>(&device, config),
            other => {
                let reason = format!("it delivers {other}, which is not supported");
                return Err(CaptureError::Device { name: shown, reason });
            }
        };
        let stream = stream.map_err(refused)?;
        stream.play().map_err(refused)?;
        Ok(Self { stream: Some(stream), sound, shared, rate, piece: vec![0.0; PIECE] })
    }

    /// Samples a second.
    pub fn rate(&self) -> u32 {
        self.rate
    }

    /// Hands out what has come since the last call.
    pub fn read(&mut self, mut each: impl FnMut(&[f32])) {
        loop {
            let count = self.sound.pop_slice(&mut self.piece);
            if count == 0 {
                return;
            }
            each(&self.piece[..count]);
        }
    }

    /// Samples that were lost because they were not read in time.
    pub fn overruns(&self) -> u64 {
        self.shared.overruns.load(Ordering::Relaxed)
    }

    /// Whether the device is still there. Once it is not, open it again.
    pub fn is_alive(&self) -> bool {
        !self.shared.gone.load(Ordering::Relaxed)
    }
}

impl Drop for Microphone {
    /// Closes the device on a thread of its own: a sound server that is gone can keep the closing call waiting for ever.
    fn drop(&mut self) {
        let stream = self.stream.take();
        // Where no thread can be had, the closure is dropped here, and the stream with it.
        let _ = std::thread::Builder::new().name("vultus-mic-close".into()).spawn(move || drop(stream));
    }
}

/// The callback's side.
struct Filler {
    ring: HeapProd<f32>,
    shared: Arc<Shared>,
    channels: usize,
}

impl Filler {
    fn listen<T: SizedSample + Send + 'static>(
        self,
        device: &Device,
        config: StreamConfig,
    ) -> Result<cpal::Stream, cpal::Error>
    where
        f32: FromSample<T>,
    {
        let Self { mut ring, shared, channels } = self;
        let told = Arc::clone(&shared);
        device.build_input_stream(
            config,
            move |data: &[T], _: &_| fill(&mut ring, &shared.overruns, data, channels),
            move |error: cpal::Error| {
                // Hiccups and reroutings leave the stream alive.
                if !matches!(error.kind(), ErrorKind::Xrun | ErrorKind::DeviceChanged | ErrorKind::RealtimeDenied) {
                    told.gone.store(true, Ordering::Relaxed);
                }
            },
            None,
        )
    }
}

/// The audio callback: folds to mono, copies, counts.
fn fill<T: Copy>(ring: &mut HeapProd<f32>, overruns: &AtomicU64, data: &[T], channels: usize)
where
    f32: FromSample<T>,
{
    let share = 1.0 / channels as f32;
    let frames = data.chunks_exact(channels);
    let all = frames.len();
    let mono = frames.map(|frame| frame.iter().map(|x| <f32 as FromSample<T>>::from_sample_(*x)).sum::<f32>() * share);
    let kept = ring.push_iter(mono);
    if kept < all {
        overruns.fetch_add((all - kept) as u64, Ordering::Relaxed);
    }
}

/// ALSA's library writes on stderr whatever is in its way while it looks for devices. What matters comes back as an error, in words of ours.
/// Holds for this thread; the words of the call before are thrown away.
fn keep_alsa_quiet() {
    #[cfg(target_os = "linux")]
    drop(alsa::Output::local_error_handler());
}

/// Names of the microphones.
pub fn microphones() -> Vec<String> {
    keep_alsa_quiet();
    cpal::default_host().input_devices().map(|devices| devices.map(|d| device_name(&d)).collect()).unwrap_or_default()
}

fn find(name: Option<&str>) -> Result<Device, CaptureError> {
    let host = cpal::default_host();
    let Some(name) = name else { return host.default_input_device().ok_or(CaptureError::NoMicrophone) };
    let mut devices = host.input_devices().map_err(|_| CaptureError::NoMicrophone)?;
    devices
        .find(|device| device_name(device).eq_ignore_ascii_case(name))
        .ok_or_else(|| CaptureError::Unknown { name: name.to_owned(), known: microphones() })
}

fn device_name(device: &Device) -> String {
    device.description().map_or_else(|_| "unnamed".to_owned(), |description| description.name().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_callback_folds_to_mono_and_counts_what_finds_no_room() {
        let (mut ring, mut sound) = HeapRb::<f32>::new(4).split();
        let overruns = AtomicU64::new(0);
        fill(&mut ring, &overruns, &[0.5f32, -0.5, 1.0, 0.0, 0.25, 0.25], 2);
        fill(&mut ring, &overruns, &[i16::MIN, i16::MIN, 0, 0, 16384, 16384], 2);
        let mut heard = [0.0; 8];
        let count = sound.pop_slice(&mut heard);
        assert_eq!((count, &heard[..4]), (4, &[0.0, 0.5, 0.25, -1.0][..]));
        assert_eq!(overruns.load(Ordering::Relaxed), 2);
    }

    #[test]
    fn an_unknown_microphone_is_named_with_those_there_are() {
        let Err(error) = Microphone::open(Some("no such microphone")) else { panic!("it opened") };
        assert!(matches!(error, CaptureError::Unknown { .. } | CaptureError::NoMicrophone), "{error}");
    }
}
