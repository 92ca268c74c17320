"""The figures of speech animation, from a lip gap at 25 Hz and an aligned transcript. NumPy only.

The definition stands in `engine/truth/src/speech.rs`; this is its twin, rule by rule, and `train/goldens/speech.py` holds the two to each other.
`gap` (F,) is the inner-lip gap as a share of its open range. Frame k stands for its middle, (k + ½) / 25. Closures are [(start, end, …)], pauses [(start, end)].
"""

import numpy as np

FPS = 25
SHUT = np.float32(0.08)  # a gap under this share is shut
NEAR = 0.06  # seconds: a shut frame this near to a closure belongs to it
ONE = 0.03  # seconds: closures that leave less than this between them are one
LONGEST = 0.4  # seconds; a longer shut run is no closure
PAUSE, MARGIN = 0.5, 0.2  # seconds: a long pause, and how far from its ends its middle is
LAGS = 10  # frames that the offset may be, either way


def middles(frames):
    return (np.arange(frames) + 0.5) / FPS


def merged(closures):
    """[[start, end]] in order of time, those less than ONE apart as one."""
    out = []
    for start, end, *_ in sorted(closures, key=lambda c: c[0]):
        if out and start - out[-1][1] < ONE:
            out[-1][1] = max(out[-1][1], end)
        else:
            out.append([start, end])
    return out


def runs_of(flags):
    """[(first, one past the last)] of every run of true."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], np.asarray(flags, int), [0]])))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist()))


def judge(gap, closures, pauses):
    """For each of `merged(closures)` whether it was found, every run of shut frames outside pauses as (first, one past the last), and for each whether it belongs to a closure."""
    times, shut = middles(len(gap)), np.asarray(gap, np.float32) < SHUT
    near = [(times >= s - NEAR) & (times <= e + NEAR) for s, e in merged(closures)]
    paused = np.zeros(len(times), bool)
    for start, end in pauses:
        paused |= (times >= start) & (times <= end)
    runs = runs_of(shut & ~paused)
    right = [(b - a) / FPS <= LONGEST and any(n[a:b].any() for n in near) for a, b in runs]
    return [bool((shut & n).any()) for n in near], runs, right


def closure_counts(gap, closures, pauses):
    """(closures found, closures, right runs, runs outside pauses). Sums of counts give precision and recall."""
    found, runs, right = judge(gap, closures, pauses)
    return np.array([sum(found), len(found), sum(right), len(runs)])


def precision_recall(counts):
    """(precision, recall, F1)."""
    found, wanted, right, runs = (float(c) for c in counts)
    recall, precision = found / max(wanted, 1), right / max(runs, 1)
    return precision, recall, 2 * precision * recall / max(precision + recall, 1e-9)


def deep_silence(pauses, frames):
    """(F,) bool: frames in long pauses, away from their ends; the aperture is the mean gap there."""
    times = middles(frames)
    out = np.zeros(frames, bool)
    for start, end in pauses:
        if end - start >= PAUSE:
            out |= (times > start + MARGIN) & (times < end - MARGIN)
    return out


def offset_ms(gap, openness):
    """Lag of the best cross-correlation, in ms; positive: the face is late. NaN where a track never moves or holds what is no number."""
    n = min(len(gap), len(openness))
    a, b = (np.asarray(x[:n], np.float32).astype(float) for x in (gap, openness))
    if not all(np.isfinite(x).all() and (x[1:] != x[:-1]).any() for x in (a, b)):
        return float("nan")
    a, b = a - a.mean(), b - b.mean()
    lags = range(-LAGS, LAGS + 1)
    both = [(a[max(k, 0) :], b[max(-k, 0) :]) for k in lags]
    score = [float(np.dot(x[: len(y)], y[: len(x)])) for x, y in both]
    best = int(np.argmax(score))
    part = 0.0
    if 0 < best < len(score) - 1:  # a parabola through the top three gives the part of a frame
        left, middle, right = score[best - 1 : best + 2]
        part = 0.5 * (left - right) / (left - 2 * middle + right)
    return 1000.0 * (lags[best] + part) / FPS
