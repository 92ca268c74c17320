//! The eight emotions that have a name.

use std::fmt;
use std::str::FromStr;

/// An emotion. The order is the index in the model's emotion table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Emotion {
    /// No particular emotion.
    #[default]
    Neutral,
    /// Anger.
    Angry,
    /// Contempt.
    Contempt,
    /// Disgust.
    Disgusted,
    /// Fear.
    Fear,
    /// Happiness.
    Happy,
    /// Sadness.
    Sad,
    /// Surprise.
    Surprised,
}

impl Emotion {
    /// All emotions, in the order of the model's table.
    pub const ALL: [Self; 8] = [
        Self::Neutral,
        Self::Angry,
        Self::Contempt,
        Self::Disgusted,
        Self::Fear,
        Self::Happy,
        Self::Sad,
        Self::Surprised,
    ];

    /// Name as on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Neutral => "neutral",
            Self::Angry => "angry",
            Self::Contempt => "contempt",
            Self::Disgusted => "disgusted",
            Self::Fear => "fear",
            Self::Happy => "happy",
            Self::Sad => "sad",
            Self::Surprised => "surprised",
        }
    }

    /// Index in the model's table.
    pub const fn index(self) -> usize {
        self as usize
    }
}

impl fmt::Display for Emotion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Characters of an unknown name that are kept: whatever a client sent, an answer is short.
const NAME_KEPT: usize = 200;

/// The name, or its beginning, is none of [`Emotion::ALL`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no emotion named {0:?}; known are: neutral, angry, contempt, disgusted, fear, happy, sad, surprised")]
pub struct UnknownEmotion(pub String);

impl FromStr for Emotion {
    type Err = UnknownEmotion;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let unknown = || UnknownEmotion(name.chars().take(NAME_KEPT).collect());
        Self::ALL.into_iter().find(|e| e.name().eq_ignore_ascii_case(name)).ok_or_else(unknown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_indices_agree() {
        for (index, emotion) in Emotion::ALL.into_iter().enumerate() {
            assert_eq!(emotion.index(), index);
            assert_eq!(emotion.name().parse(), Ok(emotion));
        }
        assert!("joyful".parse::<Emotion>().unwrap_err().to_string().contains("surprised"));
    }
}
