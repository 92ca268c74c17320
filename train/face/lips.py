"""How far the lips are apart, and the cage displacement that closes them.

MakeHuman's lips leave a gap of about a millimetre at rest once the cage is smoothed. The operators here are linear in
the cage, so every sampled head, and `jawOpen` with `mouthClose`, can be shut exactly.
"""

import numpy as np

from .topology import CAGE, Skin, smoothstep

REST_OVERLAP = 0.00015  # metres that the lips press into each other at rest, so that no crack shows


class Lips:
    def __init__(self, skin: Skin, ref, jaw_open):
        """`ref` (CAGE, 3) is the reference head, `jaw_open` (CAGE, 3) its jawOpen delta, both in head space."""
        surface = skin.matrix @ ref
        upper, lower = skin.lip_loop
        inner = abs(surface[upper, 0]) < abs(surface[upper, 0]).max() - 0.0012
        self.upper = upper[inner]
        self.across = abs(surface[self.upper, 0]) / abs(surface[upper, 0]).max()
        order = np.argsort(surface[lower, 0])
        xs = surface[lower[order], 0]
        at = np.clip(np.searchsorted(xs, surface[self.upper, 0]), 1, len(xs) - 1)
        t = (surface[self.upper, 0] - xs[at - 1]) / (xs[at] - xs[at - 1])
        a, b = lower[order[at - 1]], lower[order[at]]
        rows = skin.matrix[self.upper] - skin.matrix[a].multiply((1 - t)[:, None]) - skin.matrix[b].multiply(t[:, None])
        self.rows = rows.tocsr()  # (K, CAGE): upper minus lower at the same x
        self.pairs = np.where(t < 0.5, a, b)

        # Bumps along the lips: cage vertices near the loop, upper ones down, lower ones up.
        loop = np.unique(skin.cage_of[np.concatenate([upper, lower])])
        loop = loop[loop >= 0]
        from scipy.spatial import cKDTree

        used = np.unique(skin.cage_quads)
        near = np.zeros(CAGE)
        near[used] = 1 - smoothstep(0.0010, 0.0075, cKDTree(ref[loop]).query(ref[used])[0])
        drop = -jaw_open[:, 1]
        # Near the corners the jaw moves both lips alike; there height against the corner line decides.
        corner = ref[loop, 1][np.argmax(ref[loop, 0])]
        low = np.where(abs(ref[:, 0]) < 0.018, drop > 0.012, ref[:, 1] < corner)
        self.side = np.where(low, 0.5, -0.5) * near
        self.centres = np.linspace(-0.0235, 0.0235, 19)
        bump = np.exp(-0.5 * ((ref[:, :1] - self.centres) / 0.0019) ** 2)
        bump /= np.maximum(bump.sum(1, keepdims=True), 1e-9)
        self.bumps = self.side[:, None] * bump  # (CAGE, B)
        self.response = self.rows @ self.bumps
        r = self.response
        self.solve = np.linalg.solve(r.T @ r + 2e-3 * np.eye(r.shape[1]), r.T)

    def gap(self, cage):
        """Gap (..., K) in metres of cage vertices (CAGE, 3)."""
        return self.rows @ cage[:, 1]

    def close(self, cage, target=0.0):
        """A (CAGE, 3) displacement after which the gap of `cage` is `target`."""
        out = np.zeros((CAGE, 3))
        out[:, 1] = self.bumps @ (self.solve @ (target - self.gap(cage)))
        return out

    def uniform(self, amount):
        """A displacement that opens (positive) the lips by about `amount` metres all along, fading at the corners."""
        out = np.zeros((CAGE, 3))
        fade = 1 - smoothstep(0.75, 1.05, self.across)
        out[:, 1] = self.bumps @ (self.solve @ (amount * fade))
        return out
