"""What HEF is trained for (paper A 3.4: reconstruction, perceptual, adversarial; ours: flow, matte, time). No downloaded network is needed.

Pictures are (B, 3, C, C) in square roots of linear light. `weight` (B, 1, C, C) says how much a pixel counts.
"""

import torch
import torch.nn.functional as F
from torch import nn


def weighted(value, weight):
    """Mean of (B, K, h, w) under (B, 1, H, W), brought to its size."""
    if weight.shape[-2:] != value.shape[-2:]:
        weight = F.interpolate(weight, value.shape[-2:], mode="area")
    return (value * weight).sum() / (weight.sum() * value.shape[1] + 1e-6)


def pixel(a, b, weight):
    return weighted((a - b).abs(), weight)


def matte(made, truth, weight):
    """L1 once `made` is held to 0 … 1, as it is in use; what lies beyond still feels which way to go."""
    held = made + (made.clamp(0, 1) - made).detach()
    return weighted((held - truth).abs(), weight)


def gradients(a, b, weight, scales=3):
    """Differences of neighbours at several scales: edges must be where they are, and as sharp."""
    total = 0.0
    for scale in range(scales):
        if scale:
            a, b = F.avg_pool2d(a, 2), F.avg_pool2d(b, 2)
        off = a - b
        across, down = off[..., :, 1:] - off[..., :, :-1], off[..., 1:, :] - off[..., :-1, :]
        total = total + weighted(F.pad(across, (0, 1)).abs() + F.pad(down, (0, 0, 0, 1)).abs(), weight)
    return total / scales


def box_mean(x, side):
    """Mean over a window of odd `side` around each pixel, as far as it lies in the picture. Sums of shifted pictures: several times avg_pool2d's speed."""
    half = side // 2
    for axis in (2, 3):
        size, edges = x.shape[axis], (0, 0, half, half) if axis == 2 else (half, half)
        wide = F.pad(x, edges)
        total = wide.narrow(axis, 0, size)
        for i in range(1, side):
            total = total + wide.narrow(axis, i, size)
        at = torch.arange(size, device=x.device)
        inside = (at + half).clamp(max=size - 1) - (at - half).clamp(min=0) + 1
        x = total / inside.view((-1, 1) if axis == 2 else (1, -1))
    return x


def structure(a, b, weight, side=7):
    """1 − SSIM over square windows."""
    mean = lambda x: box_mean(x, side)  # noqa: E731
    ma, mb = mean(a), mean(b)
    va, vb, cov = mean(a * a) - ma * ma, mean(b * b) - mb * mb, mean(a * b) - ma * mb
    c1, c2 = 0.01**2, 0.03**2
    ssim = (2 * ma * mb + c1) * (2 * cov + c2) / ((ma * ma + mb * mb + c1) * (va + vb + c2))
    return weighted(1 - ssim, weight)


def perceptual(a, b, weight):
    return 2 * gradients(a, b, weight) + 0.5 * structure(a, b, weight)


def encoded(root):
    """Square roots of linear light -> sRGB."""
    linear = root.clamp(0, 1) ** 2
    return torch.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear.clamp(min=1e-8) ** (1 / 2.4) - 0.055)


def user_lpips(path, device="cpu"):
    """A learned distance that the user brings as TorchScript, which takes two pictures (B, 3, H, W), sRGB in −1 … 1; none is shipped.

    # Errors
    ValueError: the file is no TorchScript.
    """
    try:
        net = torch.jit.load(str(path), map_location=device).eval()
    except (RuntimeError, ValueError) as error:
        raise ValueError(f"{path} is no TorchScript file: {str(error).splitlines()[0]}") from None
    for p in net.parameters():
        p.requires_grad_(False)
    return lambda a, b: net(2 * encoded(a) - 1, 2 * encoded(b) - 1).mean()


def smoothness(flows):
    """(total variation, size) of the residual flows of all levels, in shares of the crop; variation counts a pixel of its level as one."""
    variation = size = 0.0
    for flow in flows:
        side = flow.shape[-1]
        across, down = flow[..., 1:] - flow[..., :-1], flow[..., 1:, :] - flow[..., :-1, :]
        variation = variation + side * (across.abs().mean() + down.abs().mean())
        size = size + flow.abs().mean() * 256
    return variation / len(flows), size / len(flows)


def temporal(now, then, truth_now, truth_then, motion, weight):
    """What is wrong may not flicker: the error moves with the surface. motion (B, 2, C, C): where in the picture before each pixel lay."""
    from .model import warp

    return weighted(((now - truth_now) - warp(then - truth_then, motion)).abs(), weight)


class Critic(nn.Module):
    """Judges patches of a picture beside the render of the driven mesh; also gives its features.

    R1 keeps it in check. Weights start at their layers' own scale (He): from PyTorch's smaller ones it stays blind for hundreds of steps and then runs away.
    """

    def __init__(self, width=32, depth=4):
        super().__init__()
        widths = [6] + [min(width * 2**i, 256) for i in range(depth)]
        self.layers = nn.ModuleList(nn.Conv2d(a, b, 4, 2, 1) for a, b in zip(widths, widths[1:]))
        self.judge = nn.Conv2d(widths[-1], 1, 3, 1, 1)
        for layer in self.layers:
            nn.init.kaiming_normal_(layer.weight, 0.2)
            nn.init.zeros_(layer.bias)

    def forward(self, picture, rendered):
        x, features = torch.cat([picture, rendered], 1) * 2 - 1, []
        for layer in self.layers:
            x = F.leaky_relu(layer(x), 0.2)
            features.append(x)
        return self.judge(x), features


def critic_loss(critic, made, truth, rendered):
    """Non-saturating."""
    return F.softplus(critic(made, rendered)[0]).mean() + F.softplus(-critic(truth, rendered)[0]).mean()


def r1_penalty(critic, truth, rendered):
    truth = truth.detach().requires_grad_(True)
    score = critic(truth, rendered)[0].mean((1, 2, 3)).sum()
    (gradient,) = torch.autograd.grad(score, truth, create_graph=True)
    return gradient.pow(2).sum((1, 2, 3)).mean()


def deceive(critic, made, truth, rendered):
    """(adversarial, feature matching) for the generator."""
    score, ours = critic(made, rendered)
    with torch.no_grad():
        _, theirs = critic(truth, rendered)
    match = sum((a - b).abs().mean() for a, b in zip(ours, theirs)) / len(ours)
    return F.softplus(-score).mean(), match
