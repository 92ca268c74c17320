"""Exports a training run: weights/align.safetensors (f16), its manifest entry and the loss curve.

    python -m train.align.export --run train/.cache/align/run
"""

import argparse
import json
from pathlib import Path

import torch

from ..half import save_half
from ..hef.sheet import draw_curve
from ..manifest import update
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
    (args.weights / "cards").mkdir(exist_ok=True)
    draw_curve(state["curve"], args.weights / "cards" / "align_curve.png")
    update(
        args.weights, file.name, licence="MIT OR Apache-2.0",
        source="trained by train/align on path-traced pictures of random people made by train/crowd and train/blender from CC0 shape data",
        how="python -m train.blender.crowd; python -m train.align.train; python -m train.align.export",
    )
    print(f"exported {file.name}: step {state['step']}, {state['seconds'] / 60:.0f} minutes of training")


if __name__ == "__main__":
    main()
