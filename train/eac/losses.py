"""What training minimises: coefficients, their velocity, landmarks (paper A's L_lm), the lip gap, whether it is shut, and which phones were heard."""

import torch
import torch.nn.functional as F

from .data import UNKNOWN
from .face import INDEX, NAMES

_MOUTH = ("mouth", "jaw", "lip", "lowerLip")
SOFT = 0.02  # a gap so far below 0.08 is shut at odds of e : 1


def channel_weights():
    """(64,) The mouth counts more than the brows, and what opens and shuts it counts most."""
    weight = torch.ones(len(NAMES))
    for i, name in enumerate(NAMES):
        if name.startswith(_MOUTH):
            weight[i] = 3.0
        if name.startswith("tongue"):
            weight[i] = 1.5
    for name in ("jawOpen", "mouthClose", "lipSeal", "lowerLipUnderTeeth", "mouthPucker", "mouthFunnel"):
        weight[INDEX[name]] = 5.0
    return weight


class Loss:
    def __init__(self, config, rows, device="cpu"):
        settings, train = config["loss"], config["train"]
        self.settings = settings
        live = train["position_weight_live"]
        position = torch.full((config["model"]["frames"],), train["position_weight_body"])
        position[-len(live) :] = torch.tensor(live)
        self.position = (position / position.mean()).to(device)
        self.channel = channel_weights().to(device)
        self.gap_row, self.landmarks = torch.as_tensor(rows.gap).to(device), torch.as_tensor(rows.landmarks).to(device)
        self.touch_shut = torch.tensor(settings["touch_shut"], device=device)

    def __call__(self, beta, target, heard=None, labels=None):
        """(B, T, 64) both, logits of phones (B, T, 4, C) and labels (B, T, 4) -> the loss, and its parts as floats."""
        s, position = self.settings, self.position[None, :]
        error = beta - target
        # Smooth L1 with a small corner: near its mean for noise, but it prefers one of two answers to their middle.
        point = F.smooth_l1_loss(beta, target, reduction="none", beta=0.1)
        coefficients = ((point * self.channel).mean(-1) * position).mean()
        step = F.smooth_l1_loss(beta[:, 1:] - beta[:, :-1], target[:, 1:] - target[:, :-1], reduction="none", beta=0.1)
        velocity = ((step * self.channel).mean(-1) * position[:, 1:]).mean()
        landmarks = ((error @ self.landmarks).abs().mean(-1) * position).mean()
        gap, want = beta @ self.gap_row, target @ self.gap_row
        shut = (want < 0.04).float()
        emphasis = 1.0 + (s["closure"] - 1.0) * shut
        # The share of the range at which lips count as shut is 0.08: both sides are held clear of it.
        clear = shut * F.relu(gap - 0.03) + (want > 0.1).float() * F.relu(0.12 - gap)
        gaps = ((emphasis * ((gap - want).abs() + clear)) * position).mean()
        # Shut or not, as odds: the gap learns to stand as far from the threshold as the sound is sure.
        odds = (0.08 - gap) / SOFT
        decided = shut + (want > 0.1).float()
        touch = F.binary_cross_entropy_with_logits(odds, shut, reduction="none", pos_weight=self.touch_shut)
        touch = (touch * decided * position).mean()
        total = s["coefficients"] * coefficients + s["velocity"] * velocity + s["landmarks"] * landmarks + s["gap"] * gaps + s["touch"] * touch
        parts = {"coefficients": coefficients, "velocity": velocity, "landmarks": landmarks, "gap": gaps, "touch": touch}
        if heard is not None:
            point = F.cross_entropy(heard.flatten(0, 2), labels.flatten(), reduction="none", ignore_index=UNKNOWN, label_smoothing=0.05).view(labels.shape)
            listen = (point.mean(-1) * position).mean()
            total = total + s["listen"] * listen
            known = labels != UNKNOWN
            parts |= {"listen": listen, "named": (heard.argmax(-1) == labels)[known].float().mean()}
        parts["total"] = total
        return total, {k: v.detach() for k, v in parts.items()}
