"""The figures of speech animation, from a lip gap at 25 Hz and an aligned transcript. NumPy only.

`gap` (F,) is the inner-lip gap as a share of its open range. Frame k shows the time (k + 0.5) / 25.
"""

import numpy as np

FPS = 25
SHUT = 0.08  # a gap under this share counts as shut
NEAR = 0.06  # seconds around a closure in which a shut mouth belongs to it
LONGEST = 0.4  # seconds; a longer shut run is no closure


def shut_runs(gap):
    """[(start, end)] in seconds of every run of shut frames."""
    shut = np.concatenate([[0], (np.asarray(gap) < SHUT).astype(int), [0]])
    edges = np.flatnonzero(np.diff(shut))
    return [(a / FPS, b / FPS) for a, b in zip(edges[::2], edges[1::2])]


def _gap_between(a, b):
    return max(a[0] - b[1], b[0] - a[1], 0.0)


def closure_counts(gap, closures, pauses):
    """(hit closures, all closures, right runs, all runs outside pauses). Sums of counts give precision and recall."""
    times = (np.arange(len(gap)) + 0.5) / FPS
    shut = np.asarray(gap) < SHUT
    hits = sum(bool(shut[(times >= s - NEAR) & (times <= e + NEAR)].any()) for s, e, *_ in closures)
    runs = [r for r in shut_runs(gap) if all(_gap_between(r, p) > 0 for p in pauses)]
    right = sum(
        r[1] - r[0] <= LONGEST and any(_gap_between(r, c[:2]) <= NEAR for c in closures) for r in runs
    )
    return np.array([hits, len(closures), right, len(runs)])


def precision_recall(counts):
    hits, closures, right, runs = (float(c) for c in counts)
    recall, precision = hits / max(closures, 1), right / max(runs, 1)
    return precision, recall, 2 * precision * recall / max(precision + recall, 1e-9)


def deep_silence(pauses, frames, margin=0.2, shortest=0.5):
    """(F,) bool: frames in long pauses, away from their edges."""
    times = (np.arange(frames) + 0.5) / FPS
    out = np.zeros(frames, bool)
    for start, end in pauses:
        if end - start >= shortest:
            out |= (times > start + margin) & (times < end - margin)
    return out


def offset_ms(gap, openness, reach=0.4):
    """Lag of the best cross-correlation, in ms; positive: the face is late."""
    a = np.asarray(gap, float) - np.mean(gap)
    b = np.asarray(openness, float) - np.mean(openness)
    most = int(reach * FPS)
    lags = np.arange(-most, most + 1)
    score = np.array([(a[max(0, k) : len(a) + min(0, k)] * b[max(0, -k) : len(b) - max(0, k)]).sum() for k in lags])
    best = int(score.argmax())
    shift = 0.0
    if 0 < best < len(lags) - 1:  # a parabola through the top three gives the part of a frame
        left, middle, right = score[best - 1 : best + 2]
        shift = 0.5 * (left - right) / (left - 2 * middle + right)
    return 1000.0 * (lags[best] + shift) / FPS
