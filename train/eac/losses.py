"""What training minimises: coefficients, their velocity, landmarks (paper A's L_lm) and the lip gap."""

import torch
import torch.nn.functional as F

from .face import INDEX, NAMES

_MOUTH = ("mouth", "jaw", "lip", "lowerLip")


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
    def __init__(self, config, rows):
        settings, train = config["loss"], config["train"]
        self.settings = settings
        live = train["position_weight_live"]
        position = torch.full((config["model"]["frames"],), train["position_weight_body"])
        position[-len(live) :] = torch.tensor(live)
        self.position = position / position.mean()
        self.channel = channel_weights()
        self.gap_row, self.landmarks = torch.as_tensor(rows.gap), torch.as_tensor(rows.landmarks)

    def __call__(self, beta, target):
        """(B, T, 64) both -> the loss, and its parts as floats."""
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
        total = (
            s["coefficients"] * coefficients + s["velocity"] * velocity + s["landmarks"] * landmarks + s["gap"] * gaps
        )
        parts = {"coefficients": coefficients, "velocity": velocity, "landmarks": landmarks, "gap": gaps, "total": total}
        return total, {k: v.detach() for k, v in parts.items()}
