//! Where the eight emotions lie in the emotion space.

use std::sync::Arc;

use super::{Blend, Emotion, Mood, MoodError, SPACE};

/// The motion network's own table: what it was trained with. Cheap to clone.
#[derive(Clone, Debug, PartialEq)]
pub struct EmotionTable(Arc<[[f32; SPACE]]>);

impl EmotionTable {
    /// From the network's tensor (8, [`SPACE`]), row-major, in the order of [`Emotion::ALL`].
    ///
    /// # Panics
    /// There are not so many numbers: weights are read by shape.
    pub fn new(rows: &[f32]) -> Self {
        let (places, rest) = rows.as_chunks::<SPACE>();
        assert!(places.len() == Emotion::ALL.len() && rest.is_empty(), "an emotion table of {} numbers", rows.len());
        Self(places.into())
    }

    /// Where `blend` lies: the sum of its emotions' places, each times its share. A single emotion's place is the table's, to the bit.
    pub fn place(&self, blend: impl Into<Blend>) -> [f32; SPACE] {
        let mut shares = blend.into().shares();
        let (first, share) = shares.next().expect("a blend has a share above 0");
        let mut z = self.0[first.index()].map(|v| v * share as f32);
        for (emotion, share) in shares {
            z.iter_mut().zip(&self.0[emotion.index()]).for_each(|(z, v)| *z += v * share as f32);
        }
        z
    }

    /// What somebody feels who feels `blend` as strongly as `mu`.
    ///
    /// # Errors
    /// [`MoodError`].
    pub fn mood(&self, blend: impl Into<Blend>, mu: f32) -> Result<Mood, MoodError> {
        Mood::new(self.place(blend), mu)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shipped;

    fn table() -> (EmotionTable, Vec<f32>) {
        let rows = shipped::weights("eac.safetensors").take("emotion.table", [8, SPACE]).unwrap();
        (EmotionTable::new(&rows), rows)
    }

    #[test]
    fn a_name_is_the_networks_row_to_the_bit() {
        let (table, rows) = table();
        for (emotion, row) in Emotion::ALL.into_iter().zip(rows.chunks_exact(SPACE)) {
            let alone = Blend::new([(emotion, 1.0)]).unwrap();
            for z in [table.place(emotion), table.place(alone)] {
                assert!(z.iter().zip(row).all(|(a, b)| a.to_bits() == b.to_bits()), "{emotion}");
            }
        }
    }

    #[test]
    fn a_blend_lies_between_its_emotions_and_what_is_missing_is_neutral() {
        let (table, rows) = table();
        let row = |emotion: Emotion| &rows[emotion.index() * SPACE..][..SPACE];
        let blend = Blend::new([(Emotion::Happy, 0.5), (Emotion::Surprised, 0.25)]).unwrap();
        let z = table.place(blend);
        for i in 0..SPACE {
            let want =
                0.5 * row(Emotion::Happy)[i] + 0.25 * row(Emotion::Surprised)[i] + 0.25 * row(Emotion::Neutral)[i];
            assert!((z[i] - want).abs() < 1e-5, "{i}: {} is not {want}", z[i]);
        }
    }
}
