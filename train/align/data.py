"""Fits of portraits, exact and disturbed, as `vultus-shards --portraits` writes them, and seeded, disguised batches of them."""

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors import safe_open


class Fits:
    """All in memory: half precision, a megabyte and a quarter each."""

    def __init__(self, folder):
        paths = sorted(Path(folder).glob("*.safetensors"))
        if not paths:
            raise ValueError(f"{folder} holds no shards; write some with vultus-shards --portraits")
        self.source, self.offset, self.parameters, self.names = [], [], [], []
        for path in paths:
            with safe_open(path, "pt") as file:
                self.source.append(file.get_tensor("source"))
                self.offset.append(file.get_tensor("offset"))
                self.parameters.append(file.get_tensor("parameters"))
            self.names.append(path.stem)
        self.fits = self.source[0].shape[0]

    def pick(self, person, fit):
        """(source, offset in pixels of 256², mask of the mesh), full size."""
        source = self.source[person][fit].float()
        return source, self.offset[person][fit].float() * 256, (source[7:8] > 0.5).float()

    def batch(self, rng, size):
        rows = [disguise(*self.pick(rng.integers(len(self.source)), rng.integers(self.fits)), rng) for _ in range(size)]
        return [torch.stack(part) for part in zip(*rows)]


def disguise(source, offset, mask, rng):
    """Another camera's picture of the same: light and colours of portrait and render changed apart, blur, noise, sides swapped, shifted, occluded."""
    source = source.clone()
    # A render that lies quite elsewhere teaches what to compare; the errors of fits alone are too small to learn that from.
    reach = rng.choice([0, 2, 5, 10], p=[0.3, 0.2, 0.2, 0.3])
    dx, dy = (int(v) for v in rng.integers(-reach, reach + 1, 2))
    source[4:], mask = torch.roll(source[4:], (dy, dx), (-2, -1)), torch.roll(mask, (dy, dx), (-2, -1))
    offset = torch.roll(offset, (dy, dx), (-2, -1)) - torch.tensor([dx, dy])[:, None, None]
    for part in (slice(0, 3), slice(4, 7)):
        root = source[part]
        gain = torch.tensor(np.exp(rng.normal(0, 0.12, (3, 1, 1)) + rng.normal(0, 0.18)), dtype=torch.float32)
        root = (root * gain).clamp(0, 1.4) ** float(np.exp(rng.normal(0, 0.15)))
        if rng.random() < 0.15:
            root = root.mean(0, keepdim=True).expand(3, -1, -1)
        source[part] = root
    if rng.random() < 0.4:
        small = int(rng.integers(96, 224))
        soft = F.interpolate(source[None, :3], size=small, mode="bilinear", antialias=True)
        source[:3] = F.interpolate(soft, size=source.shape[-1], mode="bilinear")[0]
    if rng.random() < 0.5:
        grain = torch.from_numpy(rng.normal(0, rng.uniform(0, 0.05), source[:3].shape).astype(np.float32))
        source[:3] += grain
    if rng.random() < 0.3:  # glasses, hands, microphones
        x, y = rng.integers(40, 200, 2)
        w, h = rng.integers(8, 48, 2)
        source[:3, y : y + h, x : x + w] = torch.tensor(rng.uniform(0, 1, (3, 1, 1)), dtype=torch.float32)
    if rng.random() < 0.1:  # no matte
        source[3] = 1
    if rng.random() < 0.5:
        source, offset, mask = source.flip(-1), offset.flip(-1) * torch.tensor([-1.0, 1.0])[:, None, None], mask.flip(-1)
    dx, dy = (int(v) for v in rng.integers(-16, 17, 2))
    move = lambda x: torch.roll(x, (dy, dx), (-2, -1))  # noqa: E731
    return move(source), move(offset), move(mask)
