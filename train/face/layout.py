"""Texture coordinates: the face large and undistorted in the middle, everything else around it."""

import numpy as np


def skin_uv(surface, centre=(0.0, -0.045, -0.035)):
    """Azimuthal map from a point inside the head: the angle from the front becomes the radius."""
    d = surface - np.asarray(centre)
    d = d / np.linalg.norm(d, axis=1, keepdims=True)
    angle = np.arccos(np.clip(d[:, 2], -1, 1)) / np.pi
    turn = d[:, :2] / np.maximum(np.linalg.norm(d[:, :2], axis=1, keepdims=True), 1e-9)
    radius = 0.5 * (1 - (1 - angle) ** 1.5)
    return np.stack([0.5 + turn[:, 0] * radius, 0.5 + turn[:, 1] * radius], 1)
