"""Trains HEF.

    python -m train.hef.train --size nano --data train/.cache/hef/shards --held train/.cache/hef/held --run train/.cache/hef/nano --steps 20000

Resumes from `<run>/last.pt` where there is one, on the same curve: the seed decides every batch. SIGTERM ends it after the current step, with a checkpoint. Runs on the CPU or, where there is one, on a GPU;
under torchrun (`torchrun --nproc-per-node N -m train.hef.train … --run-folder RUN`) each process trains on its own batches and gradients are averaged (DDP). Draws `curve.png` and sheets of held-out people.
"""

import argparse
import copy
import json
import math
import os
import signal
import time
import tomllib
from pathlib import Path

import numpy as np
import torch

from . import losses
from .config import CONFIG, load_config
from .data import People
from .model import NEED, RENDER, Hef


class NotFinite(RuntimeError):
    """Training met a NaN or an infinity."""


class Trainer:
    def __init__(self, size, rank=0, device="cpu", path=CONFIG, half=False, lpips=None):
        with open(path, "rb") as file:
            both = tomllib.load(file)
        self.train, self.weights = both["train"], both["loss"]
        self.size, self.network, self.device, self.half = size, load_config(size, path), device, half
        torch.manual_seed(self.train["seed"])
        self.net = Hef(self.network).to(device)
        self.average = copy.deepcopy(self.net).requires_grad_(False)
        self.lpips = losses.user_lpips(lpips, device) if lpips else None
        self.critic = losses.Critic().to(device) if self.weights["adversarial"] else None
        # Heads start at zero and sum over hundreds of inputs: a step that suits other weights would throw colours about, and flows, which are in shares
        # of the crop, by tens of pixels.
        groups = {"": [], "heads": [], "flow": []}
        for name, p in self.net.named_parameters():
            head = name.rpartition(".")[0].rpartition(".")[2]
            groups["flow" if head == "flow" else "heads" if head in ("rgb", "matte", "detail") else ""].append(p)
        shares = [{"params": of, "share": self.train[f"rate_{group}"] if group else 1.0} for group, of in groups.items()]
        self.optimizer = torch.optim.Adam(shares, self.train["rate"], tuple(self.train["betas"]))
        self.critic_optimizer = torch.optim.Adam(self.critic.parameters(), self.train["rate_critic"], (0.0, 0.99)) if self.critic else None
        self.forward = self.net
        self.rank, self.step, self.seconds, self.curve = rank, 0, 0.0, []
        self.stopped = False

    @property
    def rng(self):
        """What the next batch is drawn with: of seed, process and step alone, so that a resumed process needs no state of its own."""
        return np.random.default_rng([self.train["seed"], self.rank, self.step])

    def distribute(self):
        self.forward = torch.nn.parallel.DistributedDataParallel(self.net)

    def rate(self, progress):
        warm = min(1.0, (self.step + 1) / self.train["warmup_steps"])
        return warm * (0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * min(1.0, progress))))

    def parts(self, batch, out):
        """The losses by name, before their weights."""
        picture, truth = out["picture"], batch["truth"]
        weight = 1 + (self.weights["boxes"] - 1) * batch["features"]
        # Where there is no need the composite stands whatever the network says: only what it can change counts.
        weight = weight * (batch["driven"][:, NEED, None] > 0)
        parts = {"pixel": losses.pixel(picture, truth, weight), "perceptual": losses.perceptual(picture, truth, weight)}
        if self.lpips:
            parts["lpips"] = self.lpips(picture, truth)
        parts["smooth"], parts["small"] = losses.smoothness([f for f in out["flows"] if f is not None])
        parts["matte"] = losses.matte(out["matte"], batch["truth_matte"], torch.ones_like(weight))
        if batch["motion"] is not None:
            parts["temporal"] = losses.temporal(
                picture[-1:], picture[-2:-1], truth[-1:], truth[-2:-1], batch["motion"], weight[-1:]
            )
        if self.critic and self.step >= self.weights["adversarial_after"]:
            parts["adversarial"], parts["features"] = losses.deceive(self.critic, picture, truth, batch["driven"][:, RENDER])
        return parts

    def advance(self, batch, progress):
        """One step; returns the losses as numbers.

        # Errors
        NotFinite, naming the step and what was not finite; the weights are still those before it.
        """
        batch = {k: v.to(self.device) if v is not None else None for k, v in batch.items()}
        for group in self.optimizer.param_groups:
            group["lr"] = self.train["rate"] * self.rate(progress) * group["share"]
        with torch.autocast(torch.device(self.device).type, torch.bfloat16, enabled=self.half):
            out = self.forward(batch["driven"], batch["source"], batch["style"])
        parts = self.parts(batch, out)
        total = sum(self.weights[name] * value for name, value in parts.items())
        for name, value in {**{k: v for k, v in batch.items() if v is not None}, **parts}.items():
            if not torch.isfinite(value).all():
                raise NotFinite(f"step {self.step}: {name} is not finite; the last checkpoint is good, look at the data or lower the rate")
        self.optimizer.zero_grad()
        total.backward()
        norm = torch.nn.utils.clip_grad_norm_(self.net.parameters(), self.train["clip"])
        if not torch.isfinite(norm):
            bad = next(name for name, p in self.net.named_parameters() if p.grad is not None and not torch.isfinite(p.grad).all())
            raise NotFinite(f"step {self.step}: the gradient of {bad} is not finite; the last checkpoint is good, lower the rate")
        self.optimizer.step()
        if "adversarial" in parts:
            parts["critic"] = self.criticise(batch, out["picture"].detach())
        self.step += 1
        keep = min(self.train["average"], (1 + self.step) / (10 + self.step))
        with torch.no_grad():
            for mean, now in zip(self.average.parameters(), self.net.parameters()):
                mean.lerp_(now, 1 - keep)
        return {name: float(value.detach()) for name, value in parts.items()} | {"total": float(total.detach())}

    def criticise(self, batch, picture):
        rendered = batch["driven"][:, RENDER]
        loss = losses.critic_loss(self.critic, picture, batch["truth"], rendered)
        whole = loss
        if self.step % self.weights["r1_every"] == 0:
            whole = loss + self.weights["r1"] * self.weights["r1_every"] / 2 * losses.r1_penalty(self.critic, batch["truth"], rendered)
        self.critic_optimizer.zero_grad()
        whole.backward()
        if torch.distributed.is_initialized():
            for p in self.critic.parameters():
                torch.distributed.all_reduce(p.grad)
                p.grad /= torch.distributed.get_world_size()
        norm = torch.nn.utils.clip_grad_norm_(self.critic.parameters(), self.train["clip"])
        if not (torch.isfinite(whole) and torch.isfinite(norm)):
            raise NotFinite(f"step {self.step}: the critic's loss or gradient is not finite; the last checkpoint is good, lower rate_critic")
        # Its rate does not fall, for it begins late.
        for group in self.critic_optimizer.param_groups:
            group["lr"] = self.train["rate_critic"]
        self.critic_optimizer.step()
        return loss

    def _modules(self):
        named = {"net": self.net, "average": self.average, "critic": self.critic, "optimizer": self.optimizer, "critic_optimizer": self.critic_optimizer}
        return {name: module for name, module in named.items() if module is not None}

    def save(self, path):
        state = {name: module.state_dict() for name, module in self._modules().items()}
        state |= {"network": self.network, "step": self.step, "seconds": self.seconds, "curve": self.curve}
        beside = path.with_suffix(".part")
        torch.save(state, beside)
        os.replace(beside, path)

    def load(self, path):
        state = torch.load(path, map_location=self.device, weights_only=False)
        if state["network"] != self.network:
            off = sorted(k for k in self.network if state["network"].get(k) != self.network[k])
            raise ValueError(f"{path}: a checkpoint of another configuration ({', '.join(off)} differ from {self.size}); use another --run")
        for name, module in self._modules().items():
            try:
                module.load_state_dict(state[name])
            except (KeyError, RuntimeError, ValueError) as error:
                raise ValueError(f"{path}: its {name} is another version's; use another --run ({str(error).splitlines()[0]})") from None
        self.step, self.seconds, self.curve = state["step"], state["seconds"], state["curve"]


def run(trainer, people, held, folder, steps, chief=True, log=print):
    """Trains up to `steps`; the chief process writes."""
    from .sheet import draw_curve, draw_sheet

    folder.mkdir(parents=True, exist_ok=True)
    sums, count, last, saved = {}, 0, time.monotonic(), trainer.seconds
    while trainer.step < steps and not trainer.stopped:
        parts = trainer.advance(people.batch(trainer.rng, trainer.train["batch"]), trainer.step / steps)
        now = time.monotonic()
        trainer.seconds, last = trainer.seconds + now - last, now
        for name, value in parts.items():
            sums.setdefault(name, []).append(value)
        count += 1
        if count == 50 and chief:
            row = {"step": trainer.step, "minutes": trainer.seconds / 60} | {k: sum(v) / len(v) for k, v in sums.items()}
            trainer.curve.append(row)
            log(" ".join(f"{k} {v:.4g}" for k, v in row.items()), flush=True)
        if count == 50:
            sums, count = {}, 0
        if chief and trainer.seconds - saved > 60 * trainer.train["checkpoint_minutes"]:
            trainer.save(folder / "last.pt")
            saved = trainer.seconds
        if chief and (trainer.step % trainer.train["sheet_steps"] == 0 or trainer.step == steps):
            draw_curve(trainer.curve, folder / "curve.png")
            if held:
                draw_sheet(trainer.average, held, folder / f"sheet_{trainer.step:06}.png", trainer.device)
    if chief:
        trainer.save(folder / "last.pt")
        (folder / "curve.json").write_text(json.dumps(trainer.curve))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", default="nano", help="a size of config.toml, or SIZE/ABLATION")
    parser.add_argument("--data", type=Path, default=Path("train/.cache/hef/shards"))
    parser.add_argument("--held", type=Path, help="shards of held-out people, for the sheets")
    parser.add_argument("--run-folder", "--run", dest="run", type=Path, help="of checkpoints, curve and sheets; torchrun takes --run for its own")
    parser.add_argument("--steps", type=int, default=20000)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--lpips", type=Path, help="a TorchScript file of your own: (B, 3, H, W) twice, sRGB in −1 … 1 -> distances; adds to the perceptual loss")
    parser.add_argument("--half", action="store_true", help="convolutions in bfloat16: faster where the processor or GPU knows it")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    rank = int(os.environ.get("RANK", 0))
    device = f"cuda:{os.environ.get('LOCAL_RANK', 0)}" if torch.cuda.is_available() else "cpu"
    folder = args.run or Path("train/.cache/hef") / args.size.replace("/", "_")
    try:
        trainer = Trainer(args.size, rank, device, half=args.half, lpips=args.lpips)
        people = People(args.data, trainer.network["crop"])
        held = People(args.held, trainer.network["crop"]) if args.held else None
        if (folder / "last.pt").exists():
            trainer.load(folder / "last.pt")
            print(f"resumed at step {trainer.step}, {trainer.seconds / 60:.1f} minutes")
    except ValueError as error:
        raise SystemExit(f"training cannot begin: {error}") from None
    if "RANK" in os.environ:
        torch.distributed.init_process_group("nccl" if device != "cpu" else "gloo")
        trainer.distribute()
    signal.signal(signal.SIGTERM, lambda *_: setattr(trainer, "stopped", True))
    try:
        run(trainer, people, held, folder, args.steps, rank == 0)
    except NotFinite as error:
        raise SystemExit(f"training stopped: {error}") from None


if __name__ == "__main__":
    main()
