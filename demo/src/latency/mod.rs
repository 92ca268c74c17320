//! `vultus latency`: how long a sound takes from the microphone to the lips on the screen, measured in a real browser.
//!
//! The live server runs in this process, Chromium beside it, without a window. It opens the measuring page (demo/page/measure.js),
//! which calls the server with a microphone that plays a file ([`onsets`]), looks at the pixels of the mouth ([`mouth`]), listens to the
//! voice, and posts what it measured; [`report`] makes figures of that, [`table`] shows them.

mod arguments;
mod browser;
mod mouth;
mod onsets;
mod report;
mod table;

use std::fs::File;
use std::io::{self, BufWriter, Write as _};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use serde_json::Value;
use tokio::sync::mpsc;
use vultus::face::FaceModel;
use vultus_native::assets::{Assets, FACE, SAMPLE};
use vultus_native::audio::AudioReader;
use vultus_native::media::{AtomicFile, MediaError};
use vultus_native::stream::RenderError;
use vultus_server::axum::Router;
use vultus_server::axum::extract::DefaultBodyLimit;
use vultus_server::axum::http::StatusCode;
use vultus_server::axum::routing::post;
use vultus_server::{Body, Refusal, ServeOptions, Server, StudioOptions};

use self::browser::Browser;
use self::report::{Machine, Report, Setting};
use crate::files::Files;
use crate::graphics::trial;
use crate::options::check_look_ahead;
use crate::{cancel, live, page};

pub(crate) use self::arguments::Latency;

/// What connecting, warming up and one interrupt may take together with everything slow about a busy machine, beyond the time that is
/// asked for.
const PATIENCE: Duration = Duration::from_secs(75);
const PATIENCE_PER_INTERRUPT: Duration = Duration::from_secs(12);
/// How long the browser, its profile and the server may take to end in order.
const ENDING: Duration = Duration::from_secs(15);
/// What the page says on its console, so that others' words are told apart.
const SAYS: &str = "step: ";
/// The page's words while it measures: what the server counts then is what is reported.
const MEASURING: &str = "measuring";
/// Longest list of what it measured that is taken, bytes.
const RESULT: usize = 4 << 20;

pub(crate) fn run(weights: Option<&Path>, arguments: &Latency) -> Result<()> {
    let cancel = cancel::flag(ENDING, browser::end_at_once)?;
    check_look_ahead(arguments.lookahead)?;
    let program = browser::find(arguments.browser.as_deref())?;
    let assets = Assets::locate(weights)?;
    Files::of(&assets)
        .reads("the browser", &program)
        .reads("the avatar", Path::new(&arguments.avatar))
        .writes("--json", arguments.json.as_deref())
        .check()?;
    let avatar = assets.avatar(&arguments.avatar)?;
    let mouth = mouth::region(&FaceModel::read(assets.weights(FACE)?)?, &avatar);
    let folder =
        tempfile::Builder::new().prefix("vultus-latency-").tempdir().context("cannot make a folder for the browser")?;
    let microphone = folder.path().join("onsets.wav");
    let samples = onsets::microphone(&mut AudioReader::from_bytes(SAMPLE, assets.read(SAMPLE)?)?)?;
    File::create(&microphone)
        .and_then(|file| onsets::write_wav(&mut BufWriter::new(file), &samples))
        .context("cannot write the microphone's sound")?;

    let (backend, page, stages) = live::runtime()?.block_on(async {
        let (results, mut posted) = mpsc::channel(1);
        let server = live::start(options(weights, arguments, results)).await?;
        let address = address(&server, arguments, mouth);
        let mut browser = Browser::start(&program, folder, &microphone, &address)?;
        let measured = watch(&server, &mut posted, &mut browser, arguments, &cancel).await;
        drop(browser);
        let backend = server.backend.clone();
        server.stop().await;
        measured.map(|(page, stages)| (backend, page, stages))
    })?;

    let setting = Setting {
        machine: Machine::this(),
        browser: name_of(&page),
        avatar: avatar.name.clone(),
        size: arguments.size as usize,
        lookahead: arguments.lookahead,
        backend,
        lost_percent: arguments.simulate_loss,
    };
    let report = Report::new(setting, page, stages);
    // What cannot be written does not take the table with it.
    let shown = write!(io::stdout(), "{report}");
    if let Some(path) = &arguments.json {
        write(&report, path)?;
    }
    Ok(shown?)
}

/// The server of `serve`, with the measuring page and where it posts what it found.
fn options(weights: Option<&Path>, arguments: &Latency, results: mpsc::Sender<Value>) -> ServeOptions {
    let studio = StudioOptions {
        weights: weights.map(Path::to_owned),
        backend: arguments.backend.into(),
        trial: Some(trial()),
        generator: arguments.generator.clone(),
        size: arguments.size as usize,
        look_ahead: arguments.lookahead,
        avatar: arguments.avatar.clone(),
        ..StudioOptions::default()
    };
    let result = async move |Body(body): Body| {
        let result = serde_json::from_slice(&body).map_err(|error| Refusal::bad_request(error.to_string()))?;
        Ok::<_, Refusal>(match results.try_send(result) {
            Ok(()) => StatusCode::NO_CONTENT,
            Err(_) => StatusCode::CONFLICT,
        })
    };
    ServeOptions {
        studio,
        loss_percent: arguments.simulate_loss,
        page: page::measuring(),
        routes: Router::new().route("/v1/latency/result", post(result)).layer(DefaultBodyLimit::max(RESULT)),
        ..ServeOptions::default()
    }
}

/// Where the browser goes.
fn address(server: &Server, arguments: &Latency, mouth: [f32; 4]) -> String {
    let mouth = mouth.map(|share| format!("{share:.4}")).join(",");
    let (seconds, interrupts, avatar) = (arguments.seconds, arguments.interrupts, &arguments.avatar);
    // An avatar's name may have anything in it.
    let avatar: String = avatar
        .bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => char::from(byte).to_string(),
            byte => format!("%{byte:02X}"),
        })
        .collect();
    format!(
        "http://{}/latency.html?avatar={avatar}&seconds={seconds}&interrupts={interrupts}&mouth={mouth}",
        server.address
    )
}

/// Waits for the page's result; also gives the server's times by stage as they were while the page measured.
async fn watch(
    server: &Server,
    posted: &mut mpsc::Receiver<Value>,
    browser: &mut Browser,
    arguments: &Latency,
    cancel: &AtomicBool,
) -> Result<(Value, Value)> {
    let patience =
        Duration::from_secs(arguments.seconds.into()) + PATIENCE + PATIENCE_PER_INTERRUPT * arguments.interrupts;
    let end = Instant::now() + patience;
    let mut step = String::from("starting the browser");
    let mut words = step.clone();
    let mut stages = Value::Null;
    let mut asked = Instant::now();
    let mut tick = tokio::time::interval(Duration::from_millis(100));
    eprintln!("vultus: {step}");
    loop {
        tokio::select! {
            page = posted.recv() => {
                let page = page.ok_or_else(|| anyhow!("the server ended before the page was done"))?;
                if let Some(error) = page["error"].as_str() {
                    bail!("the page could not measure: {error}");
                }
                return Ok((page, stages));
            }
            _ = tick.tick() => {}
        }
        for said in browser.said() {
            if let Some(next) = said.strip_prefix(SAYS) {
                eprintln!("vultus: {next}");
                next.clone_into(&mut step);
            }
            words = said;
        }
        if cancel.load(Ordering::Relaxed) {
            return Err(RenderError::Cancelled.into());
        }
        if let Some(status) = browser.ended()? {
            bail!("the browser ended by itself ({status}); the last that was heard of it: {words}");
        }
        ensure!(
            Instant::now() < end,
            "nothing was measured within {} s; the page's last words: {words}",
            patience.as_secs()
        );
        if asked.elapsed() > Duration::from_secs(1) {
            asked = Instant::now();
            if step.starts_with(MEASURING) {
                stages = server.stats()["stages_ms"].take();
            }
        }
    }
}

/// `Chromium 156` from what browsers call themselves.
fn name_of(page: &Value) -> String {
    let agent = page["browser"].as_str().unwrap_or_default();
    let version = agent.split_whitespace().find_map(|word| word.split_once("Chrome/"));
    version.map_or_else(
        || agent.to_owned(),
        |(_, version)| format!("Chromium {}", version.split('.').next().unwrap_or(version)),
    )
}

fn write(report: &Report, path: &Path) -> Result<()> {
    let failed = |cause: io::Error| MediaError::Write { file: path.display().to_string(), cause };
    let mut file = AtomicFile::create(path).map_err(failed)?;
    serde_json::to_writer_pretty(&mut file, report).map_err(|e| failed(e.into()))?;
    file.write_all(b"\n").map_err(failed)?;
    Ok(file.commit().map_err(failed)?)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn browsers_are_named_by_their_own_words() {
        let agent = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/156.0.0.0 Safari/537.36";
        assert_eq!(name_of(&json!({ "browser": agent })), "Chromium 156");
        assert_eq!(name_of(&json!({ "browser": "something else" })), "something else");
        assert_eq!(name_of(&json!({})), "");
    }
}
