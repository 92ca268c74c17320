"""The HEF network (paper A, eq. 7–10; supplement 1.3), with the geometric generator as its prior.

Shapes: B pictures, levels l = 0 … N of r_l² pixels (r_N = C / P). Flows are (source − here) in units of the crop's side C, x then y. Colours are
square roots of linear light. `driven`, `source` and `style` are described in README.md; `config.py` says what a configuration holds.

Where the paper leaves things open: F_0 is made like every other level, from a learned constant (StyleGAN2's) and a StyleConv that does not
upsample; level i + 1 takes T(Up(φ_i), F^s) and F^rd at its own size; F_flow and F_rgb are one 3 × 3 convolution each.
"""

import torch
import torch.nn.functional as F
from torch import nn

from ..wgsl import constants
from .config import DRIVEN, SOURCE, STYLE, check, has_flow, heads, joined, width

SLOPE, GAIN, EPSILON = 0.2, 2**0.5, 1e-8
# Channels of `driven`.
CHANNELS = constants("hef_channels")
COMPOSITE, RENDER, PRIOR = (slice(CHANNELS[f"DRIVEN_{name}"], CHANNELS[f"DRIVEN_{name}"] + count) for name, count in (("COMPOSITE", 3), ("RENDER", 3), ("PRIOR", 2)))
PAINT, LIGHT, NEED = (CHANNELS[f"DRIVEN_{name}"] for name in ("PAINT", "LIGHT", "NEED"))
# Channels of `source`.
PORTRAIT, MATTE = slice(0, 3), slice(3, 4)


def upsample(x):
    """Twice the side, bilinear, the edge repeats."""
    return F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)


def warp(x, flow):
    """T of eq. 8: x (B, K, r, r) at here + flow (B, 2, r, r), bilinear, the edge repeats."""
    batch, _, rows, cols = x.shape
    y = (torch.arange(rows, device=x.device, dtype=x.dtype) + 0.5) / rows
    x_at = (torch.arange(cols, device=x.device, dtype=x.dtype) + 0.5) / cols
    here = torch.stack(torch.meshgrid(y, x_at, indexing="ij")[::-1])  # (2, r, r)
    at = 2 * (here + flow) - 1
    return F.grid_sample(x, at.permute(0, 2, 3, 1), mode="bilinear", padding_mode="border", align_corners=False)


class StyleConv(nn.Module):
    """Modulation, 3 × 3, demodulation, bias, leaky ReLU; `up` doubles the side before or after (None: not at all)."""

    def __init__(self, inputs, outputs, code, up):
        super().__init__()
        self.up = up
        self.weight = nn.Parameter(torch.randn(outputs, inputs, 3, 3) / (9 * inputs) ** 0.5)
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.affine = nn.Linear(code, inputs)
        nn.init.normal_(self.affine.weight, std=0.3 / code**0.5)
        nn.init.ones_(self.affine.bias)

    def forward(self, x, z):
        scale = self.affine(z)  # (B, inputs)
        power = (scale**2) @ (self.weight**2).sum((2, 3)).T  # (B, outputs)
        demodulation = torch.rsqrt(power + EPSILON)
        if self.up == "before":
            x = upsample(x)
        x = F.conv2d(x * scale[:, :, None, None], self.weight, padding=1)
        x = x * demodulation[:, :, None, None] + self.bias[:, None, None]
        x = GAIN * F.leaky_relu(x, SLOPE)
        return upsample(x) if self.up == "after" else x


class Encoder(nn.Module):
    """A pyramid: list of (B, widths[l], r_l, r_l), coarsest first."""

    def __init__(self, inputs, widths, patch):
        super().__init__()
        self.stem = nn.Conv2d(inputs, widths[-1], patch, patch) if patch > 1 else nn.Conv2d(inputs, widths[-1], 3, 1, 1)
        self.down = nn.ModuleList(nn.Conv2d(fine, coarse, 3, 2, 1) for coarse, fine in zip(widths, widths[1:]))
        for layer in [self.stem, *self.down]:
            nn.init.kaiming_normal_(layer.weight, SLOPE)
            nn.init.zeros_(layer.bias)

    def forward(self, x):
        out = [F.leaky_relu(self.stem(x), SLOPE)]
        for layer in reversed(self.down):
            out.append(F.leaky_relu(layer(out[-1]), SLOPE))
        return out[::-1]


class SourceEncoder(Encoder):
    """E_src; lateral 1 × 1 convolutions bring each level to the channels that are warped every frame."""

    def __init__(self, inputs, widths, outputs, patch):
        super().__init__(inputs, widths, patch)
        self.lateral = nn.ModuleDict(
            {str(i): nn.Conv2d(a, b, 1) for i, (a, b) in enumerate(zip(widths, outputs)) if a != b}
        )

    def forward(self, x):
        return [self.lateral[str(i)](f) if str(i) in self.lateral else f for i, f in enumerate(super().forward(x))]


class Level(nn.Module):
    """Eq. 8–10 at one level."""

    def __init__(self, config, level):
        super().__init__()
        before = config["style"][0] if level == 0 else width(config, level - 1)
        self.style = StyleConv(before, config["style"][level], config["code"], config["up"] if level else None)
        if config["mix"][level]:
            self.mix = StyleConv(joined(config, level), config["mix"][level], config["code"], None)
        for name, channels in heads(config, level).items():
            head = nn.Conv2d(width(config, level), channels, 3, 1, 1)
            nn.init.zeros_(head.weight)
            nn.init.zeros_(head.bias)
            self.add_module(name, head)

    def features(self, warped, x, rendered, z):
        x = torch.cat([warped, self.style(x, z), rendered], 1)
        return self.mix(x, z) if hasattr(self, "mix") else x


class Hef(nn.Module):
    """See the module's text. Its heads start at zero, so that an untrained network gives the geometric composite."""

    def __init__(self, config):
        super().__init__()
        check(config)
        self.config = c = dict(config)
        self.style = nn.Linear(STYLE, c["code"])
        self.source = SourceEncoder(SOURCE, c["encoder"], c["source"], c["patch"])
        self.render = Encoder(DRIVEN, c["render"], c["patch"])
        self.start = nn.Parameter(torch.randn(c["style"][0], c["levels"][0], c["levels"][0]))
        self.levels = nn.ModuleList(Level(c, i) for i in range(len(c["levels"])))

    def pyramid(self, source):
        """E_src: source (B, 8, C, C) -> list of (B, source[l], r_l, r_l). Once a portrait."""
        return self.source(source)

    def forward(self, driven, source, style, pyramid=None, trace=None):
        """driven (B, 16, C, C), source (B, 8, C, C), style (B, 258) -> dictionary:

        picture  (B, 3, C, C) sqrt colours: the composite, corrected where there is need
        delta    (B, 3, C, C) what would be added at need 1
        matte    (B, 1, C, C) the warped matte plus the head's, not clamped
        flow     (B, 2, C, C) residual flow
        flows    list of the levels' residual flows, for losses
        `trace(name, tensor)` receives every layer's activation. Under autocast the convolutions may run in half precision; what flows and colours
        add up to stays in single.
        """
        c, trace = self.config, trace or (lambda name, value: None)
        if pyramid is None:
            pyramid = self.pyramid(source)
        for i, f in enumerate(pyramid):
            trace(f"source.{i}", f)
        seen = driven
        if not c["prior"]:
            seen = driven.clone()
            seen[:, COMPOSITE] = 0
            seen[:, PRIOR] = 0
            seen[:, LIGHT] = 0
        z = self.style(style)
        trace("code", z)
        rendered = self.render(seen)
        prior = [F.avg_pool2d(seen[:, PRIOR], c["patch"])]
        while len(prior) < len(rendered):
            prior.insert(0, F.avg_pool2d(prior[0], 2))
        x = self.start.expand(len(driven), -1, -1, -1)
        flow = colour = None
        flows = []
        for i, level in enumerate(self.levels):
            trace(f"render.{i}", rendered[i])
            flow = None if flow is None else upsample(flow)
            colour = None if colour is None else upsample(colour)
            phi = prior[i] if flow is None else prior[i] + flow
            warped = warp(pyramid[i], phi)
            trace(f"levels.{i}.warped", warped)
            x = level.features(warped, x, rendered[i], z)
            trace(f"levels.{i}.features", x)
            if i == 0:
                continue
            if has_flow(c, i):  # eq. 9
                step = level.flow(x).float()
                flow = step if flow is None or not c["residual"] else step + flow
            if hasattr(level, "rgb"):  # eq. 10
                step = level.rgb(x).float()
                colour = step if colour is None else step + colour
            flows.append(flow)
            trace(f"levels.{i}.flow", flow)
            trace(f"levels.{i}.rgb", colour)
        matte = self.levels[-1].matte(x).float()
        if c["patch"] > 1:
            flow, matte, colour = upsample(flow), upsample(matte), upsample(colour)
            colour = colour + F.pixel_shuffle(self.levels[-1].detail(x).float(), c["patch"])
        return self.finish(driven, source, seen[:, PRIOR], flow, colour, matte) | {"flow": flow, "flows": flows}

    def finish(self, driven, source, prior, flow, colour, matte):
        """The residual flow moves the portrait against where the prior had it; paint stays, and light stays with the surface."""
        composite, need = driven[:, COMPOSITE], driven[:, NEED, None]
        moved = warp(source[:, :4], prior + flow)
        if self.config["prior"]:
            share = (1 - driven[:, PAINT, None]) * torch.sqrt(torch.clamp(1 + driven[:, LIGHT, None], min=0))
            delta = share * (moved[:, PORTRAIT] - warp(source[:, PORTRAIT], prior)) + colour
        else:
            delta = moved[:, PORTRAIT] + colour - composite
        return {"picture": composite + need * delta, "delta": delta, "matte": moved[:, MATTE] + matte}
