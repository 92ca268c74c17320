//! The server: what it is started with, and how it begins and ends.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use serde_json::Value;
use thiserror::Error;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use vultus::emotion::{Blend, Emotion};
use vultus_native::Notices;

use crate::app::App;
use crate::guard::Guard;
use crate::page::Page;
use crate::rooms::{Look, Rooms};
use crate::source::{Source, SourceOptions};
use crate::studio::{Studio, StudioOptions};
use crate::token::Token;
use crate::transport::{Options, Transport, Weather};
use crate::{http, lines, stats};

/// What a server needs to know.
#[derive(Clone, Debug)]
pub struct ServeOptions {
    /// HTTP address; port 0 takes any.
    pub listen: SocketAddr,
    /// Address of all media, where it is not the page's.
    pub media_bind: Option<IpAddr>,
    /// UDP port of all media; 0 takes any.
    pub media_port: u16,
    /// Address that browsers reach this machine by, where that is none of its own.
    pub public_address: Option<IpAddr>,
    /// Names that a reverse proxy gives the page.
    pub public_names: Vec<String>,
    /// What clients have to send; needed beyond loopback, and with a public name.
    pub token: Option<Token>,
    /// Sessions at one time; more are asked to come back later.
    pub max_sessions: usize,
    /// With what faces are drawn, and which.
    pub studio: StudioOptions,
    /// Emotion of `source`,
    pub emotion: Blend,
    /// and how strong it is, from 1 to 3.
    pub intensity: f32,
    /// Folder in which every session is recorded.
    pub record: Option<PathBuf>,
    /// A session that lives as long as the server and speaks with this sound.
    pub source: Option<SourceOptions>,
    /// Per cent of media packets that get lost, for tests.
    pub loss_percent: f32,
    /// The files of the page.
    pub page: Page,
    /// Addresses of the program's own, beside those of the server. Who may ask, and what a client may send, is the same for both: a token is needed
    /// below `/v1/` only. One that the server has itself is a panic when it starts.
    pub routes: Router,
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
            max_sessions: 4,
            studio: StudioOptions::default(),
            emotion: Emotion::Neutral.into(),
            intensity: 1.0,
            record: None,
            source: None,
            loss_percent: 0.0,
            page: Page::default(),
            routes: Router::new(),
        }
    }
}

/// A server that runs. Ends when it is told to, or dropped.
pub struct Server {
    /// HTTP address.
    pub address: SocketAddr,
    /// UDP port of all media.
    pub media_port: u16,
    /// Backend and adapter.
    pub backend: String,
    /// Id of the session that speaks with this machine's sound.
    pub house: Option<String>,
    app: App,
    source: Option<Source>,
    stop: oneshot::Sender<()>,
    serving: JoinHandle<()>,
}

/// Why a server did not start.
#[derive(Debug, Error)]
pub enum ServeError {
    /// It would be open to the network.
    #[error("{0} can be reached from other machines: give the server a token, or listen on 127.0.0.1")]
    NoToken(SocketAddr),
    /// The same, behind a reverse proxy.
    #[error("a server with a public name can be reached from other machines: give it a token")]
    NoTokenForName,
    /// There is no folder to record into.
    #[error("the folder {} does not exist; make it, or name another", .0.display())]
    NoRecordFolder(PathBuf),
    /// The folder to record into cannot be written to.
    #[error("cannot record into the folder {}: {cause}", .folder.display())]
    RecordFolder {
        /// What was asked for.
        folder: PathBuf,
        /// The system's words.
        #[source]
        cause: io::Error,
    },
    /// The HTTP address is taken, or not this machine's.
    #[error("cannot listen on {address}; choose another port")]
    Listen {
        /// What was asked for.
        address: SocketAddr,
        /// The system's words.
        #[source]
        cause: io::Error,
    },
    /// The same of the UDP port.
    #[error("cannot open UDP {address} for media; choose another port or address")]
    Media {
        /// What was asked for.
        address: SocketAddr,
        /// The system's words.
        #[source]
        cause: io::Error,
    },
    /// Weights, avatars, the backend or the sound are no good.
    #[error(transparent)]
    Other(#[from] anyhow::Error),
}

impl ServeOptions {
    /// Whether a server may be started like this.
    ///
    /// # Errors
    /// It would be open to the network without a token.
    pub fn check(&self) -> Result<(), ServeError> {
        match &self.token {
            None if !self.listen.ip().is_loopback() => Err(ServeError::NoToken(self.listen)),
            None if !self.public_names.is_empty() => Err(ServeError::NoTokenForName),
            _ => self.record.as_deref().map_or(Ok(()), record_folder),
        }
    }
}

impl Server {
    /// Starts a server, in the tokio runtime that this is called in. `notices` hear of what its owner should know and its clients should not: drivers
    /// that do not work, sessions that broke down.
    ///
    /// # Errors
    /// A port is taken, the weights are no good, or the server would be open to the network without a token.
    pub async fn start(options: ServeOptions, notices: Notices) -> Result<Self, ServeError> {
        options.check()?;
        let wanted = options.studio;
        let open = move || Studio::open(&wanted, notices);
        let studio = Arc::new(blocking(open).await??);
        let listening = |cause| ServeError::Listen { address: options.listen, cause };
        let listener = TcpListener::bind(options.listen).await.map_err(listening)?;
        let address = listener.local_addr().map_err(listening)?;
        let media = SocketAddr::new(options.media_bind.unwrap_or(options.listen.ip()), options.media_port);
        let weather = Weather { loss_percent: options.loss_percent, ..Weather::default() };
        let public_address = options.public_address;
        let transport = Transport::bind(Options { address: media, public_address, weather, ..Options::default() })
            .await
            .map_err(|cause| ServeError::Media { address: media, cause })?;

        let rooms = Rooms::new(studio, options.max_sessions, options.record);
        let app = App::new(rooms, transport, options.page);
        let source = match options.source {
            None => None,
            Some(wanted) => {
                let avatar = app.rooms.studio().default_avatar().to_owned();
                let mood = app.rooms.studio().mood(options.emotion, options.intensity).map_err(anyhow::Error::from)?;
                let background = app.rooms.studio().default_background().clone();
                let look = Look { avatar, background, emotion: options.emotion, mood };
                let rooms = Arc::clone(&app.rooms);
                Some(blocking(move || Source::start(&wanted, &rooms, look)).await??)
            }
        };
        let house = source.as_ref().map(|source| source.room.clone());
        let checks = Guard::new(options.token, address.ip(), &options.public_names);
        let router = http::router(app.clone(), checks, options.routes);
        let (stop, stopped) = oneshot::channel();
        // Ends when told to, or when the server is dropped.
        let serving = tokio::spawn(lines::serve(listener, router, async { drop(stopped.await) }));
        let (media_port, backend) = (app.transport.port(), app.rooms.studio().backend());
        Ok(Self { address, media_port, backend, house, app, source, stop, serving })
    }

    /// Its rooms, for a program that speaks in them itself.
    pub fn rooms(&self) -> &Arc<Rooms> {
        &self.app.rooms
    }

    /// The object of `GET /v1/stats`.
    pub fn stats(&self) -> Value {
        stats::report(&self.app)
    }

    /// Says goodbye to everybody and ends.
    pub async fn stop(self) {
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

/// Whether films can be written there, tried by a file that is gone again.
fn record_folder(folder: &Path) -> Result<(), ServeError> {
    if !folder.is_dir() {
        return Err(ServeError::NoRecordFolder(folder.to_owned()));
    }
    let failed = |cause| ServeError::RecordFolder { folder: folder.to_owned(), cause };
    tempfile::tempfile_in(folder).map(drop).map_err(failed)
}

/// Does what may take its time where nothing else waits for it.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, anyhow::Error> {
    Ok(tokio::task::spawn_blocking(work).await?)
}
