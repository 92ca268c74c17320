"""Golden file of Align: a tiny network with seeded weights (the head too) and every layer's activation; and what the shipped one makes of a portrait.

    python -m train.goldens.align

weight.* holds the tiny network, whose sizes are the metadata "network"; picture (1, 3, C, C) its input, head (1, 2K, C/4, C/4) its result, the rest its
other layers' activations, by the names of the layers. shipped.* are some values (`sampled`) of every layer of the shipped network, for the middle of an avatar's portrait:
the sRGB bytes of its pixels, over 255. Weights and portrait stay in their own files.
"""

import argparse
import io
import json
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from train.align.model import SLOPE, Align
from train.goldens import sampled

# Odd numbers of channels: whatever the kernels fill up shows.
TINY = {"crop": 32, "widths": [5, 6, 7, 9], "up": [6, 5], "points": [3, 5, 8, 13, 21, 34, 55, 71, 89]}


AVATAR, CORNER = "amara", 128  # whose portrait, and where its middle begins, x and y


def activations(net, picture, kept):
    """{layer: kept(activation)} of every convolution, by its name."""
    out = {}

    def keep(name, activated):
        return lambda module, given, made: out.update({name: kept(F.leaky_relu(made, SLOPE) if activated else made)})

    for name, module in net.named_modules():
        if isinstance(module, torch.nn.Conv2d):
            module.register_forward_hook(keep(name, name != "head"))
    net(picture)
    return out


def tiny():
    g = torch.Generator().manual_seed(50)
    net = Align(len(TINY["points"]), TINY["widths"], TINY["up"]).eval()
    for name, p in net.named_parameters():
        noise = torch.randn(p.shape, generator=g)
        p.copy_(0.1 * noise if name.endswith("bias") else noise / p[0].numel() ** 0.5)
    out = {f"weight.{name}": value.detach() for name, value in net.state_dict().items()}
    out["picture"] = torch.rand(1, 3, TINY["crop"], TINY["crop"], generator=g)
    return out | activations(net, out["picture"], torch.clone)


def shipped(weights):
    file = weights / "align.safetensors"
    with safe_open(file, "pt") as opened:
        network = json.loads(opened.metadata()["network"])
    net = Align(len(network["points"]), network["widths"], network["up"]).eval()
    net.load_state_dict({name: value.float() for name, value in load_file(file).items()})
    with safe_open(weights / "avatars" / f"{AVATAR}.avatar", "np") as opened:
        portrait = np.array(Image.open(io.BytesIO(opened.get_tensor("portrait.png").tobytes())).convert("RGB"))
    middle = portrait[CORNER : CORNER + network["crop"], CORNER : CORNER + network["crop"]]
    picture = torch.from_numpy(middle.copy()).permute(2, 0, 1)[None].float() / 255
    return {f"shipped.{name}": value for name, value in activations(net, picture, sampled).items()}


@torch.no_grad()
def build(weights):
    """`weights` is the folder of the shipped files."""
    return {key: value.contiguous() for key, value in (tiny() | shipped(weights)).items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", type=Path, default=Path("weights"), help="the folder of the shipped files")
    parser.add_argument("--out", type=Path, default=Path("engine/native/tests/golden/align.safetensors"))
    args = parser.parse_args()
    torch.set_num_threads(1)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    save_file(build(args.weights), args.out, metadata={"network": json.dumps(TINY)})
    args.out.chmod(0o644)
    print(args.out, args.out.stat().st_size, "bytes")


if __name__ == "__main__":
    main()
