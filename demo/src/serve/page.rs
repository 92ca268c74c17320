//! The page's files, built into the binary.

use axum::extract::Path;
use axum::extract::rejection::PathRejection;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::refusal::Refusal;

/// What the page may do: nothing from elsewhere, nothing inline.
const POLICY: &str = "default-src 'self'; connect-src 'self'; img-src 'self' data: blob:; media-src 'self' blob:; \
                      frame-ancestors 'self'; base-uri 'none'; form-action 'none'";

macro_rules! files {
    ($($name:literal),* $(,)?) => {
        &[$(($name, include_bytes!(concat!("../../page/", $name)) as &[u8])),*]
    };
}

static FILES: &[(&str, &[u8])] = files![
    "app.js",
    "call.js",
    "cast.js",
    "control.js",
    "controls.css",
    "ear-worklet.js",
    "ear.js",
    "expression.js",
    "feelings.js",
    "hearing.js",
    "index.html",
    "keys.js",
    "latency.html",
    "lips.js",
    "mark.js",
    "mark.svg",
    "measure.js",
    "meter.js",
    "microphone.js",
    "net.js",
    "notice.js",
    "overlay.js",
    "playout.js",
    "room.js",
    "soundfile.js",
    "stats.js",
    "strain.js",
    "style.css",
];
/// Files that only `vultus latency` serves.
const MEASURING: [&str; 2] = ["latency.html", "measure.js"];

pub(super) async fn index() -> Response {
    file("index.html")
}

pub(super) async fn named(name: Result<Path<String>, PathRejection>) -> Response {
    // A name that is no text is no file of ours.
    let Ok(Path(name)) = name else { return missing() };
    if MEASURING.contains(&name.as_str()) { missing() } else { file(&name) }
}

/// As [`named`], with the measuring page.
pub(super) async fn measuring(name: Result<Path<String>, PathRejection>) -> Response {
    name.map_or_else(|_| missing(), |Path(name)| file(&name))
}

pub(super) async fn sample() -> Response {
    match vultus::assets::embedded(vultus::assets::SAMPLE) {
        Some(wav) => {
            ([(header::CONTENT_TYPE, "audio/wav"), (header::CACHE_CONTROL, "max-age=3600")], wav).into_response()
        }
        None => missing(),
    }
}

fn file(name: &str) -> Response {
    let Some((_, bytes)) = FILES.iter().find(|(known, _)| *known == name) else { return missing() };
    let kind = match name.rsplit('.').next() {
        Some("html") => "text/html; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        _ => "image/svg+xml",
    };
    let headers = [
        (header::CONTENT_TYPE, kind),
        // Another version of the program brings another page.
        (header::CACHE_CONTROL, "no-cache"),
        (header::CONTENT_SECURITY_POLICY, POLICY),
    ];
    (headers, *bytes).into_response()
}

pub(super) fn missing() -> Response {
    Refusal::new(StatusCode::NOT_FOUND, "there is nothing at this address; the page is at /").into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_of_the_page_is_served() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/page");
        for entry in std::fs::read_dir(folder).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            assert!(FILES.iter().any(|(known, _)| *known == name), "{name} is not in the list");
        }
    }
}
