//! How an avatar came to be: what its metadata say beside its name.

use crate::weights::{WeightError, WeightReader};

/// Characters of a text that are kept.
const TEXT: usize = 200;

/// How a file came to be. Files that do not say have all of it empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    /// The coefficients were fitted to the mesh that tracking finds ([`crate::track::Mesh`]): nothing else may correct them.
    pub mesh_fit: bool,
    /// The program that made it.
    pub made_by: String,
    /// Whoever made it said that the picture may be used for this.
    pub consent: bool,
    /// Where the portrait was cut out of the photograph.
    pub framing: Option<Framing>,
}

impl Origin {
    /// What a file's metadata say. A word that is not known is an error: a later program may have meant something by it.
    pub(super) fn read(reader: &WeightReader) -> Result<Self, WeightError> {
        let text = |key| reader.metadata(key).ok();
        let wrong = |key, got: &str, expected: &str| {
            let got: String = got.chars().take(TEXT).collect();
            reader.metadata_error(key, format!("is {got:?}, expected {expected}; enrol the photo again"))
        };
        let is = |key, yes: &'static str| match text(key) {
            None => Ok(false),
            Some(got) if got == yes => Ok(true),
            Some(got) => Err(wrong(key, got, yes)),
        };
        let framing = text("framing")
            .map(|got| Framing::parse(got).ok_or_else(|| wrong("framing", got, "left, top, side and quarter turns")));
        Ok(Self {
            mesh_fit: is("fit", "mesh")?,
            made_by: text("made_by").unwrap_or_default().chars().take(TEXT).collect(),
            consent: is("consent", "yes")?,
            framing: framing.transpose()?,
        })
    }

    /// Key and value of all that is not empty.
    pub(super) fn metadata(&self) -> impl Iterator<Item = (&'static str, String)> {
        let known = [
            ("fit", self.mesh_fit.then(|| "mesh".into())),
            ("made_by", (!self.made_by.is_empty()).then(|| self.made_by.clone())),
            ("consent", self.consent.then(|| "yes".into())),
            ("framing", self.framing.map(|framing| framing.to_string())),
        ];
        known.into_iter().filter_map(|(key, value)| Some((key, value?)))
    }
}

/// A square of a photograph, pixels of the photograph, and how it is turned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Framing {
    /// Its left edge; below 0 where the square is wider than the photograph.
    pub left: i32,
    /// Its upper edge.
    pub top: i32,
    /// Its side, above 0.
    pub side: u32,
    /// Quarter turns, clockwise, that bring what was cut out upright: 0 to 3.
    pub turns: u8,
}

impl Framing {
    /// Where a point of the photograph lies in what was cut out, in units of its side.
    pub fn to_portrait(&self, [x, y]: [f64; 2]) -> [f64; 2] {
        let side = f64::from(self.side);
        let at = [(x - f64::from(self.left)) / side, (y - f64::from(self.top)) / side];
        (0..self.turns).fold(at, |[x, y], _| [1.0 - y, x])
    }

    /// Where a point of what was cut out lies in the photograph.
    pub fn to_photo(&self, at: [f64; 2]) -> [f64; 2] {
        let [x, y] = (0..self.turns).fold(at, |[x, y], _| [y, 1.0 - x]);
        let side = f64::from(self.side);
        [f64::from(self.left) + side * x, f64::from(self.top) + side * y]
    }

    /// "left top side turns".
    fn parse(text: &str) -> Option<Self> {
        let mut words = text.split(' ');
        let framing = Self {
            left: words.next()?.parse().ok()?,
            top: words.next()?.parse().ok()?,
            side: words.next()?.parse().ok()?,
            turns: words.next()?.parse().ok()?,
        };
        (words.next().is_none() && framing.side > 0 && framing.turns < 4).then_some(framing)
    }
}

impl std::fmt::Display for Framing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {} {} {}", self.left, self.top, self.side, self.turns)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back_again() {
        for turns in 0..4 {
            let framing = Framing { left: -10, top: 30, side: 200, turns };
            let back = framing.to_photo(framing.to_portrait([17.0, 93.5]));
            assert!((back[0] - 17.0).abs() + (back[1] - 93.5).abs() < 1e-9, "{turns}: {back:?}");
        }
        // A quarter clockwise: what was at the left is above.
        let framing = Framing { left: 0, top: 0, side: 100, turns: 1 };
        assert_eq!(framing.to_portrait([0.0, 50.0]), [0.5, 0.0]);
    }
}
