"""Pictures to look at while HEF trains: held-out people."""

import numpy as np
import torch
from PIL import Image

from .model import COMPOSITE, LIGHT, NEED, PAINT, PORTRAIT, PRIOR, RENDER


def srgb(root):
    """(3, C, C) square roots of linear light -> (C, C, 3) bytes."""
    linear = np.clip(np.asarray(root, np.float32), 0, 1) ** 2
    out = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return (out.transpose(1, 2, 0) * 255 + 0.5).astype(np.uint8)


def wheel(flow, full=0.02):
    """(2, C, C) flow -> (C, C, 3) bytes: hue is the direction, saturation the length; `full` shares of the crop are a full colour."""
    length = np.clip(np.hypot(*flow) / full, 0, 1)
    hue = np.arctan2(flow[1], flow[0]) / (2 * np.pi) % 1.0
    sector = (np.array([5, 3, 1])[:, None, None] + hue * 6) % 6
    rgb = 1 - length * np.clip(np.minimum(sector, 4 - sector), 0, 1)
    return (rgb.transpose(1, 2, 0) * 255 + 0.5).astype(np.uint8)


def rows_of(people, count):
    """The same rows each time, spread over the people."""
    step = max(1, len(people.index) // count)
    return people.index[::step][:count]


@torch.no_grad()
def draw_sheet(net, people, path, device="cpu", count=10):
    """A row a picture: portrait, composite, need, residual flow, result, truth, and three times the error before and after."""
    net.eval()
    lines = []
    for person, k in rows_of(people, count):
        row = {name: value[None].to(device) for name, value in person.row(k).items()}
        out = net(row["driven"], row["source"], row["style"])
        root = lambda x: x[0].cpu().numpy()  # noqa: E731
        composite, result, truth = (root(x) for x in (row["driven"][:, COMPOSITE], out["picture"], row["truth"]))
        need = np.repeat(root(row["driven"][:, NEED])[None], 3, 0)
        errors = [np.clip(0.5 + 3 * (x - truth), 0, 1) for x in (composite, result)]
        cells = [root(row["source"][:, PORTRAIT]), composite, need, None, result, truth, *errors]
        lines.append(np.concatenate([wheel(root(out["flow"])) if c is None else srgb(c) for c in cells], 1))
    Image.fromarray(np.concatenate(lines)).save(path)
    net.train()


def draw_inputs(people, path, rows=None):
    """A row a picture: portrait, truth, composite, I^rd, need, paint, flow, stretch and light, where an unmoved pixel is grey, and three times the error."""
    lines = []
    for person, k in rows or rows_of(people, 12):
        row = {name: value.numpy() for name, value in person.row(k).items()}
        driven, truth = row["driven"], row["truth"]
        grey = lambda x: np.repeat(x[None], 3, 0)  # noqa: E731
        cells = [row["source"][PORTRAIT], truth, driven[COMPOSITE], driven[RENDER], grey(driven[NEED]), grey(driven[PAINT]), None]
        cells += [grey(0.5 * driven[14]), grey(0.5 + driven[LIGHT]), np.clip(0.5 + 3 * (driven[COMPOSITE] - truth), 0, 1)]
        lines.append(np.concatenate([wheel(driven[PRIOR]) if c is None else srgb(c) for c in cells], 1))
    Image.fromarray(np.concatenate(lines)).save(path)


if __name__ == "__main__":
    import sys

    from .data import People

    # python -m train.hef.sheet SHARDS SHEET.png [CROP]
    draw_inputs(People(sys.argv[1], int(sys.argv[3]) if len(sys.argv) > 3 else 256), sys.argv[2])
