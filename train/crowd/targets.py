"""What a random person does: the pictures that the generator has to learn, as expressions and head motions.

Each person has `COUNT` targets of different kinds; held-out ones are also turned as far as any, speaking, to both sides. Names say the kind; of a pair "speech0", "speech0b" the second is 40 ms later, which its
`after` says. Coefficients are absolute (they replace the portrait's), by name; motion is (pitch, yaw, roll, x, y, z), radians and metres. `sigma` is the motion
network's σ̂ of the moment, where the expression is one of the pool's and the pool has it; an expression that nobody spoke has none.
"""

import numpy as np

from train.crowd.sample import generator
from train.face.expressions import ARKIT, NAMES

COUNT = 7
LIMIT = np.radians([8.0, 15.0, 8.0])  # pitch, yaw, roll
SHIFT = 0.006  # metres
PAIR_SHARE = 0.6  # people with a pair in the place of two single frames of speech
SINGLE = [n for n in ARKIT if not n.startswith("eyeLook")] + ["lipsPart", "lowerLipUnderTeeth", "tongueTipOut", "browsTogether"]

UPPER = [i for i, n in enumerate(NAMES) if n.startswith(("brow", "cheek", "nose", "eyeWide", "eyeSquint", "mouthFrown", "mouthSmile"))]


def motion(rng):
    """Head motion: some keep still, a third move a little, half use the whole range, large turns more often than small ones."""
    kind = rng.random()
    if kind < 0.15:
        return np.zeros(6)
    size = 0.35 if kind < 0.50 else 1.0
    turn = rng.uniform(-1, 1, 3)
    turn = np.sign(turn) * abs(turn) ** [1.0, 0.7, 1.0] * LIMIT * size
    return np.concatenate([turn, rng.uniform(-1, 1, 3) * SHIFT * size])


def gaze(beta, rng, size=0.35):
    """Both eyes look the same way, up to `size` of the full range; lids follow as the expressions say."""
    x, y = rng.uniform(-size, size, 2)
    beta["eyeLookOutLeft" if x > 0 else "eyeLookInLeft"] = abs(x)
    beta["eyeLookInRight" if x > 0 else "eyeLookOutRight"] = abs(x)
    for side in ("Left", "Right"):
        beta[f"eyeLook{'Up' if y > 0 else 'Down'}{side}"] = abs(y)


def blink(beta, amount):
    for side in ("Left", "Right"):
        beta[f"eyeBlink{side}"] = amount
        beta[f"eyeWide{side}"] = beta.get(f"eyeWide{side}", 0.0) * (1 - amount)


def named(row):
    return {n: float(v) for n, v in zip(NAMES, row) if v > 0.004}


def weighted(rng, weight):
    weight = np.maximum(np.asarray(weight, float), 0)
    return int(rng.choice(len(weight), p=weight / weight.sum()))


def full_emotion(rng, pool):
    """A moment of the pool is already emotional; this one is the strongest of some twenty, so nearly at full strength. Half of them say nothing."""
    among = np.flatnonzero((pool["rest"] > 0.8) == (rng.random() < 0.5))
    some = among[rng.integers(0, len(among), 24)]
    return some[np.argmax(pool["now"][some][:, UPPER].astype(float).sum(1) * rng.uniform(0.6, 1, len(some)))]


def targets(part, index, pool):
    """[{"name", "kind", "beta", "dpose"[, "after"]}] of one person; `pool` is what train.crowd.speech wrote."""
    rng = generator(part, index, 2)
    out = []

    def add(name, kind, beta, move, moment=None, sigma="sigma", **more):
        if moment is not None and sigma in pool:
            more["sigma"] = round(float(pool[sigma][moment]), 5)
        beta = {k: round(float(np.clip(v, 0, 1)), 4) for k, v in beta.items() if v > 0.004}
        out.append({"name": name, "kind": kind, "beta": beta, "dpose": [round(float(v), 6) for v in move], **more})

    def alive(beta):
        """Speaking faces look about and now and then are caught in a blink."""
        if rng.random() < 0.6:
            gaze(beta, rng, 0.25)
        if rng.random() < 0.15:
            blink(beta, rng.uniform(0.15, 1.0))
        return beta

    move, jaw, teeth = motion(rng), pool["jaw"].astype(float), pool["teeth"].astype(float)
    if rng.random() < PAIR_SHARE:
        k = weighted(rng, pool["move"])  # moments that move
        eyes = {}
        gaze(eyes, rng, 0.2)
        speed = rng.normal(0, 1, 6) * [0.006, 0.010, 0.006, 0.0004, 0.0004, 0.0004]
        later = move + speed
        later[:3], later[3:] = later[:3].clip(-LIMIT, LIMIT), later[3:].clip(-SHIFT, SHIFT)
        add("speech0", "pair", {**named(pool["now"][k]), **eyes}, move, k)
        add("speech0b", "pair", {**named(pool["next"][k]), **eyes}, later, k, "sigma_next", after="speech0")
    else:
        k = weighted(rng, np.ones(len(jaw)))
        add("speech0", "speech", alive(named(pool["now"][k])), move, k)
        k = weighted(rng, pool["seal"].astype(float) ** 2 + 1e-6)
        add("speech1", "shut", alive(named(pool["now"][k])), motion(rng), k)
    k = weighted(rng, jaw**2)
    add("open", "open", alive(named(pool["now"][k])), motion(rng), k)
    if rng.random() < 0.4:
        out[-1]["beta"]["jawOpen"] = round(float(max(out[-1]["beta"].get("jawOpen", 0), rng.uniform(0.5, 0.9))), 4)
    k = weighted(rng, teeth**2)
    add("teeth", "teeth", alive(named(pool["now"][k])), motion(rng), k)
    k = full_emotion(rng, pool)
    add("emotion", "emotion", alive(named(pool["now"][k])), motion(rng), k)
    k = weighted(rng, np.ones(len(jaw)))
    beta = named(pool["now"][k])
    blink(beta, 1.0 if rng.random() < 0.5 else rng.uniform(0.3, 0.8))
    if rng.random() < 0.3:
        blink(beta, 0.0)
        gaze(beta, rng, 0.8)
    add("eyes", "eyes", beta, motion(rng), k)
    name = SINGLE[rng.integers(len(SINGLE))]
    beta = {name: rng.uniform(0.5, 1.0)}
    twin = name.replace("Left", "#").replace("Right", "Left").replace("#", "Right")
    if twin != name and rng.random() < 0.7:
        beta[twin] = beta[name]
    if name == "mouthClose":
        beta["jawOpen"] = beta[name]
    if name.startswith("tongue"):
        beta["jawOpen"] = rng.uniform(0.25, 0.5)
    add("action", "action", beta, motion(rng))
    if part == "held":
        for side, sign in (("left", 1), ("right", -1)):
            k = weighted(rng, np.ones(len(jaw)))
            add(f"turn_{side}", "turn", named(pool["now"][k]), [0, sign * LIMIT[1], 0, 0, 0, 0], k)
    return out


def gallery(cells):
    """The same of the cells of benches/data/expressions.json: eight emotions in middle strength and twelve visemes, the head still."""
    named_cells = {c["name"]: c["beta"] for c in cells["cells"]}
    chosen = [n for n in named_cells if n.endswith(" 2")] + [n for n in named_cells if n.isupper()]
    return [{"name": n.replace(" ", "_").lower(), "kind": "gallery", "beta": named_cells[n], "dpose": [0.0] * 6} for n in chosen]
