"""From vertices to coefficients: which identity of the model is this head?"""

import numpy as np

from .model import FaceModel

RIDGE = 3e-5  # pull of the unit-variance prior, against a weighted mean square error in square millimetres


class IdentityFit:
    """Weighted, lightly regularised least squares on the identity basis; factorised once a model."""

    def __init__(self, model: FaceModel):
        self.model = model
        n = len(model["mean.position"])
        w = 0.05 + 0.2 * model["head_weight"] + np.asarray(model["mask.face"], float) + 0.5 * np.asarray(model["mask.lips"], float)
        skin = np.zeros(n, bool)
        skin[np.unique(model["triangles"][model["triangle.region"] < 2])] = True
        w = np.where(skin, w * (1 - 0.8 * np.asarray(model["mask.mouth_inner"], float)), 0.05)
        self.weight = np.repeat(w / w.sum(), 3)
        self.basis = model["identity.basis"].reshape(len(model["identity.basis"]), -1).astype(np.float64) * 1e3
        weighted = self.basis * self.weight
        self.solver = np.linalg.solve(weighted @ self.basis.T + RIDGE * np.eye(len(self.basis)), weighted)
        self.face = np.asarray(model["mask.face"], float) > 0.5

    def __call__(self, vertices):
        """(alpha (80,), rms distance over the face in millimetres) of rest vertices (V, 3) in the model's topology.

        The head must be in head space: metres, axes as the model's, midpoint of the eyeballs at the origin.
        """
        x = (vertices - self.model["mean.position"]).reshape(-1) * 1e3
        alpha = self.solver @ x
        rest = (x - alpha @ self.basis).reshape(-1, 3)[self.face]
        return alpha, float(np.sqrt((rest**2).sum(1).mean()))


def fit_identity(vertices, model: FaceModel):
    """One-off form of `IdentityFit`."""
    return IdentityFit(model)(vertices)
