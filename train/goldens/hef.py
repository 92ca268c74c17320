"""Golden file of HEF: tiny networks with seeded weights (heads too), every layer's activation, what the ablations make of the same weights, and what the shipped network does.

    python -m train.goldens.hef

NAME.weight.* holds the network `train.hef.config.TINY[NAME]`, whose configuration is the metadata NAME; NAME.driven, .source, .style its inputs,
NAME.result (B, 6, C, C) = need · delta 3, matte 1, residual flow 2, the rest its activations. `after/ABLATION.result` belong to the inputs and
the weights of `after`, with the configuration in the metadata of that name. nano.* are some values (`sampled`) of every layer of the shipped network, whose weights stay in their
own file; its inputs are noise, in blocks of BLOCK × BLOCK equal pixels, that the Rust test makes again (`noise`).
"""

import argparse
import json
from pathlib import Path

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from train.goldens import sampled
from train.hef.config import TINY
from train.hef.model import NEED, Hef

BLOCK = 8
# What each changes, small enough for the tiny network to feel it.
ABLATIONS = {"no_residual": {"residual": False}, "no_hierarchy": {"flow_limit": 8}, "no_prior": {"prior": False}}


def randomise(net, seed):
    """Seeded values for every parameter: no head stays zero, no two scales alike."""
    g = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, p in net.named_parameters():
            noise = torch.randn(p.shape, generator=g)
            if name.endswith("affine.bias"):
                p.copy_(1 + 0.3 * noise)
            elif name.endswith("bias"):
                p.copy_(0.1 * noise)
            elif any(head in name for head in (".flow.", ".rgb.", "matte", "detail")):
                p.copy_(0.3 * noise / p[0].numel() ** 0.5)
            else:
                p.copy_(noise / p[0].numel() ** 0.5)
            if name.endswith(".flow.weight"):
                p.mul_(0.3)
    return net.eval()


def inputs(config, batch, seed):
    """Inputs of the size of real ones: a smooth prior that leaves the picture here and there, need on half of it."""
    g = torch.Generator().manual_seed(seed)
    side = config["crop"]

    def smooth(channels):
        coarse = torch.randn(batch, channels, 6, 6, generator=g)
        return torch.nn.functional.interpolate(coarse, size=side, mode="bicubic", align_corners=False)

    driven = torch.rand(batch, 16, side, side, generator=g)
    driven[:, 10:12] = 0.1 * smooth(2)
    driven[:, 12] = 0.3 * smooth(1)[:, 0]
    driven[:, 13] = smooth(1)[:, 0].clamp(0, 1)
    return driven, torch.rand(batch, 8, side, side, generator=g), torch.randn(batch, 258, generator=g)


@torch.no_grad()
def run(net, driven, source, style, trace=None):
    made = net(driven, source, style, trace=trace)
    return torch.cat([driven[:, NEED, None] * made["delta"], made["matte"], made["flow"]], 1)


def noise(seed, *shape):
    """Numbers from −1 to 1, as `noise` in engine/native/tests/common gives them (xorshift64)."""
    mask, count = 2**64 - 1, int(np.prod(shape))
    s = (seed * 0x9E3779B97F4A7C15 & mask) | 1
    out = np.empty(count, np.float32)
    for k in range(count):
        s ^= s << 13 & mask
        s ^= s >> 7
        s ^= s << 17 & mask
        out[k] = (s >> 40) / 2**23 - 1
    return torch.from_numpy(out.reshape(shape))


def shipped(weights):
    file = weights / "hef_nano.safetensors"
    with safe_open(file, "pt") as opened:
        config = json.loads(opened.metadata()["network"])
    net = Hef(config).eval()
    net.load_state_dict({name: value.float() for name, value in load_file(file).items()})
    side, out = config["crop"] // BLOCK, {}
    driven = 0.5 + 0.5 * noise(1, 1, 16, side, side)
    driven[:, 10:12] = 0.05 * noise(2, 1, 2, side, side)
    driven[:, 12] = 0.3 * noise(3, 1, side, side)
    driven, source = (x.repeat_interleave(BLOCK, 2).repeat_interleave(BLOCK, 3) for x in (driven, 0.5 + 0.5 * noise(4, 1, 8, side, side)))
    style = noise(5, 1, 258)
    out["nano.result"] = sampled(run(net, driven, source, style, trace=lambda key, value: out.update({f"nano.{key}": sampled(value)})))
    return out


def build(weights):
    """`weights` is the folder of the shipped files."""
    out = shipped(weights)
    for seed, (name, config) in enumerate(TINY.items()):
        net = randomise(Hef(config), 30 + seed)
        batch = 2 if name == "after" else 1
        given = inputs(config, batch, 40 + seed)
        out |= {f"{name}.{key}": value for key, value in zip(("driven", "source", "style"), given)}
        out |= {f"{name}.weight.{key}": value.detach() for key, value in net.state_dict().items()}
        out[f"{name}.result"] = run(net, *given, trace=lambda key, value, name=name: out.update({f"{name}.{key}": value.clone()}))
        if name != "after":
            continue
        for ablation, change in ABLATIONS.items():
            changed = Hef(config | change)
            state = {key: value for key, value in net.state_dict().items() if key in changed.state_dict()}
            changed.load_state_dict(state)
            out[f"{name}/{ablation}.result"] = run(changed, *given)
    return {key: value.contiguous() for key, value in out.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", type=Path, default=Path("weights"), help="the folder of the shipped files")
    parser.add_argument("--out", type=Path, default=Path("engine/native/tests/golden/hef.safetensors"))
    args = parser.parse_args()
    torch.set_num_threads(1)
    about = {name: json.dumps(config) for name, config in TINY.items()}
    about |= {f"after/{name}": json.dumps(TINY["after"] | change) for name, change in ABLATIONS.items()}
    args.out.parent.mkdir(parents=True, exist_ok=True)
    save_file(build(args.weights), args.out, metadata=about)
    args.out.chmod(0o644)
    print(args.out, args.out.stat().st_size, "bytes")


if __name__ == "__main__":
    main()
