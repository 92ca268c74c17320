"""Exports a training run: weights/eac.safetensors (f16), its manifest entry and the loss curve.

    python -m train.eac.export --run train/.cache/eac
"""

import argparse
import json
from pathlib import Path

import torch

from ..half import save_half
from ..release import release
from .config import load_config
from .face import EMOTIONS, INDEX, NAMES
from .model import Eac
from .stream import of_listener


def export(checkpoint, path):
    """The running average of a checkpoint, with the closing bias of the configuration, rounded to f16."""
    config, bias = load_config()["model"], load_config()["export"]["close_bias"]
    state = torch.load(checkpoint, weights_only=False)
    net = Eac(config)
    net.load_state_dict(of_listener(state["average"]))  # names and shapes must be the network's own
    with torch.no_grad():
        net.head[2].bias[INDEX["mouthClose"]] -= bias
    save_half(
        net, path, network=json.dumps(config), emotions=json.dumps(EMOTIONS), expression_names=json.dumps(NAMES), steps=str(state["step"]),
    )
    return state


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, default=Path("train/.cache/eac"))
    parser.add_argument("--weights", type=Path, default=Path("weights"))
    args = parser.parse_args()
    file = args.weights / "eac.safetensors"
    state = export(args.run / "last.pt", file)
    release(
        args.weights, file, state, "eac",
        "speech synthesised with espeak-ng, flite and festival, and recordings of people (train/speech/recordings.py names them)", "python -m train.speech.synth train",
        "python -m train.speech.recordings FOLDER",
    )


if __name__ == "__main__":
    main()
