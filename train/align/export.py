"""Exports a training run: weights/align.safetensors (f16), its manifest entry and the loss curve.

    python -m train.align.export --run train/.cache/align/run
"""

import argparse
import json
from pathlib import Path

import torch

from ..half import save_half
from ..release import PICTURES, release
from .data import CROP
from .model import UP, WIDTHS, Align


def export(checkpoint, folder):
    """(file, checkpoint's state): the running average of a checkpoint, rounded to f16."""
    state = torch.load(checkpoint, map_location="cpu", weights_only=False)
    net = Align(len(state["points"]))
    net.load_state_dict(state["average"])  # names and shapes must be the network's own
    file = folder / "align.safetensors"
    network = {"crop": CROP, "widths": WIDTHS, "up": UP, "points": state["points"]}
    save_half(net, file, network=json.dumps(network), steps=str(state["step"]))
    return file, state


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, default=Path("train/.cache/align/run"))
    parser.add_argument("--weights", type=Path, default=Path("weights"))
    args = parser.parse_args()
    file, state = export(args.run / "last.pt", args.weights)
    release(args.weights, file, state, "align", PICTURES, "python -m train.blender.crowd")


if __name__ == "__main__":
    main()
