"""The same training row under another lamp or in a mirror: what 28 pictures of a person teach is doubled, and skin is not learnt by its colour alone."""

import json
from pathlib import Path

import numpy as np
import torch
from safetensors import safe_open

FACE = Path(__file__).parents[2] / "weights" / "face.safetensors"
# Of the style vector (README.md).
BETA, GAMMA, POSE = 80, 224, 251
# Spherical harmonics that change their sign with x: x, xy, xz.
ODD = (3, 4, 7)
# Where red stands before green and blue; x of the prior's flow.
COLOURS = (("driven", 0), ("driven", 3), ("source", 0), ("source", 4), ("truth", 0))
FLOW_X = 10
# BT.709.
LUMA = torch.tensor([0.2126, 0.7152, 0.0722])


def other_side(names):
    """For each expression the one that its mirror image shows."""
    swap = {"Left": "Right", "Right": "Left"}
    mirror = lambda n: next((n[: -len(s)] + o for s, o in swap.items() if n.endswith(s)), n)  # noqa: E731
    return torch.tensor([names.index(mirror(n)) for n in names])


def load_other_side(path=FACE):
    with safe_open(path, "np") as file:
        return other_side(json.loads(file.metadata()["expression_names"]))


def mirrored(row, other):
    """A row (data.py) seen in a mirror. Identity and albedo stay: random people are the same on both sides."""
    row = {k: v.flip(-1) if v.dim() == 3 else v.clone() for k, v in row.items()}
    row["driven"][FLOW_X] *= -1
    style = row["style"]
    style[BETA : BETA + len(other)] = style[BETA : BETA + len(other)][other]
    for i in ODD:
        style[GAMMA + 3 * i : GAMMA + 3 * i + 3] *= -1
    for i in (1, 2, 3):  # yaw, roll, x
        style[POSE + i] *= -1
    return row


def lit(row, gain, saturation=1.0):
    """A row under a lamp of another colour: `gain` (3) of square roots of light. `saturation` below 1 is an old print or a grey day."""
    mix = gain[:, None] * (saturation * torch.eye(3) + (1 - saturation) * LUMA)
    colour = lambda planes: torch.einsum("ij,j...->i...", mix, planes)  # noqa: E731
    row = {k: v.clone() for k, v in row.items()}
    for key, first in COLOURS:
        row[key][first : first + 3] = colour(row[key][first : first + 3])
    lamp = gain.square()[:, None] * (saturation * torch.eye(3) + (1 - saturation) * LUMA)
    row["style"][GAMMA:POSE] = (row["style"][GAMMA:POSE].view(9, 3) @ lamp.T).flatten()
    return row


def draw(rng):
    """(mirrored, gain, saturation): a coin, and for every other row a darker, tinted and paler picture, from varnish to evening; nothing gets lighter or more
    colourful, for what was at the end of the scale would be more.

    Weak tints are not enough: a network that knows teeth as white paints them blue where everything else is yellow.
    """
    gain, saturation = np.ones(3), 1.0
    if rng.random() < 0.5:
        gain = np.exp(rng.normal(0, 0.15, 3))
        gain *= np.exp(rng.uniform(-0.35, 0)) / gain.max()
        saturation = rng.uniform(0.3, 1)
    return rng.random() < 0.5, torch.tensor(gain, dtype=torch.float32), saturation


def vary(row, which, other):
    mirror, gain, saturation = which
    if mirror:
        row = mirrored(row, other)
    return row if saturation == 1 and (gain == 1).all() else lit(row, gain, saturation)
