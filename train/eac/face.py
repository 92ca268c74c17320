"""What EAC needs of the face model: names, the lip gap and the landmarks as linear functions of the 64 coefficients.

The lip gap of a face is clamp(w · β, 0 …), as a share of what jawOpen = 1 opens (both on the mean head).
"""

import json
from pathlib import Path

import numpy as np

from train.face.expressions import NAMES

INDEX = {name: i for i, name in enumerate(NAMES)}
EMOTIONS = "neutral angry contempt disgusted fear happy sad surprised".split()

# Used only where no face model is at hand (tests without weights): how much each shape opens the lips.
_STAND_IN = dict(
    jawOpen=1.0, mouthClose=-1.0, mouthFunnel=0.15, mouthLowerDownLeft=0.09, mouthLowerDownRight=0.09,
    mouthUpperUpLeft=0.08, mouthUpperUpRight=0.08, lipSeal=-0.07, lipsPart=0.15, mouthRollLower=-0.02,
    mouthRollUpper=-0.02, mouthPressLeft=-0.01, mouthPressRight=-0.01,
)


class FaceRows:
    """gap (64,): share of the open range per unit. landmarks (64, 204): centimetres per unit, 68 × (x, y, z)."""

    def __init__(self, gap, landmarks):
        self.gap, self.landmarks = np.asarray(gap, np.float32), np.asarray(landmarks, np.float32)


def stand_in():
    gap = np.zeros(64)
    for name, value in _STAND_IN.items():
        gap[INDEX[name]] = value
    return FaceRows(gap, np.zeros((64, 204)))


def load_face(path):
    """Rows of the shipped model, or the stand-in where `path` is None or absent."""
    if path is None or not Path(path).exists():
        return stand_in()
    from safetensors import safe_open

    with safe_open(path, "np") as file:
        names = json.loads(file.metadata()["expression_names"])
        if names != NAMES:
            raise ValueError(f"{path}: its expressions are not the 64 that EAC is trained for")
        basis = file.get_tensor("expression.basis").astype(np.float64)
        upper, lower = file.get_tensor("inner_lip.upper"), file.get_tensor("inner_lip.lower")
        corners = file.get_tensor("triangles")[file.get_tensor("landmarks.triangle")]
        weights = file.get_tensor("landmarks.barycentric").astype(np.float64)
        span = float(file.get_tensor("lip_gap.open").ravel()[0] - file.get_tensor("lip_gap.closed").ravel()[0])
    gap = (basis[:, upper, 1] - basis[:, lower, 1]).mean(1) / span
    points = (basis[:, corners] * weights[None, :, :, None]).sum(2)  # (64, 68, 3) metres
    return FaceRows(gap, 100.0 * points.reshape(64, -1))
