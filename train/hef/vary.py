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
# Channels that hold colours, and x of the prior's flow.
DRIVEN_COLOURS, SOURCE_COLOURS, FLOW_X = slice(0, 6), [0, 1, 2, 4, 5, 6], 10


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


def lit(row, gain):
    """A row under a lamp of another colour: `gain` (3) of square roots of light."""
    row = {k: v.clone() for k, v in row.items()}
    plane = gain[:, None, None]
    row["driven"][DRIVEN_COLOURS] *= plane.repeat(2, 1, 1)
    row["source"][SOURCE_COLOURS] *= plane.repeat(2, 1, 1)
    row["truth"] *= plane
    row["style"][GAMMA:POSE] *= gain.square().repeat(9)
    return row


def draw(rng):
    """(mirrored, gain): a coin, and for every other row a darker and tinted lamp, from varnish to evening; nothing gets lighter, for what was white would be more.

    Weak tints are not enough: a network that knows teeth as white paints them blue where everything else is yellow.
    """
    gain = np.ones(3)
    if rng.random() < 0.5:
        gain = np.exp(rng.normal(0, 0.15, 3))
        gain *= np.exp(rng.uniform(-0.35, 0)) / gain.max()
    return rng.random() < 0.5, torch.tensor(gain, dtype=torch.float32)


def vary(row, which, other):
    mirror, gain = which
    if mirror:
        row = mirrored(row, other)
    return row if (gain == 1).all() else lit(row, gain)
