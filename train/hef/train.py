"""Trains HEF.

    python -m train.hef.train --size nano --data train/.cache/hef/shards --held train/.cache/hef/held --run train/.cache/hef/nano --steps 20000

Resumes from `<run>/last.pt` where there is one, on the CPU or, where there is one, on a GPU; `train/loop.py` says what else every training does. Draws `curve.png` and sheets of held-out people.
"""

import argparse
import tomllib
from pathlib import Path

import torch

from .. import loop
from . import losses
from .config import CONFIG, load_config
from .data import People
from .model import NEED, RENDER, Hef
from .sheet import draw_sheet


class Trainer(loop.Trainer):
    floor = 0.05
    curve_steps = 50

    def __init__(self, size, people=None, held=None, rank=0, device="cpu", path=CONFIG, half=False, lpips=None):
        with open(path, "rb") as file:
            both = tomllib.load(file)
        train, self.weights = both["train"], both["loss"]
        self.train, self.size, self.network, self.half, self.people, self.held = train, size, load_config(size, path), half, people, held
        torch.manual_seed(train["seed"])
        net = Hef(self.network).to(device)
        # Heads start at zero and sum over hundreds of inputs: a step that suits other weights would throw colours about, and flows, which are in shares
        # of the crop, by tens of pixels.
        groups = {"": [], "heads": [], "flow": []}
        for name, p in net.named_parameters():
            head = name.rpartition(".")[0].rpartition(".")[2]
            groups["flow" if head == "flow" else "heads" if head in ("rgb", "matte", "detail") else ""].append(p)
        shares = [{"params": of, "share": train[f"rate_{group}"] if group else 1.0} for group, of in groups.items()]
        super().__init__(
            net, torch.optim.Adam(shares, train["rate"], tuple(train["betas"])), seed=train["seed"], rate=train["rate"], warmup=train["warmup_steps"],
            average=train["average"], clip=train["clip"], rank=rank, device=device,
        )
        self.checkpoint_minutes, self.look_steps = train["checkpoint_minutes"], train["sheet_steps"]
        self.lpips = losses.user_lpips(lpips, device) if lpips else None
        self.critic = losses.Critic().to(device) if self.weights["adversarial"] else None
        # Its rate does not fall, for it begins late.
        self.critic_optimizer = torch.optim.Adam(self.critic.parameters(), train["rate_critic"], (0.0, 0.99)) if self.critic else None

    def modules(self):
        return super().modules() | ({"critic": self.critic, "critic_optimizer": self.critic_optimizer} if self.critic else {})

    def about(self):
        return {"network": self.network}

    def batch(self):
        return self.people.batch(self.rng, self.train["batch"])

    def evaluate(self, folder):
        loop.draw_curve(self.curve, folder / "curve.png")
        if self.held:
            draw_sheet(self.average, self.held, folder / f"sheet_{self.step:06}.png", self.device)
        return {}

    def losses(self, batch):
        batch = {k: v.to(self.device) for k, v in batch.items() if v is not None}
        self.finite(batch)
        with torch.autocast(torch.device(self.device).type, torch.bfloat16, enabled=self.half):
            out = self.forward(batch["driven"], batch["source"], batch["style"])
        parts = self.parts(batch, out)
        # For the critic, when the weights have been changed.
        self.shown = batch, out["picture"].detach()
        total = sum(self.weights[name] * value for name, value in parts.items())
        return total, parts | {"total": total}

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
        if batch.get("motion") is not None:
            parts["temporal"] = losses.temporal(
                picture[-1:], picture[-2:-1], truth[-1:], truth[-2:-1], batch["motion"], weight[-1:]
            )
        if self.critic and self.step >= self.weights["adversarial_after"]:
            parts["adversarial"], parts["features"] = losses.deceive(self.critic, picture, truth, batch["driven"][:, RENDER])
        return parts

    def after(self, parts):
        if "adversarial" in parts:
            parts["critic"] = self.criticise(*self.shown)

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
            raise loop.NotFinite(f"step {self.step}: the critic's loss or gradient is not finite; the last checkpoint is good, lower rate_critic")
        for group in self.critic_optimizer.param_groups:
            group["lr"] = self.train["rate_critic"]
        self.critic_optimizer.step()
        return loss


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    loop.options(parser, steps=20000)
    parser.add_argument("--size", default="nano", help="a size of config.toml, or SIZE/ABLATION")
    parser.add_argument("--data", type=Path, default=Path("train/.cache/hef/shards"))
    parser.add_argument("--held", type=Path, help="shards of held-out people, for the sheets")
    parser.add_argument("--lpips", type=Path, help="a TorchScript file of your own: (B, 3, H, W) twice, sRGB in −1 … 1 -> distances; adds to the perceptual loss")
    parser.add_argument("--half", action="store_true", help="convolutions in bfloat16: faster where the processor or GPU knows it")
    args = parser.parse_args()

    def make(rank, device):
        trainer = Trainer(args.size, rank=rank, device=device, half=args.half, lpips=args.lpips)
        crop = trainer.network["crop"]
        trainer.people, trainer.held = People(args.data, crop), People(args.held, crop) if args.held else None
        return trainer

    loop.train(make, args, args.run or Path("train/.cache/hef") / args.size.replace("/", "_"))


if __name__ == "__main__":
    main()
