"""Shards, as `vultus-shards` (train/shards) writes them with the engine's own kernels, and seeded, varied batches of them.

A shard is one person, `NAME.safetensors`:

source   f16 (S, 8, C, C)    S fits of the portrait: the first exact, the others as wrong as landmarks that are 2 … 4 pixels off make them
driven   f16 (K, 16, C, C)   a picture each; channels as README.md says
style    f32 (K, 258)        the last word is σ̂: as README.md says
fit      i32 (K)             which of the S a picture belongs to
truth    u8  (K, 3, C, C)    sRGB
truth_matte u8 (K, 1, C, C)  255 is person
boxes    i32 (K, 2, 4)       x, y, width, height of mouth and eyes; zero width where they are not seen
then     i32 (K)             the row that shows the same person 40 ms before, or −1
motion   f16 (M, 2, C, C)    for the rows with `then` ≥ 0, in order: (there − here) / C, where in that picture each pixel's surface lay
"""

from pathlib import Path

import numpy as np
import torch
from safetensors import safe_open

from . import vary

SHAPES = {"source": 4, "driven": 4, "style": 2, "fit": 1, "truth": 4, "truth_matte": 4, "boxes": 3, "then": 1, "motion": 4}


def square_root(srgb):
    """sRGB bytes -> square roots of linear light."""
    table = np.arange(256) / 255.0
    linear = np.where(table <= 0.04045, table / 12.92, ((table + 0.055) / 1.055) ** 2.4)
    return torch.from_numpy(np.sqrt(linear).astype(np.float32))[srgb.long()]


class Person:
    """One shard; tensors stay in the file until they are asked for."""

    def __init__(self, path, crop):
        self.path, self.file = path, safe_open(path, "pt")
        missing = sorted(set(SHAPES) - set(self.file.keys()))
        if missing:
            raise ValueError(f"{path}: no tensor {missing[0]}; write the shards again with vultus-shards of this version")
        shape = self.file.get_slice("driven").get_shape()
        if shape[1:] != [16, crop, crop]:
            raise ValueError(f"{path}: driven is {shape}, the network takes (K, 16, {crop}, {crop}); write the shards for this crop")
        self.rows = shape[0]
        self.fit, self.then, self.boxes = (self.file.get_tensor(name) for name in ("fit", "then", "boxes"))
        self.moved = torch.cumsum(self.then >= 0, 0) - 1

    def row(self, k):
        at = lambda name, i: self.file.get_slice(name)[i : i + 1][0]  # noqa: E731
        driven = at("driven", k).float()
        return {
            "driven": driven, "source": at("source", int(self.fit[k])).float(), "style": at("style", k),
            "truth": square_root(at("truth", k)), "truth_matte": at("truth_matte", k).float() / 255, "features": self.features(k, driven.shape[-1]),
        }

    def features(self, k, crop):
        """(1, C, C): 1 in the boxes of mouth and eyes, else 0."""
        out = torch.zeros(1, crop, crop)
        for x, y, w, h in self.boxes[k].tolist():
            out[:, y : y + h, x : x + w] = 1
        return out

    def motion(self, k):
        return self.file.get_slice("motion")[int(self.moved[k]) : int(self.moved[k]) + 1][0].float()


class People:
    """All shards of a folder."""

    def __init__(self, folder, crop):
        paths = sorted(Path(folder).glob("*.safetensors"))
        if not paths:
            raise ValueError(f"{folder}: no shards; make them with vultus-shards (train/hef/README.md)")
        self.other = vary.load_other_side()
        self.people = [Person(path, crop) for path in paths]
        self.index = [(p, k) for p in self.people for k in range(p.rows)]
        self.pairs = [(p, k) for p in self.people for k in range(p.rows) if p.then[k] >= 0]

    def batch(self, rng, size):
        """Dictionary of stacked rows. The last two are one person's consecutive pictures where there are such: `motion` is the later one's."""
        chosen = [self.index[i] for i in rng.integers(0, len(self.index), size)]
        motion = None
        if self.pairs and size >= 2:
            person, k = self.pairs[rng.integers(0, len(self.pairs))]
            chosen[-2:] = [(person, int(person.then[k])), (person, k)]
            motion = person.motion(k)[None]
        which = [vary.draw(rng) for _ in chosen]
        if motion is not None:
            which[-2] = which[-1]  # one person, one camera
            if which[-1][0]:
                motion = motion.flip(-1) * torch.tensor([-1.0, 1.0])[:, None, None]
        rows = [vary.vary(person.row(k), w, self.other) for (person, k), w in zip(chosen, which)]
        return {name: torch.stack([row[name] for row in rows]) for name in rows[0]} | {"motion": motion}
