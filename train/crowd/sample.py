"""Random people: body, looks and the expression of their portrait, all drawn from one number.

`person("train", 12)` is always the same man or woman. The parts draw from disjoint seeds, so nobody is both learnt from and tested on.
"""

import colorsys

import numpy as np

from train.portrait.people import FRIENDLY, Person

PARTS = {"train": ("t", 0), "held": ("h", 1_000_000)}  # part → letter of its names, first seed
PEOPLE_A_PART = 100_000

# Local changes that tell faces apart (left side only; people.shape mirrors them), and how far each may go against the others.
CHANGES = {
    "l-cheek-volume-incr": 1.0, "l-cheek-inner-incr": 0.6, "l-cheek-bones-incr": 1.0, "l-cheek-trans-up": 0.6,
    "chin-jaw-drop-incr": 0.7, "chin-height-incr": 0.8, "chin-prominent-incr": 0.9, "chin-bones-incr": 0.9, "chin-width-incr": 1.0,
    "chin-cleft-incr": 0.7, "chin-prognathism-incr": 0.6,
    "l-ear-lobe-incr": 1.0, "l-ear-shape-round": 1.0, "l-ear-scale-incr": 0.7, "l-ear-scale-vert-incr": 0.8, "l-ear-wing-incr": 0.7,
    "eyebrows-angle-up": 0.6, "eyebrows-trans-forward": 0.6,
    "l-eye-corner1-up": 0.8, "l-eye-height1-incr": 0.35, "l-eye-height2-incr": 0.35, "l-eye-height3-incr": 0.35, "l-eye-scale-incr": 0.9,
    "l-eye-eyefold-up": 0.4, "l-eye-bag-incr": 0.4, "l-eye-push1-out": 0.4, "l-eye-trans-up": 0.4, "l-eye-epicanthus-out": 0.4,
    "forehead-temple-incr": 0.8, "forehead-trans-forward": 0.6, "forehead-scale-vert-incr": 0.7, "forehead-nubian-incr": 0.6,
    "head-fat-incr": 0.9, "head-scale-horiz-incr": 0.8, "head-scale-vert-incr": 0.7, "head-scale-depth-incr": 0.5,
    "mouth-scale-horiz-incr": 0.8, "mouth-upperlip-volume-incr": 0.9, "mouth-lowerlip-volume-incr": 0.9, "mouth-upperlip-height-incr": 0.8,
    "mouth-lowerlip-height-incr": 0.8, "mouth-cupidsbow-width-incr": 0.8, "mouth-philtrum-volume-incr": 0.7, "mouth-trans-up": 0.6,
    "mouth-laugh-lines-out": 0.6,
    "neck-scale-horiz-incr": 0.8, "neck-scale-depth-incr": 0.5,
    "nose-scale-vert-incr": 0.8, "nose-scale-horiz-incr": 0.9, "nose-scale-depth-incr": 0.8, "nose-width1-incr": 0.9, "nose-width2-incr": 0.9,
    "nose-width3-incr": 0.9, "nose-point-up": 0.9, "nose-hump-incr": 0.9, "nose-greek-incr": 0.6, "nose-curve-convex": 0.8, "nose-volume-incr": 0.8,
    "nose-flaring-incr": 0.8, "nose-point-width-incr": 0.9, "nose-trans-up": 0.5,
}
BOUND = 0.6

SKINS = {"african": ((66, 42, 30), (150, 102, 74)), "asian": ((186, 138, 104), (228, 184, 152)), "caucasian": ((214, 164, 140), (240, 198, 178))}
IRISES = {
    "brown": ("#2a160c", "#5c331a"), "dark": ("#1c0f09", "#402313"), "amber": ("#4a2c12", "#8a5a28"), "hazel": ("#3c3a20", "#80703c"),
    "green": ("#2f4e3a", "#7e8a52"), "blue": ("#2c4c68", "#6d8a98"), "pale": ("#4a6a80", "#93a6aa"), "grey": ("#3f4c54", "#82898a"),
}
# (melanin, redness, weight among fair-skinned people)
HAIRS = {"black": (0.98, 0.1, 1.0), "dark": (0.90, 0.3, 2.2), "brown": (0.72, 0.45, 2.2), "chestnut": (0.62, 0.75, 1.0), "light": (0.46, 0.45, 1.4),
         "blond": (0.26, 0.35, 1.4), "pale": (0.15, 0.2, 0.6), "red": (0.44, 0.95, 0.9)}
CLOTHS = {"m": ("male_casualsuit01", "male_casualsuit02", "male_casualsuit04", "male_elegantsuit01"),
          "f": ("female_casualsuit01", "female_elegantsuit01")}


def name_of(part, index):
    return f"{PARTS[part][0]}{index:05d}"


def seed_of(part, index):
    if not 0 <= index < PEOPLE_A_PART:
        raise ValueError(f"person {index}: there are {PEOPLE_A_PART} people in a part, counted from 0")
    return PARTS[part][1] + index


def generator(part, index, stream=0):
    """Random numbers of one person; different streams do not disturb each other."""
    return np.random.default_rng([seed_of(part, index), stream])


def pick(rng, table):
    """A key of {key: weight}."""
    keys = list(table)
    weight = np.array([table[k] for k in keys], float)
    return keys[rng.choice(len(keys), p=weight / weight.sum())]


def triple(values):
    return tuple(int(round(float(np.clip(v, 0, 255)))) for v in values)


def phenotype(rng):
    female = rng.random() < 0.5
    gender = rng.uniform(0.9, 1.0) if female else rng.uniform(0.0, 0.1)
    if rng.random() < 0.12:
        gender = rng.uniform(0.6, 0.9) if female else rng.uniform(0.1, 0.4)
    age = pick(rng, {(0.53, 0.59): 0.13, (0.59, 0.70): 0.42, (0.70, 0.84): 0.27, (0.84, 0.97): 0.18})
    origin = rng.dirichlet([0.45, 0.45, 0.45])
    values = dict(gender=gender, age=rng.uniform(*age), weight=rng.uniform(0.30, 0.66), muscle=rng.uniform(0.35, 0.70), height=0.5,
                  proportions=rng.uniform(0.55, 0.9), african=origin[0], asian=origin[1], caucasian=origin[2])
    return female, {k: round(float(v), 4) for k, v in values.items()}


def local(rng, female, african):
    spread = rng.uniform(0.10, 0.20)
    out = {k: rng.normal(0, spread * share) for k, share in CHANGES.items()}
    out["chin-width-incr"] += -0.25 if female else 0.10
    out["neck-scale-horiz-incr"] += -0.22 if female else 0.0
    out["l-cheek-volume-incr"] += 0.12 if female else 0.0
    out["l-ear-wing-incr"] -= 0.05
    out["l-eye-height2-incr"] += 0.20  # awake
    out["nose-width3-incr"] -= 0.25 * african  # the phenotype alone is a caricature
    out["nose-width2-incr"] -= 0.20 * african
    return {k: round(float(np.clip(v, -BOUND, BOUND)), 4) for k, v in out.items()}


def skin_and_lip(rng, shape, painted):
    share = np.array([shape["african"], shape["asian"], shape["caucasian"]])
    share = share**1.5 / (share**1.5).sum()
    at = rng.beta(2, 2)
    logs = sum(s * ((1 - at) * np.log(np.array(SKINS[k][0], float)) + at * np.log(np.array(SKINS[k][1], float))) for s, k in zip(share, SKINS))
    skin = np.exp(logs + rng.normal(0, 0.02, 3) * [0.4, 1.0, 1.4])
    dark = 1 - skin.mean() / 255
    lip = skin * [0.76 + 0.37 * dark, 0.66 + 0.18 * dark, 0.57 + 0.72 * dark] * rng.uniform(0.92, 1.05)
    if painted:
        hue, value = rng.uniform(-0.04, 0.04), rng.uniform(0.45, 0.78)
        colour = np.array(colorsys.hsv_to_rgb(hue % 1, rng.uniform(0.45, 0.75), value)) * 255
        lip = 0.45 * lip + 0.55 * colour
    return triple(skin), triple(lip), share


def hair_of(rng, female, age, share):
    """Style, colour and how much of it."""
    african, asian, _ = share
    if female:
        styles = {"bun": 1.5, "ringlets": 1.2, "waves": 2.0, "straight": 1.6, "bob": 1.4, "pixie": 1.3 + 1.5 * (age > 0.82), "tousled": 0.5,
                  "afro": 5.0 * african, "crop": 0.3 + african}
    else:
        styles = {"crop": 2.4, "swept": 2.2, "tousled": 1.8, "buzz": 1.2 + 1.5 * african, "pixie": 1.0, "bald": 0.35 + 0.9 * (age > 0.72),
                  "afro": 2.5 * african, "waves": 0.25, "bun": 0.2}
    style = pick(rng, styles)
    if african + asian > rng.uniform(0.25, 0.75):
        melanin, red = rng.uniform(0.93, 0.99), rng.uniform(0.1, 0.3)
    else:
        melanin, red, _ = HAIRS[pick(rng, {k: v[2] for k, v in HAIRS.items()})]
        melanin, red = np.clip(melanin + rng.normal(0, 0.03), 0.1, 0.99), np.clip(red + rng.normal(0, 0.05), 0.05, 1)
    look = {"hair": style, "melanin": round(float(melanin), 3), "red": round(float(red), 3)}
    if age > 0.78 and rng.random() < (0.85 if age > 0.86 else 0.45):
        look["grey"] = round(float(np.clip(rng.normal(0.30 + 2.6 * (age - 0.78), 0.15), 0.12, 0.95)), 3)
    elif age > 0.72 and melanin < 0.3 and rng.random() < 0.5:
        look["grey"] = round(float(rng.uniform(0.3, 0.8)), 3)
    if style == "bald":  # shaved to a shadow, or none
        look["scalp"] = 0.03 if "grey" in look or melanin < 0.5 else round(float(rng.uniform(0.03, 0.30)), 3)
    return look


def iris_of(rng, share, melanin):
    if share[2] < 0.55 or melanin > 0.93:
        return IRISES[pick(rng, {"brown": 5, "dark": 5, "amber": 0.8, "hazel": 0.3})]
    return IRISES[pick(rng, {"brown": 2.5, "amber": 1, "hazel": 2, "green": 1.5, "blue": 3, "pale": 1.2, "grey": 1})]


def looks(rng, female, shape):
    age = shape["age"]
    skin, lip, share = skin_and_lip(rng, shape, female and rng.random() < 0.4)
    look = {"skin": skin, "lip": lip, "hairline": "f" if female else "m", **hair_of(rng, female, age, share)}
    look["iris"] = iris_of(rng, share, look["melanin"])
    look["iris_size"] = round(float(rng.uniform(0.425, 0.455)), 4)
    look["brow"] = round(float(np.clip(rng.normal(0.95 if female else 1.25, 0.15), 0.65, 1.6)), 3)
    look["brow_style"] = pick(rng, {"eyebrow001": 3, "eyebrow003": 1.0, "eyebrow008": 1.0})
    look["brow_lift"] = round(float(rng.uniform(0.001, 0.005)), 5)
    look["age"] = round(float(np.clip((age - 0.70) / 0.22, 0, 1.1)), 3)
    look["freckles"] = round(float(rng.uniform(0.3, 0.9)), 3) if share[2] > 0.6 and rng.random() < (0.6 if look["red"] > 0.7 else 0.15) else 0.0
    if not female and age > 0.57:
        kind = pick(rng, {"shaven": 4, "stubble": 3, "beard": 2.2, "short beard": 1.6})
        if kind == "stubble":
            look["stubble"] = round(float(rng.uniform(0.05, 0.35)), 3)
        elif kind != "shaven":
            look["beard"] = 1.0
            look["beard_length"] = round(float(rng.uniform(0.008, 0.013) if kind == "beard" else rng.uniform(0.004, 0.007)), 5)
    look["studs"] = bool(female and rng.random() < 0.35)
    look["cloth"] = "crew" if rng.random() < 0.5 else str(rng.choice(CLOTHS["f" if female else "m"]))
    colour = colorsys.hsv_to_rgb(rng.random(), rng.beta(1.4, 2.2), rng.uniform(0.12, 0.92))
    look["cloth_colour"] = triple(np.array(colour) * 255)
    return look


def portrait_expression(rng):
    """What the portrait shows: mostly friendly or calm with lips shut, sometimes a smile with teeth."""
    kind = pick(rng, {"friendly": 5, "calm": 3, "smile": 2})
    uneven = lambda v: {f"{v[0]}{s}": v[1] * rng.uniform(0.85, 1.15) for s in ("Left", "Right")}
    if kind == "friendly":
        out = {k: v * rng.uniform(0.4, 1.3) for k, v in FRIENDLY.items()}
    elif kind == "calm":
        out = {**uneven(("mouthSmile", rng.uniform(0, 0.15))), **uneven(("eyeSquint", rng.uniform(0, 0.15))), "browInnerUp": rng.uniform(0, 0.15)}
    else:
        out = {**uneven(("mouthSmile", rng.uniform(0.5, 0.75))), **uneven(("cheekSquint", rng.uniform(0.2, 0.5))), **uneven(("eyeSquint", 0.2)),
               **uneven(("mouthUpperUp", rng.uniform(0.15, 0.3))), "jawOpen": rng.uniform(0.03, 0.12)}
    gaze = rng.normal(0, 0.08, 2)
    for side, way in (("Left", 1), ("Right", -1)):
        out[f"eyeLook{'Out' if way * gaze[0] > 0 else 'In'}{side}"] = abs(gaze[0])
        out[f"eyeLook{'Up' if gaze[1] > 0 else 'Down'}{side}"] = abs(gaze[1])
    return {k: round(float(np.clip(v, 0, 1)), 4) for k, v in out.items()}


def person(part, index):
    rng = generator(part, index)
    female, shape = phenotype(rng)
    changes = local(rng, female, shape["african"])
    look = looks(rng, female, shape)
    name = name_of(part, index)
    title = f"{name}, a random {'woman' if female else 'man'} of the {'training' if part == 'train' else 'held-out'} part"
    return Person(name, title, shape, changes, look, seed_of(part, index), portrait_expression(rng))
