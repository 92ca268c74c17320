"""Golden file of the fit: two avatars' points, and the face that a reference in numpy finds in them, with the correspondences that it used.

    python -m train.goldens.fit FOLDER

FOLDER holds what the reference wrote: correspondence.json and goldens/pipeline.json. No package is needed.

`triangle`, `barycentric`, `sigma`, `mirror` as in weights/fit_points.safetensors; AVATAR.points (478, 2) in units of the picture's side; AVATAR.alpha (80),
AVATAR.beta (64), AVATAR.pose (6), AVATAR.camera (3).
"""

import argparse
import json
import struct
from pathlib import Path

from .track import floats, save

SIDE = 512
# The reference's σ are pixels of a picture with so many between the eyes.
EYES = 105


def build(folder):
    places = json.loads((folder / "correspondence.json").read_text())["points"]
    whole = lambda values: struct.pack(f"<{len(values)}i", *values)
    out = {
        "triangle": ("I32", [478], whole([p["triangle"] for p in places])),
        "barycentric": ("F32", [478, 3], floats([w / sum(p["barycentric"]) for p in places for w in p["barycentric"]])),
        "sigma": ("F32", [478], floats([p["sigma_px512"] / EYES for p in places])),
        "mirror": ("I32", [478], whole([p["mirror"] for p in places])),
    }
    for avatar, way in json.loads((folder / "goldens/pipeline.json").read_text()).items():
        out[f"{avatar}.points"] = ("F32", [478, 2], floats([v / SIDE for point in way["points_pass2_px"] for v in point[:2]]))
        for key in ("alpha", "beta", "pose", "camera"):
            values = way["fit"][key]
            out[f"{avatar}.{key}"] = ("F32", [len(values)], floats(values))
    return out


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--out", type=Path, default=Path("engine/native/tests/golden/fit.safetensors"))
    args = parser.parse_args()
    save(args.out, build(args.folder), {"version": "1"})


if __name__ == "__main__":
    main()
