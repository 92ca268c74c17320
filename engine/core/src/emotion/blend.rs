//! Several emotions at a time.

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};
use serde_json::Value;

use super::{Emotion, UnknownEmotion};

/// Shares that come from rounded numbers may add up to so much more than 1; they are then made smaller.
const ROUNDING: f64 = 1e-3;
/// Less than this is nothing: what is left over where shares were meant to add up to 1.
const NOTHING: f64 = 1e-9;

/// Shares of the eight emotions, which add up to 1. Written and read as JSON: a name, or an object of names and shares, in which what is missing to 1 is neutral.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Blend([f64; Emotion::ALL.len()]);

/// There is no such blend.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum BlendError {
    /// An emotion has a name that is none.
    #[error(transparent)]
    Unknown(#[from] UnknownEmotion),
    /// A share is no number from 0 to 1.
    #[error("the share of {emotion} in the emotion is {got}; give a number from 0 to 1")]
    Share {
        /// Whose share.
        emotion: Emotion,
        /// What it is.
        got: String,
    },
    /// An emotion has two shares.
    #[error("the emotion names {0} twice; give it one share")]
    Twice(Emotion),
    /// The shares add up to nothing, or to more than there is.
    #[error(
        "the shares of the emotion add up to {0}; they may add up to 1, or to less, where the rest is neutral, but not to 0"
    )]
    Sum(f64),
    /// A text that begins like an object goes on otherwise.
    #[error("the emotion is no JSON ({0}); give a name, or names and shares like {EXAMPLE}")]
    Json(String),
    /// It is neither a name nor an object.
    #[error("the emotion is {0}; give a name, or names and shares like {EXAMPLE}")]
    Kind(String),
}

/// For messages.
const EXAMPLE: &str = r#"{"happy":0.7,"surprised":0.3}"#;

impl Blend {
    /// Of these shares. What they lack to 1 is neutral.
    ///
    /// # Errors
    /// A share is below 0 or no number, an emotion comes twice, or the sum is 0 or more than 1.
    pub fn new(parts: impl IntoIterator<Item = (Emotion, f64)>) -> Result<Self, BlendError> {
        let mut shares = [None; Emotion::ALL.len()];
        for (emotion, share) in parts {
            if !(share.is_finite() && (0.0..=1.0 + ROUNDING).contains(&share)) {
                return Err(BlendError::Share { emotion, got: share.to_string() });
            }
            if shares[emotion.index()].replace(share).is_some() {
                return Err(BlendError::Twice(emotion));
            }
        }
        let mut shares = shares.map(Option::unwrap_or_default);
        let sum: f64 = shares.iter().sum();
        if !(sum > NOTHING && sum <= 1.0 + ROUNDING) {
            return Err(BlendError::Sum((sum * 1e3).round() / 1e3));
        }
        if sum > 1.0 {
            shares.iter_mut().for_each(|share| *share /= sum);
        } else if 1.0 - sum > NOTHING {
            shares[Emotion::Neutral.index()] += 1.0 - sum;
        }
        Ok(Self(shares))
    }

    /// What a text message or a file says: a name, or an object of names and shares, or such an object as a text.
    ///
    /// # Errors
    /// As [`Self::new`]; or it is something else, or a name is unknown.
    pub fn from_json(value: &Value) -> Result<Self, BlendError> {
        let parts = match value {
            Value::String(text) => return text.parse(),
            Value::Object(parts) => parts,
            other => return Err(BlendError::Kind(kind(other))),
        };
        let part = |(name, share): (&String, &Value)| -> Result<_, BlendError> {
            let emotion = name.parse::<Emotion>()?;
            match share.as_f64() {
                Some(share) => Ok((emotion, share)),
                None => Err(BlendError::Share { emotion, got: kind(share) }),
            }
        };
        Self::new(parts.iter().map(part).collect::<Result<Vec<_>, _>>()?)
    }

    /// Emotions with a share, in the order of [`Emotion::ALL`]; their shares add up to 1.
    pub fn shares(self) -> impl Iterator<Item = (Emotion, f64)> {
        Emotion::ALL.into_iter().zip(self.0).filter(|(_, share)| *share > 0.0)
    }

    /// The emotion, where it is one alone.
    pub fn alone(self) -> Option<Emotion> {
        let mut shares = self.shares();
        shares.next().filter(|_| shares.next().is_none()).map(|(emotion, _)| emotion)
    }
}

impl From<Emotion> for Blend {
    fn from(emotion: Emotion) -> Self {
        let mut shares = [0.0; Emotion::ALL.len()];
        shares[emotion.index()] = 1.0;
        Self(shares)
    }
}

impl FromStr for Blend {
    type Err = BlendError;

    /// A name, or an object of names and shares as JSON.
    fn from_str(text: &str) -> Result<Self, BlendError> {
        if !text.trim_start().starts_with('{') {
            return Ok(text.parse::<Emotion>()?.into());
        }
        Self::from_json(&serde_json::from_str(text).map_err(|error| BlendError::Json(error.to_string()))?)
    }
}

impl Serialize for Blend {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.alone() {
            Some(emotion) => serializer.serialize_str(emotion.name()),
            // Neutral is what is missing.
            None => serializer.collect_map(
                self.shares().filter(|(emotion, _)| *emotion != Emotion::Neutral).map(|(e, share)| (e.name(), share)),
            ),
        }
    }
}

impl fmt::Display for Blend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.alone() {
            Some(emotion) => emotion.fmt(f),
            None => f.write_str(&serde_json::to_string(self).map_err(|_| fmt::Error)?),
        }
    }
}

fn kind(value: &Value) -> String {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => value.to_string(),
        Value::String(_) => "a text".into(),
        Value::Array(_) => "a list".into(),
        Value::Object(_) => "an object".into(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn names_and_objects_are_read_and_told_again() {
        let happy: Blend = Emotion::Happy.into();
        for text in ["happy", "Happy", r#"{"happy":1}"#, r#" {"HAPPY":1.0005,"sad":0}"#] {
            let blend: Blend = text.parse().unwrap();
            assert_eq!((blend, blend.to_string().as_str()), (happy, "happy"), "{text}");
        }
        assert_eq!(json!(happy), "happy");
        for (text, told) in [
            (r#"{"happy":0.7,"surprised":0.3}"#, json!({ "happy": 0.7, "surprised": 0.3 })),
            (r#"{"happy":0.5}"#, json!({ "happy": 0.5 })),
            (r#"{"neutral":0.25,"sad":0.25}"#, json!({ "sad": 0.25 })),
            (r#"{"neutral":0.5}"#, json!("neutral")),
        ] {
            let blend: Blend = text.parse().unwrap();
            assert_eq!(json!(blend), told, "{text}");
            assert_eq!(Blend::from_json(&told), Ok(blend), "{text}");
            assert_eq!(blend.to_string().parse(), Ok(blend), "{text}");
            assert!((blend.shares().map(|(_, share)| share).sum::<f64>() - 1.0).abs() < 1e-12);
        }
        assert_eq!(
            Blend::from_json(&json!(r#"{"sad":1}"#)),
            Ok(Emotion::Sad.into()),
            "an object that was written as a text"
        );
        assert_eq!(r#"{"happy":0.5}"#.parse::<Blend>().unwrap().alone(), None);
        assert_eq!(Blend::from(Emotion::Fear).alone(), Some(Emotion::Fear));
    }

    #[test]
    fn what_is_no_blend_says_so_in_a_sentence() {
        for (text, words) in [
            ("hapy", "no emotion named \"hapy\""),
            (r#"{"hapy":1}"#, "no emotion named \"hapy\""),
            (r#"{"happy":-0.2}"#, "the share of happy in the emotion is -0.2"),
            (r#"{"happy":"much"}"#, "the share of happy in the emotion is a text"),
            (r#"{"happy":null}"#, "is null"),
            (r#"{"happy":[1]}"#, "is a list"),
            (r#"{"happy":0.9,"sad":0.2}"#, "add up to 1.1"),
            (r#"{"happy":0}"#, "add up to 0"),
            ("{}", "add up to 0"),
            (r#"{"happy":0.5,"Happy":0.5}"#, "names happy twice"),
            (r#"{"happy":0.5"#, "no JSON"),
        ] {
            let why = text.parse::<Blend>().unwrap_err().to_string();
            assert!(why.contains(words) && why.contains("emotion") && !why.contains('\n'), "{text}: {why}");
        }
        for (value, words) in [(json!(7), "is 7"), (json!(["happy"]), "is a list"), (json!(true), "is true")] {
            let why = Blend::from_json(&value).unwrap_err().to_string();
            assert!(why.contains(words) && why.contains("happy"), "{value}: {why}");
        }
        for share in [f64::NAN, f64::INFINITY] {
            assert!(matches!(Blend::new([(Emotion::Sad, share)]), Err(BlendError::Share { .. })));
        }
        let long = format!("{{\"{}\":1}}", "x".repeat(100_000)).parse::<Blend>().unwrap_err().to_string();
        assert!(long.len() < 500, "nothing long is sent back");
    }
}
