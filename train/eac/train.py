"""Trains EAC.

    python -m train.eac.train --data train/.cache/speech --run train/.cache/eac --face weights/face.safetensors
    python -m train.eac.train --from weights/eac.safetensors …

Recordings of people are used where `<data>/people_train` is there (`train/speech/recordings.py`); then the lips are looked at on `people_dev` now and then, and the best of
these looks is kept in `<run>/best.safetensors`. A second head names the phones of every mel column, so that the tokens learn to hear; it is not exported.

Resumes from `<run>/last.pt` where there is one; else begins with the weights of --from, or anew. With --steps the schedule counts steps (repeatable), else minutes. `train/loop.py` says what else every training does.
"""

import argparse
import copy
import json
import os
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import nn

from .. import loop
from ..half import save_half
from ..speech.recordings import NATIVE
from ..speech.visemes import PHONES
from .config import load_config
from .data import Corpus, Windows
from .evaluate import gaps, people_clips, spread
from .face import INDEX, load_face
from .losses import Loss
from .metrics import closure_counts, precision_recall
from .model import Eac
from .stream import stream


class Listener(nn.Module):
    """EAC, and a layer that names the phones of each token's four own mel columns from what the face is read from."""

    def __init__(self, config):
        super().__init__()
        self.eac = Eac(config)
        self.phones = nn.Linear(config["width"], 4 * len(PHONES))

    def forward(self, mel, mix, mu):
        """-> β̂ (B, T, 64), logits (B, T, 4, phones), the strength in σ̂ (B,)"""
        kept = {}
        beta, sigma = self.eac(mel, mix @ self.eac.emotion.table, mu, kept.__setitem__)
        return beta, self.phones(kept["norm"][:, 1:]).unflatten(-1, (4, len(PHONES))), self.eac.strength(sigma)


class Trainer(loop.Trainer):
    def __init__(self, config, corpus, rows, rank=0, people=None, dev=(), begin=None, device="cpu"):
        """`people`: a corpus of recordings beside the synthesised one; `dev`: clips that are looked at; `begin`: weights that were exported."""
        train = config["train"]
        torch.manual_seed(train["seed"])
        net = Listener(config["model"])
        if begin is not None:
            net.eac.load_state_dict({k: v.float() for k, v in load_file(begin).items()})
            with torch.no_grad():  # an export takes it off
                net.eac.head[2].bias[INDEX["mouthClose"]] += config["export"]["close_bias"]
        self.before = copy.deepcopy(net.eac).requires_grad_(False).to(device) if begin is not None else None
        net.to(device)
        rate = train["rate"] if begin is None else train["rate_from"]
        groups = [
            {"params": [p for p in net.parameters() if p.ndim >= 2], "weight_decay": train["weight_decay"]},
            {"params": [p for p in net.parameters() if p.ndim < 2], "weight_decay": 0.0},
        ]
        optimizer = torch.optim.AdamW(groups, lr=rate, betas=tuple(train["betas"]), fused=True)
        super().__init__(net, optimizer, seed=train["seed"], rate=rate, warmup=train["warmup_steps"], average=0.999, clip=train["clip"], rank=rank, device=device)
        self.checkpoint_minutes, self.size = train["checkpoint_minutes"], train["batch"]
        self.windows, self.loss = Windows(corpus, config, rows.gap, people=people), Loss(config, rows, device)
        self.keep_strength = config["loss"]["strength"]
        self.rows, self.dev = rows, dev
        self.look_steps = train["look_steps"] if dev else None

    def batch(self):
        return self.windows.batch(self.rng, self.size)

    def losses(self, batch):
        mel, mix, mu, target, labels = (part.to(self.device) for part in batch)
        beta, heard, strength = self.forward(mel, mix, mu)
        total, parts = self.loss(beta, target, heard, labels)
        if self.before is not None:
            # Generators were trained with what σ̂ said before: it goes on to say that. A few windows of a batch are enough.
            some = slice(0, max(1, self.size // 4))
            with torch.no_grad():
                wanted = self.before.strength(self.before(mel[some], mix[some] @ self.before.emotion.table, mu[some])[1])
            parts["strength"] = (strength[some] - wanted).square().mean()
            total = total + self.keep_strength * parts["strength"]
            parts = {k: v.detach() for k, v in parts.items()} | {"total": total.detach()}
        return total, parts

    def evaluate(self, folder):
        best = max((row.get("F1 L2", 0.0) for row in self.curve), default=0.0)
        net = self.average.eac.eval()
        looked = {"L0": 0, "L2": 0, "L5": 0}
        for clip in self.dev:
            shown = gaps(stream(net, clip.pcm), self.rows.gap)
            for name in looked:
                looked[name] = looked[name] + closure_counts(shown[int(name[1])], clip.about["closures"], clip.about["pauses"])
        out = {f"F1 {name}": precision_recall(counts)[2] for name, counts in looked.items()}
        out |= dict(zip(("P L2", "R L2"), precision_recall(looked["L2"])))
        if out["F1 L2"] > best:
            save_half(net, folder / "best.safetensors", steps=str(self.step))
        self.curve[-1] |= out
        return out


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    loop.options(parser, Path("train/.cache/eac"))
    parser.add_argument("--data", type=Path, default=Path("train/.cache/speech"))
    parser.add_argument("--face", type=Path, default=Path("weights/face.safetensors"))
    parser.add_argument("--from", dest="begin", type=Path, help="exported weights to begin with")
    parser.add_argument("--minutes", type=float, default=None)
    parser.add_argument("--set", nargs="*", default=[], metavar="ROOM.KEY=NUMBER", help="another value than the configuration's")
    parser.add_argument("--compile", action="store_true", help="fuse with torch.compile: a tenth faster, slow to start")
    args = parser.parse_args()
    config = load_config()
    for change in args.set:
        (room, key), value = change.split("=")[0].split("."), json.loads(change.split("=")[1])
        if key not in config.get(room, {}):
            raise SystemExit(f"--set {change}: config.toml has no {room}.{key}")
        config[room][key] = value
    torch.set_flush_denormal(True)

    def make(rank, device):
        people, dev = None, []
        if (args.data / "people_train.npz").exists():
            people = Corpus(args.data / "people_train")
            dev = spread(people_clips(Corpus(args.data / "people_dev"), NATIVE), config["train"]["look_seconds"])
        trainer = Trainer(config, Corpus(args.data / "train"), load_face(args.face), rank, people, dev, args.begin, device)
        if args.compile and "RANK" not in os.environ:
            trainer.forward = torch.compile(trainer.net)
        return trainer

    loop.train(make, args, args.run, args.minutes or config["train"]["minutes"])


if __name__ == "__main__":
    main()
