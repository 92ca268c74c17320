"""Articulation tracks and an emotion -> the 64 coefficients that the network must predict.

Speech and emotion share one mouth, so they are not simply added: a pucker takes the smile's width, a seal drops a raised
lip, and at the end the lips are brought to the wanted gap: shut at m, b, p and in silence under every emotion, and
visibly apart everywhere else.
"""

import torch

from ..speech.visemes import TRACKS
from .face import EMOTIONS, INDEX

OPEN_FLOOR = 0.15  # least lip gap while speaking, between closures (share of the open range; 0.08 counts as shut)
BITE_FLOOR = 0.125
SHUT = -0.025  # lips press a little beyond touching, so that a small error still leaves them shut

# Emotions as action units at full strength (μ = 3); see `strength` for less. The subject's left is "Left".
# The model's browDown lowers the whole brow, its middle most, which looks worried: anger and disgust lift the outer end again.
_BOTH = lambda name, value: {name + "Left": value, name + "Right": value}  # noqa: E731
ACTIONS = {
    "neutral": {},
    "angry": {  # AU 4 + 5 + 7 + 23/24: brows to a V, a glare between tight lids, lips pressed
        **_BOTH("browDown", 0.95), "browsTogether": 0.45, **_BOTH("browOuterUp", 0.95), **_BOTH("noseSneer", 0.75),
        **_BOTH("eyeSquint", 0.5), **_BOTH("eyeWide", 0.5), **_BOTH("mouthFrown", 0.75), "mouthShrugLower": 0.3,
        "mouthRollUpper": 0.25, "mouthRollLower": 0.05, "jawForward": 0.2,
        **_BOTH("mouthLowerDown", 0.25), **_BOTH("mouthUpperUp", 0.12),
    },
    "contempt": {  # AU 12 + 14, on one side
        "mouthSmileLeft": 0.42, "mouthDimpleLeft": 0.75, "mouthPressLeft": 0.35, "mouthUpperUpLeft": 0.12,
        "noseSneerLeft": 0.25, "cheekSquintLeft": 0.3, "browDownLeft": 0.3, "browOuterUpRight": 0.45, **_BOTH("eyeSquint", 0.25),
        "mouthLeft": 0.15,
    },
    "disgusted": {  # AU 9 + 10 + 15
        **_BOTH("noseSneer", 1.0), **_BOTH("mouthUpperUp", 0.6), **_BOTH("mouthFrown", 0.5), **_BOTH("browDown", 0.35),
        **_BOTH("browOuterUp", 0.2), **_BOTH("eyeSquint", 0.6), **_BOTH("cheekSquint", 0.6), "mouthShrugLower": 0.5,
    },
    "fear": {  # AU 1 + 2 + 4 + 5 + 20
        "browInnerUp": 1.0, **_BOTH("browOuterUp", 0.2), **_BOTH("browDown", 0.3), "browsTogether": 0.6,
        **_BOTH("eyeWide", 0.9), **_BOTH("mouthStretch", 1.0), **_BOTH("mouthFrown", 0.4),
    },
    "happy": {  # AU 6 + 12
        **_BOTH("mouthSmile", 0.85), **_BOTH("cheekSquint", 0.8), **_BOTH("eyeSquint", 0.35), **_BOTH("mouthDimple", 0.2),
        **_BOTH("mouthUpperUp", 0.14), **_BOTH("browOuterUp", 0.12),
    },
    "sad": {  # AU 1 + 4 + 15
        "browInnerUp": 1.0, "browsTogether": 0.6, **_BOTH("browDown", 0.15), **_BOTH("mouthFrown", 0.75),
        "mouthShrugLower": 0.35, **_BOTH("eyeSquint", 0.15),
    },
    "surprised": {  # AU 1 + 2 + 5 + 26
        "browInnerUp": 0.95, **_BOTH("browOuterUp", 1.0), **_BOTH("eyeWide", 0.95), "mouthFunnel": 0.1,
    },
}
# What an emotion does to the jaw while speaking, at full strength: (added opening, factor)
_JAW = {"angry": (0.02, 1.12), "sad": (0.0, 0.82), "fear": (0.04, 1.0), "happy": (0.02, 1.05), "surprised": (0.14, 1.1),
        "disgusted": (0.0, 0.92)}


def strength(mu):
    """Share of the full action at intensity mu (a number or a tensor): 0.44, 0.74 and 1 at 1, 2 and 3, so that 2 is felt already."""
    return (mu / 3.0) ** 0.75


def action_table():
    """(8, 64) coefficients at full strength."""
    table = torch.zeros(len(EMOTIONS), len(INDEX))
    for i, emotion in enumerate(EMOTIONS):
        for name, value in ACTIONS[emotion].items():
            table[i, INDEX[name]] = value
    return table


_ACTIONS = action_table()
_JAW_ADD = torch.tensor([_JAW.get(e, (0.0, 1.0))[0] for e in EMOTIONS])
_JAW_FACTOR = torch.tensor([_JAW.get(e, (0.0, 1.0))[1] - 1.0 for e in EMOTIONS])


def compose(tracks, mix, mu, gap_row):
    """tracks (B, T, 11), mix (B, 8) shares of the emotions, mu (B,) in [1, 3], gap_row (64,) -> (B, T, 64)."""
    t = {name: tracks[..., i] for i, name in enumerate(TRACKS)}
    share = strength(mu)[:, None]
    feeling = (mix @ _ACTIONS) * share  # (B, 64)
    jaw_add = (mix @ _JAW_ADD)[:, None] * share
    jaw_factor = 1.0 + (mix @ _JAW_FACTOR)[:, None] * share
    rest, seal, bite = t["rest"], t["seal"], t["bite"]
    speak = 1.0 - rest
    apart = speak * (1.0 - seal)
    out = feeling[:, None].expand(*tracks.shape[:2], -1).clone()

    def add(name, value):
        out[..., INDEX[name]] += value

    def add_both(name, value):
        add(name + "Left", value)
        add(name + "Right", value)

    def scale_both(name, factor):
        out[..., INDEX[name + "Left"]] *= factor
        out[..., INDEX[name + "Right"]] *= factor

    round_ = (t["pucker"] + 0.6 * t["funnel"]).clamp(max=1.0) * speak
    for name, by_round in (("mouthSmile", 0.45), ("mouthStretch", 0.6), ("mouthDimple", 0.4), ("mouthFrown", 0.3)):
        scale_both(name, 1.0 - by_round * round_)
    # Lips raised by feeling meet again at a seal and in silence; a disgusted upper lip takes the lower one along.
    scale_both("mouthUpperUp", (apart + 0.8 * rest) * (1.0 - 0.5 * bite))
    scale_both("mouthLowerDown", apart * (1.0 - 0.5 * bite))
    scale_both("mouthPress", 1.0 - 0.7 * apart)  # pressed lips can only press when they touch
    out[..., INDEX["mouthFunnel"]] *= apart

    jaw = (0.62 * t["jaw"] * jaw_factor + jaw_add) * speak * (1.0 - 0.45 * seal)
    add("jawOpen", jaw)
    add("mouthPucker", 0.8 * t["pucker"] * speak)
    add("lipCornersIn", 0.3 * t["pucker"] * speak)
    add("mouthFunnel", 0.7 * t["funnel"] * apart)
    add_both("mouthStretch", 0.4 * t["spread"] * speak)
    add_both("mouthSmile", 0.15 * t["spread"] * speak)
    add_both("mouthUpperUp", 0.28 * t["show"] * apart)
    add_both("mouthLowerDown", 0.36 * t["show"] * apart)
    add("lowerLipUnderTeeth", 0.95 * bite * apart)
    add_both("mouthPress", 0.25 * seal)
    add("mouthRollLower", 0.16 * seal)
    add("mouthRollUpper", 0.12 * seal)
    raised = (t["tip"] + t["back"] + t["dental"]).clamp(max=1.0)
    add("tongueTipUp", 0.85 * t["tip"] * speak)
    add("tongueTipOut", 0.9 * t["dental"] * speak)
    add("tongueBodyUp", 0.6 * t["back"] * speak)
    add("tongueBack", 0.45 * t["back"] * speak)
    add("tongueWide", 0.3 * t["spread"] * speak)
    add("tongueDown", 0.5 * t["jaw"] * (1.0 - raised) * speak)
    out.clamp_(0.0, 1.0)
    return bring_lips_to_gap(out, t, gap_row)


def bring_lips_to_gap(beta, t, gap_row):
    """Sets jawOpen, lipsPart, mouthClose and lipSeal so that gap_row · β is what the moment asks for."""
    shut = torch.maximum(t["seal"], t["rest"])
    have = beta @ gap_row
    floor = OPEN_FLOOR + (BITE_FLOOR - OPEN_FLOOR) * t["bite"]
    want = (1.0 - shut) * torch.maximum(have, floor) + shut * SHUT
    more = (want - have).clamp(min=0.0)
    less = (have - want).clamp(min=0.0)
    part, close, lips = (gap_row[INDEX[n]].abs() for n in ("lipsPart", "mouthClose", "lipSeal"))
    by_part = torch.minimum(0.4 * more / part, torch.tensor(0.5))
    beta[..., INDEX["lipsPart"]] += by_part
    beta[..., INDEX["jawOpen"]] += more - by_part * part
    by_seal = torch.minimum(less / lips, 0.45 * shut)
    beta[..., INDEX["lipSeal"]] += by_seal
    beta[..., INDEX["mouthClose"]] += (less - by_seal * lips) / close
    return beta.clamp_(0.0, 1.0)
