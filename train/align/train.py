"""Trains the alignment network.

    python -m train.align.train --people PEOPLE --held HELD --run train/.cache/align/run --steps 12000

Resumes from `<run>/last.pt`; SIGTERM ends it after the current step, with a checkpoint. Takes in people that are made meanwhile.
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
        at, spread, _ = places(net(picture[None]))
        far = (at[0] - true).pow(2).sum(-1)
        square.append(float(far.mean().sqrt()))
        sure.append(float((far.sqrt() < 2 * 2**0.5 * spread[0].exp()).float().mean()))
    return np.mean(square), np.quantile(square, 0.9), np.mean(sure)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=Path, default=Path("train/.cache/crowd/people"))
    parser.add_argument("--held", type=Path, default=Path("train/.cache/crowd/held"))
    parser.add_argument("--face", type=Path, default=Path("weights/face.safetensors"))
    parser.add_argument("--run", type=Path, default=Path("train/.cache/align/run"))
    parser.add_argument("--steps", type=int, default=12000)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--half", action="store_true", help="convolutions in bfloat16")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(SEED)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    model = FaceModel(args.face)
    points, other = choose(model)
    net = Align(len(points)).to(device)
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
        state = {"net": net.state_dict(), "average": average.state_dict(), "optimizer": optimizer.state_dict(), "points": points.tolist(),
                 "step": step, "seconds": seconds, "curve": curve}
        torch.save(state, file.with_suffix(".part"))
        os.replace(file.with_suffix(".part"), file)

    data, held = Pictures(args.people, model, points), Pictures(args.held, model, points)
    stopped = []
    signal.signal(signal.SIGTERM, lambda *_: stopped.append(True))
    sums, begun = [], time.monotonic()
    while step < args.steps and not stopped:
        warm = min(1.0, (step + 1) / 100)
        for group in optimizer.param_groups:
            group["lr"] = RATE * warm * (0.03 + 0.97 * 0.5 * (1 + math.cos(math.pi * step / args.steps)))
        picture, true = (x.to(device) for x in data.batch(np.random.default_rng([SEED, step]), BATCH, other))
        with torch.autocast(device, torch.bfloat16, enabled=args.half):
            out = net(picture)
        loss, error = loss_of(out.float(), true)
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
            row = {"step": step, "minutes": seconds / 60, "people": len(data.names), "loss": np.mean([s[0] for s in sums]), "error": np.mean([s[1] for s in sums])}
            if step % 500 == 0:
                row |= dict(zip(("held_rms", "held_worst_tenth", "held_sure"), map(float, held_error(average, held))))
                data.refresh()
            curve.append({k: float(v) for k, v in row.items()})
            sums = []
            print(" ".join(f"{k} {v:.4g}" for k, v in row.items()), flush=True)
            if step % 500 == 0:
                save()
    save()
    (args.run / "curve.json").write_text(json.dumps(curve))


if __name__ == "__main__":
    main()
