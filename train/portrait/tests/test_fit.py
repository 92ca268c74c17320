"""Landmarks made from a known head lead back to it."""

from pathlib import Path

import numpy as np
import pytest

from train.face.model import FaceModel
from train.portrait.fit import Fit

FACE = Path(__file__).resolve().parents[3] / "weights/face.safetensors"
POINTS = [30, 31, 33, 35, *range(36, 48), 48, 51, 54, 57, 62, 66, 8]


@pytest.mark.parametrize("yaw", [-0.3, 0.0, 0.25])
def test_pose_and_landmarks_are_found_again(yaw):
    model = FaceModel(FACE)
    blank = {str(k): [0.0, 0.0] for k in POINTS}
    fit = Fit(model, 512, blank)
    truth = np.zeros(6 + 30 + len(fit.slots))
    truth[:6] = [0.05, yaw, -0.04, 0.01, 0.02, -1.3]
    truth[6:16] = np.random.default_rng(3).normal(0, 0.5, 10)
    truth[36] = 0.3
    fit.target = fit.project(truth)
    found, error = fit.solve()
    assert error < 0.8, "pixels of 512"
    assert abs(found[1] - yaw) < np.radians(6), "few landmarks leave the yaw uncertain by a few degrees"
