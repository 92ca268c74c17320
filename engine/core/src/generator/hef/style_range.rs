//! Which style vectors a network may be given.

use super::channels::STYLE;
use crate::weights::{WeightError, WeightReader};

/// Lowest and highest value of each word. Training sees a hundred people, whose shape, colours and light a network can learn by heart; what it makes of others
/// then are patches and double features. Held near the middle of those people it draws strangers as well, and held-out people better.
#[derive(Clone, Debug, PartialEq)]
pub struct StyleRange {
    low: Vec<f32>,
    high: Vec<f32>,
}

impl StyleRange {
    /// From a weights file's metadata, `style_low` and `style_high`: lists of 258 numbers. None where it has neither.
    ///
    /// # Errors
    /// Only one is there, or they are no such lists, or low is above high.
    pub(super) fn read(reader: &WeightReader) -> Result<Option<Self>, WeightError> {
        const KEYS: [&str; 2] = ["style_low", "style_high"];
        if KEYS.iter().all(|key| reader.metadata(key).is_err()) {
            return Ok(None);
        }
        let list = |key: &str| {
            let words: Vec<f32> =
                serde_json::from_str(reader.metadata(key)?).map_err(|e| reader.metadata_error(key, e.to_string()))?;
            if words.len() != STYLE || !words.iter().all(|v| v.is_finite()) {
                let why = format!("{} numbers, expected {STYLE} finite ones", words.len());
                return Err(reader.metadata_error(key, why));
            }
            Ok(words)
        };
        let [low, high] = [list(KEYS[0])?, list(KEYS[1])?];
        match low.iter().zip(&high).position(|(low, high)| low > high) {
            Some(i) => Err(reader.metadata_error(KEYS[0], format!("word {i} is above that of style_high"))),
            None => Ok(Some(Self { low, high })),
        }
    }

    /// Brings every word into its range.
    pub(super) fn hold(&self, words: &mut [f32]) {
        for ((word, low), high) in words.iter_mut().zip(&self.low).zip(&self.high) {
            *word = word.clamp(*low, *high);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::StyleRange;

    #[test]
    fn words_beyond_the_range_are_brought_to_its_ends() {
        let range = StyleRange { low: vec![-1.0, 0.0, 2.0], high: vec![1.0, 0.0, 3.0] };
        let mut words = [-5.0, 0.5, 2.5, 9.0];
        range.hold(&mut words);
        assert_eq!(words, [-1.0, 0.0, 2.5, 9.0]);
    }
}
