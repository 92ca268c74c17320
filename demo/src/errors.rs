//! Telling the user what went wrong, in one sentence that says what to do.

use std::process::ExitCode;

use anyhow::{Error, anyhow};
use vultus::assets::AssetError;
use vultus::emotion::Emotion;
use vultus::stream::RenderError;

/// Exit code of a run that ctrl-C ended: 128 + SIGINT, as shells expect.
pub(crate) const CANCELLED: u8 = 130;

/// Characters of an unknown name that are repeated.
const NAME_SHOWN: usize = 200;

/// Prints the error and gives the exit code that goes with it.
pub(crate) fn tell(error: &Error) -> ExitCode {
    // An I/O error without context comes from writing to standard output; all others say what they are about.
    let bare = || error.downcast_ref::<std::io::Error>().filter(|_| error.chain().count() == 1);
    // A reader that has seen enough (`vultus avatars | head -1`) is no failure.
    if bare().is_some_and(|e| e.kind() == std::io::ErrorKind::BrokenPipe) {
        return ExitCode::SUCCESS;
    }
    if let Some(e) = bare() {
        eprintln!("vultus: cannot write to standard output: {}", without_number(&e.to_string()));
        return ExitCode::FAILURE;
    }
    eprintln!("vultus: {}", without_number(&format!("{error:#}")));
    if matches!(error.downcast_ref(), Some(RenderError::Cancelled)) {
        return ExitCode::from(CANCELLED);
    }
    ExitCode::FAILURE
}

/// The operating system's words come last, with a number that advises nobody.
fn without_number(text: &str) -> &str {
    text.split_once(" (os error").map_or(text, |(words, _)| words)
}

/// An avatar that is not there, with the names that are close to what was asked for.
pub(crate) fn asset(error: AssetError) -> Error {
    match error {
        AssetError::UnknownAvatar { name, known } => {
            let known: Vec<&str> = known.iter().map(String::as_str).collect();
            anyhow!(unknown("avatar", &name, &known, "an .avatar file"))
        }
        error => error.into(),
    }
}

/// The emotion of this name.
pub(crate) fn emotion(name: &str) -> Result<Emotion, Error> {
    name.parse().map_err(|_| anyhow!(unknown("emotion", name, &Emotion::ALL.map(Emotion::name), "")))
}

/// There is no such thing; the names that are close to what was asked for. `also` is what may be given instead of a name.
pub(crate) fn unknown(what: &str, name: &str, known: &[&str], also: &str) -> String {
    // Whatever a client sent, an answer is short and quick.
    let short: String = name.chars().take(NAME_SHOWN).collect();
    let close = close_to(&short, known.iter().copied());
    format!("there is no {what} named {short:?}; {}", advice(&close, &known.join(", "), also))
}

fn advice(close: &[&str], known: &str, also: &str) -> String {
    let or = if also.is_empty() { String::new() } else { format!(", or give {also}") };
    match close {
        [] => format!("choose one of {known}{or}"),
        close => format!("did you mean {}? All of them: {known}{or}", close.join(" or ")),
    }
}

/// Known names that are like `name`, the closest first.
fn close_to<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let name = name.to_lowercase();
    let mut scored: Vec<(f64, &str)> = known
        .map(|known| {
            // Words that share their beginning (surprise, surprised) are closer than their edit distance says.
            (strsim::jaro_winkler(&name, &known.to_lowercase()), known)
        })
        .filter(|(score, _)| *score > 0.75)
        .collect();
    scored.sort_by(|a, b| b.0.total_cmp(&a.0));
    scored.truncate(3);
    scored.into_iter().map(|(_, known)| known).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_names_are_named() {
        assert_eq!(emotion("Happy").unwrap(), Emotion::Happy);
        let text = emotion("suprise").unwrap_err().to_string();
        assert!(text.contains("did you mean surprised?"), "{text}");
        let text = emotion("xyz").unwrap_err().to_string();
        assert!(text.contains("choose one of neutral, angry"), "{text}");
        let known = vec!["amara".to_owned(), "bruno".to_owned()];
        let text = asset(AssetError::UnknownAvatar { name: "amra".into(), known }).to_string();
        assert!(text.contains("did you mean amara?"), "{text}");
    }
}
