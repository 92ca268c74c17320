"""Golden file of Align: a tiny network with seeded weights (the head too) and every layer's activation.

    python -m train.goldens.align

weight.* holds the network, whose sizes are the metadata "network"; picture (1, 3, C, C) its input, head (1, 2K, C/4, C/4) its result, the rest its
other layers' activations, by the names of the layers.
"""

import argparse
import json
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import save_file

from train.align.model import SLOPE, Align

# Odd numbers of channels: whatever the kernels fill up shows.
TINY = {"crop": 32, "widths": [5, 6, 7, 9], "up": [6, 5], "points": [3, 5, 8, 13, 21, 34, 55, 71, 89]}


@torch.no_grad()
def build():
    g = torch.Generator().manual_seed(50)
    net = Align(len(TINY["points"]), TINY["widths"], TINY["up"]).eval()
    for name, p in net.named_parameters():
        noise = torch.randn(p.shape, generator=g)
        p.copy_(0.1 * noise if name.endswith("bias") else noise / p[0].numel() ** 0.5)
    out = {f"weight.{name}": value.detach() for name, value in net.state_dict().items()}

    def keep(name, activated):
        return lambda module, given, made: out.update({name: (F.leaky_relu(made, SLOPE) if activated else made).clone()})

    for name, module in net.named_modules():
        if isinstance(module, torch.nn.Conv2d):
            module.register_forward_hook(keep(name, name != "head"))
    out["picture"] = torch.rand(1, 3, TINY["crop"], TINY["crop"], generator=g)
    net(out["picture"])
    return {key: value.contiguous() for key, value in out.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("engine/tests/golden/align.safetensors"))
    args = parser.parse_args()
    torch.set_num_threads(1)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    save_file(build(), args.out, metadata={"network": json.dumps(TINY)})
    args.out.chmod(0o644)
    print(args.out, args.out.stat().st_size, "bytes")


if __name__ == "__main__":
    main()
