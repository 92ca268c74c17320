"""Trains EAC.

    python -m train.eac.train --data train/.cache/speech --run train/.cache/eac --face weights/face.safetensors

Resumes from `<run>/last.pt` where there is one. With --steps the schedule counts steps (repeatable), else minutes. `train/loop.py` says what else every training does.
"""

import argparse
import os
from pathlib import Path

import torch

from .. import loop
from .config import load_config
from .data import Corpus, Windows
from .face import load_face
from .losses import Loss
from .model import Eac


class Trainer(loop.Trainer):
    def __init__(self, config, corpus, rows, rank=0):
        train = config["train"]
        torch.manual_seed(train["seed"])
        net = Eac(config["model"])
        groups = [
            {"params": [p for p in net.parameters() if p.ndim >= 2], "weight_decay": train["weight_decay"]},
            {"params": [p for p in net.parameters() if p.ndim < 2], "weight_decay": 0.0},
        ]
        optimizer = torch.optim.AdamW(groups, lr=train["rate"], betas=tuple(train["betas"]), fused=True)
        super().__init__(net, optimizer, seed=train["seed"], rate=train["rate"], warmup=train["warmup_steps"], average=0.999, clip=train["clip"], rank=rank)
        self.checkpoint_minutes, self.size = train["checkpoint_minutes"], train["batch"]
        self.windows, self.loss = Windows(corpus, config, rows.gap), Loss(config, rows)

    def batch(self):
        return self.windows.batch(self.rng, self.size)

    def losses(self, batch):
        mel, mix, mu, target = batch
        beta, _ = self.forward(mel, mix @ self.net.emotion.table, mu)
        return self.loss(beta, target)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    loop.options(parser, Path("train/.cache/eac"))
    parser.add_argument("--data", type=Path, default=Path("train/.cache/speech"))
    parser.add_argument("--face", type=Path, default=Path("weights/face.safetensors"))
    parser.add_argument("--minutes", type=float, default=None)
    parser.add_argument("--compile", action="store_true", help="fuse with torch.compile: a tenth faster, slow to start")
    args = parser.parse_args()
    config = load_config()

    def make(rank, _device):
        trainer = Trainer(config, Corpus(args.data / "train"), load_face(args.face), rank)
        if args.compile and "RANK" not in os.environ:
            trainer.forward = torch.compile(trainer.net)
        return trainer

    loop.train(make, args, args.run, args.minutes or config["train"]["minutes"])


if __name__ == "__main__":
    main()
