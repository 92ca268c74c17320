//! What can be asked for on the command line.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use anyhow::{Result, bail};
use clap::builder::styling::{AnsiColor, Styles};
use clap::{Args, Parser, Subcommand, ValueEnum};
use vultus::compute::Backend;
use vultus::media::SoundCodec;
use vultus::motion::LOOK_AHEAD_MAX;

use crate::eval::Eval;
use crate::generator::GeneratorName;
use crate::latency::Latency;
use crate::serve::{ServeOptions, SourceOptions, Token};
use crate::{errors, setup};

const STYLES: Styles =
    Styles::styled().header(AnsiColor::Green.on_default().bold()).usage(AnsiColor::Green.on_default().bold());

/// Speech in, a living, emotional face out.
#[derive(Debug, Parser)]
#[command(name = "vultus", version, styles = STYLES, max_term_width = 100)]
pub(crate) struct Arguments {
    /// Folder with weights, avatars and their manifest, instead of the built-in ones (also: $VULTUS_WEIGHTS).
    #[arg(long, value_name = "DIR", global = true)]
    pub(crate) weights: Option<PathBuf>,
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Serve a page on which your voice drives a face, live; also WHEP, WHIP and a WebSocket for text-to-speech.
    Serve(Serve),
    /// Make a film (MP4) of an avatar that says what is in a sound file.
    Render(Render),
    /// Write the face's coefficients for a sound file, frame by frame, as JSON or CSV.
    Coeffs(Coeffs),
    /// Measure in a browser (Chromium) how long a sound takes from the microphone to the lips on the screen.
    Latency(Latency),
    /// Compare what is drawn with true pictures of people whose geometry is known.
    Eval(Eval),
    /// List the avatars.
    Avatars,
    /// Say what this machine and this installation can do, and what is missing.
    Doctor,
    /// Tries graphics drivers for the process that started this one.
    #[command(name = crate::graphics::COMMAND, hide = true)]
    TryGraphics {
        #[arg(long)]
        software: bool,
    },
}

/// What both ways of using the motion model take.
#[derive(Debug, Args)]
pub(crate) struct Speech {
    /// A sound or film with speech in it (WAV, MP3, M4A, OGG, MP4, MOV, WebM and more); the built-in sample when left out.
    pub(crate) audio: Option<PathBuf>,
    /// Emotion: neutral, angry, contempt, disgusted, fear, happy, sad or surprised.
    #[arg(long, value_name = "NAME", default_value = "neutral")]
    pub(crate) emotion: String,
    /// How strong the emotion is, from 1 to 3.
    #[arg(long, value_name = "1..3", default_value_t = 1.0, allow_hyphen_values = true, value_parser = intensity)]
    pub(crate) intensity: f32,
    /// Seed of head motion, blinks and gaze: the same seed gives the same pictures.
    #[arg(long, value_name = "N", default_value_t = 0, allow_hyphen_values = true, value_parser = seed)]
    pub(crate) seed: u64,
    /// Frames of 40 ms that the model hears ahead of the one it decides, from 0 to 5.
    #[arg(long, value_name = "0..5", default_value_t = 2, allow_hyphen_values = true, value_parser = lookahead)]
    pub(crate) lookahead: usize,
    /// Where networks and pictures are computed.
    #[arg(long, value_enum, default_value_t = BackendName::Auto)]
    pub(crate) backend: BackendName,
    /// Write a report about the run to this JSON file.
    #[arg(long, value_name = "FILE.json")]
    pub(crate) report: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Render {
    #[command(flatten)]
    pub(crate) speech: Speech,
    /// The film to write; an existing file is replaced when the new one is complete.
    #[arg(short, long, value_name = "OUT.mp4")]
    pub(crate) output: PathBuf,
    /// Name of an avatar (see `vultus avatars`) or an .avatar file.
    #[arg(long, value_name = "NAME|FILE", default_value = vultus::assets::DEFAULT_AVATAR)]
    pub(crate) avatar: String,
    /// Width and height in pixels.
    #[arg(long, value_enum, default_value = "512")]
    pub(crate) size: Size,
    /// Who draws the pictures.
    #[arg(long, value_enum, default_value_t = GeneratorName::DEFAULT)]
    pub(crate) generator: GeneratorName,
    /// Frames a second.
    #[arg(long, value_enum, default_value = "25")]
    pub(crate) fps: FrameRate,
    /// How the sound is encoded.
    #[arg(long, value_enum, default_value_t = SoundName::Aac)]
    pub(crate) audio_codec: SoundName,
}

#[derive(Debug, Args)]
pub(crate) struct Coeffs {
    #[command(flatten)]
    pub(crate) speech: Speech,
    /// The file to write; its ending, .json or .csv, says which format.
    #[arg(short, long, value_name = "OUT.json|OUT.csv")]
    pub(crate) output: PathBuf,
}

/// The live server.
#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// Address to listen on. Beyond this machine it needs a token, and browsers want HTTPS before they give a microphone.
    #[arg(long, value_name = "IP", default_value = "127.0.0.1")]
    pub(crate) host: IpAddr,
    /// TCP port of the page.
    #[arg(long, value_name = "N", default_value_t = 7878)]
    pub(crate) port: u16,
    /// UDP port of all pictures and voices, of all sessions; 0 takes any.
    #[arg(long, value_name = "N", default_value_t = 7879)]
    pub(crate) media_port: u16,
    /// Address of that UDP port, if it is not the page's: 0.0.0.0 where a reverse proxy on this machine serves the page.
    #[arg(long, value_name = "IP")]
    pub(crate) media_bind: Option<IpAddr>,
    /// Address that browsers reach that UDP port by, if it is none of this machine's own (behind NAT).
    #[arg(long, value_name = "IP")]
    pub(crate) public_address: Option<IpAddr>,
    /// Name by which a reverse proxy serves the page; may be given several times. Needs a token.
    #[arg(long = "public-name", value_name = "NAME", value_parser = public_name)]
    pub(crate) public_names: Vec<String>,
    /// Secret that clients have to send; needed beyond this machine. On the command line other users of this machine can read it (ps):
    /// --token-file and the variable $VULTUS_TOKEN keep it from them.
    #[arg(long, value_name = "SECRET")]
    pub(crate) token: Option<String>,
    /// File with that secret and nothing else.
    #[arg(long, value_name = "FILE", conflicts_with = "token")]
    pub(crate) token_file: Option<PathBuf>,
    /// Sessions at one time; more are asked to come back later.
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub(crate) max_sessions: u16,
    /// Speak with this machine's microphone (the default one, or the one named), beside the browser's.
    #[arg(long, value_name = "DEVICE", num_args = 0..=1, default_missing_value = "", conflicts_with = "repeat")]
    pub(crate) mic: Option<String>,
    /// Speak with a sound file, over and over.
    #[arg(long = "loop", value_name = "AUDIO")]
    pub(crate) repeat: Option<PathBuf>,
    /// Name of an avatar (see `vultus avatars`) or an .avatar file: the one that is shown first.
    #[arg(long, value_name = "NAME|FILE", default_value = vultus::assets::DEFAULT_AVATAR)]
    pub(crate) avatar: String,
    /// Emotion of `--mic` and `--loop`.
    #[arg(long, value_name = "NAME", default_value = "neutral")]
    pub(crate) emotion: String,
    /// How strong that emotion is, from 1 to 3.
    #[arg(long, value_name = "1..3", default_value_t = 1.0, allow_hyphen_values = true, value_parser = intensity)]
    pub(crate) intensity: f32,
    /// Width and height in pixels.
    #[arg(long, value_enum, default_value = "512")]
    pub(crate) size: Size,
    /// Who draws the pictures; where nothing is said nano, or warp on fewer than four threads.
    #[arg(long, value_enum, default_value_t = GeneratorName::live())]
    pub(crate) generator: GeneratorName,
    /// Frames of 40 ms that the model hears ahead of the one it decides, from 0 to 5: fewer are sooner, more are surer.
    #[arg(long, value_name = "0..5", default_value_t = 2, allow_hyphen_values = true, value_parser = lookahead)]
    pub(crate) lookahead: usize,
    /// Where networks and pictures are computed.
    #[arg(long, value_enum, default_value_t = BackendName::Auto)]
    pub(crate) backend: BackendName,
    /// Per cent of media packets to lose on purpose, for trials.
    #[arg(long, value_name = "PERCENT", default_value_t = 0.0, hide = true)]
    pub(crate) simulate_loss: f32,
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

    /// What the server is started with, checked.
    pub(crate) fn options(&self) -> Result<ServeOptions> {
        let emotion = errors::emotion(&self.emotion)?;
        setup::check_intensity(self.intensity)?;
        setup::check_look_ahead(self.lookahead)?;
        if !(0.0..100.0).contains(&self.simulate_loss) {
            bail!("a loss of {} per cent is out of range; give one from 0 to below 100", self.simulate_loss);
        }
        let (token, notes) = self.token()?;
        let microphone = |name: &String| SourceOptions::Microphone(Some(name.clone()).filter(|name| !name.is_empty()));
        let repeat = self.repeat.clone().map(SourceOptions::Loop);
        Ok(ServeOptions {
            listen: SocketAddr::new(self.host, self.port),
            media_bind: self.media_bind,
            media_port: self.media_port,
            public_address: self.public_address,
            public_names: self.public_names.clone(),
            token,
            notes,
            max_sessions: self.max_sessions.into(),
            size: self.size as usize,
            generator: self.generator,
            look_ahead: self.lookahead,
            backend: self.backend.into(),
            avatar: self.avatar.clone(),
            emotion,
            intensity: self.intensity,
            source: self.mic.as_ref().map(microphone).or(repeat),
            loss_percent: self.simulate_loss,
            measuring: false,
        })
    }
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Size {
    #[value(name = "256")]
    Small = 256,
    #[value(name = "512")]
    Large = 512,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum FrameRate {
    #[value(name = "25")]
    Hz25 = 25,
    #[value(name = "30")]
    Hz30 = 30,
    #[value(name = "50")]
    Hz50 = 50,
    #[value(name = "60")]
    Hz60 = 60,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum SoundName {
    /// AAC-LC: everything plays it.
    Aac,
    /// Opus: half the size; browsers, VLC and ffmpeg play it, QuickTime and Windows' own players do not.
    Opus,
}

impl From<SoundName> for SoundCodec {
    fn from(name: SoundName) -> Self {
        match name {
            SoundName::Aac => Self::Aac,
            SoundName::Opus => Self::Opus,
        }
    }
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum BackendName {
    /// A hardware GPU if there is one, else the CPU (also: $VULTUS_BACKEND).
    Auto,
    /// A GPU, be it a software one.
    Gpu,
    /// The CPU.
    Cpu,
}

impl From<BackendName> for Backend {
    fn from(name: BackendName) -> Self {
        match name {
            BackendName::Auto => Self::Auto,
            BackendName::Gpu => Self::Gpu,
            BackendName::Cpu => Self::Cpu,
        }
    }
}

// What the standard library says of a number that is none ("invalid digit found in string") helps nobody.

fn intensity(text: &str) -> Result<f32, String> {
    text.parse().map_err(|_| "give a number from 1 (natural) to 3 (strongest)".into())
}

fn seed(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| format!("give a whole number from 0 to {}", u64::MAX))
}

fn public_name(text: &str) -> Result<String, String> {
    let is_name = !text.is_empty() && !text.contains([':', '/', '@', ' ', ',']);
    is_name
        .then(|| text.to_owned())
        .ok_or_else(|| "give a name as it stands in the address, without https:// and port".into())
}

pub(crate) fn lookahead(text: &str) -> Result<usize, String> {
    text.parse().map_err(|_| format!("give a whole number of frames from 0 to {LOOK_AHEAD_MAX}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_arguments_are_consistent() {
        use clap::CommandFactory as _;
        Arguments::command().debug_assert();
        assert!(vultus::pipeline::FRAME_RATES.iter().all(|rate| FrameRate::from_str(&rate.to_string(), false).is_ok()));
    }

    #[test]
    fn numbers_that_are_none_say_what_is_possible() {
        for (option, value, advice) in [
            ("--lookahead", "-1", "give a whole number of frames from 0 to 5"),
            ("--lookahead", "2.5", "give a whole number of frames from 0 to 5"),
            ("--seed", "-1", "give a whole number from 0 to 18446744073709551615"),
            ("--intensity", "strong", "give a number from 1 (natural) to 3 (strongest)"),
        ] {
            let error = Arguments::try_parse_from(["vultus", "coeffs", "-o", "out.json", option, value]).unwrap_err();
            let text = error.to_string();
            assert!(text.contains(advice) && text.contains(&format!("invalid value '{value}'")), "{text}");
        }
    }
}
