"""Exports a training run: weights/hef_<size>.safetensors (f16), its manifest entry and the loss curve.

    python -m train.hef.export --run train/.cache/hef/nano --shards train/.cache/hef/shards

An ablation's run becomes weights/hef_<size>_<ablation>.safetensors, for `vultus eval generator`; `--suffix short` adds to the name, for a run of nano
that is as short as those. `--shards` are those it was trained on: the styles it may be given in use are held near theirs (style.py), and it gets σ̂ in use if it had it there. Without
them the engine takes σ̂ for a constant 0.
"""

import argparse
import json
from pathlib import Path

import torch

from ..half import save_half
from ..release import PICTURES, release
from .config import CONFIG, load_config, names
from .data import People
from .model import Hef
from .style import style_range, style_sigma


def name_of(network, path=CONFIG):
    """The name of a resolved configuration in the file: "nano" or "nano/no_prior".

    # Errors
    ValueError: the file has no such configuration (any more).
    """
    sizes, ablations = names(path)
    for name in sizes + [f"{size}/{ablation}" for size in sizes for ablation in ablations]:
        if load_config(name, path) == network:
            return name
    raise ValueError(f"{path} has no configuration like the checkpoint's: {network}")


def export(checkpoint, folder, path=CONFIG, suffix="", shards=None):
    """(file, checkpoint's state): the running average of a checkpoint, rounded to f16. `shards` is the folder it was trained on."""
    state = torch.load(checkpoint, map_location="cpu", weights_only=False)
    name = name_of(state["network"], path)
    net = Hef(state["network"])
    net.load_state_dict(state["average"])  # names and shapes must be the network's own
    file = folder / f"hef_{name.replace('/', '_')}{suffix and '_' + suffix}.safetensors"
    held = {}
    if shards is not None:
        people = People(shards, state["network"]["crop"])
        for end, of in zip(("low", "high"), style_range(people)):
            held[f"style_{end}"] = json.dumps([round(float(v), 5) for v in of])
        held["style_sigma"] = json.dumps(style_sigma(people))
    save_half(net, file, network=json.dumps(state["network"]), steps=str(state["step"]), **held)
    return file, state


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, default=Path("train/.cache/hef/nano"))
    parser.add_argument("--weights", type=Path, default=Path("weights"))
    parser.add_argument("--suffix", default="")
    parser.add_argument("--shards", type=Path)
    args = parser.parse_args()
    file, state = export(args.run / "last.pt", args.weights, suffix=args.suffix, shards=args.shards)
    release(args.weights, file, state, "hef", PICTURES, "python -m train.blender.crowd", "vultus-shards --correct")


if __name__ == "__main__":
    main()
