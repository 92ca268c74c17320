//! What is fed, and how.

use std::collections::BTreeSet;
use std::fs;
use std::hint::black_box;

use anyhow::{Context as _, Result};
use vultus::align::AlignWeights;
use vultus::avatar::AvatarFile;
use vultus::compute::Compute;
use vultus::drive::Drive;
use vultus::emotion::Emotion;
use vultus::face::FaceModel;
use vultus::generator::hef::HefWeights;
use vultus::generator::{Generator as _, Method, OutputFormat, PortraitGenerator};
use vultus::motion::MotionNetwork;
use vultus::pipeline::SpeechToMotion;
use vultus::weights::WeightReader;
use vultus_native::assets::Assets;
use vultus_native::audio::AudioReader;
use vultus_native::media::{OpusPacket, OpusReceiver};
use vultus_native::photo::Photo;
use vultus_server::fuzz::{self, Offers};

use crate::seeds::{self, SOUNDS};
use crate::shape::Shape;

/// Pixels of the pictures that are drawn of a damaged avatar or face.
const SIDE: usize = 64;

/// A reader of what strangers made, ready to be fed.
pub(crate) struct Target {
    pub(crate) shape: Shape,
    pub(crate) seeds: Vec<Vec<u8>>,
    /// Gives a short word for what came of an input; a panic is for the caller to see.
    pub(crate) feed: Feed,
    /// Whether the reader catches panics of the library behind it and makes errors of them: then only those count that get past it.
    pub(crate) guarded: bool,
}

type Feed = Box<dyn FnMut(&[u8]) -> String>;

/// Targets that are no sounds.
const OTHERS: [&str; 12] = [
    "sdp",
    "speak",
    "speak-socket",
    "datagram",
    "opus-packets",
    "avatar",
    "photo",
    "manifest",
    "weights-face",
    "weights-motion",
    "weights-hef",
    "weights-align",
];
/// Names of all targets, traps left out.
pub(crate) fn names() -> BTreeSet<&'static str> {
    OTHERS.into_iter().chain(SOUNDS.iter().map(|(name, _)| *name)).collect()
}

impl Target {
    /// # Errors
    /// There is no such target, or its seeds cannot be made.
    pub(crate) fn open(name: &str) -> Result<Self> {
        let assets = Assets::embedded();
        let embedded = |file: &str| Ok::<_, anyhow::Error>(vec![assets.read(file)?.into_owned()]);
        let weights = |file: &'static str, read: fn(WeightReader) -> String| {
            Ok::<_, anyhow::Error>((
                Shape::Tensors,
                embedded(file)?,
                feed(move |bytes| WeightReader::new(file, bytes.to_vec()).map_or_else(|error| error.to_string(), read)),
            ))
        };
        // Decoders of sounds and pictures; see `guarded` in the engine's room for sounds.
        let guarded = name == "photo" || SOUNDS.iter().any(|(known, _)| *known == name);
        let (shape, seeds, feed) = match name {
            "sdp" => {
                let offers = Offers::open();
                let feed = feed(move |bytes| offers.answer(&String::from_utf8_lossy(bytes)));
                (Shape::Lines, seeds::kept("sdp")?, feed)
            }
            "speak" => {
                let feed = feed(|bytes| fuzz::message(&String::from_utf8_lossy(bytes)));
                (Shape::Json, seeds::kept("speak")?, feed)
            }
            "speak-socket" => (Shape::Bytes, seeds::conversations()?, feed(fuzz::conversation)),
            "datagram" => (Shape::Bytes, seeds::datagrams(), feed(fuzz::datagram)),
            "opus-packets" => (Shape::Bytes, seeds::opus_packets()?, feed(packets)),
            "avatar" => {
                let face = FaceModel::read(assets.weights("face.safetensors")?)?;
                let seeds = vec![seeds::small_avatar()?, assets.read("avatars/amara.avatar")?.into_owned()];
                (Shape::Tensors, seeds, feed(move |bytes| avatar(&face, bytes)))
            }
            "photo" => (Shape::Bytes, seeds::photos(&assets)?, feed(photo)),
            "manifest" => {
                let folder = tempfile::tempdir().context("a folder for manifests")?;
                let feed = feed(move |bytes| {
                    // The path is the same for all, so that it makes no outcome new.
                    fs::write(folder.path().join("manifest.toml"), bytes).expect("a file can be written");
                    match Assets::locate(Some(folder.path())).and_then(|assets| assets.manifest()) {
                        Ok(files) => format!("{} files", files.len()),
                        Err(error) => error.to_string(),
                    }
                });
                (Shape::Lines, embedded("manifest.toml")?, feed)
            }
            "weights-face" => weights("face.safetensors", face)?,
            "weights-motion" => weights("eac.safetensors", motion)?,
            "weights-hef" => weights("hef_nano.safetensors", |reader| outcome(HefWeights::read(reader)))?,
            "weights-align" => {
                let vertices = FaceModel::read(assets.weights("face.safetensors")?)?.vertices();
                let read = move |bytes: &[u8]| {
                    let reader = WeightReader::new("align.safetensors", bytes.to_vec());
                    outcome(reader.and_then(|reader| AlignWeights::read(reader, vertices)))
                };
                (Shape::Tensors, embedded("align.safetensors")?, feed(read))
            }
            // These do what a fuzzer must notice, to see whether it does.
            "trap-panic" => (Shape::Bytes, vec![vec![0]], feed(|_| panic!("as asked for"))),
            "trap-abort" => (Shape::Bytes, vec![vec![0]], feed(|_| std::process::abort())),
            "trap-hang" => (
                Shape::Bytes,
                vec![vec![0]],
                feed(|bytes| {
                    while black_box(!bytes.is_empty()) {
                        std::hint::spin_loop();
                    }
                    String::new()
                }),
            ),
            "trap-memory" => {
                (Shape::Bytes, vec![vec![0]], feed(|bytes| format!("{}", black_box(vec![bytes.len(); 1 << 26]).len())))
            }
            "trap-stack" => (Shape::Bytes, vec![vec![0]], feed(|_| deep(1).to_string())),
            name => {
                let (_, recipes) = SOUNDS
                    .iter()
                    .find(|(known, _)| *known == name)
                    .with_context(|| format!("there is no target {name}; run without one for a list"))?;
                let shape = if name.starts_with("ogg") { Shape::Ogg } else { Shape::Chunks };
                (shape, seeds::sounds(recipes)?, feed(sound))
            }
        };
        Ok(Self { shape, seeds, feed, guarded })
    }
}

fn feed(read: impl FnMut(&[u8]) -> String + 'static) -> Feed {
    Box::new(read)
}

fn outcome<T, E: std::fmt::Display>(result: Result<T, E>) -> String {
    result.map_or_else(|error| error.to_string(), |_| "read".to_owned())
}

#[expect(unconditional_recursion, reason = "the trap is that the stack ends")]
fn deep(n: u64) -> u64 {
    black_box(deep(black_box(n + 1)) + n)
}

/// A number that makes an outcome new; those in messages do not.
fn letters(number: u64) -> String {
    number.to_string().bytes().map(|digit| char::from(digit - b'0' + b'a')).collect()
}

/// A photo, decoded.
fn photo(bytes: &[u8]) -> String {
    match Photo::decode("photo", bytes) {
        Ok(photo) => {
            assert_eq!(photo.picture().rgb().len(), 3 * photo.width() * photo.height());
            format!("read {}", photo.notes().join(" "))
        }
        Err(error) => error.to_string(),
    }
}

/// A sound, to its end.
fn sound(bytes: &[u8]) -> String {
    let mut reader = match AudioReader::from_bytes("sound", bytes.to_vec()) {
        Ok(reader) => reader,
        Err(error) => return error.to_string(),
    };
    let info = reader.info().clone();
    let end = loop {
        match reader.next_block() {
            Ok(Some(block)) => {
                assert!(block.mono.iter().chain(block.speakers).all(|x| x.is_finite()), "a sample is no number");
                assert_eq!(
                    block.mono.len() * info.speakers,
                    block.speakers.len(),
                    "speakers and mono differ in length"
                );
            }
            Ok(None) => break "read".to_owned(),
            Err(error) => break error.to_string(),
        }
    };
    let stats = reader.stats();
    let numbers = [info.rate as u64, info.channels as u64, stats.damaged_blocks.min(3)];
    format!("{end} {} {}", numbers.map(letters).join(" "), stats.truncated)
}

/// Packets of a call: length (u8), how far the clock moved (u8; from 200 the sequence number jumps as well, from 240 the source), packet.
fn packets(bytes: &[u8]) -> String {
    let mut receiver = OpusReceiver::new().expect("libopus starts");
    let (mut rest, mut clock, mut refused) = (bytes, 0u32, 0);
    let (mut source, mut sequence) = (0, 0u16);
    while let [length, step, tail @ ..] = rest {
        let (packet, next) = tail.split_at(tail.len().min(usize::from(*length)));
        clock = clock.wrapping_add(u32::from(*step) * 960);
        sequence = sequence.wrapping_add(if *step < 200 { 1 } else { u16::from(*step) * 251 });
        source += u32::from(*step >= 240);
        let packet = OpusPacket { source, sequence, timestamp: clock, data: packet };
        let taken = receiver.push(&packet, |pcm| assert!(pcm.len() <= 5760, "more than 120 ms in a packet"));
        refused += u32::from(taken.is_err());
        rest = next;
    }
    format!("{} {}", letters(u64::from(refused).min(4)), letters(receiver.lost().min(4)))
}

/// An avatar, prepared and drawn once.
fn avatar(face: &FaceModel, bytes: &[u8]) -> String {
    let avatar = match AvatarFile::parse("x.avatar", bytes.to_vec()) {
        Ok(avatar) => avatar,
        Err(error) => return error.to_string(),
    };
    draw(face, &avatar)
}

fn draw(face: &FaceModel, avatar: &AvatarFile) -> String {
    let made = PortraitGenerator::new(&Compute::Cpu, face, avatar, SIDE, OutputFormat::I420, Method::Geometric);
    let mut generator = match made {
        Ok(generator) => generator,
        Err(error) => return error.to_string(),
    };
    let mut beta = [0.0; vultus::avatar::EXPRESSION];
    beta.iter_mut().step_by(3).for_each(|b| *b = 0.8);
    let bytes = generator.frame(&Drive::new(&beta, &[0.1, 0.2, 0.05, 0.0, 0.0, 0.01])).map(|frame| frame.bytes.len());
    format!("drawn {bytes:?} {}", avatar.portrait.side)
}

/// A face model; one that is taken has to draw.
fn face(reader: WeightReader) -> String {
    match FaceModel::read(reader) {
        Ok(face) => match Assets::embedded().avatar("amara") {
            Ok(avatar) => draw(&face, &avatar),
            Err(error) => error.to_string(),
        },
        Err(error) => error.to_string(),
    }
}

/// A motion network; one that is taken has to hear half a second.
fn motion(reader: WeightReader) -> String {
    let network = match MotionNetwork::load(&Compute::Cpu, reader, 0) {
        Ok(network) => network,
        Err(error) => return error.to_string(),
    };
    let mood = network.emotions().mood(Emotion::Sad, 2.0).expect("weights are finite");
    let model = match network.stream(&mood, 0) {
        Ok(model) => model,
        Err(error) => return error.to_string(),
    };
    let mut speech = SpeechToMotion::new(16_000, Box::new(model), 25).expect("16 kHz is a rate");
    let pcm: Vec<f32> = (0..8_000).map(|n| (n as f32 * 0.05).sin() * 0.3).collect();
    let heard = speech.push(&pcm).map_err(|error| error.to_string());
    format!("heard {heard:?}")
}
