"""The default avatars as data: bodies in MakeHuman terms, looks, and the expressions used for pictures.

Colours are sRGB bytes. Shape values are those of the `anny` library: phenotypes in 0..1 (gender 0 = male, 1 = female; age .66 = young
adult, 1 = old), local changes in about -1..1. Only the left side is given: faces are mirrored, then made a little uneven.
"""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Person:
    """One avatar: `phenotype` and `local` shape the body, `look` dresses it, `smile` is the expression of the portrait."""

    name: str
    title: str
    phenotype: dict
    local: dict
    look: dict
    seed: int
    smile: dict = field(default_factory=dict)


# A friendly closed mouth and attentive eyes: what a listener in a call looks like.
FRIENDLY = {
    "mouthSmileLeft": 0.50, "mouthSmileRight": 0.45, "cheekSquintLeft": 0.22, "cheekSquintRight": 0.22,
    "mouthDimpleLeft": 0.10, "mouthDimpleRight": 0.10, "eyeWideLeft": 0.06, "eyeWideRight": 0.06,
}

# A mild pull towards regular, wide-awake features, added to everybody.
PLEASING = {
    "l-eye-scale-incr": 0.80, "l-cheek-bones-incr": 0.15, "nose-scale-horiz-incr": -0.30, "mouth-lowerlip-volume-incr": -0.1,
    "mouth-angles-up": 0.25, "head-scale-horiz-incr": -0.40, "forehead-scale-vert-incr": -0.05, "chin-jaw-drop-incr": -0.15,
}

PEOPLE = {
    p.name: p
    for p in (
        Person(
            "amara", "Amara, with an afro", dict(gender=0.97, age=0.62, weight=0.47, african=0.85, asian=0.05, caucasian=0.12, proportions=0.8),
            {"l-cheek-bones-incr": 0.35, "mouth-upperlip-volume-incr": 0.1, "nose-width2-incr": -0.2, "nose-width3-incr": -0.25,
             "chin-width-incr": -0.35, "head-fat-incr": 0.15, "eyebrows-angle-up": 0.15, "nose-scale-vert-incr": -0.1, "l-cheek-volume-incr": 0.2,
             "forehead-scale-vert-incr": -0.4, "neck-scale-horiz-incr": -0.3},
            dict(skin=(134, 85, 60), lip=(134, 66, 62), hair="afro", hairline="f", brow_lift=0.0013, melanin=0.98, red=0.2, iris=("#2a150b", "#5a3117"), brow=1.0,
                 cloth="crew", cloth_colour=(214, 166, 66), backdrop=((226, 206, 190), (168, 140, 124)), picture_height=0.375),
            21,
        ),
        Person(
            "kenji", "Kenji, with short black hair", dict(gender=0.04, age=0.63, weight=0.42, muscle=0.58, african=0.03, asian=0.80, caucasian=0.30, proportions=0.8),
            {"chin-width-incr": 0.1, "l-eye-scale-incr": 0.25, "nose-scale-vert-incr": -0.1, "chin-height-incr": -0.1, "l-cheek-bones-incr": 0.1},
            dict(skin=(212, 165, 133), lip=(186, 118, 108), hair="crop", hairline="m", melanin=0.985, red=0.1, iris=("#24130b", "#4c2b16"), brow=1.35,
                 stubble=0.10, cloth="crew", cloth_colour=(58, 72, 92), backdrop=((206, 214, 214), (132, 148, 152))),
            31,
        ),
        Person(
            "jonas", "Jonas, with a beard", dict(gender=0.03, age=0.72, weight=0.47, muscle=0.62, african=0.06, asian=0.06, caucasian=0.95, proportions=0.8),
            {"chin-width-incr": 0.15, "eyebrows-trans-up": -0.1, "nose-scale-vert-incr": -0.1, "nose-hump-incr": 0.1},
            dict(skin=(222, 172, 148), lip=(190, 118, 108), hair="swept", hairline="m", melanin=0.62, red=0.45, iris=("#2f5068", "#6f8a8c"), brow=1.2,
                 beard=1.0, cloth="male_casualsuit01", cloth_colour=(74, 92, 116), backdrop=((214, 210, 202), (146, 142, 136))),
            14,
        ),
        Person(
            "priya", "Priya, with her hair up", dict(gender=0.98, age=0.64, weight=0.44, african=0.16, asian=0.30, caucasian=0.72, proportions=0.85),
            {"l-cheek-bones-incr": 0.2, "chin-width-incr": -0.35, "mouth-upperlip-volume-incr": 0.1, "nose-scale-horiz-incr": -0.1, "l-eye-scale-incr": 0.2,
             "neck-scale-horiz-incr": -0.25, "l-cheek-volume-incr": 0.15},
            dict(skin=(190, 134, 100), lip=(176, 84, 82), hair="bun", hairline="f", melanin=0.98, red=0.2, iris=("#2c170c", "#633918"), brow=1.2,
                 studs=True, cloth="female_elegantsuit01", cloth_colour=(40, 110, 112), backdrop=((206, 216, 208), (136, 152, 144))),
            12,
        ),
        Person(
            "george", "George, in his sixties", dict(gender=0.03, age=0.93, weight=0.55, muscle=0.5, african=0.08, asian=0.06, caucasian=0.92, proportions=0.7),
            {"chin-width-incr": 0.1, "head-fat-incr": 0.15, "nose-volume-incr": 0.1, "l-eye-bag-incr": 0.1},
            dict(skin=(216, 164, 142), lip=(182, 118, 110), hair="crop", hairline="m", melanin=0.14, red=0.1, iris=("#3a5266", "#7d8f92"), brow=0.95, grey=0.75,
                 stubble=0.06, age=1.0, cloth="male_elegantsuit01", cloth_colour=(58, 66, 84), backdrop=((208, 210, 214), (138, 142, 150))),
            3,
        ),
        Person(
            "ingrid", "Ingrid, silver-haired", dict(gender=0.97, age=0.90, weight=0.48, african=0.05, asian=0.08, caucasian=0.95, proportions=0.75),
            {"l-cheek-bones-incr": 0.25, "chin-width-incr": -0.2, "neck-scale-horiz-incr": -0.15, "l-eye-scale-incr": 0.15},
            dict(skin=(226, 178, 158), lip=(192, 104, 102), hair="pixie", hairline="f", melanin=0.10, red=0.1, iris=("#3c5a5a", "#86976f"), brow=0.9, grey=0.6,
                 age=0.8, studs=True, cloth="female_casualsuit01", cloth_colour=(126, 74, 98), backdrop=((222, 212, 208), (156, 142, 140))),
            8,
        ),
        Person(
            "lea", "Lea, with red curls", dict(gender=0.98, age=0.58, weight=0.44, african=0.10, asian=0.12, caucasian=0.90, proportions=0.85),
            {"chin-width-incr": -0.3, "l-cheek-volume-incr": 0.2, "nose-point-up": 0.15, "neck-scale-horiz-incr": -0.25, "l-eye-scale-incr": 0.15,
             "mouth-upperlip-volume-incr": 0.1},
            dict(skin=(232, 184, 164), lip=(200, 104, 100), hair="ringlets", hairline="f", melanin=0.44, red=0.95, iris=("#38563c", "#8b8a4a"), brow=0.8, freckles=0.8,
                 cloth="crew", cloth_colour=(58, 104, 92), backdrop=((212, 220, 224), (140, 158, 168)), picture_height=0.38),
            5,
        ),
        Person(
            "pip", "Pip, from an animated film", dict(gender=0.6, age=0.50, weight=0.46, african=0.25, asian=0.35, caucasian=0.55, proportions=0.9),
            {"l-eye-scale-incr": 0.9, "l-eye-height2-incr": 0.35, "nose-scale-horiz-incr": -0.45, "nose-scale-vert-incr": -0.45, "nose-scale-depth-incr": -0.3,
             "nose-point-up": 0.4, "nose-width1-incr": -0.4, "mouth-scale-horiz-incr": -0.15, "chin-width-incr": -0.5, "chin-height-incr": -0.25,
             "head-scale-horiz-incr": 0.35, "l-cheek-volume-incr": 0.6, "neck-scale-horiz-incr": -0.6, "l-ear-scale-incr": 0.2, "head-fat-incr": 0.2},
            dict(skin=(236, 186, 156), lip=(204, 112, 104), hair="tousled", hairline="m", melanin=0.70, red=0.6, iris=("#1f5a58", "#58a08c"), brow=1.2, toon=True,
                 freckles=0.5, cloth="crew", cloth_colour=(236, 142, 82), backdrop=((196, 224, 228), (116, 168, 184))),
            11,
        ),
    )
}

# Faces of the truth pictures. Coefficients are absolute: they replace the portrait's own expression.
TRUTH = {
    "jawOpen": ({"jawOpen": 0.55, "mouthSmileLeft": 0.10, "mouthSmileRight": 0.10}, 0.0),
    "smile": ({"mouthSmileLeft": 0.75, "mouthSmileRight": 0.75, "cheekSquintLeft": 0.5, "cheekSquintRight": 0.5, "eyeSquintLeft": 0.3,
               "eyeSquintRight": 0.3, "jawOpen": 0.12, "mouthUpperUpLeft": 0.25, "mouthUpperUpRight": 0.25}, 0.0),
    "pucker": ({"mouthPucker": 0.85, "mouthFunnel": 0.15}, 0.0),
    "blink": ({"eyeBlinkLeft": 1.0, "eyeBlinkRight": 1.0}, 0.0),
    "angry": ({"browDownLeft": 1.0, "browDownRight": 1.0, "noseSneerLeft": 0.6, "noseSneerRight": 0.6, "mouthPressLeft": 0.5, "mouthPressRight": 0.5,
               "mouthFrownLeft": 0.5, "mouthFrownRight": 0.5, "eyeSquintLeft": 0.4, "eyeSquintRight": 0.4}, 0.0),
    "yaw": (None, 10.0),  # None: the portrait's own expression
}


def shape(person):
    """Phenotype and local changes of a person as `anny` wants them, right side mirrored."""
    import random

    rng = random.Random(person.seed)
    local = dict(PLEASING)
    for key, value in person.local.items():
        local[key] = local.get(key, 0.0) + value
    # small individual differences, so that nobody is the average face
    for key in ("nose-hump-incr", "nose-point-width-incr", "nose-base-up", "l-eye-corner2-up", "l-eye-trans-out", "mouth-trans-up", "chin-prominent-incr",
                "l-ear-wing-incr", "mouth-cupidsbow-incr", "l-eye-eyefold-angle-up", "mouth-scale-horiz-incr", "eyebrows-trans-up"):
        local[key] = local.get(key, 0.0) + max(-0.3, min(0.3, rng.gauss(0, 0.12)))
    local["l-ear-wing-incr"] -= 0.2
    for key in [k for k in local if k.startswith("l-")]:
        local["r-" + key[2:]] = local[key] + rng.gauss(0, 0.02)
    phenotype = dict(dict.fromkeys(("gender", "age", "muscle", "weight", "height", "proportions", "cupsize", "firmness", "african", "asian", "caucasian"), 0.5))
    phenotype.update(person.phenotype)
    return phenotype, {k: max(-1.0, min(1.0, v)) for k, v in local.items()}


def expression(person, case=None):
    """(coefficients by ARKit name, yaw in degrees) of the portrait (case None) or of a truth picture."""
    friendly = dict(FRIENDLY, **person.smile)
    if case is None:
        return friendly, 0.0
    coefficients, yaw = TRUTH[case]
    return (friendly if coefficients is None else dict(coefficients)), yaw
