//! Names that users and clients give, and what they may have meant.

use vultus::emotion::{Blend, BlendError, Emotion, UnknownEmotion};

/// Characters of an unknown name that are repeated.
const NAME_SHOWN: usize = 200;

/// The emotion that a text says: one by name, or shares of several as JSON.
///
/// # Errors
/// There is none; the sentence names those that are close.
pub fn emotion(text: &str) -> Result<Blend, String> {
    text.parse().map_err(no_emotion)
}

/// What is wrong with an emotion, with the names that are close to one that there is not.
pub fn no_emotion(error: BlendError) -> String {
    match error {
        BlendError::Unknown(UnknownEmotion(name)) => unknown("emotion", &name, &Emotion::ALL.map(Emotion::name), ""),
        error => error.to_string(),
    }
}

/// The sentence that there is no such thing, with the names that are close to what was asked for. `also` is what may be given instead of a name.
/// Whatever a client sent, it is short and quickly made.
pub fn unknown(what: &str, name: &str, known: &[&str], also: &str) -> String {
    let short: String = name.chars().take(NAME_SHOWN).collect();
    let close = close_to(&short, known);
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
fn close_to<'a>(name: &str, known: &[&'a str]) -> Vec<&'a str> {
    let name = name.to_lowercase();
    let mut scored: Vec<(f64, &str)> = (known.iter())
        .map(|known| {
            // Words that share their beginning (surprise, surprised) are closer than their edit distance says.
            (strsim::jaro_winkler(&name, &known.to_lowercase()), *known)
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
        assert_eq!(emotion("Happy").unwrap(), Emotion::Happy.into());
        let text = emotion(r#"{"suprised":1}"#).unwrap_err();
        assert!(text.contains("did you mean surprised?"), "{text}");
        let text = emotion("suprise").unwrap_err();
        assert!(text.contains("did you mean surprised?"), "{text}");
        let text = emotion("xyz").unwrap_err();
        assert!(text.contains("choose one of neutral, angry"), "{text}");
        let text = unknown("avatar", "amra", &["amara", "bruno"], "an .avatar file");
        assert!(text.contains("did you mean amara?") && text.ends_with("or give an .avatar file"), "{text}");
        assert!(unknown("avatar", &"x".repeat(100_000), &["amara"], "").len() < 300, "nothing long is sent back");
    }
}
