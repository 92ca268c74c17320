"""The alignment network: where K points of the 3DMM's surface lie in a portrait.

In: `picture` (B, 3, C, C), the portrait around the head; colours are square roots of linear light.
Out: (B, 2K, C/4, C/4). Planes 0 … K−1 are logits of where a point lies: their softmax over the plane is its probability, whose mean is its place.
Planes K … 2K−1 hold the logarithm of the error that is expected of that, per axis, in pixels of C; its mean under the same probability counts.
A U-Net of plain 3 × 3 convolutions; everything is made of kernels that the engine has.
"""

import torch
import torch.nn.functional as F
from torch import nn

SLOPE = 0.2
# Channels at 128², 64², 32², 16², 8² for C = 256.
WIDTHS = [24, 48, 64, 96, 128]
UP = [64, 48, 64]  # of the decoder at 64², 32², 16²


class Align(nn.Module):
    def __init__(self, points, widths=WIDTHS, up=UP):
        super().__init__()
        self.stem = nn.Conv2d(3, widths[0], 2, 2)
        self.down = nn.ModuleList(nn.Conv2d(a, b, 3, 2, 1) for a, b in zip(widths, widths[1:]))
        self.bottom = nn.Conv2d(widths[-1], widths[-1], 3, 1, 1)
        below = [*up[1:], widths[-1]]  # what comes from below at 64², 32², 16²
        self.up = nn.ModuleList(nn.Conv2d(skip + low, out, 3, 1, 1) for skip, low, out in zip(widths[1:], below, up))
        self.head = nn.Conv2d(up[0], 2 * points, 1)
        for layer in [self.stem, self.bottom, *self.down, *self.up]:
            nn.init.kaiming_normal_(layer.weight, SLOPE)
            nn.init.zeros_(layer.bias)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def forward(self, picture):
        act = lambda x: F.leaky_relu(x, SLOPE)  # noqa: E731
        x, skips = act(self.stem(picture)), []
        for layer in self.down:
            x = act(layer(x))
            skips.append(x)
        x = act(self.bottom(x))
        for layer, skip in reversed(list(zip(self.up, skips))):
            x = F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
            x = act(layer(torch.cat([skip, x], 1)))
        return self.head(x)


def places(out):
    """(B, 2K, n, n) -> places (B, K, 2) in pixels of 4n, x then y; logarithms of their expected errors (B, K); log-probabilities (B, K, n²)."""
    k, n = out.shape[1] // 2, out.shape[-1]
    flat = out.float().flatten(2)
    logs = F.log_softmax(flat[:, :k], -1)
    share = logs.exp()
    centre = 4 * torch.arange(n, dtype=torch.float32, device=out.device) + 2
    grid = share.unflatten(-1, (n, n))
    at = torch.stack([(grid.sum(-2) * centre).sum(-1), (grid.sum(-1) * centre).sum(-1)], -1)
    return at, (share * flat[:, k:]).sum(-1), logs
