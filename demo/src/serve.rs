//! `vultus serve`: a page on which a voice drives a face, live.

use std::io::IsTerminal as _;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Error, Result, bail};
use clap::Args;
use vultus::emotion::{self, EASE, EASE_MAX};
use vultus_native::assets::DEFAULT_AVATAR;
use vultus_native::names;
use vultus_native::registry::{MOTION, Registry, live_generator};
use vultus_server::axum::Router;
use vultus_server::{ServeOptions, Server, SourceOptions, StudioOptions, Token};

use crate::console;
use crate::errors::CANCELLED;
use crate::graphics::trial;
use crate::options::{BackendName, Behind, Size, check_look_ahead, generators, intensity, lookahead, motions};
use crate::{live, page};

/// How long saying goodbye may take.
const ENDING: Duration = Duration::from_secs(10);

/// The live server.
#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// Address to listen on. Beyond this machine it needs a token, and browsers want HTTPS before they give a microphone.
    #[arg(long, value_name = "IP", default_value = "127.0.0.1")]
    host: IpAddr,
    /// TCP port of the page.
    #[arg(long, value_name = "N", default_value_t = 7878)]
    port: u16,
    /// UDP port of all pictures and voices, of all sessions; 0 takes any.
    #[arg(long, value_name = "N", default_value_t = 7879)]
    media_port: u16,
    /// Address of that UDP port, if it is not the page's: 0.0.0.0 where a reverse proxy on this machine serves the page.
    #[arg(long, value_name = "IP")]
    media_bind: Option<IpAddr>,
    /// Address that browsers reach that UDP port by, if it is none of this machine's own (behind NAT).
    #[arg(long, value_name = "IP")]
    public_address: Option<IpAddr>,
    /// Name by which a reverse proxy serves the page; may be given several times. Needs a token.
    #[arg(long = "public-name", value_name = "NAME", value_parser = public_name)]
    public_names: Vec<String>,
    /// Secret that clients have to send; needed beyond this machine. On the command line other users of this machine can read it (ps):
    /// --token-file and the variable $VULTUS_TOKEN keep it from them.
    #[arg(long, value_name = "SECRET")]
    token: Option<String>,
    /// File with that secret and nothing else.
    #[arg(long, value_name = "FILE", conflicts_with = "token")]
    token_file: Option<PathBuf>,
    /// Sessions at one time; more are asked to come back later.
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=1000))]
    max_sessions: u16,
    /// Speak with this machine's microphone (the default one, or the one named), beside the browser's.
    #[arg(long, value_name = "DEVICE", num_args = 0..=1, default_missing_value = "", conflicts_with = "repeat")]
    mic: Option<String>,
    /// Speak with a sound file, over and over.
    #[arg(long = "loop", value_name = "AUDIO")]
    repeat: Option<PathBuf>,
    /// Record every session into this folder, as MP4 that plays however it ended; sessions are then drawn even while nobody watches.
    #[arg(long, value_name = "FOLDER")]
    record: Option<PathBuf>,
    /// Name of an avatar (see `vultus avatars`) or an .avatar file: the one that is shown first.
    #[arg(long, value_name = "NAME|FILE", default_value = DEFAULT_AVATAR)]
    avatar: String,
    #[command(flatten)]
    behind: Behind,
    /// Emotion of `--mic` and `--loop`: a name, or shares of several, '{"happy":0.7,"surprised":0.3}'.
    #[arg(long, value_name = "NAME|SHARES", default_value = "neutral")]
    emotion: String,
    /// How strong that emotion is, from 1 to 3.
    #[arg(long, value_name = "1..3", default_value_t = 1.0, allow_hyphen_values = true, value_parser = intensity)]
    intensity: f32,
    /// Milliseconds that a change of emotion takes where a client does not say, from 0 to 5000.
    #[arg(long, value_name = "MS", default_value_t = EASE.as_millis() as f64, allow_hyphen_values = true, value_parser = milliseconds)]
    ease: f64,
    /// Width and height in pixels.
    #[arg(long, value_enum, default_value = "512")]
    size: Size,
    /// Who draws the pictures; where nothing is said nano, or warp on fewer than four threads.
    #[arg(long, value_parser = generators(), default_value = live_generator())]
    generator: String,
    /// What moves the faces.
    #[arg(long, value_parser = motions(), default_value = MOTION)]
    motion: String,
    /// Frames of 40 ms that the model hears ahead of the one it decides, from 0 to 5: fewer are sooner, more are surer.
    #[arg(long, value_name = "0..5", default_value_t = 2, allow_hyphen_values = true, value_parser = lookahead)]
    lookahead: usize,
    /// Where networks and pictures are computed.
    #[arg(long, value_enum, default_value_t = BackendName::Auto)]
    backend: BackendName,
    /// Per cent of media packets to lose on purpose, for trials.
    #[arg(long, value_name = "PERCENT", default_value_t = 0.0, hide = true)]
    simulate_loss: f32,
}

impl Serve {
    /// The secret, from wherever it was given, and what the user should know about that.
    fn token(&self) -> Result<(Option<Token>, Vec<String>)> {
        const VARIABLE: &str = "VULTUS_TOKEN";
        let mut notes = Vec::new();
        let token = if let Some(text) = &self.token {
            notes.push("other users of this machine can read the token in the list of processes (ps); --token-file FILE keeps it from them".into());
            Token::new(text, "--token")?
        } else if let Some(path) = &self.token_file {
            notes.extend(Token::readable_by_others(path));
            Token::read(path)?
        } else if let Some(text) = std::env::var_os(VARIABLE) {
            let Ok(text) = text.into_string() else { bail!("the token in ${VARIABLE} is not text in UTF-8") };
            Token::new(&text, &format!("${VARIABLE}"))?
        } else {
            return Ok((None, notes));
        };
        notes.extend(token.weakness());
        Ok((Some(token), notes))
    }

    /// What the server is started with, checked, and what the user should know about the token.
    fn options(&self, weights: Option<&Path>) -> Result<(ServeOptions, Vec<String>)> {
        let emotion = names::emotion(&self.emotion).map_err(Error::msg)?;
        let intensity = emotion::intensity(self.intensity)?;
        let ease = emotion::ease(self.ease)?;
        check_look_ahead(self.lookahead)?;
        if !(0.0..100.0).contains(&self.simulate_loss) {
            bail!("a loss of {} per cent is out of range; give one from 0 to below 100", self.simulate_loss);
        }
        let (token, mut notes) = self.token()?;
        let microphone = |name: &String| SourceOptions::Microphone(Some(name.clone()).filter(|name| !name.is_empty()));
        let repeat = self.repeat.clone().map(SourceOptions::Loop);
        if self.mic.is_none() && self.repeat.is_none() && (self.emotion != "neutral" || self.intensity != 1.0) {
            notes.push(
                "--emotion and --intensity are for --mic and --loop; the page and agents say their own".to_owned(),
            );
        }
        let studio = StudioOptions {
            weights: weights.map(Path::to_owned),
            backend: self.backend.into(),
            trial: Some(trial()),
            registry: Registry::default(),
            generator: self.generator.clone(),
            motion: self.motion.clone(),
            size: self.size as usize,
            look_ahead: self.lookahead,
            avatar: self.avatar.clone(),
            background: self.behind.background()?,
            ease,
        };
        let options = ServeOptions {
            listen: SocketAddr::new(self.host, self.port),
            media_bind: self.media_bind,
            media_port: self.media_port,
            public_address: self.public_address,
            public_names: self.public_names.clone(),
            token,
            max_sessions: self.max_sessions.into(),
            studio,
            emotion,
            intensity,
            source: self.mic.as_ref().map(microphone).or(repeat),
            record: self.record.clone(),
            loss_percent: self.simulate_loss,
            page: page::page(),
            routes: Router::new(),
        };
        Ok((options, notes))
    }
}

/// `vultus serve`: runs until ctrl-C.
pub(crate) fn run(weights: Option<&Path>, arguments: &Serve) -> Result<()> {
    let (options, notes) = arguments.options(weights)?;
    let token = options.token.clone();
    live::runtime()?.block_on(async {
        let server = live::start(options).await?;
        tell(&server, token.as_ref(), arguments.record.as_deref());
        notes.iter().for_each(|note| console::warn(note));
        wait_for_end().await?;
        eprintln!("vultus: stopping");
        tokio::select! {
            () = server.stop() => return Ok(()),
            _ = wait_for_end() => {}
            () = tokio::time::sleep(ENDING) => {}
        }
        // Something waits for what may never come, a disk in the network for instance; there is nothing here that could be lost.
        std::process::exit(CANCELLED.into())
    })
}

fn tell(server: &Server, token: Option<&Token>, record: Option<&Path>) {
    let address = server.address;
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
    if let Some(id) = &server.house {
        eprintln!("vultus: this machine's sound: {here}/?overlay&session={id}{fragment}");
    }
    if let Some(folder) = record {
        eprintln!("vultus: every session is recorded into {}", folder.display());
    }
    eprintln!("vultus: computing on {}; media on UDP port {}; ctrl-C ends", server.backend, server.media_port);
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

fn milliseconds(text: &str) -> Result<f64, String> {
    text.parse().map_err(|_| format!("give a number of milliseconds from 0 to {}", EASE_MAX.as_millis()))
}

fn public_name(text: &str) -> Result<String, String> {
    let is_name = !text.is_empty() && !text.contains([':', '/', '@', ' ', ',']);
    is_name
        .then(|| text.to_owned())
        .ok_or_else(|| "give a name as it stands in the address, without https:// and port".into())
}
