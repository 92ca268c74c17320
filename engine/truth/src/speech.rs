//! How well lips keep to speech whose phonemes are known: closures, silence, and how late the face is.
//!
//! **This is the one definition of these figures.** Benches and documents use it; `train/eac/metrics.py` is its twin, line by line, for training, and the file
//! `tests/golden/speech.json`, which the twin writes, holds the two to each other.
//!
//! A *gap* is how far the inner lips are apart as a share of what jawOpen = 1 opens, one a frame of 40 ms; frame k stands for its middle, (k + ½)/25 s. Times are
//! seconds. Gaps that are no numbers count as open.

use std::ops::AddAssign;

use rand::{RngExt as _, SeedableRng as _};
use rand_pcg::Pcg64Mcg;

/// Frames a second.
const FPS: f64 = 25.0;
/// A mouth whose gap is below this share is shut.
pub const SHUT: f32 = 0.08;
/// A shut frame this near to a closure belongs to it.
const NEAR: f64 = 0.06;
/// Closures that leave less than this between them are one: no mouth opens in between.
const ONE: f64 = 0.03;
/// A longer shut run is no closure.
const LONGEST: f64 = 0.4;
/// A pause this long has a middle in which the mouth has had time to come to rest,
const PAUSE: f64 = 0.5;
/// so far away from either end.
const MARGIN: f64 = 0.2;
/// Draws of [`interval`].
const DRAWS: usize = 2000;
/// Lags that [`offset_ms`] tries on either side, in frames (0.4 s).
const LAGS: i32 = 10;

/// From when to when, in seconds.
pub type Span = [f64; 2];

/// What was asked of the lips and what they did. Counts add up over clips; shares are of the sums.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Closures {
    /// Closures (m, b, p) at which the mouth was shut,
    pub found: usize,
    /// of so many.
    pub wanted: usize,
    /// Shut runs that belong to a closure,
    pub right: usize,
    /// of so many outside pauses.
    pub runs: usize,
}

impl Closures {
    /// Share of the closures at which the mouth was shut; 0 where there was none.
    pub fn recall(&self) -> f64 {
        self.found as f64 / self.wanted.max(1) as f64
    }

    /// Share of the shut runs that belong to a closure; 0 where there was none.
    pub fn precision(&self) -> f64 {
        self.right as f64 / self.runs.max(1) as f64
    }

    /// The harmonic mean of both.
    pub fn f1(&self) -> f64 {
        let (precision, recall) = (self.precision(), self.recall());
        2.0 * precision * recall / (precision + recall).max(1e-9)
    }
}

impl AddAssign for Closures {
    fn add_assign(&mut self, other: Self) {
        self.found += other.found;
        self.wanted += other.wanted;
        self.right += other.right;
        self.runs += other.runs;
    }
}

/// Where F1 of other speakers of the same kind lies in 95 of 100 cases: from the counts of each speaker, by drawing as many of them again and again, with replacement.
///
/// # Panics
/// Without a speaker.
pub fn interval(speakers: &[Closures]) -> [f64; 2] {
    assert!(!speakers.is_empty(), "there are no speakers");
    let mut rng = Pcg64Mcg::seed_from_u64(5);
    let mut drawn: Vec<f64> = (0..DRAWS)
        .map(|_| {
            let mut sum = Closures::default();
            speakers.iter().for_each(|_| sum += speakers[rng.random_range(0..speakers.len())]);
            sum.f1()
        })
        .collect();
    drawn.sort_by(f64::total_cmp);
    [drawn[DRAWS / 40], drawn[DRAWS - 1 - DRAWS / 40]]
}

/// Counts what [`Closures`] counts, for the m, b, p and the pauses of a clip.
///
/// * Closures less than 30 ms apart are one.
/// * A closure is found if the middle of a shut frame lies within 60 ms of it.
/// * A frame whose middle lies in a pause belongs to the pause: a shut run that touches a pause ends there, and what lies outside is a run of its own.
/// * A run is right if it lasts at most 0.4 s and the middle of one of its frames lies within 60 ms of a closure.
pub fn closures(gaps: &[f32], closures: &[Span], pauses: &[Span]) -> Closures {
    let closures = merged(closures);
    let middle = |k: usize| (k as f64 + 0.5) / FPS;
    let near = |k: usize, [start, end]: Span| (start - NEAR..=end + NEAR).contains(&middle(k));
    let paused = |k: usize| pauses.iter().any(|[start, end]| (*start..=*end).contains(&middle(k)));
    let shut = |k: usize| gaps[k] < SHUT;

    let mut counts = Closures { wanted: closures.len(), ..Closures::default() };
    counts.found = closures.iter().filter(|c| (0..gaps.len()).any(|k| shut(k) && near(k, **c))).count();
    let mut next = 0;
    while next < gaps.len() {
        let start = next;
        next += (start..gaps.len()).take_while(|k| shut(*k) && !paused(*k)).count();
        if next == start {
            next += 1;
            continue;
        }
        counts.runs += 1;
        let short = (next - start) as f64 / FPS <= LONGEST;
        counts.right += usize::from(short && closures.iter().any(|c| (start..next).any(|k| near(k, *c))));
    }
    counts
}

/// In order of time, those that are less than [`ONE`] apart as one.
fn merged(closures: &[Span]) -> Vec<Span> {
    let mut sorted = closures.to_vec();
    sorted.sort_by(|a, b| a[0].total_cmp(&b[0]));
    let mut out: Vec<Span> = Vec::new();
    for [start, end] in sorted {
        match out.last_mut() {
            Some(last) if start - last[1] < ONE => last[1] = last[1].max(end),
            _ => out.push([start, end]),
        }
    }
    out
}

/// Mean gap of the frames in the middle of long pauses (of 0.5 s and more, 0.2 s from their ends), where the mouth should be shut. None where there is no such frame.
pub fn aperture(gaps: &[f32], pauses: &[Span]) -> Option<f64> {
    let deep = |k: usize| {
        let middle = (k as f64 + 0.5) / FPS;
        pauses.iter().any(|[s, e]| e - s >= PAUSE && middle > s + MARGIN && middle < e - MARGIN)
    };
    let values: Vec<f64> = (0..gaps.len()).filter(|k| deep(*k)).map(|k| f64::from(gaps[k])).collect();
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

/// Pearson's correlation of two tracks, of which the shorter one's length counts. None where one of them never moves or holds what is no number.
pub fn correlation(gaps: &[f32], openness: &[f32]) -> Option<f64> {
    let (a, b) = centred_both(gaps, openness)?;
    let sum = |x: &[f64], y: &[f64]| x.iter().zip(y).map(|(x, y)| x * y).sum::<f64>();
    Some(sum(&a, &b) / (sum(&a, &a) * sum(&b, &b)).sqrt())
}

/// Both tracks without their means. None where one of them never moves or holds what is no number.
fn centred_both(gaps: &[f32], openness: &[f32]) -> Option<(Vec<f64>, Vec<f64>)> {
    let n = gaps.len().min(openness.len());
    let centred = |values: &[f32]| {
        let values: Vec<f64> = values[..n].iter().map(|v| f64::from(*v)).collect();
        let mean = values.iter().sum::<f64>() / n as f64;
        values.iter().map(|v| v - mean).collect::<Vec<_>>()
    };
    let moves = |values: &[f32]| {
        let values = &values[..n];
        values.iter().all(|v| v.is_finite()) && values.windows(2).any(|w| w[0] != w[1])
    };
    (moves(gaps) && moves(openness)).then(|| (centred(gaps), centred(openness)))
}

/// How late the face is, in milliseconds: the lag, up to 0.4 s either way, at which `gaps` go best with `openness`, how open the phonemes ask the mouth to be; a parabola through the
/// best three lags gives the part of a frame. Of tracks of two lengths the shorter one's is compared. None where one of them never moves or holds what is no number.
pub fn offset_ms(gaps: &[f32], openness: &[f32]) -> Option<f64> {
    let (a, b) = centred_both(gaps, openness)?;
    // Σ a(k + lag)·b(k) over the frames that both have.
    let score = |lag: i32| -> f64 {
        let (late, soon) = (lag.max(0) as usize, (-lag).max(0) as usize);
        a.iter().skip(late).zip(b.iter().skip(soon)).map(|(a, b)| a * b).sum()
    };
    let scores: Vec<f64> = (-LAGS..=LAGS).map(score).collect();
    let best = (0..scores.len()).fold(0, |best, k| if scores[k] > scores[best] { k } else { best });
    let part = match scores[best.saturating_sub(1)..].first_chunk::<3>() {
        Some([left, middle, right]) if best > 0 => 0.5 * (left - right) / (left - 2.0 * middle + right),
        _ => 0.0,
    };
    Some(1000.0 * ((best as i32 - LAGS) as f64 + part) / FPS)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Open frames, but for those from `shut.0` to before `shut.1`.
    fn gaps(frames: usize, shut: &[(usize, usize)]) -> Vec<f32> {
        (0..frames).map(|k| if shut.iter().any(|(a, b)| (*a..*b).contains(&k)) { 0.0 } else { 0.5 }).collect()
    }

    fn counts(found: usize, wanted: usize, right: usize, runs: usize) -> Closures {
        Closures { found, wanted, right, runs }
    }

    #[test]
    fn a_shut_frame_at_an_m_is_found_and_right() {
        // Frames 10 and 11: 0.40 … 0.48 s.
        let made = gaps(50, &[(10, 12)]);
        assert_eq!(closures(&made, &[[0.42, 0.47]], &[]), counts(1, 1, 1, 1));
        assert_eq!(closures(&made, &[], &[]), counts(0, 0, 0, 1));
        assert_eq!(closures(&gaps(50, &[]), &[[0.42, 0.47]], &[]), counts(0, 1, 0, 0));
        assert_eq!(closures(&[], &[[0.42, 0.47]], &[]), counts(0, 1, 0, 0));
    }

    #[test]
    fn shut_is_below_eight_hundredths_and_a_gap_that_is_no_number_is_open() {
        let with = |gap: f32| closures(&[0.5, gap, 0.5], &[[0.05, 0.07]], &[]);
        assert_eq!(with(SHUT.next_down()), counts(1, 1, 1, 1));
        assert_eq!(with(SHUT), counts(0, 1, 0, 0));
        assert_eq!(with(f32::NAN), counts(0, 1, 0, 0));
    }

    #[test]
    fn near_is_sixty_milliseconds_between_a_frames_middle_and_the_closure() {
        // Frame 10's middle is at 0.42 s.
        let made = gaps(50, &[(10, 11)]);
        assert_eq!(closures(&made, &[[0.4799, 0.5]], &[]), counts(1, 1, 1, 1));
        assert_eq!(closures(&made, &[[0.4801, 0.5]], &[]), counts(0, 1, 0, 1));
        assert_eq!(closures(&made, &[[0.3, 0.3601]], &[]), counts(1, 1, 1, 1));
        assert_eq!(closures(&made, &[[0.3, 0.3599]], &[]), counts(0, 1, 0, 1));
    }

    #[test]
    fn neighbours_closer_than_thirty_milliseconds_are_one_in_any_order() {
        let made = gaps(50, &[(10, 11)]);
        assert_eq!(closures(&made, &[[0.45, 0.5], [0.38, 0.421]], &[]), counts(1, 1, 1, 1));
        assert_eq!(closures(&made, &[[0.45, 0.5], [0.38, 0.419]], &[]), counts(2, 2, 1, 1));
        // One inside another does not shorten it, and three in a row are one.
        assert_eq!(merged(&[[0.1, 0.5], [0.2, 0.3], [0.52, 0.6], [0.62, 0.7]]), [[0.1, 0.7]]);
    }

    #[test]
    fn a_run_of_more_than_four_tenths_is_no_closure_though_it_finds_one() {
        assert_eq!(closures(&gaps(50, &[(10, 20)]), &[[0.42, 0.47]], &[]), counts(1, 1, 1, 1));
        assert_eq!(closures(&gaps(50, &[(10, 21)]), &[[0.42, 0.47]], &[]), counts(1, 1, 0, 1));
    }

    #[test]
    fn a_run_ends_at_a_pause_and_what_lies_outside_is_judged() {
        // A pause of frames 20 … 29 (0.8 … 1.2 s) in which the mouth is shut from two frames before to three after.
        let made = gaps(50, &[(18, 33)]);
        let pause = [[0.8, 1.2]];
        // The two before are an m's, the three after nobody's.
        assert_eq!(closures(&made, &[[0.74, 0.79]], &pause), counts(1, 1, 1, 2));
        assert_eq!(closures(&made, &[[0.74, 0.79], [1.2, 1.28]], &pause), counts(2, 2, 2, 2));
        assert_eq!(closures(&made, &[], &pause), counts(0, 0, 0, 2));
        // Within the pause nothing is judged, however the mouth moves there.
        assert_eq!(closures(&gaps(50, &[(20, 22), (25, 30)]), &[], &pause), counts(0, 0, 0, 0));
        // Of one long run only what is outside counts its length.
        assert_eq!(closures(&gaps(50, &[(12, 30)]), &[[0.5, 0.6]], &pause), counts(1, 1, 1, 1));
        assert_eq!(closures(&gaps(50, &[(9, 30)]), &[[0.5, 0.6]], &pause), counts(1, 1, 0, 1));
    }

    #[test]
    fn an_interval_holds_the_figure_and_narrows_with_more_speakers() {
        let speakers: Vec<Closures> = (0..40).map(|k| counts(8 + k % 9, 20, 8 + k % 9, 20)).collect();
        let mut sum = Closures::default();
        speakers.iter().for_each(|s| sum += *s);
        let ([low, high], [from, to]) = (interval(&speakers), interval(&speakers[..5]));
        assert!(low < sum.f1() && sum.f1() < high && to - from > high - low, "{low} {high} {from} {to}");
        assert_eq!(interval(&speakers[..1]), [speakers[0].f1(); 2]);
    }

    #[test]
    fn tracks_that_go_together_are_correlated() {
        let track: Vec<f32> = (0..50).map(|k| (0.4 * k as f32).sin()).collect();
        let against: Vec<f32> = track.iter().map(|v| 0.5 - 0.2 * v).collect();
        assert!((correlation(&track, &track).unwrap() - 1.0).abs() < 1e-9);
        assert!((correlation(&track, &against).unwrap() + 1.0).abs() < 1e-6);
        assert_eq!(correlation(&track, &[0.3; 50]), None);
    }

    #[test]
    fn counts_add_up_and_shares_are_of_the_sums() {
        let mut sum = counts(1, 2, 1, 1);
        sum += counts(2, 2, 2, 3);
        assert_eq!(sum, counts(3, 4, 3, 4));
        assert_eq!((sum.recall(), sum.precision(), sum.f1()), (0.75, 0.75, 0.75));
        let one_sided = counts(3, 3, 3, 9);
        assert!((one_sided.f1() - 0.5).abs() < 1e-12);
        assert_eq!(Closures::default().f1(), 0.0);
    }

    #[test]
    fn the_aperture_is_the_mean_gap_deep_in_long_pauses() {
        let mut made = gaps(50, &[(20, 40)]);
        // 1.0 … 1.4 s of the pause 0.8 … 1.6 s count: frames 25 … 34.
        assert_eq!(aperture(&made, &[[0.8, 1.6]]), Some(0.0));
        made[30] = 0.2;
        assert!((aperture(&made, &[[0.8, 1.6]]).unwrap() - 0.02).abs() < 1e-7);
        (made[22], made[38]) = (1.0, 1.0);
        assert!((aperture(&made, &[[0.8, 1.6]]).unwrap() - 0.02).abs() < 1e-7);
        assert_eq!(aperture(&made, &[[0.8, 1.29]]), None);
        assert_eq!(aperture(&made, &[]), None);
    }

    #[test]
    fn the_offset_is_the_delay_that_was_made() {
        // A smooth track without a period.
        let track = |k: f32| 0.5 + 0.3 * (0.37 * k).sin() + 0.2 * (0.003 * k * k).cos();
        let openness: Vec<f32> = (0..200).map(|k| track(k as f32)).collect();
        for late in [-3.0, -1.5, 0.0, 0.5, 2.0, 9.0] {
            let gaps: Vec<f32> = (0..200).map(|k| track(k as f32 - late)).collect();
            let offset = offset_ms(&gaps, &openness).unwrap();
            assert!((offset - f64::from(40.0 * late)).abs() < 4.0, "{late} frames: {offset} ms");
        }
        assert_eq!(offset_ms(&[0.5; 200], &openness), None);
        assert_eq!(offset_ms(&openness, &[]), None);
        assert_eq!(offset_ms(&[0.1, f32::NAN, 0.3], &openness), None);
        // A later end changes nothing.
        assert_eq!(offset_ms(&openness, &openness[..150]), offset_ms(&openness[..150], &openness[..150]));
    }
}
