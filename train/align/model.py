"""The alignment network: how wrong a fit of the 3DMM to a portrait is, seen by comparing the portrait with the mesh's render over it.

In: `source` (B, 8, C, C), as HEF's: portrait 0–2, matte 3, I^rd of the fitted mesh 4–6, its mask 7; colours are square roots of linear light.
Out: (B, 3, C/4, C/4): where the surface point that the mesh has here truly lies, as an offset in pixels of 256², x then y, and the logarithm of the
expected error of that. A U-Net of plain 3 × 3 convolutions; everything is made of kernels that the engine has.
"""

import torch
import torch.nn.functional as F
from torch import nn

SLOPE = 0.2
# Channels at 128², 64², 32², 16², 8² for C = 256.
WIDTHS = [24, 48, 64, 96, 128]
UP = [48, 48, 64]  # of the decoder at 64², 32², 16²


class Align(nn.Module):
    def __init__(self, widths=WIDTHS, up=UP):
        super().__init__()
        self.stem = nn.Conv2d(8, widths[0], 2, 2)
        self.down = nn.ModuleList(nn.Conv2d(a, b, 3, 2, 1) for a, b in zip(widths, widths[1:]))
        self.bottom = nn.Conv2d(widths[-1], widths[-1], 3, 1, 1)
        below = [*up[1:], widths[-1]]  # what comes from below at 64², 32², 16²
        self.up = nn.ModuleList(nn.Conv2d(skip + low, out, 3, 1, 1) for skip, low, out in zip(widths[1:], below, up))
        self.head = nn.Conv2d(up[0], 3, 3, 1, 1)
        for layer in [self.stem, self.bottom, *self.down, *self.up]:
            nn.init.kaiming_normal_(layer.weight, SLOPE)
            nn.init.zeros_(layer.bias)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def forward(self, source):
        act = lambda x: F.leaky_relu(x, SLOPE)  # noqa: E731
        x, skips = act(self.stem(source)), []
        for layer in self.down:
            x = act(layer(x))
            skips.append(x)
        x = act(self.bottom(x))
        for layer, skip in reversed(list(zip(self.up, skips))):
            x = F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
            x = act(layer(torch.cat([skip, x], 1)))
        return self.head(x).float()
