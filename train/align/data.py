"""Pictures of random people (train/crowd) with the true places of the points, and seeded, disguised batches of them."""

import io
import json
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from safetensors import safe_open

from ..hef.data import square_root

CROP = 256
ROOM = 1.4  # the engine's crop of a head (engine/core/src/generator/hef/crop.rs)


class Pictures:
    """Every picture of every complete folder, in memory; `refresh` takes in those that have come since."""

    def __init__(self, folder, model, points):
        self.folder, self.model, self.points = Path(folder), model, points
        self.names, self.pictures, self.places, self.crops = set(), [], [], []
        self.refresh()
        if not self.pictures:
            raise ValueError(f"{folder} holds no people; make some with train.blender.crowd")

    def refresh(self):
        for path in sorted(self.folder.glob("*/truth.json")):
            if path.parent.name not in self.names:
                self.names.add(path.parent.name)
                self.take(path.parent)

    def take(self, folder):
        truth = json.loads((folder / "truth.json").read_text())
        with safe_open(folder / f"{truth['avatar']}.avatar", "numpy") as file:
            tensors = {k: file.get_tensor(k) for k in file.keys()}
        pose, camera, size = tensors["pose"], tensors["camera"].astype(float), truth["size"]
        rest = self.model.shape(tensors["alpha"].astype(float), tensors["beta"].astype(float))
        low, high = (f(project(self.model.pose(rest, placement=pose), camera)[self.model["head_weight"] > 0.9]) for f in (lambda v: v.min(0), lambda v: v.max(0)))
        crop = np.array([*(low + high) / 2, ROOM * (high - low).max()]) * size  # centre and side
        rows = [(tensors["portrait.png"].tobytes(), tensors["beta"].astype(float), np.zeros(6))]
        rows += [((folder / c["image"]).read_bytes(), self.model.beta(c["beta"]), np.array(c["dpose"])) for c in truth["cases"]]
        for data, beta, motion in rows:
            shape = self.model.shape(tensors["alpha"].astype(float), beta)
            at = project(self.model.pose(shape, motion, pose)[self.points], camera) * size
            self.pictures.append(decode(data))
            self.places.append(torch.tensor(at, dtype=torch.float32))
            self.crops.append(crop)

    def plain(self, k):
        """Picture k as the engine shows it: (picture, places)."""
        return cut(self.pictures[k], self.places[k], self.crops[k])

    def batch(self, rng, size, other):
        rows = [disguise(*self.at(rng), other, rng) for _ in range(size)]
        return [torch.stack(part) for part in zip(*rows)]

    def at(self, rng):
        k = int(rng.integers(len(self.pictures)))
        x, y, side = self.crops[k]
        side *= np.exp(rng.normal(0, 0.08))
        x, y = (v + rng.uniform(-0.06, 0.06) * side for v in (x, y))
        return cut(self.pictures[k], self.places[k], (x, y, side), rng.normal(0, 0.12))


def decode(data):
    """PNG bytes -> (3, S, S) sRGB bytes."""
    return torch.from_numpy(np.array(Image.open(io.BytesIO(data)).convert("RGB"))).permute(2, 0, 1).contiguous()


def project(points, camera):
    f, cx, cy = camera
    return np.stack([cx - f * points[:, 0] / points[:, 2], cy + f * points[:, 1] / points[:, 2]], 1)


def cut(picture, places, crop, angle=0.0):
    """The square (centre x, y, side) of a picture, turned by an angle about its centre, at CROP × CROP; outside, the edge repeats."""
    size, (x, y, side) = picture.shape[-1], crop
    turn = torch.tensor([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]], dtype=torch.float32)
    centre = torch.tensor([x, y], dtype=torch.float32)
    # affine_grid maps the result's [−1, 1] to the source's.
    theta = torch.cat([turn * side / size, (2 * centre / size - 1)[:, None]], 1)
    grid = F.affine_grid(theta[None], (1, 3, CROP, CROP), align_corners=False)
    out = F.grid_sample(square_root(picture)[None], grid, mode="bilinear", padding_mode="border", align_corners=False)[0]
    return out, (places - centre) @ turn * (CROP / side) + CROP / 2


def disguise(picture, places, other, rng):
    """Another camera's picture of the same: light, colours, blur, noise, sides swapped, occluded."""
    gain = torch.tensor(np.exp(rng.normal(0, 0.1, (3, 1, 1)) + rng.normal(0, 0.2)), dtype=torch.float32)
    picture = (picture * gain).clamp(0, 1.4) ** float(np.exp(rng.normal(0, 0.15)))
    if rng.random() < 0.3:  # light from a side
        slope = torch.linspace(-1, 1, CROP) * float(rng.normal(0, 0.25))
        picture = picture * torch.exp(slope if rng.random() < 0.6 else slope[:, None])
    if rng.random() < 0.15:
        picture = picture.mean(0, keepdim=True).expand(3, -1, -1)
    if rng.random() < 0.3:
        small = int(rng.integers(96, 224))
        soft = F.interpolate(picture[None], size=small, mode="bilinear", antialias=True)
        picture = F.interpolate(soft, size=CROP, mode="bilinear")[0]
    picture = picture.clone()
    if rng.random() < 0.4:
        picture += torch.from_numpy(rng.normal(0, rng.uniform(0, 0.05), picture.shape).astype(np.float32))
    if rng.random() < 0.3:  # hands, microphones
        x, y = rng.integers(0, CROP - 48, 2)
        w, h = rng.integers(8, 64, 2)
        picture[:, y : y + h, x : x + w] = torch.tensor(rng.uniform(0, 1, (3, 1, 1)), dtype=torch.float32)
    if rng.random() < 0.5:
        picture, places = picture.flip(-1), (places * torch.tensor([-1.0, 1.0]) + torch.tensor([float(CROP), 0.0]))[other]
    return picture, places
