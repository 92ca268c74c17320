//! The server as a program of somebody else uses it: nothing but what is public.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::runtime::Runtime;
use tungstenite::client::IntoClientRequest as _;
use tungstenite::{Message, WebSocket};
use vultus::audio::SAMPLES_PER_FRAME;
use vultus::avatar::AvatarFile;
use vultus::compute::{ComputeError, PlanError};
use vultus::drive::{Drive, MotionFrame};
use vultus::emotion::{Emotion, EmotionTable, Mood, SPACE};
use vultus::generator::{Frame, Generator, GeneratorError, OutputFormat, Prepared};
use vultus::motion::{Motion, MotionSource};
use vultus_native::Notices;
use vultus_native::compute::Backend;
use vultus_native::registry::{Drawer, GeneratorEntry, MotionEntry, OpenError, Registry};
use vultus_server::axum::Router;
use vultus_server::axum::routing::post;
use vultus_server::{Body, Page, Refusal, ServeError, ServeOptions, Server, StudioOptions, Token};

/// A guard against waiting for ever.
const PATIENCE: Duration = Duration::from_secs(60);

fn options() -> ServeOptions {
    let studio =
        StudioOptions { backend: Backend::Cpu, generator: "warp".into(), size: 256, ..StudioOptions::default() };
    ServeOptions { studio, ..ServeOptions::default() }
}

/// Nothing goes wrong here that anybody should hear of.
fn silence() -> (Notices, Arc<Mutex<Vec<String>>>) {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let told = Arc::clone(&heard);
    (Notices::new(move |sentence| told.lock().unwrap().push(sentence.to_owned())), heard)
}

fn ask(address: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    write!(stream, "{request}").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// The next message of this type.
fn wait(socket: &mut WebSocket<TcpStream>, kind: &str) -> Value {
    let end = Instant::now() + PATIENCE;
    while Instant::now() < end {
        if let Message::Text(text) = socket.read().unwrap() {
            let message: Value = serde_json::from_str(&text).unwrap();
            assert_ne!(message["type"], "error", "{message}");
            if message["type"] == kind {
                return message;
            }
        }
    }
    panic!("{kind} never came")
}

#[test]
fn an_agent_speaks_in_a_program_of_somebody_else() {
    let runtime = Runtime::new().unwrap();
    let (notices, heard) = silence();
    let server = runtime.block_on(Server::start(options(), notices)).unwrap();
    let stream = TcpStream::connect(server.address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let request = format!("ws://{}/v1/speak?rate=24000", server.address).into_client_request().unwrap();
    let (mut socket, _) = tungstenite::client(request, stream).unwrap();
    let ready = wait(&mut socket, "ready");
    assert_eq!((&ready["rate"], &ready["channels"]), (&json!(24_000), &json!(1)));
    assert_eq!(server.stats()["sessions"].as_array().unwrap().len(), 1);
    assert_eq!(server.rooms().all()[0].look().avatar, "amara");

    let sound: Vec<u8> =
        (0..12_000).flat_map(|n| (((f64::from(n) * 0.06).sin() * 9000.0) as i16).to_le_bytes()).collect();
    for message in [json!({ "type": "begin", "id": "greeting" }).to_string().into(), Message::Binary(sound.into())] {
        socket.send(message).unwrap();
    }
    socket.send(json!({ "type": "end" }).to_string().into()).unwrap();
    let spoken = wait(&mut socket, "spoken");
    assert_eq!(spoken["id"], "greeting");
    let said = spoken["position_ms"].as_u64().unwrap();
    assert!((450..=560).contains(&said), "half a second is said: {spoken}");

    let address = server.address;
    runtime.block_on(server.stop());
    assert!(TcpStream::connect(address).is_err(), "nobody listens any more");
    assert_eq!(*heard.lock().unwrap(), Vec::<String>::new());
}

/// Pictures that were asked of [`Grey`], and samples that [`Nodding`] heard.
static DRAWN: AtomicUsize = AtomicUsize::new(0);
static HEARD: AtomicUsize = AtomicUsize::new(0);

/// Draws everybody grey.
struct Grey(usize, Vec<u8>);

impl Drawer for Grey {
    fn prepare(&self, _: AvatarFile) -> Result<Arc<dyn Prepared>, OpenError> {
        Ok(Arc::new(Self(self.0, self.1.clone())))
    }
}

impl Prepared for Grey {
    fn open(&self) -> Result<Box<dyn Generator>, GeneratorError> {
        Ok(Box::new(Self(self.0, self.1.clone())))
    }
}

impl Generator for Grey {
    fn frame(&mut self, _: &Drive) -> Result<Frame<'_>, ComputeError> {
        DRAWN.fetch_add(1, SeqCst);
        Ok(Frame { size: self.0, format: OutputFormat::I420, bytes: &self.1, face_time: None })
    }
}

/// Nods with every frame.
#[derive(Default)]
struct Nodding {
    samples: usize,
    frames: u64,
}

impl MotionSource for Nodding {
    fn emotions(&self) -> &EmotionTable {
        static NONE: OnceLock<EmotionTable> = OnceLock::new();
        NONE.get_or_init(|| EmotionTable::new(&[0.0; SPACE * Emotion::ALL.len()]))
    }
    fn open(&self, _: &Mood, _: u64) -> Result<Box<dyn Motion>, PlanError> {
        Ok(Box::new(Self::default()))
    }
}

impl Motion for Nodding {
    fn delay(&self) -> usize {
        0
    }
    fn set_mood(&mut self, _: &Mood, _: Duration) {}
    fn hear(&mut self, samples: &[f32], decided: &mut dyn FnMut(MotionFrame)) -> Result<(), ComputeError> {
        HEARD.fetch_add(samples.len(), SeqCst);
        self.samples += samples.len();
        while self.samples >= SAMPLES_PER_FRAME {
            self.samples -= SAMPLES_PER_FRAME;
            let mut drive = Drive::default();
            drive.pose[0] = if self.frames.is_multiple_of(2) { 0.1 } else { -0.1 };
            decided(MotionFrame { index: self.frames, drive });
            self.frames += 1;
        }
        Ok(())
    }
    fn forget(&mut self) {}
    fn finish(&mut self, _: &mut dyn FnMut(MotionFrame)) -> Result<(), ComputeError> {
        Ok(())
    }
}

#[test]
fn who_draws_and_what_moves_can_be_the_programs_own() {
    let grey = GeneratorEntry {
        name: "grey",
        about: "everybody, grey",
        files: &[],
        open: |easel| Ok(Box::new(Grey(easel.size, vec![128; OutputFormat::I420.bytes(easel.size)]))),
    };
    let nodding =
        MotionEntry { name: "nod", about: "nods", files: &[], open: |_, _, _| Ok(Box::new(Nodding::default())) };
    let registry = Registry::default().with_generator(grey).with_motion(nodding);
    let folder = tempfile::tempdir().unwrap();
    let mine = options();
    let studio = StudioOptions { registry, generator: "grey".into(), motion: "nod".into(), ..mine.studio };
    // Sessions are drawn for the recording.
    let mine = ServeOptions { studio, record: Some(folder.path().to_owned()), ..ServeOptions::default() };
    let runtime = Runtime::new().unwrap();
    let server = runtime.block_on(Server::start(mine, silence().0)).unwrap();
    let stream = TcpStream::connect(server.address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let request = format!("ws://{}/v1/speak?rate=24000", server.address).into_client_request().unwrap();
    let (mut socket, _) = tungstenite::client(request, stream).unwrap();
    wait(&mut socket, "ready");
    socket.send(Message::Binary(vec![0; 24_000].into())).unwrap();
    socket.send(json!({ "type": "end" }).to_string().into()).unwrap();
    wait(&mut socket, "spoken");
    assert!(DRAWN.load(SeqCst) > 0 && HEARD.load(SeqCst) > 7_500, "{DRAWN:?} pictures, {HEARD:?} samples");
    runtime.block_on(server.stop());

    let unknown = StudioOptions { generator: "grey".into(), ..options().studio };
    let refused = runtime.block_on(Server::start(ServeOptions { studio: unknown, ..options() }, silence().0));
    let sentence = refused.err().expect("it did not start").to_string();
    assert!(sentence.contains("no generator named \"grey\""), "{sentence}");
}

#[test]
fn pages_and_addresses_of_the_programs_own_are_guarded_as_the_servers_are() {
    let runtime = Runtime::new().unwrap();
    let echo = async |Body(body): Body| match body.is_empty() {
        true => Err(Refusal::bad_request("say something")),
        false => Ok(body),
    };
    let page = Page::new([("index.html", "<p>mine")]);
    let (token, routes) =
        (Token::new("a secret of mine", "a test").unwrap(), Router::new().route("/v1/echo", post(echo)));
    let options = ServeOptions { page, routes, token: Some(token), ..options() };
    let server = runtime.block_on(Server::start(options, silence().0)).unwrap();
    let at = server.address;
    let get = |path: &str| ask(at, &format!("GET {path} HTTP/1.1\r\nHost: {at}\r\nConnection: close\r\n\r\n"));
    let index = get("/");
    assert!(index.starts_with("HTTP/1.1 200") && index.contains("text/html") && index.ends_with("<p>mine"), "{index}");
    assert!(get("/none.js").starts_with("HTTP/1.1 404"));
    assert!(get("/v1/stats").starts_with("HTTP/1.1 401"));
    let post = |header: &str, body: &str| {
        let length = body.len();
        ask(
            at,
            &format!(
                "POST /v1/echo HTTP/1.1\r\nHost: {at}\r\nConnection: close\r\n{header}Content-Length: {length}\r\n\r\n{body}"
            ),
        )
    };
    let bearer = "Authorization: Bearer a secret of mine\r\n";
    assert!(post("", "hello").starts_with("HTTP/1.1 401"));
    assert!(post(bearer, "hello").ends_with("hello"));
    assert!(post(bearer, "").contains("say something"));
    assert!(post(bearer, &"x".repeat(70 << 10)).contains("longer than 64 KiB"));
    runtime.block_on(server.stop());
}

#[test]
fn no_program_opens_itself_to_the_network_by_mistake() {
    let runtime = Runtime::new().unwrap();
    let (open, named) = (
        ServeOptions { listen: "0.0.0.0:0".parse().unwrap(), ..options() },
        ServeOptions { public_names: vec!["avatar.example".into()], ..options() },
    );
    let refused = |options| runtime.block_on(Server::start(options, silence().0)).err().expect("it did not start");
    assert!(matches!(refused(open), ServeError::NoToken(_)));
    assert!(matches!(refused(named), ServeError::NoTokenForName));
}
