"""A procedural skin model: random people's albedo per vertex, in linear sRGB, for the albedo basis.

Skin colour follows the two pigments that make it: melanin and haemoglobin absorb exponentially, each with its own
spectrum. On top lie the things faces differ in: blush, lips, shade around the eyes, beard, brows, freckles, hairline.
"""

import numpy as np

from ..wgsl import constants
from .topology import smoothstep

# Parts of the mesh: the kernels' numbers.
REGIONS = constants("mesh")
SKIN, LINING, EYE_LEFT, EYE_RIGHT, TEETH, GUM, TONGUE = (
    REGIONS[f"REGION_{name}"] for name in ("SKIN", "MOUTH_LINING", "LEFT_EYE", "RIGHT_EYE", "TEETH", "GUM", "TONGUE")
)
DERMIS = np.array([0.80, 0.63, 0.53])
MELANIN = np.array([0.62, 1.02, 1.42])
HAEMOGLOBIN = np.array([0.05, 0.42, 0.36])
IRIS = np.array([[0.16, 0.07, 0.025], [0.07, 0.03, 0.012], [0.10, 0.16, 0.22], [0.13, 0.17, 0.10], [0.22, 0.24, 0.24]])
IRIS_ANGLE = np.radians(25)


class Noise:
    """Gaussian random fields of unit variance, smooth at `scale` metres: random mixtures of a bank of plane waves."""

    def __init__(self, points, rng, scale, bank=160):
        w = rng.normal(0, 1 / scale, (bank, 3))
        self.waves = (np.sqrt(2) * np.cos(points @ w.T + rng.uniform(0, 2 * np.pi, bank))).astype(np.float32)

    def __call__(self, rng, count=24):
        pick = rng.choice(self.waves.shape[1], count, replace=False)
        return self.waves[:, pick] @ (rng.normal(0, 1, count) / np.sqrt(count)).astype(np.float32)


def brow_height(x):
    """Height of the brow's middle over the eyes on the reference head, metres, at distance `x` from the midline."""
    return 0.0085 + 0.0050 * np.sin(0.85 * np.pi * np.clip((x - 0.012) / 0.043, 0, 1))


def brow_mask(points, width=1.0):
    """Brow hair on the reference head: an arc over each eye, thick inside and tapering out; `width` widens it."""
    x, y, z = np.abs(points[:, 0]), points[:, 1], points[:, 2]
    t = np.clip((x - 0.012) / 0.043, -0.3, 1.3)
    middle = brow_height(x)
    half = 0.0043 * width * (1 - 0.55 * np.clip(t, 0, 1))
    across = np.exp(-(((y - middle) / half) ** 2))
    return across * smoothstep(-0.12, 0.08, t) * smoothstep(1.12, 0.9, t) * (z > -0.03)


class SkinModel:
    def __init__(self, points, masks, region, eye_angle):
        """`points` (V, 3) of the reference head; `region` (V,) part of each vertex; masks over the same vertices."""
        self.p, self.m, self.region, self.angle = points, masks, region, eye_angle
        x, y, z = points.T
        bump = lambda cx, cy, rx, ry: np.exp(-(((np.abs(x) - cx) / rx) ** 2) - ((y - cy) / ry) ** 2) * smoothstep(-0.03, 0.0, z)
        face = masks["face"]
        self.cheek = bump(0.042, -0.040, 0.020, 0.018) * face
        self.nose = bump(0, -0.042, 0.014, 0.012) * smoothstep(0.02, 0.04, z)
        self.under_eye = bump(0.030, -0.017, 0.016, 0.007) * face
        self.socket = bump(0.031, 0.002, 0.024, 0.017) * face
        self.chin = bump(0, -0.108, 0.02, 0.014) * face
        jaw = smoothstep(-0.048, -0.066, y - 0.35 * (np.abs(x) - 0.03)) * (face > 0) * smoothstep(0.02, 0.06, 1 - masks["ears"])
        upper_lip = np.exp(-((y + 0.058) / 0.006) ** 2) * smoothstep(0.030, 0.018, np.abs(x)) * smoothstep(0.02, 0.03, z)
        side = smoothstep(0.050, 0.064, np.abs(x)) * smoothstep(-0.005, -0.025, y) * smoothstep(-0.045, -0.02, z)
        self.beard = np.clip(np.maximum(np.maximum(jaw * smoothstep(-0.15, -0.125, y), upper_lip), side) * (1 - masks["lips"]), 0, 1) * (1 - masks["mouth_inner"])
        self.brow = brow_mask(points) * (region == SKIN)
        rng = np.random.default_rng(7)
        self.noise = {s: Noise(points, rng, s) for s in (0.0035, 0.007, 0.009, 0.02, 0.03)}

    def person(self, rng):
        """One random albedo (V, 3)."""
        m, skin = self.m, self.region == SKIN
        melanin = 2.0 * rng.beta(0.9, 1.6) + 0.03
        blood = rng.uniform(0.25, 0.75)
        old, male = rng.uniform() ** 1.3, rng.uniform() < 0.5
        noise = lambda scale: self.noise[scale](rng)
        spots = np.clip(noise(0.0035) - 1.1, 0, None) * rng.uniform(0, 0.5) * (rng.uniform() < 0.35) * m["face"]
        mel = melanin * (1 + 0.05 * noise(0.03) + 0.04 * noise(0.009) + 0.12 * m["neck"] * rng.normal())
        mel = mel + spots + 0.22 * self.socket * rng.uniform(0, 1) * (0.4 + melanin) + 0.25 * self.under_eye * rng.uniform(0, 1) * (0.3 + melanin)
        hb = blood * (1 + 0.08 * noise(0.02) + 0.05 * noise(0.007))
        hb = hb + (
            self.cheek * rng.uniform(0, 0.5)
            + self.nose * rng.uniform(0, 0.45)
            + m["ears"] * rng.uniform(0.1, 0.5)
            + self.chin * rng.uniform(0, 0.2)
            + self.under_eye * rng.uniform(0, 0.35)
        )
        makeup = rng.uniform() < 0.3
        lip = m["lips"]
        hb = hb + lip * (rng.uniform(0.6, 1.3) + (rng.uniform(0.4, 1.4) if makeup else 0))
        mel = mel * (1 - 0.25 * lip) + 0.12 * lip * rng.uniform(0, 1.2)
        colour = DERMIS * np.exp(-np.outer(mel, MELANIN) - np.outer(hb, HAEMOGLOBIN))
        # Hair under and on the skin: brows, beard shade and scalp take the hair colour.
        hair = np.exp(-np.array([0.9, 1.15, 1.5]) * rng.uniform(1.1, 3.2) * (0.8 + 0.2 * min(melanin, 1))) * (1 - 0.25 * rng.uniform())
        hair = hair * (1 - old * rng.uniform() * 0.5) + 0.35 * old * rng.uniform() * 0.5
        cover = self.brow * rng.uniform(0.45, 0.95)
        if male:
            cover = np.maximum(cover, self.beard * rng.beta(1.0, 2.2) * 0.75)
        cover = np.maximum(cover, m["scalp"] * rng.uniform(0, 0.7))
        colour = colour * (1 - cover[:, None]) + hair * cover[:, None] + 0.015 * cover[:, None] * (1 - cover[:, None]) * np.array([-1, 0, 1])
        colour = np.where(skin[:, None], colour, self._inside(rng, blood, melanin))
        inner = (m["mouth_inner"] * skin)[:, None]
        colour = colour * (1 - inner) + inner * np.array([0.30, 0.085, 0.075]) * rng.uniform(0.75, 1.2)
        return np.clip(colour, 0.003, 0.95)

    def _inside(self, rng, blood, melanin):
        r = self.region
        out = np.zeros((len(r), 3))
        out[r == TEETH] = np.array([0.80, 0.74, 0.64]) * rng.uniform(0.85, 1.08) * [1, rng.uniform(0.97, 1.02), rng.uniform(0.88, 1.1)]
        pink = np.array([0.52, 0.21, 0.19]) * rng.uniform(0.75, 1.15) * np.exp(-0.25 * max(melanin - 0.8, 0) * MELANIN)
        out[r == GUM] = pink
        out[r == TONGUE] = np.array([0.46, 0.17, 0.16]) * rng.uniform(0.8, 1.2) * [1, rng.uniform(0.9, 1.1), rng.uniform(0.9, 1.1)]
        weights = rng.dirichlet([0.8, 0.8, 0.5, 0.35, 0.35])
        iris = weights @ IRIS * rng.uniform(0.7, 1.3)
        white = np.array([0.72, 0.69, 0.66]) * rng.uniform(0.85, 1.1)
        veins = 1 - np.array([0.02, 0.12, 0.12]) * rng.uniform(0, 1) * np.clip(self.angle[:, None] / 1.2, 0, 1)
        t = np.degrees(self.angle)[:, None]
        limbus = smoothstep(20.5, 24, t) * (1 - smoothstep(25, 28, t))
        eye = np.where(t < 10, 0.006, iris * (1.25 - 0.5 * smoothstep(10, 25, t)))
        eye = eye + (white * veins - eye) * smoothstep(24, 27, t)
        eye = eye * (1 - 0.55 * limbus)
        eyes = (r == EYE_LEFT) | (r == EYE_RIGHT)
        out[eyes] = eye[eyes]
        return out


def basis(model: SkinModel, count, rank, seed, weight):
    """Mean (V, 3), components (rank, V, 3) for unit-variance scores, share of variance kept."""
    rng = np.random.default_rng(seed)
    people = np.stack([model.person(rng) for _ in range(count)]).astype(np.float32)
    mean = people.mean(0)
    x = (people - mean).reshape(count, -1)
    heavy = x * np.sqrt(np.repeat(weight, 3)).astype(np.float32)
    gram = (heavy @ heavy.T).astype(np.float64) / count
    values, vectors = np.linalg.eigh(gram)
    values, vectors = values[::-1][:rank].clip(1e-12), vectors[:, ::-1][:, :rank]
    components = (vectors.T @ x).reshape(rank, -1, 3) / np.sqrt(count)
    return mean, components, values.sum() / np.trace(gram)
