//! The live server: sessions over WebRTC and HTTP.
//!
//! | room | what it owns |
//! |---|---|
//! | `studio` | what all sessions share: backend, networks, avatars |
//! | `lines` | the listener and its connections |
//! | `rooms` | sessions and who is in them |
//! | `transport` | WebRTC |
//! | `signal`, `speak` | the ways in: WHEP, WHIP, the page's call; PCM and control over a WebSocket |
//! | `source` | sound from this machine: microphone, file |
//! | `guard`, `token`, `refusal` | who may ask, and how no is said |
//! | `page`, `stats`, `http` | the page, the figures, the addresses |
//! | `fuzz` | what strangers send, for the fuzzer to feed |

#[doc(hidden)]
pub mod fuzz;
mod guard;
mod hearing;
mod http;
mod kept;
mod lines;
mod page;
mod refusal;
mod rooms;
mod signal;
mod source;
mod speak;
mod stats;
mod studio;
mod token;
pub(crate) mod transport;

use std::io::IsTerminal as _;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::task::JoinHandle;
use vultus::assets::DEFAULT_AVATAR;
use vultus::compute::Backend;
use vultus::emotion::Emotion;

use self::guard::Guard;
use self::rooms::{Look, Rooms};
use self::source::Source;
use self::studio::Studio;
pub(crate) use self::token::Token;
use self::transport::{Options, Transport, Weather};
use crate::args::Serve;
use crate::console;
use crate::errors::CANCELLED;
use crate::generator::GeneratorName;

/// Offers that are being answered at one time; a browser needs one.
const OFFERS: usize = 8;

/// How long saying goodbye may take.
const ENDING: Duration = Duration::from_secs(10);

/// What a server needs to know.
#[derive(Clone, Debug)]
pub(crate) struct ServeOptions {
    /// HTTP address.
    pub(crate) listen: SocketAddr,
    /// Address of all media, where it is not the page's.
    pub(crate) media_bind: Option<IpAddr>,
    /// UDP port of all media; 0 takes any.
    pub(crate) media_port: u16,
    /// Address that browsers reach this machine by, where that is none of its own.
    pub(crate) public_address: Option<IpAddr>,
    /// Names that a reverse proxy gives the page.
    pub(crate) public_names: Vec<String>,
    pub(crate) token: Option<Token>,
    /// What the user should know about the token.
    pub(crate) notes: Vec<String>,
    pub(crate) max_sessions: usize,
    pub(crate) size: usize,
    pub(crate) generator: GeneratorName,
    pub(crate) look_ahead: usize,
    pub(crate) backend: Backend,
    pub(crate) avatar: String,
    pub(crate) emotion: Emotion,
    pub(crate) intensity: f32,
    /// A session that lives as long as the server and speaks with this sound.
    pub(crate) source: Option<SourceOptions>,
    /// Per cent of media packets that get lost, for tests.
    pub(crate) loss_percent: f32,
    /// Serve the measuring page.
    pub(crate) measuring: bool,
}

/// Sound from this machine.
#[derive(Clone, Debug)]
pub(crate) enum SourceOptions {
    /// A microphone: the default one, or the one of this name.
    Microphone(Option<String>),
    /// A sound file, over and over.
    Loop(PathBuf),
}

impl Default for ServeOptions {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            media_bind: None,
            media_port: 0,
            public_address: None,
            public_names: Vec::new(),
            token: None,
            notes: Vec::new(),
            max_sessions: 4,
            size: 512,
            generator: GeneratorName::live(),
            look_ahead: 2,
            backend: Backend::Auto,
            avatar: DEFAULT_AVATAR.to_owned(),
            emotion: Emotion::Neutral,
            intensity: 1.0,
            source: None,
            loss_percent: 0.0,
            measuring: false,
        }
    }
}

/// What handlers share.
#[derive(Clone)]
struct App {
    rooms: Arc<Rooms>,
    transport: Arc<Transport>,
    offers: Arc<Semaphore>,
    results: mpsc::Sender<Value>,
    speech: Arc<speak::Shared>,
}

/// A server that runs.
pub(crate) struct Running {
    /// HTTP address.
    pub(crate) address: SocketAddr,
    /// UDP port of all media.
    pub(crate) media_port: u16,
    /// Backend and adapter.
    pub(crate) backend: String,
    /// Id of the session that speaks with this machine's sound.
    pub(crate) house: Option<String>,
    /// What the measuring page posted.
    pub(crate) results: mpsc::Receiver<Value>,
    app: App,
    source: Option<Source>,
    stop: oneshot::Sender<()>,
    serving: JoinHandle<()>,
}

/// Starts a server.
///
/// # Errors
/// A port is taken, the weights are no good, or the server would be open to the network without a token.
pub(crate) async fn start(weights: Option<&Path>, options: ServeOptions) -> Result<Running> {
    if !options.listen.ip().is_loopback() && options.token.is_none() {
        bail!(
            "{} can be reached from other machines: protect it by --token-file FILE ($VULTUS_TOKEN, --token SECRET), or listen on 127.0.0.1",
            options.listen
        );
    }
    if !options.public_names.is_empty() && options.token.is_none() {
        bail!(
            "a server with a public name can be reached from other machines: protect it by --token-file FILE ($VULTUS_TOKEN, --token SECRET)"
        );
    }
    let (folder, wanted) = (weights.map(Path::to_owned), options.clone());
    let open = move || Studio::open(folder.as_deref(), &wanted);
    let studio = Arc::new(tokio::task::spawn_blocking(open).await??);
    let listener = TcpListener::bind(options.listen)
        .await
        .with_context(|| format!("cannot listen on {}; choose another port by --port", options.listen))?;
    let address = listener.local_addr().context("cannot tell the server's address")?;
    let media = SocketAddr::new(options.media_bind.unwrap_or(options.listen.ip()), options.media_port);
    let weather = Weather { loss_percent: options.loss_percent, ..Weather::default() };
    let transport = Transport::bind(Options {
        address: media,
        public_address: options.public_address,
        weather,
        ..Options::default()
    })
    .await
    .with_context(|| format!("cannot open UDP {media} for media; choose another by --media-port or --media-bind"))?;

    let rooms = Rooms::new(studio, options.max_sessions);
    let (results, posted) = mpsc::channel(1);
    let app = App {
        rooms,
        transport: Arc::new(transport),
        offers: Arc::new(Semaphore::new(OFFERS)),
        results,
        speech: Arc::default(),
    };
    let source = match options.source {
        None => None,
        Some(wanted) => {
            let avatar = app.rooms.studio().default_avatar().to_owned();
            let look = Look { avatar, emotion: options.emotion, intensity: options.intensity };
            let rooms = Arc::clone(&app.rooms);
            Some(tokio::task::spawn_blocking(move || Source::start(&wanted, &rooms, look)).await??)
        }
    };
    let house = source.as_ref().map(|source| source.room.clone());
    let checks = Guard::new(options.token.clone(), address.ip(), &options.public_names);
    let router = http::router(app.clone(), checks, options.measuring);
    let (stop, stopped) = oneshot::channel();
    // Ends when told to, or when `Running` is dropped.
    let serving = tokio::spawn(lines::serve(listener, router, async { drop(stopped.await) }));
    Ok(Running {
        address,
        media_port: app.transport.port(),
        backend: app.rooms.studio().backend(),
        house,
        results: posted,
        app,
        source,
        stop,
        serving,
    })
}

impl Running {
    /// The object of `GET /v1/stats`.
    pub(crate) fn stats(&self) -> Value {
        stats::report(&self.app)
    }

    /// Says goodbye to everybody and ends.
    pub(crate) async fn stop(self) {
        // Its thread may be reading from a disk that does not answer.
        let source = self.source;
        let _ = tokio::task::spawn_blocking(move || drop(source)).await;
        self.app.rooms.close().await;
        // The receiver is gone only if serving has ended already.
        let _ = self.stop.send(());
        // Control channels end with their sessions; a client that keeps its connection is not waited for.
        let _ = tokio::time::timeout(Duration::from_secs(2), self.serving).await;
    }
}

/// `vultus serve`: runs until ctrl-C.
pub(crate) fn run(weights: Option<&Path>, arguments: &Serve) -> Result<()> {
    let options = arguments.options()?;
    let (token, notes) = (options.token.clone(), options.notes.clone());
    let runtime = runtime()?;
    runtime.block_on(async {
        let running = start(weights, options).await?;
        tell(&running, token.as_ref());
        notes.iter().for_each(|note| console::warn(note));
        wait_for_end().await?;
        eprintln!("vultus: stopping");
        tokio::select! {
            () = running.stop() => return Ok(()),
            _ = wait_for_end() => {}
            () = tokio::time::sleep(ENDING) => {}
        }
        // Something waits for what may never come, a disk in the network for instance; there is nothing here that could be lost.
        std::process::exit(CANCELLED.into())
    })
}

/// Where the server's tasks run. Two threads are enough for sockets; kernels have threads of their own.
pub(crate) fn runtime() -> Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .context("cannot start the server's threads")
}

fn tell(running: &Running, token: Option<&Token>) {
    let address = running.address;
    let here = if address.ip() == Ipv4Addr::LOCALHOST {
        format!("http://localhost:{}", address.port())
    } else {
        format!("http://{address}")
    };
    let fragment = match token {
        // On a screen, for whoever started it; not in a log, which others read.
        Some(token) if std::io::stderr().is_terminal() => format!("#token={}", token.encoded()),
        Some(_) => "#token=…".to_owned(),
        None => String::new(),
    };
    eprintln!("vultus: open {here}/{fragment} and speak");
    if let Some(id) = &running.house {
        eprintln!("vultus: this machine's sound: {here}/?overlay&session={id}{fragment}");
    }
    eprintln!("vultus: computing on {}; media on UDP port {}; ctrl-C ends", running.backend, running.media_port);
}

async fn wait_for_end() -> Result<()> {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let mut terminate = signal(SignalKind::terminate()).context("cannot watch for SIGTERM")?;
        tokio::select! {
            done = tokio::signal::ctrl_c() => done.context("cannot watch for ctrl-C"),
            _ = terminate.recv() => Ok(()),
        }
    }
    #[cfg(not(unix))]
    tokio::signal::ctrl_c().await.context("cannot watch for ctrl-C")
}
