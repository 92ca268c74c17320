"""How a random person is photographed: camera, light, backdrop, tone curve.

Camera and placement are as in the avatar file: head space → camera space by `pose`, focal length and centre in units of the picture's height.
The head, hair included, fills the picture but for a margin that turns of ± 15° need.
"""

import colorsys

import numpy as np

from train.crowd.sample import generator, pick, triple
from train.face import raster

HAIR_ABOVE = {"afro": 0.030, "tousled": 0.012, "swept": 0.014, "pixie": 0.010, "ringlets": 0.012, "waves": 0.008}  # metres over the skin
# Watts at a metre, straight on, that light a face well; every set of lamps is scaled towards it.
LIGHT = 13.5
AMBIENT = np.pi**2  # of the same for a surrounding of radiance 1


def outline(skin, chin, look):
    """Points (N, 3) whose picture is the head's height, and how wide: the skin at rest (V, 3) above the height `chin`, and hair over it."""
    head = skin[skin[:, 1] > chin]
    hair = head[head[:, 1] > 0.05]
    return np.concatenate([head, hair + [0, HAIR_ABOVE.get(look["hair"], 0.005), 0]])


def camera(skin, chin, look, rng):
    """{"camera": [f, cx, cy], "pose": [6]}: the head takes a wanted share of the picture's height, about in its middle."""
    distance = float(np.exp(rng.uniform(np.log(0.75), np.log(2.2))))
    pose = np.radians([rng.normal(0, 2.5), rng.normal(0, 5.0), rng.normal(0, 2.0)]).clip(-0.21, 0.21)
    if rng.random() < 0.35:
        pose[:] = 0
    # how far the head is off the optical axis, as in a crop of a wider picture
    axis = np.array([rng.uniform(-0.06, 0.06), rng.uniform(-0.10, 0.14)]) * 0.30
    points = outline(skin, chin, look)
    middle = raster.rotation(pose) @ (0.5 * (points.min(0) + points.max(0)))
    place = np.array([axis[0] - middle[0], axis[1] - middle[1], -distance])
    seen = points @ raster.rotation(pose).T + place
    u, v = seen[:, 0] / -seen[:, 2], seen[:, 1] / seen[:, 2]
    focal = 1 / (np.ptp(v) * rng.uniform(1.28, 1.50) * (1.10 if look["hair"] == "afro" else 1.0))
    cx = 0.5 + rng.normal(0, 0.015) - focal * 0.5 * (u.min() + u.max())
    cy = 0.5 - 0.03 + rng.normal(0, 0.015) - focal * 0.5 * (v.min() + v.max())
    return {"camera": [round(float(x), 6) for x in (focal, cx, cy)], "pose": [round(float(x), 6) for x in (*pose, *place)]}


def warm(kelvin):
    """Linear colour of a lamp, luminance about 1: 0 neutral, positive warm."""
    colour = np.array([1 + 0.30 * kelvin, 1.0, 1 - 0.42 * kelvin])
    return [round(float(v), 4) for v in colour / (colour @ [0.2126, 0.7152, 0.0722])]


def direction(azimuth, elevation):
    """Unit vector in camera axes: azimuth to the picture's right, both in degrees; 0, 0 is the camera's side."""
    a, e = np.radians([azimuth, elevation])
    return np.array([np.sin(a) * np.cos(e), np.sin(e), np.cos(a) * np.cos(e)])


def lamps(rng):
    """Disk lights in camera axes round the face: [{place, size, power, colour}], and the ambient {strength, colour}."""
    out = []

    def add(azimuth, elevation, distance, size, power, kelvin):
        out.append({"place": [round(float(v), 4) for v in direction(azimuth, elevation) * distance], "size": round(float(size), 3),
                    "power": round(float(power), 3), "colour": warm(kelvin)})

    mood = rng.normal(0, 0.35)
    side = rng.choice([-1, 1])
    azimuth = side * min(75.0, abs(rng.normal(0, 34)))
    add(azimuth, rng.uniform(5, 48), rng.uniform(0.9, 1.4), rng.uniform(0.25, 1.0), 13.5, 0.12 + mood + rng.normal(0, 0.1))
    key = out[0]
    key["power"] = round(13.5 * float(np.linalg.norm(key["place"])) ** 2 / 1.3, 3)
    add(-side * rng.uniform(25, 60), rng.uniform(-5, 20), 1.15, 1.0, 13.5 * rng.uniform(0.08, 0.45), mood - 0.15 + rng.normal(0, 0.15))
    if rng.random() < 0.5:
        add(0, rng.uniform(-50, -35), 0.92, 0.7, rng.uniform(0.5, 2.0), mood)
    for sign in (-1, 1):
        if rng.random() < 0.6:
            add(sign * rng.uniform(120, 150), rng.uniform(15, 40), 0.9, 0.45, rng.uniform(2, 10), rng.normal(0, 0.35))
    ambient = {"strength": round(float(np.exp(rng.uniform(np.log(0.10), np.log(0.55)))), 4), "colour": warm(mood - 0.2)}
    # bring the whole to the wanted brightness of a forehead that looks at the camera
    facing = direction(0, 12)
    sum_ = sum(l["power"] * max(0.15, float(np.dot(l["place"], facing))) / np.linalg.norm(l["place"]) ** 3 for l in out if l["place"][2] > 0)
    gain = LIGHT / (sum_ + AMBIENT * ambient["strength"]) * 2.0 ** float(np.clip(rng.normal(0, 0.30), -0.6, 0.5))
    for l in out:
        l["power"] = round(l["power"] * gain, 3)
    ambient["strength"] = round(ambient["strength"] * gain, 4)
    return out, ambient


def backdrop(rng):
    """A soft gradient, blurred shapes, or a plain wall: kind, three sRGB colours, numbers of the pattern."""
    hue, value = rng.random(), rng.uniform(0.15, 0.95)
    colours = []
    for _ in range(3):
        h = (hue + rng.normal(0, 0.06)) % 1 if rng.random() < 0.75 else rng.random()
        colours.append(triple(np.array(colorsys.hsv_to_rgb(h, rng.beta(1.1, 4.5), np.clip(value + rng.normal(0, 0.14), 0.05, 0.97))) * 255))
    kind = pick(rng, {"gradient": 4, "blur": 4, "spots": 0.8, "bricks": 0.8})
    place = [round(float(v), 3) for v in rng.uniform(-5, 5, 3)]
    return {"kind": kind, "colours": colours, "place": place, "scale": round(float(rng.uniform(0.8, 3.0)), 3)}


def shot(part, index, skin, chin, look):
    """Everything that the photographer decides about person `index` of `part`, whose skin at rest (V, 3) ends in a chin at the height `chin`."""
    rng = generator(part, index, 1)
    out = camera(skin, chin, look, rng)
    out["lamps"], out["ambient"] = lamps(rng)
    out["backdrop"] = backdrop(rng)
    out["tone"] = pick(rng, {"Khronos PBR Neutral": 6, "Standard": 3})
    # cameras open up for dark skin, though not all the way
    light = np.mean([c / 255 for c in look["skin"]]) ** 2.2
    out["exposure"] = round(float(0.35 * np.log2(0.42 / light) * 0.6 + (-0.25 if out["tone"] == "Standard" else 0.0)), 3)
    return out
