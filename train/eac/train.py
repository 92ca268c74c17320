"""Trains EAC.

    python -m train.eac.train --data train/.cache/speech --run train/.cache/eac --face weights/face.safetensors

Resumes from `<run>/last.pt` where there is one. With --steps the schedule counts steps (repeatable), else minutes.
Under torchrun every process trains on its own random windows and gradients are averaged (DDP).
"""

import argparse
import json
import math
import os
import time
from pathlib import Path

import numpy as np
import torch

from .config import load_config
from .data import Corpus, Windows
from .face import load_face
from .losses import Loss
from .model import Eac


class Trainer:
    def __init__(self, config, corpus, rows, rank=0):
        train = config["train"]
        torch.manual_seed(train["seed"])
        self.config, self.train = config, train
        self.net = Eac(config["model"])
        self.average = {k: v.detach().clone() for k, v in self.net.state_dict().items()}
        decay = [p for p in self.net.parameters() if p.ndim >= 2]
        plain = [p for p in self.net.parameters() if p.ndim < 2]
        self.optimizer = torch.optim.AdamW(
            [{"params": decay, "weight_decay": train["weight_decay"]}, {"params": plain, "weight_decay": 0.0}],
            lr=train["rate"], betas=tuple(train["betas"]), fused=True,
        )
        self.rng = np.random.default_rng(train["seed"] + 100 * rank)
        self.windows = Windows(corpus, config, rows.gap, self.rng)
        self.loss = Loss(config, rows)
        self.forward = self.net
        self.step, self.seconds, self.curve = 0, 0.0, []

    def distribute(self):
        self.forward = torch.nn.parallel.DistributedDataParallel(self.net)

    def rate(self, progress):
        warm = min(1.0, (self.step + 1) / self.train["warmup_steps"])
        return self.train["rate"] * warm * (0.03 + 0.97 * 0.5 * (1 + math.cos(math.pi * min(1.0, progress))))

    def advance(self, progress, batch=None):
        """One optimiser step; returns the parts of its loss."""
        for group in self.optimizer.param_groups:
            group["lr"] = self.rate(progress)
        mel, mix, mu, target = batch or self.windows.batch(self.train["batch"])
        beta, _ = self.forward(mel, mix @ self.net.emotion.table, mu)
        total, parts = self.loss(beta, target)
        self.optimizer.zero_grad()
        total.backward()
        torch.nn.utils.clip_grad_norm_(self.net.parameters(), self.train["clip"])
        self.optimizer.step()
        self.step += 1
        keep = min(0.999, (1 + self.step) / (10 + self.step))
        with torch.no_grad():
            for name, value in self.net.state_dict().items():
                self.average[name].lerp_(value, 1 - keep)
        return {k: float(v) for k, v in parts.items()}

    def save(self, path):
        state = {
            "net": self.net.state_dict(), "average": self.average, "optimizer": self.optimizer.state_dict(),
            "rng": self.rng.bit_generator.state, "step": self.step, "seconds": self.seconds, "curve": self.curve,
        }
        beside = path.with_suffix(".part")
        torch.save(state, beside)
        os.replace(beside, path)

    def load(self, path):
        state = torch.load(path, weights_only=False)
        self.net.load_state_dict(state["net"])
        self.average = state["average"]
        self.optimizer.load_state_dict(state["optimizer"])
        self.rng.bit_generator.state = state["rng"]
        self.step, self.seconds, self.curve = state["step"], state["seconds"], state["curve"]


def run(trainer, folder, steps=None, minutes=None, log=print):
    folder.mkdir(parents=True, exist_ok=True)
    sums, count = {}, 0
    last = time.monotonic()
    saved = trainer.seconds
    while True:
        progress = trainer.step / steps if steps else trainer.seconds / (60 * minutes)
        if progress >= 1.0:
            break
        parts = trainer.advance(progress)
        now = time.monotonic()
        trainer.seconds += now - last
        last = now
        for key, value in parts.items():
            sums[key] = sums.get(key, 0.0) + value
        count += 1
        if count == 100:
            row = {"step": trainer.step, "minutes": trainer.seconds / 60} | {k: v / count for k, v in sums.items()}
            trainer.curve.append(row)
            if len(trainer.curve) % 5 == 0:
                log(" ".join(f"{k} {v:.4g}" for k, v in row.items()), flush=True)
            sums, count = {}, 0
        if trainer.seconds - saved > 60 * trainer.train["checkpoint_minutes"]:
            trainer.save(folder / "last.pt")
            saved = trainer.seconds
    trainer.save(folder / "last.pt")
    (folder / "curve.json").write_text(json.dumps(trainer.curve))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("train/.cache/speech"))
    parser.add_argument("--run", type=Path, default=Path("train/.cache/eac"))
    parser.add_argument("--face", type=Path, default=Path("weights/face.safetensors"))
    parser.add_argument("--minutes", type=float, default=None)
    parser.add_argument("--steps", type=int, default=None)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--compile", action="store_true", help="fuse with torch.compile: a tenth faster, slow to start")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    config = load_config()
    rank = int(os.environ.get("RANK", 0))
    trainer = Trainer(config, Corpus(args.data / "train"), load_face(args.face), rank)
    if "RANK" in os.environ:
        torch.distributed.init_process_group("gloo")
        trainer.distribute()
    elif args.compile:
        trainer.forward = torch.compile(trainer.net)
    if (args.run / "last.pt").exists():
        trainer.load(args.run / "last.pt")
        print(f"resumed at step {trainer.step}, {trainer.seconds / 60:.1f} minutes")
    minutes = args.minutes or config["train"]["minutes"]
    run(trainer, args.run, args.steps, minutes, print if rank == 0 else lambda *a, **k: None)


if __name__ == "__main__":
    main()
