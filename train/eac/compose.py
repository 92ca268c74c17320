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

# Emotions as action units at full strength (μ = 3); μ = 1 is a third of it. The subject's left is "Left".
_BOTH = lambda name, value: {name + "Left": value, name + "Right": value}  # noqa: E731
ACTIONS = {
    "neutral": {},
    "angry": {  # AU 4 + 5 + 7 + 23/24
        **_BOTH("browDown", 0.95), "browsTogether": 0.6, **_BOTH("eyeSquint", 0.35), **_BOTH("eyeWide", 0.3),
        **_BOTH("mouthPress", 0.35), **_BOTH("noseSneer", 0.3), **_BOTH("mouthFrown", 0.25), "jawForward": 0.2,
        "mouthRollUpper": 0.12, **_BOTH("mouthLowerDown", 0.12),
    },
    "contempt": {  # AU 12 + 14, on one side
        "mouthSmileLeft": 0.5, "mouthDimpleLeft": 0.65, "mouthPressLeft": 0.3, "mouthUpperUpLeft": 0.1,
        "cheekSquintLeft": 0.25, "browOuterUpRight": 0.25, **_BOTH("eyeSquint", 0.18), "mouthLeft": 0.15,
    },
    "disgusted": {  # AU 9 + 10 + 15
        **_BOTH("noseSneer", 0.9), **_BOTH("mouthUpperUp", 0.35), **_BOTH("mouthFrown", 0.4), **_BOTH("browDown", 0.4),
        **_BOTH("eyeSquint", 0.35), **_BOTH("cheekSquint", 0.35), "mouthShrugLower": 0.2,
    },
    "fear": {  # AU 1 + 2 + 4 + 5 + 20
        "browInnerUp": 0.85, "browOuterUpLeft": 0.4, "browOuterUpRight": 0.4, **_BOTH("browDown", 0.25),
        "browsTogether": 0.45, **_BOTH("eyeWide", 0.8), **_BOTH("mouthStretch", 0.6), **_BOTH("mouthFrown", 0.15),
    },
    "happy": {  # AU 6 + 12
        **_BOTH("mouthSmile", 0.8), **_BOTH("cheekSquint", 0.65), **_BOTH("eyeSquint", 0.35), **_BOTH("mouthDimple", 0.15),
        **_BOTH("mouthUpperUp", 0.14), "browOuterUpLeft": 0.1, "browOuterUpRight": 0.1,
    },
    "sad": {  # AU 1 + 4 + 15
        "browInnerUp": 0.9, "browsTogether": 0.4, **_BOTH("browDown", 0.15), **_BOTH("mouthFrown", 0.7),
        "mouthShrugLower": 0.3, **_BOTH("eyeSquint", 0.2),
    },
    "surprised": {  # AU 1 + 2 + 5 + 26
        "browInnerUp": 0.75, "browOuterUpLeft": 0.9, "browOuterUpRight": 0.9, **_BOTH("eyeWide", 0.75),
        "mouthFunnel": 0.08,
    },
}
# What an emotion does to the jaw while speaking, at full strength: (added opening, factor)
_JAW = {"angry": (0.02, 1.12), "sad": (0.0, 0.82), "fear": (0.04, 1.0), "happy": (0.02, 1.05), "surprised": (0.11, 1.1),
        "disgusted": (0.0, 0.92)}


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
    strength = (mu / 3.0)[:, None]
    feeling = (mix @ _ACTIONS) * strength  # (B, 64)
    jaw_add = (mix @ _JAW_ADD)[:, None] * strength
    jaw_factor = 1.0 + (mix @ _JAW_FACTOR)[:, None] * strength
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
    for name in ("mouthUpperUp", "mouthLowerDown"):  # lips raised by feeling meet again at a seal and in silence
        scale_both(name, apart * (1.0 - 0.5 * bite))
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
