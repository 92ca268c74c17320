//! The figures of speech against their twin in Python: `train/goldens/speech.py` writes the file.

use serde::Deserialize;
use vultus_truth::speech::{Closures, aperture, closures, offset_ms};

#[derive(Deserialize)]
struct Case {
    gap: Vec<f32>,
    openness: Vec<f32>,
    closures: Vec<[f64; 2]>,
    pauses: Vec<[f64; 2]>,
    /// Found, wanted, right, runs.
    counts: [usize; 4],
    f1: f64,
    aperture: Option<f64>,
    offset_ms: Option<f64>,
}

fn cases() -> Vec<Case> {
    serde_json::from_str(include_str!("golden/speech.json")).unwrap()
}

fn agree(ours: Option<f64>, theirs: Option<f64>) -> bool {
    match (ours, theirs) {
        (Some(a), Some(b)) => (a - b).abs() < 1e-6,
        (a, b) => a.is_none() && b.is_none(),
    }
}

#[test]
fn counts_aperture_and_offset_are_the_twins() {
    for (k, case) in cases().iter().enumerate() {
        let [found, wanted, right, runs] = case.counts;
        let counts = closures(&case.gap, &case.closures, &case.pauses);
        assert_eq!(counts, Closures { found, wanted, right, runs }, "case {k}");
        assert!(agree(Some(counts.f1()), Some(case.f1)), "case {k}: {} {}", counts.f1(), case.f1);
        let (still, late) = (aperture(&case.gap, &case.pauses), offset_ms(&case.gap, &case.openness));
        assert!(agree(still, case.aperture), "case {k}: {still:?} {:?}", case.aperture);
        assert!(agree(late, case.offset_ms), "case {k}: {late:?} {:?}", case.offset_ms);
    }
}

/// The file would hold nobody to anything if its tracks did not reach every rule.
#[test]
fn the_cases_tell_the_rules_apart() {
    let cases = cases();
    assert!(cases.len() >= 12);
    let changed = |rule: &str, other: &dyn Fn(&Case) -> bool| {
        assert!(cases.iter().any(other), "no case would notice another rule for: {rule}");
    };
    let again = |case: &Case, closed: &[[f64; 2]], pauses: &[[f64; 2]]| closures(&case.gap, closed, pauses);
    let ours = |case: &Case| again(case, &case.closures, &case.pauses);
    changed("neighbours", &|c| ours(c).wanted < c.closures.len());
    changed("pauses", &|c| again(c, &c.closures, &[]).runs != ours(c).runs);
    let wider = |c: &Case, by: f64| c.closures.iter().map(|[s, e]| [s - by, e + by]).collect::<Vec<_>>();
    changed("nearness", &|c| again(c, &wider(c, 0.02), &c.pauses).right != ours(c).right);
    changed("missed and false closures", &|c| {
        let counts = ours(c);
        counts.found < counts.wanted && counts.right < counts.runs
    });
    changed("apertures", &|c| c.aperture.is_some_and(|a| a > 0.0));
    changed("offsets", &|c| c.offset_ms.is_some_and(|o| o.abs() > 40.0));
    changed("mouths that never move", &|c| c.offset_ms.is_none());
}
