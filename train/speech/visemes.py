"""Phoneme segments -> articulation tracks at 25 frames a second.

Tracks are what the mouth does, whatever the emotion: `train.eac.compose` turns them and an emotion into the face's
64 coefficients. Vowels and tongue blend by dominance (each phone pulls with a strength that fades with its distance);
lip seals and lip-to-teeth bites are explicit constrictions that blending must not wash out.
"""

import numpy as np

from .phones import BITES, CLOSURES, expand, find_bursts, join_silences

FPS = 25
FINE = 200  # internal rate, per second
TRACKS = ["jaw", "seal", "bite", "pucker", "funnel", "spread", "tip", "dental", "back", "show", "rest"]
_BLENDED = ["jaw", "pucker", "funnel", "spread", "tip", "dental", "back", "show"]
_REACH = dict(jaw=0.045, pucker=0.065, funnel=0.06, spread=0.055, tip=0.03, dental=0.03, back=0.035, show=0.04)  # s

# phone: (strength with which it pulls tracks it does not care about to zero, {track: (target, strength)})
_TABLE = {
    "AA": (0.6, dict(jaw=(0.88, 1.0), back=(0.3, 0.5))),
    "AE": (0.6, dict(jaw=(0.82, 1.0), spread=(0.35, 0.8), show=(0.25, 0.6))),
    "AH": (0.5, dict(jaw=(0.58, 0.9))),
    "AO": (0.6, dict(jaw=(0.7, 1.0), funnel=(0.55, 1.0), pucker=(0.2, 0.8))),
    "AX": (0.35, dict(jaw=(0.36, 0.5))),
    "EH": (0.6, dict(jaw=(0.58, 0.9), spread=(0.4, 0.8), show=(0.2, 0.5))),
    "ER": (0.5, dict(jaw=(0.34, 0.8), funnel=(0.4, 0.8), pucker=(0.2, 0.6))),
    "IH": (0.5, dict(jaw=(0.36, 0.8), spread=(0.5, 0.8), show=(0.2, 0.5))),
    "IY": (0.7, dict(jaw=(0.24, 1.0), spread=(0.9, 1.2), show=(0.35, 0.8))),
    "UH": (0.5, dict(jaw=(0.34, 0.8), pucker=(0.5, 0.8), funnel=(0.25, 0.7))),
    "UW": (0.7, dict(jaw=(0.24, 1.0), pucker=(0.95, 1.4), funnel=(0.3, 1.0))),
    "W": (0.7, dict(jaw=(0.18, 1.1), pucker=(1.0, 1.6), funnel=(0.2, 1.0))),
    "R": (0.35, dict(jaw=(0.26, 0.7), pucker=(0.3, 0.7), funnel=(0.4, 0.8), back=(0.4, 0.6))),
    "Y": (0.4, dict(jaw=(0.2, 0.8), spread=(0.6, 0.8), back=(0.5, 0.8))),
    "L": (0.25, dict(jaw=(0.36, 0.5), tip=(0.95, 1.3))),
    "T": (0.25, dict(jaw=(0.2, 0.9), tip=(0.85, 1.1), spread=(0.15, 0.2), show=(0.25, 0.5))),
    "D": (0.25, dict(jaw=(0.22, 0.9), tip=(0.85, 1.1), spread=(0.15, 0.2), show=(0.2, 0.5))),
    "N": (0.25, dict(jaw=(0.24, 0.8), tip=(0.9, 1.1))),
    "TH": (0.3, dict(jaw=(0.22, 1.0), dental=(1.0, 1.5))),
    "DH": (0.3, dict(jaw=(0.22, 0.9), dental=(0.9, 1.4))),
    "S": (0.35, dict(jaw=(0.1, 1.5), spread=(0.5, 0.7), show=(0.75, 1.2), tip=(0.3, 0.6))),
    "SH": (0.45, dict(jaw=(0.13, 1.4), funnel=(0.75, 1.3), pucker=(0.35, 1.0), show=(0.45, 0.9))),
    "CH": (0.45, dict(jaw=(0.13, 1.4), funnel=(0.7, 1.2), pucker=(0.3, 0.9), show=(0.4, 0.8), tip=(0.4, 0.6))),
    "K": (0.15, dict(jaw=(0.3, 0.5), back=(0.9, 1.2))),
    "HH": (0.08, dict(jaw=(0.4, 0.15))),
    # For the constrictions the jaw follows its neighbours part of the way; the lips do the rest.
    "M": (0.25, dict(jaw=(0.1, 1.6))),
    "F": (0.3, dict(jaw=(0.14, 1.8))),
    "SIL": (0.5, {}),
    "GLOT": (0.08, {}),
}
for _same, _as in dict(P="M", B="M", V="F", Z="S", ZH="SH", JH="CH", G="K", NG="K").items():
    _TABLE[_same] = _TABLE[_as]
PHONES = sorted(_TABLE.keys() - {"GLOT"})  # what a listener can name: monophthongs, consonants, silence


def lip_holds(segments, pcm=None, rate=16000):
    """Intervals in which the lips are shut for m, b, p: (start, end). A burst ends its hold."""
    bursts = find_bursts(segments, pcm, rate) if pcm is not None else {}
    out = []
    for i, (start, end, phone) in enumerate(segments):
        if phone in CLOSURES:
            out.append((start, max(bursts.get(i, end), start + 0.015)))
    return out


def _constriction(times, intervals, flank, shortest=0.03):
    """1 within each interval (stretched to at least `shortest`), falling to 0 over `flank` seconds as a cosine."""
    out = np.zeros(len(times))
    for start, end in intervals:
        grow = max(0.0, (shortest - (end - start)) / 2)
        lo, hi = start - grow, end + grow
        a, b = np.searchsorted(times, [lo - flank, hi + flank])
        distance = np.maximum(np.maximum(lo - times[a:b], times[a:b] - hi), 0.0)
        out[a:b] = np.maximum(out[a:b], 0.5 + 0.5 * np.cos(np.pi * np.minimum(distance / flank, 1.0)))
    return out


def _per_frame_constriction(fine, intervals, frames):
    """25 Hz from 200 Hz, decided rather than averaged: 50 ms of closure must reach a whole frame.

    A frame that a hold covers for half its length is fully shut; so is, for every hold, the frame it covers most.
    """
    parts = fine.reshape(frames, FINE // FPS)
    out = np.minimum(parts.mean(1), 0.7)
    starts = np.arange(frames) / FPS
    for start, end in intervals:
        first, last = max(0, int(start * FPS) - 1), min(frames, int(end * FPS) + 2)
        if last <= first:
            continue
        cover = (np.minimum(end, starts[first:last] + 1 / FPS) - np.maximum(start, starts[first:last])) * FPS
        strength = np.clip(cover * 2.0, 0.0, 1.0)
        strength[np.argmax(cover)] = 1.0
        out[first:last] = np.maximum(out[first:last], strength)
    return out


def render(segments, frames, pcm=None, rate=16000):
    """-> (frames, len(TRACKS)) float32. `pcm` (clean) sharpens the release of p and b."""
    segments = join_silences(segments)
    holds = lip_holds(segments, pcm, rate)
    bites = [(s, e) for s, e, p in segments if p in BITES]
    pauses = [(s, e) for s, e, p in segments if p == "SIL" and e - s >= 0.12]
    per = FINE // FPS
    times = (np.arange(frames * per) + 0.5) / FINE
    total = {t: np.zeros(len(times)) for t in _BLENDED}
    weight = {t: np.full(len(times), 1e-6) for t in _BLENDED}
    for start, end, phone in expand(segments):
        a, b = np.searchsorted(times, [start - 0.3, end + 0.3])
        distance = np.maximum(np.maximum(start - times[a:b], times[a:b] - end), 0.0)
        background, targets = _TABLE[phone]
        for track in _BLENDED:
            target, strength = targets.get(track, (0.0, background))
            pull = strength * np.exp(-distance / _REACH[track])
            weight[track][a:b] += pull
            if target:
                total[track][a:b] += pull * target
    out = np.zeros((frames, len(TRACKS)), np.float32)
    for track in _BLENDED:
        out[:, TRACKS.index(track)] = (total[track] / weight[track]).reshape(frames, per).mean(1)
    out[:, TRACKS.index("seal")] = _per_frame_constriction(_constriction(times, holds, 0.05), holds, frames)
    out[:, TRACKS.index("bite")] = _per_frame_constriction(_constriction(times, bites, 0.055), bites, frames)
    # A pause shuts the mouth a moment after it begins, and the mouth opens just before the next word.
    rest = np.zeros(len(times))
    for start, end in pauses:
        last = end >= frames / FPS - 0.05
        first = start <= 0.01
        a, b = np.searchsorted(times, [start, end])
        rise = np.ones(b - a) if first else (times[a:b] - start - 0.03) / 0.12
        fall = np.ones(b - a) if last else (end - times[a:b]) / 0.08
        x = np.clip(np.minimum(rise, fall), 0.0, 1.0)
        rest[a:b] = x * x * (3.0 - 2.0 * x)
    out[:, TRACKS.index("rest")] = rest.reshape(frames, per).mean(1)
    return out
