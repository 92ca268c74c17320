//! Where the pixels of a picture lie in HEF's crop, as the twins that lay the crop over a picture work it out.

use std::ops::Range;

/// Where a pixel lies along one axis of the crop.
#[derive(Clone, Copy)]
pub(super) struct Place {
    /// Position, px of the crop.
    pub(super) at: f32,
    /// The nearer to the start of the two centres it lies between.
    pub(super) first: usize,
    /// How far it is from that to the next.
    pub(super) t: f32,
}

impl Place {
    /// Whether it is in a crop of this side.
    pub(super) fn inside(&self, side: f32) -> bool {
        self.at > 0.0 && self.at < side
    }
}

/// One axis of a crop in a picture.
#[derive(Clone, Copy)]
pub(super) struct Axis {
    /// Where the crop begins, px of the picture.
    pub(super) start: f32,
    /// Pixels of the picture for one of the crop.
    pub(super) step: f32,
    /// Pixels of the crop.
    pub(super) crop: usize,
    /// Pixels of the picture.
    pub(super) size: usize,
}

impl Axis {
    /// Where a pixel of the picture lies.
    pub(super) fn place(&self, pixel: usize) -> Place {
        let at = (pixel as f32 + 0.5 - self.start) / self.step;
        let q = (at - 0.5).max(0.0).min(self.crop as f32 - 1.0);
        let first = (q as usize).min(self.crop - 2);
        Place { at, first, t: q - first as f32 }
    }

    /// Where all pixels of the picture lie.
    pub(super) fn places(&self) -> Vec<Place> {
        (0..self.size).map(|pixel| self.place(pixel)).collect()
    }

    /// Which of `places` are in the crop.
    pub(super) fn inside(&self, places: &[Place]) -> Range<usize> {
        let inside = |p: &Place| p.inside(self.crop as f32);
        let start = places.iter().position(inside).unwrap_or(self.size);
        start..places.iter().rposition(inside).map_or(start, |last| last + 1)
    }
}
