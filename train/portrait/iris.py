"""A procedural eyeball picture: iris fibres, limbal ring, pupil and white. No photograph is involved."""

import numpy as np


def _ring_noise(rng, count, octaves):
    """Periodic 1-D value noise of `count` samples; octaves = [(cells, amplitude)]."""
    total = np.zeros(count)
    for cells, amplitude in octaves:
        knots = rng.normal(size=cells)
        total += amplitude * np.interp(np.arange(count) * cells / count, np.arange(cells + 1), np.append(knots, knots[0]))
    return total


def _step(low, high, x):
    t = np.clip((x - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


def eye_picture(iris_angle, inner, ring, size=1024, pupil=0.36, toon=False, seed=4):
    """Linear RGB (size, size, 3), azimuthal-equidistant map of the front hemisphere: the edge of the picture is 90° off the axis.

    `iris_angle` is the iris radius in radians, `pupil` its share of the iris; `inner`/`ring` are linear colours of the iris and of the
    lighter collar round the pupil.
    """
    rng = np.random.default_rng(seed)
    axis = (np.arange(size) + 0.5) / size * 2 - 1
    x, y = np.meshgrid(axis, axis)
    angle = np.hypot(x, y) * np.pi / 2
    radius = angle / iris_angle
    turn = (np.arctan2(y, x) / (2 * np.pi)) % 1.0
    table = 4096
    coarse, fine = _ring_noise(rng, table, [(38, 0.6), (95, 0.6)]), _ring_noise(rng, table, [(75, 0.5), (160, 0.5), (340, 0.4)])
    at = lambda noise, shift=0.0: noise[((turn + shift) * table).astype(int) % table]
    fibres = 0.55 * at(fine) + 0.45 * at(coarse, 0.012 * np.sin(radius * 9))
    fibres = (fibres - fibres.mean()) / fibres.std()
    collar = np.exp(-(((radius - pupil - 0.15 - 0.03 * at(coarse)) / 0.15) ** 2))[..., None]
    iris = np.array(inner) * (1 - 0.35 * collar) + np.array(ring) * (0.30 + 0.70 * collar)
    iris = iris * (1 + (0.12 if toon else 0.30) * fibres[..., None])
    iris = iris * (0.8 + 0.5 * _step(0.4, -0.9, y / (iris_angle * 2 / np.pi)))[..., None]  # light gathers opposite the key
    iris = iris * (1 - 0.75 * _step(0.80, 1.0, radius))[..., None] * _step(pupil - 0.03, pupil + 0.04, radius + 0.01 * at(coarse))[..., None]
    white = np.array([0.93, 0.93, 0.93]) if toon else np.array([0.84, 0.815, 0.79])
    veins = np.clip(at(_ring_noise(rng, table, [(30, 1.0), (90, 0.8)]), 0.01 * np.sin(angle * 25)) - 1.0, 0, 1)
    redness = 0.0 if toon else 1.0
    amount = redness * (0.07 * _step(0.55, 1.3, angle) + 0.10 * veins * _step(0.5, 1.0, angle))
    sclera = white * (1 - amount[..., None] * np.array([0.15, 0.55, 0.60]))
    edge = _step(0.95, 1.07, radius)[..., None]
    return np.clip(iris * (1 - edge) + sclera * edge, 0, 1).astype(np.float32)
