//! A microphone of this machine.
//!
//! **The contract of the audio callback**: it copies, counts and returns. No lock, no log, no allocation, no system call. Sound goes
//! through a lock-free ring (half a second long), all channels of it; what finds it full is dropped and counted, whole frames of it.
//! Everything else, mixing the channels too, happens on the thread that calls [`Microphone::read`].

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use cpal::traits::{DeviceTrait as _, HostTrait as _, StreamTrait as _};
use cpal::{Device, ErrorKind, FromSample, I24, SampleFormat, SizedSample, StreamConfig, U24};
use ringbuf::traits::{Consumer as _, Observer as _, Producer as _, Split as _};
use ringbuf::{HeapCons, HeapProd, HeapRb};
use thiserror::Error;

use vultus::audio::LiveMix;

/// Sound that may wait to be read, seconds.
const RING_SECS: f64 = 0.5;
/// Frames that are read at a time.
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
    mix: LiveMix,
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
        let words = |error: cpal::Error| error.to_string().trim_end_matches('.').to_owned();
        let refused = |error: cpal::Error| CaptureError::Device { name: shown.clone(), reason: words(error) };
        let supported = device.default_input_config().map_err(refused)?;
        let (format, config) = (supported.sample_format(), supported.config());
        let rate = config.sample_rate;
        let channels = usize::from(config.channels.max(1));
        let (to_reader, sound) = HeapRb::new((f64::from(rate) * RING_SECS) as usize * channels).split();
        let shared = Arc::new(Shared::default());
        let filler = Filler { ring: to_reader, shared: Arc::clone(&shared), channels };
        let stream = match format {
            SampleFormat::I8 => filler.listen::<i8>(&device, config),
            SampleFormat::I16 => filler.listen::<i16>(&device, config),
            SampleFormat::I24 => filler.listen::<I24>(&device, config),
            SampleFormat::I32 => filler.listen::<i32>(&device, config),
            SampleFormat::I64 => filler.listen::<i64>(&device, config),
            SampleFormat::U8 => filler.listen::<u8>(&device, config),
            SampleFormat::U16 => filler.listen::<u16>(&device, config),
            SampleFormat::U24 => filler.listen::<U24>(&device, config),
            SampleFormat::U32 => filler.listen::<u32>(&device, config),
            SampleFormat::U64 => filler.listen::<u64>(&device, config),
            SampleFormat::F32 => filler.listen::<f32>(&device, config),
            SampleFormat::F64 => filler.listen::<f64>(&device, config),
            // Streams of single bits (DSD).
            other => {
                let reason = format!("it delivers {other}, which is not supported");
                return Err(CaptureError::Device { name: shown, reason });
            }
        };
        let stream = stream.map_err(refused)?;
        stream.play().map_err(refused)?;
        let mix = LiveMix::new(rate, channels);
        Ok(Self { stream: Some(stream), sound, shared, rate, piece: vec![0.0; PIECE * channels], mix })
    }

    /// Samples a second.
    pub fn rate(&self) -> u32 {
        self.rate
    }

    /// Hands out what has come since the last call.
    pub fn read(&mut self, mut each: impl FnMut(&[f32])) {
        loop {
            // The callback may be in the middle of a frame.
            let whole = self.sound.occupied_len() / self.mix.channels() * self.mix.channels();
            let wanted = whole.min(self.piece.len());
            let count = self.sound.pop_slice(&mut self.piece[..wanted]);
            if count == 0 {
                return;
            }
            each(self.mix.mix(&self.piece[..count]));
        }
    }

    /// Frames that were lost because they were not read in time.
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

/// The audio callback: copies whole frames, counts those that find no room.
fn fill<T: Copy>(ring: &mut HeapProd<f32>, overruns: &AtomicU64, data: &[T], channels: usize)
where
    f32: FromSample<T>,
{
    let all = data.len() / channels;
    let kept = all.min(ring.vacant_len() / channels);
    ring.push_iter(data[..kept * channels].iter().map(|x| <f32 as FromSample<T>>::from_sample_(*x)));
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
    cpal::default_host().input_devices().map(names).unwrap_or_default()
}

/// Without ALSA's device that hears nothing.
fn names(devices: impl Iterator<Item = Device>) -> Vec<String> {
    devices.map(|device| device_name(&device)).filter(|name| !name.starts_with("Discard all samples")).collect()
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
    fn the_callback_copies_whole_frames_and_counts_what_finds_no_room() {
        let (mut ring, mut sound) = HeapRb::<f32>::new(9).split();
        let overruns = AtomicU64::new(0);
        fill(&mut ring, &overruns, &[0.5f32, -0.5, 1.0, 0.0], 2);
        fill(&mut ring, &overruns, &[i16::MIN, 0, 16384, 0, 0, 0], 2);
        let mut heard = [0.0; 9];
        let count = sound.pop_slice(&mut heard);
        assert_eq!((count, &heard[..8]), (8, &[0.5, -0.5, 1.0, 0.0, -1.0, 0.0, 0.5, 0.0][..]));
        assert_eq!(overruns.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn every_integer_of_a_driver_has_its_full_scale() {
        let (mut ring, mut sound) = HeapRb::<f32>::new(16).split();
        let overruns = AtomicU64::new(0);
        fill(&mut ring, &overruns, &[I24::new(-(1 << 23)).unwrap(), I24::new(1 << 22).unwrap()], 1);
        fill(&mut ring, &overruns, &[U24::new(0).unwrap(), U24::new(3 << 22).unwrap()], 1);
        fill(&mut ring, &overruns, &[i8::MIN, 64], 1);
        fill(&mut ring, &overruns, &[0u64, 3 << 62], 1);
        fill(&mut ring, &overruns, &[-1.0f64, 0.5], 1);
        let mut heard = [0.0; 10];
        assert_eq!(sound.pop_slice(&mut heard), 10);
        assert_eq!(heard, [-1.0, 0.5, -1.0, 0.5, -1.0, 0.5, -1.0, 0.5, -1.0, 0.5]);
    }

    #[test]
    fn an_unknown_microphone_is_named_with_those_there_are() {
        let Err(error) = Microphone::open(Some("no such microphone")) else { panic!("it opened") };
        assert!(matches!(error, CaptureError::Unknown { .. } | CaptureError::NoMicrophone), "{error}");
    }
}
