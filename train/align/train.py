"""Trains the alignment network.

    python -m train.align.train --data train/.cache/align/fits --held train/.cache/align/held --run train/.cache/align/run --steps 6000

Resumes from `<run>/last.pt`; SIGTERM ends it after the current step, with a checkpoint.
"""

import argparse
import copy
import json
import math
import os
import signal
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from .data import Fits
from .model import Align

SEED, BATCH, RATE, AVERAGE = 5, 8, 1e-3, 0.998


def loss_of(out, offset, mask):
    """Laplace's negative log-likelihood on the mesh, at the size of `out`; offset and mask come at the full size."""
    side = out.shape[-1]
    share = F.interpolate(mask, size=side, mode="area")
    target = F.interpolate(offset * mask, size=side, mode="area") / share.clamp(min=0.05)
    error = (out[:, :2] - target).abs().sum(1, keepdim=True)
    spread = out[:, 2:].clamp(-3, 4)
    inside = (share > 0.5).float()
    likelihood = ((error * torch.exp(-spread) + 2 * spread) * inside).sum() / inside.sum()
    return likelihood, ((error * inside).sum() / inside.sum() / 2).detach()


@torch.no_grad()
def held_error(net, fits):
    """Mean length of what is left of the offset on the mesh, pixels of 256², and of the offset itself, over the disturbed fits; and what is made up over exact ones."""
    left, was, made_up = [], [], []
    for person in range(len(fits.source)):
        for fit in range(fits.fits):
            source, offset, mask = fits.pick(person, fit)
            out = F.interpolate(net(source[None])[:, :2], size=256, mode="bilinear")[0]
            on = mask[0] > 0.5
            length = lambda v: float(v.pow(2).sum(0).sqrt()[on].mean())  # noqa: E731
            if fit == 0:
                made_up.append(length(out))
            else:
                left.append(length(out - offset))
                was.append(length(offset))
    return np.mean(left), np.mean(was), np.mean(made_up)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("train/.cache/align/fits"))
    parser.add_argument("--held", type=Path, default=Path("train/.cache/align/held"))
    parser.add_argument("--run", type=Path, default=Path("train/.cache/align/run"))
    parser.add_argument("--steps", type=int, default=6000)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--half", action="store_true", help="convolutions in bfloat16")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(SEED)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    net = Align().to(device)
    average = copy.deepcopy(net).requires_grad_(False)
    optimizer = torch.optim.Adam(net.parameters(), RATE, (0.9, 0.99))
    step, seconds, curve, file = 0, 0.0, [], args.run / "last.pt"
    args.run.mkdir(parents=True, exist_ok=True)
    if file.exists():
        state = torch.load(file, map_location=device, weights_only=False)
        net.load_state_dict(state["net"])
        average.load_state_dict(state["average"])
        optimizer.load_state_dict(state["optimizer"])
        step, seconds, curve = state["step"], state["seconds"], state["curve"]
        print(f"resumed at step {step}")

    def save():
        state = {"net": net.state_dict(), "average": average.state_dict(), "optimizer": optimizer.state_dict(), "step": step, "seconds": seconds, "curve": curve}
        torch.save(state, file.with_suffix(".part"))
        os.replace(file.with_suffix(".part"), file)

    data, held = Fits(args.data), Fits(args.held)
    stopped = []
    signal.signal(signal.SIGTERM, lambda *_: stopped.append(True))
    sums, begun = [], time.monotonic()
    while step < args.steps and not stopped:
        warm = min(1.0, (step + 1) / 100)
        for group in optimizer.param_groups:
            group["lr"] = RATE * warm * (0.03 + 0.97 * 0.5 * (1 + math.cos(math.pi * step / args.steps)))
        source, offset, mask = (x.to(device) for x in data.batch(np.random.default_rng([SEED, step]), BATCH))
        with torch.autocast(device, torch.bfloat16, enabled=args.half):
            out = net(source)
        loss, error = loss_of(out, offset, mask)
        if not torch.isfinite(loss):
            raise SystemExit(f"training stopped: step {step}: the loss is not finite; the last checkpoint is good, lower the rate")
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()
        step += 1
        keep = min(AVERAGE, (1 + step) / (10 + step))
        with torch.no_grad():
            for mean, now in zip(average.parameters(), net.parameters()):
                mean.lerp_(now, 1 - keep)
        sums.append((float(loss.detach()), float(error)))
        if step % 100 == 0:
            now = time.monotonic()
            seconds, begun = seconds + now - begun, now
            row = {"step": step, "minutes": seconds / 60, "loss": np.mean([s[0] for s in sums]), "error": np.mean([s[1] for s in sums])}
            if step % 500 == 0:
                row |= dict(zip(("held_left", "held_was", "held_made_up"), map(float, held_error(average, held))))
            curve.append({k: float(v) for k, v in row.items()})
            sums = []
            print(" ".join(f"{k} {v:.4g}" for k, v in row.items()), flush=True)
            if step % 500 == 0:
                save()
    save()
    (args.run / "curve.json").write_text(json.dumps(curve))


if __name__ == "__main__":
    main()
