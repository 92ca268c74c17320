"""What every training does: schedule, running average, checkpoints, resuming, the curve. A trainer adds its network, its batches, its losses and how it is looked at.

Batch k is drawn with a generator that is seeded by seed, process and k alone, so a run that was cut anywhere goes on along the same curve. SIGTERM ends a run after the
current step, with a checkpoint. Under torchrun (`torchrun --nproc-per-node N -m train.ROOM.train … --run-folder RUN`) each process trains on its own batches, gradients are averaged (DDP),
and the first process writes.
"""

import copy
import json
import math
import os
import signal
import time
from pathlib import Path

import numpy as np
import torch


class NotFinite(RuntimeError):
    """Training met a NaN or an infinity."""


class Trainer:
    """Subclasses give `batch` and `losses`, and may give `after`, `evaluate`, `row`, `modules` and `about`."""

    floor = 0.03  # share of the learning rate that is left at the end of half a cosine
    curve_steps = 100  # the curve has a point every so many steps: means since the last one
    look_steps = None  # `evaluate` every so many steps and at the end; None: never
    checkpoint_minutes = 3

    def __init__(self, net, optimizer, *, seed, rate, warmup, average, clip, rank=0, device="cpu"):
        """`rate` is the largest learning rate, of which each group of the optimiser may take a `share`; `average` is how much of itself the running average keeps in a step."""
        self.net, self.optimizer, self.forward = net, optimizer, net
        self.average = copy.deepcopy(net).requires_grad_(False)
        self.seed, self.full_rate, self.warmup, self.keep, self.clip = seed, rate, warmup, average, clip
        self.rank, self.device = rank, device
        self.step, self.seconds, self.curve, self.stopped = 0, 0.0, [], False

    def batch(self):
        """The next batch, drawn with `self.rng`."""
        raise NotImplementedError

    def losses(self, batch):
        """(what is minimised, {name: tensor} for the curve)."""
        raise NotImplementedError

    def after(self, parts):
        """When the weights have been changed, before the step is counted; may add to the curve."""

    def evaluate(self, folder):
        """Looks at the average; gives {name: number} for the curve, may leave pictures in the folder."""
        return {}

    def row(self):
        """More for each point of the curve."""
        return {}

    def modules(self):
        """What a checkpoint holds the state of."""
        return {"net": self.net, "average": self.average, "optimizer": self.optimizer}

    def about(self):
        """What a checkpoint says beside that, and must say to be gone on with."""
        return {}

    @property
    def rng(self):
        return np.random.default_rng([self.seed, self.rank, self.step])

    def distribute(self):
        self.forward = torch.nn.parallel.DistributedDataParallel(self.net)

    def rate(self, progress):
        """The learning rate at this share of the whole training."""
        warm = min(1.0, (self.step + 1) / self.warmup)
        return self.full_rate * warm * (self.floor + (1 - self.floor) * 0.5 * (1 + math.cos(math.pi * min(1.0, progress))))

    def finite(self, values):
        for name, value in values.items():
            if not torch.isfinite(value).all():
                raise NotFinite(f"step {self.step}: {name} is not finite; the last checkpoint is good, look at the data or lower the rate")

    def advance(self, progress, batch=None):
        """One step; returns the losses as numbers.

        # Errors
        NotFinite, naming the step and what was not finite; the weights are still those before it.
        """
        for group in self.optimizer.param_groups:
            group["lr"] = self.rate(progress) * group.get("share", 1.0)
        total, parts = self.losses(self.batch() if batch is None else batch)
        self.finite(parts | {"the loss": total})
        self.optimizer.zero_grad()
        total.backward()
        norm = torch.nn.utils.clip_grad_norm_(self.net.parameters(), self.clip)
        if not torch.isfinite(norm):
            bad = next(name for name, p in self.net.named_parameters() if p.grad is not None and not torch.isfinite(p.grad).all())
            raise NotFinite(f"step {self.step}: the gradient of {bad} is not finite; the last checkpoint is good, lower the rate")
        self.optimizer.step()
        self.after(parts)
        self.step += 1
        keep = min(self.keep, (1 + self.step) / (10 + self.step))
        with torch.no_grad():
            for mean, now in zip(self.average.parameters(), self.net.parameters()):
                mean.lerp_(now, 1 - keep)
        return {name: float(value.detach()) for name, value in parts.items()}

    def save(self, path):
        """Writes beside the place and renames, so that there is a whole checkpoint at any time."""
        state = {name: module.state_dict() for name, module in self.modules().items()} | self.about()
        state |= {"step": self.step, "seconds": self.seconds, "curve": self.curve}
        beside = path.with_suffix(".part")
        torch.save(state, beside)
        os.replace(beside, path)

    def load(self, path):
        """# Errors
        ValueError: it is of another configuration or another version.
        """
        state = torch.load(path, map_location=self.device, weights_only=False)
        for key, mine in self.about().items():
            theirs = state.get(key)
            if theirs != mine:
                both = isinstance(mine, dict) and isinstance(theirs, dict)
                off = ", ".join(sorted(k for k in mine.keys() | theirs.keys() if mine.get(k) != theirs.get(k))) if both else key
                raise ValueError(f"{path}: a checkpoint of another configuration ({off} differ); use another --run")
        for name, module in self.modules().items():
            try:
                module.load_state_dict(state[name])
            except (KeyError, RuntimeError, ValueError) as error:
                raise ValueError(f"{path}: its {name} is another version's; use another --run ({str(error).splitlines()[0]})") from None
        self.step, self.seconds, self.curve = state["step"], state["seconds"], state["curve"]


def run(trainer, folder, steps=None, minutes=None, log=print):
    """Trains up to `steps`, or without them for `minutes`, or until it is stopped."""
    folder.mkdir(parents=True, exist_ok=True)
    chief, sums, last, saved = trainer.rank == 0, {}, time.monotonic(), trainer.seconds
    while not trainer.stopped:
        progress = trainer.step / steps if steps else trainer.seconds / (60 * minutes)
        if progress >= 1.0:
            break
        for name, value in trainer.advance(progress).items():
            sums.setdefault(name, []).append(value)
        now = time.monotonic()
        trainer.seconds, last = trainer.seconds + now - last, now
        look = trainer.look_steps and (trainer.step % trainer.look_steps == 0 or trainer.step == steps)
        if look or trainer.step % trainer.curve_steps == 0:
            if chief:
                row = {"step": trainer.step, "minutes": trainer.seconds / 60} | trainer.row() | {k: sum(v) / len(v) for k, v in sums.items()}
                trainer.curve.append(row)
                row |= trainer.evaluate(folder) if look else {}
                log(" ".join(f"{k} {v:.4g}" for k, v in row.items()), flush=True)
            sums = {}
        if chief and trainer.seconds - saved > 60 * trainer.checkpoint_minutes:
            trainer.save(folder / "last.pt")
            saved = trainer.seconds
    if chief:
        trainer.save(folder / "last.pt")
        (folder / "curve.json").write_text(json.dumps(trainer.curve))


def options(parser, folder=None, steps=None):
    """The options that every training has."""
    parser.add_argument("--run-folder", "--run", dest="run", type=Path, default=folder, help="of checkpoints and curve; torchrun takes --run for its own")
    parser.add_argument("--steps", type=int, default=steps)
    parser.add_argument("--threads", type=int, default=1)


def train(make, args, folder, minutes=None):
    """Makes a trainer by `make(rank, device)`, goes on from `<folder>/last.pt` where there is one, and trains it as `options` say."""
    torch.set_num_threads(args.threads)
    rank = int(os.environ.get("RANK", 0))
    try:
        trainer = make(rank, f"cuda:{os.environ.get('LOCAL_RANK', 0)}" if torch.cuda.is_available() else "cpu")
        if (folder / "last.pt").exists():
            trainer.load(folder / "last.pt")
            print(f"resumed at step {trainer.step}, {trainer.seconds / 60:.1f} minutes")
    except ValueError as error:
        raise SystemExit(f"training cannot begin: {error}") from None
    if "RANK" in os.environ:
        torch.distributed.init_process_group("nccl" if trainer.device != "cpu" else "gloo")
        trainer.distribute()
    signal.signal(signal.SIGTERM, lambda *_: setattr(trainer, "stopped", True))
    try:
        run(trainer, folder, args.steps, minutes)
    except NotFinite as error:
        raise SystemExit(f"training stopped: {error}") from None


def draw_curve(curve, path):
    """A small plot for everything that the curve follows."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    names = [n for n in dict.fromkeys(k for row in curve for k in row) if n not in ("step", "minutes")]
    if not names:
        return
    columns = min(5, len(names))
    rows = -(-len(names) // columns)
    figure, axes = plt.subplots(rows, columns, figsize=(2.6 * columns, 2.4 * rows), squeeze=False)
    for axis in axes.flat[len(names) :]:
        axis.set_visible(False)
    for axis, name in zip(axes.flat, names):
        steps, values = zip(*((row["step"], row[name]) for row in curve if name in row))
        axis.plot(steps, values, linewidth=1)
        axis.set_title(name, fontsize=9)
        axis.tick_params(labelsize=7)
        if min(values) > 0 and max(values) > 1.3 * min(values):
            axis.set_yscale("log")
            axis.tick_params(which="minor", labelsize=6)
    figure.tight_layout()
    figure.savefig(path, dpi=110)
    plt.close(figure)
