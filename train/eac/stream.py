"""The network as it runs live: one window a frame, the frame L before its end is shown."""

import numpy as np
import torch
from safetensors.torch import load_file

from ..speech.mel import SILENT, log_mel
from .config import load_config
from .model import Eac, tokens_from_columns


def load_net(path):
    """From a shipped .safetensors or a training checkpoint (its running average)."""
    net = Eac(load_config()["model"])
    if str(path).endswith(".safetensors"):
        state = {k: v.float() for k, v in load_file(path).items()}
    else:
        state = of_listener(torch.load(path, weights_only=False)["average"])
    net.load_state_dict(state)
    return net.eval()


def of_listener(state):
    """EAC's tensors of a training's: without the layer that names phones."""
    return {k.removeprefix("eac."): v for k, v in state.items() if k.startswith("eac.")}


@torch.no_grad()
def stream(net, pcm, emotion=0, mu=1.0, most=5, batch=64):
    """PCM -> coefficients clamped to [0, 1] for L = 0 … most: (most + 1, F, 64). `emotion`: index, or weights (8,)."""
    frames = len(pcm) // 640
    size = net.config["frames"]
    lead = net.config["columns"] - 4
    total = frames + most  # the windows that end after the clip hear silence
    columns = np.full((lead + 4 * (size - 1 + total), 80), SILENT, np.float32)
    heard = log_mel(pcm, 4 * total)
    columns[lead + 4 * (size - 1) :] = heard
    device = net.position.device
    columns = torch.from_numpy(columns).to(device)
    mix = (torch.eye(8)[emotion] if isinstance(emotion, int) else torch.as_tensor(emotion, dtype=torch.float32)).to(device)
    z = (mix @ net.emotion.table)[None]
    out = torch.empty(most + 1, frames, 64)
    for first in range(0, total, batch):
        ends = range(first, min(total, first + batch))  # windows by their last frame
        windows = torch.stack([columns[4 * e : 4 * (e + size) + lead] for e in ends])
        beta, _ = net(tokens_from_columns(windows, size, lead + 4), z.expand(len(windows), -1), torch.full((len(windows),), mu, device=device))
        beta = beta.cpu()
        for ahead in range(most + 1):
            for row, end in enumerate(ends):
                if 0 <= end - ahead < frames:
                    out[ahead, end - ahead] = beta[row, size - 1 - ahead]
    return out.clamp(0, 1).numpy()
