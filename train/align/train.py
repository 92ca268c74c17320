"""Trains the alignment network.

    python -m train.align.train --people PEOPLE --held HELD --run train/.cache/align/run --steps 12000

Resumes from `<run>/last.pt`. Takes in people that are made meanwhile. `train/loop.py` says what else every training does.
"""

import argparse
from pathlib import Path

import numpy as np
import torch

from .. import loop
from ..face.model import FaceModel
from .data import Pictures
from .model import Align, places
from .points import choose

SEED, BATCH, RATE, AVERAGE = 5, 8, 1e-3, 0.998
# What the cross-entropy to a spot around the true place counts against the likelihood of that place; without it the first thousand steps are slow.
SPOT, SPREAD = 0.5, 4.0


def loss_of(out, true):
    """(loss, mean error per axis in pixels): Laplace's negative log-likelihood of the places, and the cross-entropy of their probabilities to normal spots."""
    at, spread, logs = places(out)
    side = 4 * out.shape[-1]
    inside = ((true > 0) & (true < side)).all(-1).float()
    error = (at - true).abs().sum(-1)
    spread = spread.clamp(-2, 5)
    likelihood = error * torch.exp(-spread) + 2 * spread
    centre = 4 * torch.arange(out.shape[-1], dtype=torch.float32, device=out.device) + 2
    x, y = (torch.softmax(-((centre - true[..., k, None]) / SPREAD) ** 2 / 2, -1) for k in (0, 1))
    spot = -(logs.unflatten(-1, (len(centre), len(centre))) * y[..., :, None] * x[..., None, :]).sum((-1, -2))
    count = inside.sum().clamp(min=1)
    return ((likelihood + SPOT * spot) * inside).sum() / count, (error * inside).sum().detach() / count / 2


@torch.no_grad()
def held_error(net, data):
    """Over held-out pictures: root mean square distance of the points, in pixels of the crop; the worst tenth's; share of points within twice what was expected."""
    square, sure = [], []
    for k in range(len(data.pictures)):
        picture, true = data.plain(k)
        device = next(net.parameters()).device
        at, spread, _ = (x.cpu() for x in places(net(picture[None].to(device))))
        far = (at[0] - true).pow(2).sum(-1)
        square.append(float(far.mean().sqrt()))
        sure.append(float((far.sqrt() < 2 * 2**0.5 * spread[0].exp()).float().mean()))
    return np.mean(square), np.quantile(square, 0.9), np.mean(sure)


class Trainer(loop.Trainer):
    look_steps = 500

    def __init__(self, model, data=None, held=None, rank=0, device="cpu", half=False):
        self.points, self.other = choose(model)
        torch.manual_seed(SEED)
        net = Align(len(self.points)).to(device)
        optimizer = torch.optim.Adam(net.parameters(), RATE, (0.9, 0.99))
        super().__init__(net, optimizer, seed=SEED, rate=RATE, warmup=100, average=AVERAGE, clip=1.0, rank=rank, device=device)
        self.data, self.held, self.half = data, held, half

    def about(self):
        return {"points": self.points.tolist()}

    def batch(self):
        return self.data.batch(self.rng, BATCH, self.other)

    def losses(self, batch):
        picture, true = (x.to(self.device) for x in batch)
        with torch.autocast(torch.device(self.device).type, torch.bfloat16, enabled=self.half):
            out = self.forward(picture)
        loss, error = loss_of(out.float(), true)
        return loss, {"loss": loss, "error": error}

    def row(self):
        return {"people": len(self.data.names)}

    def evaluate(self, folder):
        found = dict(zip(("held_rms", "held_worst_tenth", "held_sure"), map(float, held_error(self.average, self.held))))
        self.data.refresh()
        return found


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    loop.options(parser, Path("train/.cache/align/run"), 12000)
    parser.add_argument("--people", type=Path, default=Path("train/.cache/crowd/people"))
    parser.add_argument("--held", type=Path, default=Path("train/.cache/crowd/held"))
    parser.add_argument("--face", type=Path, default=Path("weights/face.safetensors"))
    parser.add_argument("--half", action="store_true", help="convolutions in bfloat16")
    args = parser.parse_args()
    model = FaceModel(args.face)

    def make(rank, device):
        trainer = Trainer(model, rank=rank, device=device, half=args.half)
        trainer.data, trainer.held = (Pictures(folder, model, trainer.points) for folder in (args.people, args.held))
        return trainer

    loop.train(make, args, args.run)


if __name__ == "__main__":
    main()
