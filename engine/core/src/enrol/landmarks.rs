//! Points that a person has put right, and how the others follow.

use serde::Deserialize;
use std::collections::BTreeMap;

use crate::track::POINTS;

use super::EnrolError;
use super::points::{IRISES, eyes};

/// Names of the points that people move, and which of the 478 they are. Left and right are the person's own.
pub const NAMED: [(&str, usize); 6] =
    [("left_eye", 473), ("right_eye", 468), ("nose", 1), ("mouth_left", 291), ("mouth_right", 61), ("chin", 152)];
/// How far a moved point takes its surroundings with it: a standard deviation, by the distance of the eyes.
const REACH: f64 = 0.35;
/// From so many points on the whole face goes with them.
const WHOLE: usize = 4;

/// Where some points belong, pixels of the photograph.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Landmarks(Vec<(usize, [f64; 2])>);

#[derive(Deserialize)]
#[serde(untagged)]
enum Place {
    Pair([f64; 2]),
    Named { x: f64, y: f64 },
}

impl Landmarks {
    /// Of JSON: an object with names ([`NAMED`]) or indices (0 to 477) as keys, and `[x, y]` or `{"x": …, "y": …}` as values, pixels of the photograph as it
    /// is seen (after its EXIF orientation).
    ///
    /// # Errors
    /// A sentence about the first thing that is none of these.
    pub fn parse(json: &str) -> Result<Self, EnrolError> {
        let wrong = EnrolError::Landmarks;
        let places: BTreeMap<String, Place> = serde_json::from_str(json).map_err(|error| {
            wrong(format!(
                "are no JSON object of points ({error}); write {{\"nose\": [812, 640], \"chin\": [810, 905]}}"
            ))
        })?;
        let mut points = BTreeMap::new();
        for (key, place) in places {
            let named = NAMED.iter().find(|(name, _)| *name == key).map(|(_, index)| *index);
            let index = named.or_else(|| key.parse().ok().filter(|index| *index < POINTS)).ok_or_else(|| {
                let names = NAMED.map(|(name, _)| name).join(", ");
                let key: String = key.chars().take(40).collect();
                wrong(format!("name {key:?}, which is no point; points are {names}, and 0 to {}", POINTS - 1))
            })?;
            let at = match place {
                Place::Pair(at) => at,
                Place::Named { x, y } => [x, y],
            };
            if !at.iter().all(|v| v.is_finite() && v.abs() < 1e6) {
                return Err(wrong(format!("put {key} at {at:?}, which is in no photo; give pixels of the photo")));
            }
            points.insert(index, at);
        }
        if points.is_empty() {
            return Err(wrong("hold no point; leave the file out, or give one".into()));
        }
        Ok(Self(points.into_iter().collect()))
    }

    /// Of indices (below 478) and places.
    pub fn new(points: impl IntoIterator<Item = (usize, [f64; 2])>) -> Self {
        Self(points.into_iter().filter(|(index, _)| *index < POINTS).collect())
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The same of a photograph whose sides are divided by `by`.
    pub fn shrunk(&self, by: f64) -> Self {
        Self(self.0.iter().map(|(index, at)| (*index, at.map(|v| v / by))).collect())
    }

    /// Their middle.
    pub(super) fn middle(&self) -> Option<[f64; 2]> {
        let count = self.0.len() as f64;
        (count > 0.0).then(|| [0, 1].map(|c| self.0.iter().map(|(_, at)| at[c]).sum::<f64>() / count))
    }

    /// Moves the points of a face so that those that are given lie where they are said to, and the others follow. Points of [`NAMED`] that are not
    /// given stay where they are.
    pub(super) fn pull(&self, points: &mut [[f64; 2]]) {
        if self.is_empty() {
            return;
        }
        let mut anchors = self.0.clone();
        for (_, index) in NAMED {
            if !anchors.iter().any(|(other, _)| *other == index) {
                anchors.push((index, points[index]));
            }
        }
        // Few points are details; many are another place for the face.
        let turn = if self.0.len() >= WHOLE { Turn::of(&anchors, points) } else { Turn::NONE };
        let before = points.to_vec();
        for point in points.iter_mut() {
            *point = turn.apply(*point);
        }
        // What that leaves at the anchors is spread around them.
        let reach = REACH * eyes(&before).max(1.0);
        let places: Vec<[f64; 2]> = anchors.iter().map(|(index, _)| before[*index]).collect();
        let near =
            |a: [f64; 2], b: [f64; 2]| (-0.5 * ((a[0] - b[0]).powi(2) + (a[1] - b[1]).powi(2)) / (reach * reach)).exp();
        let count = anchors.len();
        let kernel = nalgebra::DMatrix::from_fn(count, count, |i, j| {
            near(places[i], places[j]) + if i == j { 1e-9 } else { 0.0 }
        });
        let Some(kernel) = kernel.cholesky() else { return };
        let weights = [0, 1].map(|c| {
            let left =
                nalgebra::DVector::from_iterator(count, anchors.iter().map(|(index, at)| at[c] - points[*index][c]));
            kernel.solve(&left)
        });
        for (point, from) in points.iter_mut().zip(&before) {
            for (k, place) in places.iter().enumerate() {
                let share = near(*from, *place);
                (0..2).for_each(|c| point[c] += share * weights[c][k]);
            }
        }
        debug_assert!(IRISES.iter().all(|k| points[*k].iter().all(|v| v.is_finite())));
    }
}

/// Turn, growth and shift: x' = a x − b y + s, y' = b x + a y + t.
struct Turn {
    a: f64,
    b: f64,
    from: [f64; 2],
    to: [f64; 2],
}

impl Turn {
    const NONE: Self = Self { a: 1.0, b: 0.0, from: [0.0; 2], to: [0.0; 2] };

    /// The one that brings points nearest to their anchors (least squares).
    fn of(anchors: &[(usize, [f64; 2])], points: &[[f64; 2]]) -> Self {
        let count = anchors.len() as f64;
        let from = [0, 1].map(|c| anchors.iter().map(|(index, _)| points[*index][c]).sum::<f64>() / count);
        let to = [0, 1].map(|c| anchors.iter().map(|(_, at)| at[c]).sum::<f64>() / count);
        let (mut dot, mut cross, mut square) = (0.0, 0.0, 0.0);
        for (index, at) in anchors {
            let ([x, y], [u, v]) =
                ([points[*index][0] - from[0], points[*index][1] - from[1]], [at[0] - to[0], at[1] - to[1]]);
            dot += x * u + y * v;
            cross += x * v - y * u;
            square += x * x + y * y;
        }
        let square = square.max(1e-9);
        Self { a: dot / square, b: cross / square, from, to }
    }

    fn apply(&self, [x, y]: [f64; 2]) -> [f64; 2] {
        let [x, y] = [x - self.from[0], y - self.from[1]];
        [self.a * x - self.b * y + self.to[0], self.b * x + self.a * y + self.to[1]]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A face of which only the named points are in their places; the others lie on a grid.
    fn face() -> Vec<[f64; 2]> {
        let mut points: Vec<[f64; 2]> = (0..POINTS).map(|k| [(k % 20) as f64 * 10.0, (k / 20) as f64 * 10.0]).collect();
        for (name, index) in NAMED {
            points[index] = match name {
                "left_eye" => [140.0, 80.0],
                "right_eye" => [60.0, 80.0],
                "nose" => [100.0, 120.0],
                "mouth_left" => [125.0, 160.0],
                "mouth_right" => [75.0, 160.0],
                _ => [100.0, 210.0],
            };
        }
        points
    }

    #[test]
    fn a_point_that_is_dragged_arrives_and_its_neighbours_follow() {
        let (before, mut points) = (face(), face());
        Landmarks::new([(152, [100.0, 222.0])]).pull(&mut points);
        let moved = |k: usize| (points[k][0] - before[k][0]).hypot(points[k][1] - before[k][1]);
        assert!((points[152][1] - 222.0).abs() < 1e-5 && moved(468) < 1e-5, "{:?}", points[152]);
        // Point 410 is at (100, 200), beside the chin; point 6 far above.
        assert!(moved(410) > 8.0 && moved(6) < 4.0, "{} {}", moved(410), moved(6));
    }

    #[test]
    fn a_face_that_is_moved_as_a_whole_keeps_its_form() {
        let (before, mut points) = (face(), face());
        let to = |[x, y]: [f64; 2]| [2.0 * y + 5.0, 7.0 - 2.0 * x];
        Landmarks::new(NAMED.map(|(_, k)| (k, to(before[k])))).pull(&mut points);
        for (p, q) in points.iter().zip(&before) {
            let expected = to(*q);
            assert!((p[0] - expected[0]).abs() + (p[1] - expected[1]).abs() < 1e-6);
        }
    }

    #[test]
    fn what_is_no_point_is_told() {
        let points = Landmarks::parse(r#"{"nose": [1, 2], "152": {"x": 3, "y": 4.5}}"#).unwrap();
        assert_eq!(points, Landmarks::new([(1, [1.0, 2.0]), (152, [3.0, 4.5])]));
        for (json, words) in [
            ("[1, 2]", "no JSON object"),
            ("{}", "hold no point"),
            (r#"{"tail": [1, 2]}"#, "\"tail\", which is no point"),
            (r#"{"478": [1, 2]}"#, "\"478\", which is no point"),
            (r#"{"nose": [1]}"#, "no JSON object"),
            (r#"{"nose": [1e9, 2]}"#, "in no photo"),
        ] {
            let error = Landmarks::parse(json).unwrap_err().to_string();
            assert!(error.contains(words), "{json}: {error}");
        }
    }
}
