"""Golden file of the figures of speech: random lips, closures and pauses, and what `train/eac/metrics.py` counts of them: `python -m train.goldens.speech`. NumPy only.

`engine/truth/tests/speech.rs` holds the definition in Rust to it. Numbers are such that JSON keeps them to the bit: gaps in 256ths, times in tenths of milliseconds.
"""

import argparse
import json
from pathlib import Path

import numpy as np

from ..eac.metrics import FPS, closure_counts, deep_silence, offset_ms, precision_recall

SEED, CASES = 7, 16


def case(rng, still):
    """A clip of 2 to 6 seconds: lips that mostly keep to the closures, early or late, shut too long or for nothing, and open in a pause now and then; `still`: nothing asks them to move."""
    frames = int(rng.integers(50, 150))
    length = frames / FPS
    pauses, at = [], 0.0
    while at < length:  # speech and pauses in turn
        at += rng.uniform(0.2, 2.0)
        end = at + rng.uniform(0.12, 0.9)
        if at < length and rng.random() < 0.7:
            pauses.append([at, end])
        at = end
    closures, at = [], rng.uniform(0.0, 0.3)
    while at < length:
        end = at + rng.uniform(0.03, 0.12)
        closures.append([at, end])
        at = end + (rng.uniform(0.0, 0.06) if rng.random() < 0.3 else rng.uniform(0.1, 0.9))
    times = (np.arange(frames) + 0.5) / FPS
    inside = lambda spans, wide: np.any([(times >= s - wide) & (times <= e + wide) for s, e in spans] or [np.zeros(frames, bool)], axis=0)  # noqa: E731
    openness = np.convolve(rng.uniform(0, 0.6, frames + 4), np.ones(5) / 5, "valid") + 0.1
    openness[inside(pauses, 0.0) | inside(closures, 0.0)] = 0.0
    late = int(rng.integers(-3, 6))
    gap = np.roll(openness, late) + rng.normal(0, 0.06, frames)
    for _ in range(rng.integers(0, 5)):  # closures of nothing, some too long, and mouths open where they should not be
        first = int(rng.integers(0, frames))
        gap[first : first + int(rng.integers(1, 14))] = rng.choice([0.0, 0.3])
    if still:
        openness[:] = 0.25
    numbers = lambda values, unit: (np.round(np.clip(values, 0, 1) * unit) / unit).tolist()  # noqa: E731
    spans = lambda rows: [[round(float(s), 4), round(float(e), 4)] for s, e in rows]  # noqa: E731
    return {"gap": numbers(gap, 256), "openness": numbers(openness, 64), "closures": spans(closures), "pauses": spans(pauses)}


def build():
    rng, out = np.random.default_rng(SEED), []
    for k in range(CASES):
        made = case(rng, k == 5)
        gap, still = np.array(made["gap"]), deep_silence(made["pauses"], len(made["gap"]))
        counts, late = closure_counts(gap, made["closures"], made["pauses"]), offset_ms(gap, made["openness"])
        out.append(made | {
            "counts": counts.tolist(), "f1": precision_recall(counts)[2], "aperture": float(gap[still].mean()) if still.any() else None,
            "offset_ms": None if np.isnan(late) else late,
        })
    return out


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("engine/truth/tests/golden/speech.json"))
    args = parser.parse_args()
    args.out.write_text("[\n" + ",\n".join(json.dumps(c, separators=(",", ":")) for c in build()) + "\n]\n")
    print(args.out, args.out.stat().st_size, "bytes")


if __name__ == "__main__":
    main()
