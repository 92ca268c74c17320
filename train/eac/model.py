"""The EAC network (paper A eq. 3 and 4, with a depthwise convolution added to every block).

Shapes: B windows, T = 32 audio tokens, D = 256 width, N = 1 + T tokens (token 0 carries the intensity).
"""

import torch
import torch.nn.functional as F
from torch import nn

def gelu(x):
    # The tanh form everywhere: it is what the WGSL kernel computes.
    return F.gelu(x, approximate="tanh")


class Gelu(nn.Module):
    def forward(self, x):
        return gelu(x)


class TimeConv(nn.Module):
    """Depthwise convolution over time, zeros beyond the window. Weight (D, K)."""

    def __init__(self, width, kernel):
        super().__init__()
        self.kernel = kernel
        self.weight = nn.Parameter(torch.randn(width, kernel) / kernel**0.5)
        self.bias = nn.Parameter(torch.zeros(width))

    def forward(self, x):  # (B, T, D) -> (B, T, D)
        y = F.conv1d(
            x.transpose(1, 2), self.weight[:, None], self.bias, padding=self.kernel // 2, groups=x.shape[2]
        )
        return y.transpose(1, 2)


class Block(nn.Module):
    def __init__(self, width, heads, feed_forward, kernel):
        super().__init__()
        self.heads = heads
        self.conv_norm = nn.LayerNorm(width)
        self.conv = TimeConv(width, kernel)
        self.attn_norm = nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        self.ff_norm = nn.LayerNorm(width)
        self.ff1 = nn.Linear(width, feed_forward)
        self.ff2 = nn.Linear(feed_forward, width)

    def forward(self, x, trace=None):  # (B, N, D)
        batch, tokens, width = x.shape
        # Time only exists for the audio tokens; the intensity token has no neighbours.
        y = gelu(self.conv(self.conv_norm(x[:, 1:])))
        x = x + F.pad(y, (0, 0, 1, 0))
        if trace is not None:
            trace("conv", x)
        qkv = self.qkv(self.attn_norm(x)).view(batch, tokens, 3, self.heads, width // self.heads)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)
        y = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(batch, tokens, width)
        if trace is not None:
            trace("attention", y)
        x = x + self.out(y)
        if trace is not None:
            trace("mix", x)
        x = x + self.ff2(gelu(self.ff1(self.ff_norm(x))))
        if trace is not None:
            trace("ff", x)
        return x


class Eac(nn.Module):
    """Takes `mel` (B, T, columns·mels) normalised, `z_emo` (B, E) or emotion indices (B,), `mu` (B,) in [1, 3]."""

    def __init__(self, config):
        super().__init__()
        c = config
        self.config = dict(c)
        width = c["width"]
        self.audio = nn.Sequential(nn.Linear(c["columns"] * c["mels"], width), Gelu(), nn.Linear(width, width))
        self.emotion = nn.Sequential(nn.Linear(c["emotion_width"], width), Gelu(), nn.Linear(width, width))
        self.emotion.register_parameter("table", nn.Parameter(torch.randn(c["emotions"], c["emotion_width"])))
        self.sigma_base = nn.Parameter(torch.randn(width) * 0.2)
        self.position = nn.Parameter(torch.randn(1 + c["frames"], width) * 0.1)
        self.blocks = nn.ModuleList(
            Block(width, c["heads"], c["feed_forward"], c["kernel"]) for _ in range(c["blocks"])
        )
        self.norm = nn.LayerNorm(width)
        self.head = nn.Sequential(nn.Linear(width, width), Gelu(), nn.Linear(width, c["outputs"]))
        for block in self.blocks:  # residual branches start small, so eight of them do not drown the input
            for layer in (block.out, block.ff2):
                layer.weight.data.mul_((2 * c["blocks"]) ** -0.5)

    def forward(self, mel, emotion, mu, trace=None):
        """-> β̂ (B, T, 64), σ̂ (B, D). `trace(name, tensor)` receives every layer's activation."""
        z = self.emotion.table[emotion] if emotion.dtype == torch.long else emotion
        tokens = self.audio(mel)
        if trace is not None:
            trace("audio", tokens)
        sigma = (mu[:, None] * self.sigma_base)[:, None]
        style = self.emotion(z)
        if trace is not None:
            trace("emotion", style)
        x = torch.cat([sigma, tokens], 1) + self.position + style[:, None]
        if trace is not None:
            trace("input", x)
        for i, block in enumerate(self.blocks):
            x = block(x, None if trace is None else lambda name, value, i=i: trace(f"blocks.{i}.{name}", value))
        x = self.norm(x)
        if trace is not None:
            trace("norm", x)
        return self.head(x[:, 1:]), x[:, 0]

    def strength(self, sigma):
        """σ̂ (…, D) -> (…): how much of sigma_base it holds, which is what HEF's style code takes (train/hef/README.md). σ goes in as μ · sigma_base (eq. 3), and for each of
        the eight emotions this rises with μ. It is not μ itself: the last layer norm scales it, and it differs from emotion to emotion."""
        return sigma @ self.sigma_base / self.sigma_base.square().sum()


def tokens_from_columns(columns, frames=32, context=12):
    """Mel columns (…, 4·frames + context − 4, mels) -> tokens (…, frames, context·mels), oldest column first."""
    windows = columns.unfold(-2, context, 4)  # (…, frames, mels, context)
    return windows.transpose(-1, -2).flatten(-2)
