"""Exports a training run: weights/eac.safetensors (f16), its manifest entry and the loss curve.

    python -m train.eac.export --run train/.cache/eac
"""

import argparse
import json
from pathlib import Path

import torch

from ..half import save_half
from ..manifest import update
from .config import load_config
from .face import EMOTIONS, INDEX, NAMES
from .model import Eac


def export(checkpoint, path):
    """The running average of a checkpoint, with the closing bias of the configuration, rounded to f16."""
    config, bias = load_config()["model"], load_config()["export"]["close_bias"]
    state = torch.load(checkpoint, weights_only=False)
    net = Eac(config)
    net.load_state_dict(state["average"])  # names and shapes must be the network's own
    with torch.no_grad():
        net.head[2].bias[INDEX["mouthClose"]] -= bias
    save_half(
        net, path, network=json.dumps(config), emotions=json.dumps(EMOTIONS), expression_names=json.dumps(NAMES), steps=str(state["step"]),
    )
    return state


def draw_curve(curve, path):
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axis = plt.subplots(figsize=(7, 3.6), dpi=100)
    for key in ("total", "gap", "landmarks", "coefficients", "velocity"):
        axis.plot([r["step"] for r in curve], [r[key] for r in curve], label=key, lw=1.2)
    axis.set(yscale="log", xlabel="step", ylabel="loss (mean of 100 steps)", title="EAC training")
    axis.grid(alpha=0.3, which="both")
    axis.legend(fontsize=8)
    figure.tight_layout()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path)
    plt.close(figure)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, default=Path("train/.cache/eac"))
    parser.add_argument("--weights", type=Path, default=Path("weights"))
    args = parser.parse_args()
    state = export(args.run / "last.pt", args.weights / "eac.safetensors")
    draw_curve(state["curve"], args.weights / "cards" / "eac_curve.png")
    update(
        args.weights, "eac.safetensors", licence="MIT OR Apache-2.0",
        source="trained by train/eac on speech synthesised with espeak-ng, flite and festival",
        how="python -m train.speech.synth train; python -m train.eac.train; python -m train.eac.export",
    )
    print(f"exported step {state['step']}, {state['seconds'] / 60:.0f} minutes of training")


if __name__ == "__main__":
    main()
