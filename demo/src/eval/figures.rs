//! Sums of figures, and the file that holds their means.

use serde::ser::SerializeMap as _;
use serde::{Serialize, Serializer};
use vultus_truth::Part;

/// What rows are about: the parts, and the face where the head is turned.
pub(super) const ROWS: [&str; 4] = ["face", "mouth", "eyes", TURNED];
/// The last of [`ROWS`].
pub(super) const TURNED: &str = "turned";

/// A mean that grows.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Mean {
    sum: f64,
    count: usize,
}

impl Mean {
    pub(super) fn add(&mut self, value: Option<f64>) {
        if let Some(value) = value {
            self.sum += value;
            self.count += 1;
        }
    }

    fn join(&mut self, other: &Self) {
        self.sum += other.sum;
        self.count += other.count;
    }

    /// None where nothing was added.
    pub(super) fn value(&self) -> Option<f64> {
        (self.count > 0).then(|| self.sum / self.count as f64)
    }
}

/// Of one row.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Figures {
    /// dB.
    pub(super) psnr: Mean,
    pub(super) ssim: Mean,
    /// Pixels.
    pub(super) lmd: Mean,
    /// Levels of 255.
    pub(super) flicker: Mean,
}

/// Of one way to draw, by [`ROWS`].
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Rows(pub(super) [Figures; ROWS.len()]);

impl Rows {
    /// The rows that a part of a picture counts in.
    pub(super) fn of(&mut self, part: Part, turned: bool) -> impl Iterator<Item = &mut Figures> {
        let name = part.name();
        ROWS.iter()
            .zip(&mut self.0)
            .filter(move |(row, _)| **row == name || (turned && part == Part::Face && **row == TURNED))
            .map(|(_, figures)| figures)
    }

    pub(super) fn join(&mut self, other: &Self) {
        for (a, b) in self.0.iter_mut().zip(&other.0) {
            a.psnr.join(&b.psnr);
            a.ssim.join(&b.ssim);
            a.lmd.join(&b.lmd);
            a.flicker.join(&b.flicker);
        }
    }
}

/// What was compared.
#[derive(Debug, Serialize)]
pub(super) struct About {
    pub(super) people: usize,
    pub(super) names: Vec<String>,
    /// Of all people.
    pub(super) cases: usize,
    /// Of those, with the head turned by 10° or more against the portrait's.
    pub(super) turned: usize,
    /// Of those, with one 40 ms before.
    pub(super) pairs: usize,
    /// Of each portrait.
    pub(super) fits: usize,
    /// How well: noisy or exact.
    pub(super) fitted: &'static str,
    /// How far landmarks of the fits are off, pixels, root mean square: as given, and corrected where they are.
    pub(super) off: Off,
    pub(super) size: usize,
}

/// See [`About::off`].
#[derive(Debug, Serialize)]
pub(super) struct Off {
    pub(super) given: Option<f64>,
    pub(super) corrected: Option<f64>,
}

/// Everything that was found out.
#[derive(Debug)]
pub(super) struct Report {
    pub(super) about: About,
    pub(super) ways: Vec<(&'static str, Rows)>,
    /// Of the true pictures; flicker only.
    pub(super) truth: Rows,
}

impl Serialize for Report {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut map = to.serialize_map(None)?;
        for (name, rows) in &self.ways {
            map.serialize_entry(name, &Named(rows, true))?;
        }
        map.serialize_entry("truth", &Named(&self.truth, false))?;
        map.serialize_entry("about", &self.about)?;
        map.end()
    }
}

/// Rows by their names, with all figures or flicker only.
struct Named<'a>(&'a Rows, bool);

impl Serialize for Named<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let figures = |f: &Figures| {
            let all = [("psnr", f.psnr), ("ssim", f.ssim), ("lmd", f.lmd), ("flicker", f.flicker)];
            let some = all.into_iter().filter(|(name, _)| self.1 || *name == "flicker");
            Pairs(some.map(|(name, mean)| (name, mean.value())).collect())
        };
        to.collect_map(ROWS.iter().zip(&self.0.0).map(|(name, f)| (name, figures(f))))
    }
}

/// A map in this order.
struct Pairs(Vec<(&'static str, Option<f64>)>);

impl Serialize for Pairs {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_map(self.0.iter().copied())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn means_join_and_turned_heads_count_twice() {
        let mut all = Rows::default();
        for (psnr, turned) in [(20.0, false), (30.0, true)] {
            let mut one = Rows::default();
            one.of(Part::Face, turned).for_each(|f| f.psnr.add(Some(psnr)));
            one.of(Part::Eyes, turned).for_each(|f| f.lmd.add(None));
            all.join(&one);
        }
        assert_eq!(all.0.map(|f| f.psnr.value()), [Some(25.0), None, None, Some(30.0)]);
        assert_eq!(all.0[2].lmd.value(), None);
    }
}
