//! Gauss–Newton on camera, pose, α and β, with expressions held between 0 and 1.

use glam::DVec3;
use nalgebra::{Cholesky, DMatrix, DVector};

use super::gram::{dot, gram};
use super::priors::{ALPHA, Priors, Use};
use super::state::{FIRST_ALPHA, FIRST_BETA, FOCAL, State, UNKNOWNS, X, Z};
use super::surface::Surface;
use crate::avatar::EXPRESSION;
use crate::face::rotation;
use crate::track::POINTS;

/// Standard deviations of angles and of x and y, around 0 (portrait) or where the face was (film).
const ANGLE: f64 = 2.0;
const PLACE: f64 = 10.0;
/// Of the focal length's logarithm around its start.
const FOCALS: f64 = 10.0;
/// Difference that a rotation is differentiated by, radians.
const DIFFERENCE: f64 = 1e-6;
/// Errors beyond so many standard deviations hardly count.
const OUTLIER: f64 = 2.5;
/// A step that changes nothing by more than this is the last.
const STILL: f64 = 1e-3;
/// How often a step's held expressions are chosen anew.
const ROUNDS: usize = 8;

/// Points, and what is believed without them.
pub(super) struct Problem<'a> {
    surface: &'a Surface,
    offsets: Option<&'a [[f32; 3]]>,
    points: &'a [[f64; 2]],
    /// Distance between the eyes.
    eyes: f64,
    /// (478) one over the standard deviation.
    weight: Vec<f64>,
    /// The unknowns that are looked for, with their standard deviations.
    wanted: Vec<(usize, f64)>,
    /// Places in `wanted` of both sides' expressions.
    pairs: Vec<[usize; 2]>,
    /// Standard deviation of a pair's difference.
    sides: f64,
}

impl<'a> Problem<'a> {
    /// For points whose eyes are so far apart.
    pub(super) fn new(
        surface: &'a Surface,
        priors: &Priors,
        of: Use,
        points: &'a [[f64; 2]],
        eyes: f64,
        offsets: Option<&'a [[f32; 3]]>,
    ) -> Self {
        let sigma = |k: usize| match (k, of) {
            (0..X, _) => ANGLE,
            (Z, Use::Portrait) | (FOCAL, Use::Film) => 0.0,
            (FOCAL, Use::Portrait) => FOCALS,
            (X..=Z, _) => PLACE,
            (FIRST_ALPHA..FIRST_BETA, Use::Portrait) => ALPHA,
            (FIRST_ALPHA..FIRST_BETA, Use::Film) => 0.0,
            (FIRST_BETA..UNKNOWNS, _) => priors.beta(k - FIRST_BETA, of),
            _ => 1.0,
        };
        let wanted: Vec<(usize, f64)> = (0..UNKNOWNS + surface.errors.len() / POINTS)
            .map(|k| (k, sigma(k)))
            .filter(|(_, sigma)| *sigma > 0.0)
            .collect();
        let place = |beta: usize| wanted.iter().position(|(k, _)| *k == FIRST_BETA + beta);
        let pairs = priors.pairs.iter().filter_map(|[l, r]| Some([place(*l)?, place(*r)?])).collect();
        let weight = surface.sigma.iter().map(|s| 1.0 / (s * eyes)).collect();
        Self { surface, offsets, points, eyes, weight, wanted, pairs, sides: priors.sides(of) }
    }

    /// Improves a state by at most so many steps, in the first of which every point counts fully. None where arithmetic fails.
    pub(super) fn solve(&self, state: &mut State, steps: usize, trusting: usize) -> Option<()> {
        let middle = state.clone();
        let mut held = vec![false; EXPRESSION];
        for step in 0..steps {
            let (jacobian, rest) = self.linear(state, step >= trusting);
            let mut hessian = gram(&jacobian, rest.len());
            let mut pull =
                DVector::from_iterator(self.wanted.len(), jacobian.chunks_exact(rest.len()).map(|row| dot(row, &rest)));
            for (i, (k, sigma)) in self.wanted.iter().enumerate() {
                let force = 1.0 / (sigma * sigma);
                // Portraits start at 0 in all but place and focal length, whose priors are wide; films go on from where they were.
                let towards = if *k < FIRST_ALPHA { middle.x[*k] } else { 0.0 };
                hessian[(i, i)] += force;
                pull[i] += force * (towards - state.x[*k]);
            }
            let force = 1.0 / (self.sides * self.sides);
            for [i, j] in &self.pairs {
                let apart = state.x[self.wanted[*i].0] - state.x[self.wanted[*j].0];
                hessian[(*i, *i)] += force;
                hessian[(*j, *j)] += force;
                hessian[(*i, *j)] -= force;
                hessian[(*j, *i)] -= force;
                pull[*i] -= force * apart;
                pull[*j] += force * apart;
            }
            let change = self.step(state, &hessian, &pull, &mut held)?;
            for ((k, _), change) in self.wanted.iter().zip(change.iter()) {
                state.x[*k] += change;
            }
            state.hold();
            if change.amax() < STILL && step >= trusting {
                break;
            }
        }
        state.x.iter().all(|v| v.is_finite()).then_some(())
    }

    /// What a small change of each wanted unknown does to the points (unknowns, 2 · 478), and what these lack (2 · 478); all x, then all y, in standard deviations.
    fn linear(&self, state: &State, temper: bool) -> (Vec<f64>, Vec<f64>) {
        let turn = state.turn();
        let turns = DVec3::AXES.map(|axis| (rotation(state.angles() + DIFFERENCE * axis) - turn) * (1.0 / DIFFERENCE));
        let shape = self.surface.shape(state, self.offsets);
        let focal = state.focal();
        let share = (self.surface.independent / POINTS as f64).sqrt();
        let (sin, cos) = state.angles().z.sin_cos();
        // What the tracker adds on an upright face, on this one.
        let turned = |[x, y]: [f64; 2]| [self.eyes * (cos * x + sin * y), self.eyes * (cos * y - sin * x)];
        let mut usual = vec![[0.0; 2]; POINTS];
        for (error, c) in self.surface.errors.chunks_exact(POINTS).zip(&state.x[UNKNOWNS..]) {
            usual.iter_mut().zip(error).for_each(|(to, e)| (0..2).for_each(|i| to[i] += c * e[i]));
        }
        let mut jacobian = vec![0.0; self.wanted.len() * 2 * POINTS];
        let mut rest = vec![0.0; 2 * POINTS];
        for (i, (head, point)) in shape.into_iter().zip(self.points).enumerate() {
            let at = turn * head + state.shift();
            let seen = state.project(at);
            let usual = turned(usual[i]);
            let off = [point[0] - seen[0] - usual[0], point[1] - seen[1] - usual[1]];
            // Cauchy's weights.
            let far = if temper { off[0].hypot(off[1]) * self.weight[i] / OUTLIER } else { 0.0 };
            let weight = share * self.weight[i] / (1.0 + far * far).sqrt();
            (rest[i], rest[POINTS + i]) = (weight * off[0], weight * off[1]);
            // Picture from camera space.
            let scale = weight * focal / -at.z;
            let across = scale * DVec3::new(1.0, 0.0, -at.x / at.z);
            let down = scale * DVec3::new(0.0, -1.0, at.y / at.z);
            let (across_head, down_head) = (turn.transpose() * across, turn.transpose() * down);
            for (row, (k, _)) in jacobian.chunks_exact_mut(2 * POINTS).zip(&self.wanted) {
                let [x, y] = match *k {
                    axis @ 0..X => {
                        let moved = turns[axis] * head;
                        [across.dot(moved), down.dot(moved)]
                    }
                    axis @ X..=Z => [across[axis - X], down[axis - X]],
                    FOCAL => [scale * at.x, -scale * at.y],
                    k @ UNKNOWNS.. => turned(self.surface.errors[(k - UNKNOWNS) * POINTS + i]).map(|v| weight * v),
                    k => {
                        let moved = self.surface.components[(k - FIRST_ALPHA) * POINTS + i];
                        [across_head.dot(moved), down_head.dot(moved)]
                    }
                };
                (row[i], row[POINTS + i]) = (x, y);
            }
        }
        (jacobian, rest)
    }

    /// The change that minimises ½ dᵀ·H·d − pullᵀ·d with expressions kept between 0 and 1.
    fn step(
        &self,
        state: &State,
        hessian: &DMatrix<f64>,
        pull: &DVector<f64>,
        held: &mut [bool],
    ) -> Option<DVector<f64>> {
        // Whatever has no bounds follows from the expressions, and is taken out of the equations first.
        let bounded = |i: &usize| (FIRST_BETA..UNKNOWNS).contains(&self.wanted[*i].0);
        let (inner, outer): (Vec<usize>, Vec<usize>) = (0..self.wanted.len()).partition(bounded);
        let part = |rows: &[usize], columns: &[usize]| {
            DMatrix::from_fn(rows.len(), columns.len(), |i, j| hessian[(rows[i], columns[j])])
        };
        let pulls = |rows: &[usize]| DVector::from_fn(rows.len(), |i, _| pull[rows[i]]);
        let across = part(&outer, &inner);
        let whole = Cholesky::new(part(&outer, &outer))?;
        let (alone, share) = (whole.solve(&pulls(&outer)), whole.solve(&across));
        let reduced = part(&inner, &inner) - across.tr_mul(&share);
        let towards = pulls(&inner) - across.tr_mul(&alone);
        let room: Vec<[f64; 2]> =
            inner.iter().map(|i| state.x[self.wanted[*i].0]).map(|beta| [-beta, 1.0 - beta]).collect();
        let inside = within(&reduced, &towards, &room, held)?;
        let outside = alone - share * &inside;

        let mut change = DVector::zeros(self.wanted.len());
        inner.iter().zip(inside.iter()).chain(outer.iter().zip(outside.iter())).for_each(|(i, v)| change[*i] = *v);
        change.iter().all(|v| v.is_finite()).then_some(change)
    }
}

/// The d that minimises ½ dᵀ·H·d − pullᵀ·d within its bounds, by an active set: `held` says which lie on a bound, and is where the next step begins.
fn within(hessian: &DMatrix<f64>, pull: &DVector<f64>, room: &[[f64; 2]], held: &mut [bool]) -> Option<DVector<f64>> {
    let count = room.len();
    let mut change = DVector::zeros(count);
    // What is held stays where it is, unless it has moved off its bound.
    (0..count).for_each(|i| held[i] &= room[i][0] >= -1e-12 || room[i][1] <= 1e-12);
    for round in 0..ROUNDS {
        let free: Vec<usize> = (0..count).filter(|i| !held[*i]).collect();
        let fixed = DVector::from_fn(count, |i, _| if held[i] { change[i] } else { 0.0 });
        let towards = pull - hessian * fixed;
        let part = DMatrix::from_fn(free.len(), free.len(), |i, j| hessian[(free[i], free[j])]);
        let answer = Cholesky::new(part)?.solve(&DVector::from_fn(free.len(), |i, _| towards[free[i]]));
        free.iter().zip(answer.iter()).for_each(|(i, v)| change[*i] = *v);
        let mut done = true;
        for i in free {
            let inside = f64::clamp(change[i], room[i][0], room[i][1]);
            if inside != change[i] {
                change[i] = inside;
                held[i] = true;
                done = false;
            }
        }
        if done {
            // Those that would rather go inwards are let go; not for ever, lest two take turns.
            let slope = hessian * &change - pull;
            for i in (0..count).filter(|_| round + 2 < ROUNDS) {
                let low = change[i] <= room[i][0];
                if held[i] && if low { slope[i] < -1e-9 } else { slope[i] > 1e-9 } {
                    held[i] = false;
                    done = false;
                }
            }
        }
        if done {
            break;
        }
    }
    Some(change)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_bounds_stays_within_them_and_the_rest_makes_the_best_of_it() {
        let hessian = DMatrix::from_row_slice(3, 3, &[2.0, 1.0, 0.0, 1.0, 2.0, 0.5, 0.0, 0.5, 1.0]);
        let pull = DVector::from_row_slice(&[4.0, -3.0, 0.2]);
        let room = [[0.0, 1.0], [-0.5, 0.5], [-5.0, 5.0]];
        for mut held in [[false; 3], [true, false, false], [false, false, true]] {
            let best = within(&hessian, &pull, &room, &mut held).unwrap();
            // The first two lie on their bounds, the third is free: 0.5 · (−0.5) + x = 0.2.
            assert_eq!((best[0], best[1]), (1.0, -0.5));
            assert!((best[2] - 0.45).abs() < 1e-12 || held[2], "{best}");
        }
        assert!(within(&-hessian, &pull, &room, &mut [false; 3]).is_none(), "no minimum");
    }
}
