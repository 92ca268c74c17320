//! The page's files, built into the program.

use vultus_server::Page;

macro_rules! files {
    ($($name:literal),* $(,)?) => {
        &[$(($name, include_bytes!(concat!("../page/", $name)) as &[u8])),*]
    };
}

static FILES: &[(&str, &[u8])] = files![
    "app.js",
    "behind.js",
    "call.js",
    "camera.js",
    "cast.js",
    "control.js",
    "controls.css",
    "ear-worklet.js",
    "ear.js",
    "easel.js",
    "enrol.css",
    "enrol.js",
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
    "mirror.js",
    "net.js",
    "notice.js",
    "overlay.js",
    "playout.js",
    "room.js",
    "shot.js",
    "soundfile.js",
    "stats.js",
    "strain.js",
    "style.css",
];
/// Files that only `vultus latency` serves.
const MEASURING: [&str; 2] = ["latency.html", "measure.js"];

/// What `serve` serves.
pub(crate) fn page() -> Page {
    Page::new(FILES.iter().copied().filter(|(name, _)| !MEASURING.contains(name)))
}

/// The same with the measuring page.
pub(crate) fn measuring() -> Page {
    Page::new(FILES.iter().copied())
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
