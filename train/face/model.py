"""The face model as a reader sees it: the file, and what its arrays mean, in numpy."""

import json
from pathlib import Path

import numpy as np

from . import raster


class FaceModel:
    def __init__(self, path):
        from safetensors import safe_open

        with safe_open(str(Path(path)), "numpy") as file:
            self.tensors = {k: file.get_tensor(k) for k in file.keys()}
            self.meta = file.metadata()
        self.names = json.loads(self.meta["expression_names"])
        for k in ("identity.basis", "expression.basis", "albedo.basis", "albedo.mean", "uv", "head_weight", "eye.angle"):
            self.tensors[k] = self.tensors[k].astype(np.float32)

    def __getitem__(self, key):
        return self.tensors[key]

    def beta(self, values):
        """A (64,) vector from a dict of expression names."""
        out = np.zeros(len(self.names))
        for k, v in values.items():
            out[self.names.index(k)] = v
        return out

    def shape(self, alpha=None, beta=None):
        """Head-space vertices (V, 3)."""
        v = self["mean.position"].astype(np.float64)
        if alpha is not None:
            v = v + np.tensordot(alpha, self["identity.basis"][: len(alpha)], 1)
        if isinstance(beta, dict):
            beta = self.beta(beta)
        if beta is not None:
            v = v + np.tensordot(beta, self["expression.basis"], 1)
        return v

    def albedo(self, delta=None):
        c = self["albedo.mean"].astype(np.float64)
        if delta is not None:
            c = c + np.tensordot(delta, self["albedo.basis"][: len(delta)], 1)
        return c.clip(0, 1)

    def pose(self, vertices, motion=np.zeros(6), placement=(0, 0, 0, 0, 0, -1.25)):
        """Camera space: the head turns by `motion` about the pivot, then the whole bust is placed.

        Both are (pitch, yaw, roll, tx, ty, tz).
        """
        w = self["head_weight"].astype(np.float64)[:, None]
        motion, placement = np.asarray(motion, float), np.asarray(placement, float)
        turn = raster.rotation(w * motion[:3])
        pivot = self["pivot"].astype(np.float64)
        v = np.einsum("vij,vj->vi", turn, vertices - pivot) + pivot + w * motion[3:]
        return v @ raster.rotation(placement[:3]).T + placement[3:]

    def landmarks(self, vertices):
        return np.einsum("lk,lkc->lc", self["landmarks.barycentric"], vertices[self["triangles"][self["landmarks.triangle"]]])

    def lip_gap(self, vertices):
        """Inner-lip gap as a share of its open range, never negative."""
        raw = (vertices[self["inner_lip.upper"], 1] - vertices[self["inner_lip.lower"], 1]).mean()
        closed, opened = float(self["lip_gap.closed"][0]), float(self["lip_gap.open"][0])
        return max(0.0, (raw - closed) / (opened - closed))
