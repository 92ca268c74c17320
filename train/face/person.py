"""One named person, exactly as the model sees them, with the whole MakeHuman body for renderers.

A person is a dict of anny phenotypes and local changes. `cage` gives the base mesh (body, helpers, everything that
clothes and hair are fitted to) at any of the model's 64 expressions and any head motion; `alpha` gives the identity
coefficients. Expressions are the same cage displacements for everybody, so model and render agree on them.
"""

from functools import lru_cache

import numpy as np

from . import albedo, build, expressions, raster, source
from .model import FaceModel
from .project import IdentityFit

PARTS = {
    "skin": albedo.SKIN,
    "eye_left": albedo.EYE_LEFT,
    "eye_right": albedo.EYE_RIGHT,
    "teeth": albedo.TEETH,
    "gums": albedo.GUM,
    "tongue": albedo.TONGUE,
}


def from_head(v):
    """Head axes back to anny's: z up, face to -y."""
    return np.stack([v[..., 0], -v[..., 2], v[..., 1]], -1)


class Studio:
    """What all people share: frame, expression deltas, the finished model."""

    def __init__(self, src, model_path="weights/face.safetensors"):
        self.source = src
        self.frame = build.frame(src)
        self.deltas = expressions.build(src, self.frame.ref, self.frame.lips, self.frame.head_weight_cage)
        self.model = FaceModel(model_path)
        self.fit = IdentityFit(self.model)
        # The head of the reference sits where the model's mean does, up to this shift (see build.build).
        self.shift = np.zeros(3)


@lru_cache(maxsize=1)
def _studio(key):
    src, path = key.pair
    return Studio(src, path)


class _Key:
    """Makes a source hashable by identity for the cache."""

    def __init__(self, src, path):
        self.pair = (src, str(path))

    def __hash__(self):
        return hash((id(self.pair[0]), self.pair[1]))

    def __eq__(self, other):
        return self.pair[0] is other.pair[0] and self.pair[1] == other.pair[1]


class Person:
    def __init__(self, src, phenotypes, changes=None, model="weights/face.safetensors"):
        self.studio = s = _studio(_Key(src, model))
        c = src.coefficients(phenotypes, changes).astype(np.float32)
        rest = src.template + np.tensordot(c, src.blendshapes, 1)
        heads = src.arrays["template_bone_heads"] + np.tensordot(c, src.arrays["bone_heads_blendshapes"], 1)
        v = source.to_head(src.pose_arms(np.asarray(rest, np.float64), heads))
        v = s.frame.shut(v)
        # Anchor on the spheres that the model draws, as its mean is.
        self.rest = v - self._spheres(v)[0].mean(0)
        self.vertices = s.frame.matrix @ self.rest
        self.alpha, self.residual_mm = s.fit(self.vertices)

    def _spheres(self, cage):
        f = self.studio.frame
        rows = [f.matrix[np.flatnonzero(f.vertex_region == r)] @ cage for r in (albedo.EYE_LEFT, albedo.EYE_RIGHT)]
        centres = np.stack([build.sphere_centre(p) for p in rows])
        radius = np.mean([np.linalg.norm(p - c, axis=1).mean() for p, c in zip(rows, centres)])
        return centres, float(radius)

    def _cage(self, expression=None, motion=None):
        s, v = self.studio, self.rest
        for name, x in (expression or {}).items():
            v = v + x * s.deltas[expressions.NAMES.index(name)]
        if motion is not None:
            motion = np.asarray(motion, float)
            w = s.frame.head_weight_cage[:, None]
            pivot = s.model["pivot"].astype(float)
            v = np.einsum("vij,vj->vi", raster.rotation(w * motion[:3]), v - pivot) + pivot + w * motion[3:]
        return v

    def cage(self, expression=None, motion=None):
        """MakeHuman base vertices (19158, 3), metres, z up, face to -y, midpoint of the resting eyeballs at 0.

        expression: dict of the model's expression names; motion: (pitch, yaw, roll, tx, ty, tz) of the head about the
        model's pivot, in head-space axes.
        """
        return from_head(self._cage(expression, motion))

    def eyes(self):
        """Resting eyeball centres (2, 3) [left, right] in the cage's axes, and their radius in metres."""
        centres, radius = self._spheres(self.rest)
        return from_head(centres), radius

    def eye_rotation(self, expression=None, motion=None):
        """Rotations (2, 3, 3) that take the resting eyeballs to their gaze, in the cage's axes."""
        out = []
        posed = self._cage(expression, motion)
        for side in "lr":
            ids = np.unique(self.studio.source.quads[f"helper-{side}-eye"])
            a, b = from_head(self.rest[ids]), from_head(posed[ids])
            u, _, vt = np.linalg.svd((a - a.mean(0)).T @ (b - b.mean(0)))
            d = np.diag([1, 1, np.sign(np.linalg.det(vt.T @ u.T))])
            out.append(vt.T @ d @ u.T)
        return np.stack(out)

    def part(self, name, expression=None, motion=None):
        """The model's own vertices of a part (see PARTS), in the cage's axes."""
        f = self.studio.frame
        rows = np.flatnonzero(f.vertex_region == PARTS[name])
        return from_head(f.matrix[rows] @ self._cage(expression, motion))

    def part_triangles(self, name):
        f = self.studio.frame
        regions = (albedo.SKIN, albedo.LINING) if name == "skin" else (PARTS[name],)
        rows = np.flatnonzero(f.vertex_region == PARTS[name])
        return f.triangles[np.isin(f.triangle_region, regions)] - rows[0]
