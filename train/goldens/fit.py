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
# The reference's σ are pixels of a picture with so many between the eyes, none below the second number; points of lips, lids and irises count more.
EYES, SUREST = 105, 0.8
LIPS = """61 146 91 181 84 17 314 405 321 375 291 185 40 39 37 0 267 269 270 409 78 95 88 178 87 14 317 402 318 324 308 191 80 81 82 13 312 311 310 415 76 77 90
180 85 16 315 404 320 307 306 184 74 73 72 11 302 303 304 408 62 96 89 179 86 15 316 403 319 325 292 183 42 41 38 12 268 271 272 407"""
LIDS = "33 7 163 144 145 153 154 155 133 246 161 160 159 158 157 173 263 249 390 373 374 380 381 382 362 466 388 387 386 385 384 398"
MORE = dict.fromkeys(map(int, LIPS.split()), 2.0) | dict.fromkeys([*map(int, LIDS.split()), *range(468, 478)], 1.5)
# All points together count like so many.
INDEPENDENT = 150


def build(folder):
    places = json.loads((folder / "correspondence.json").read_text())["points"]
    whole = lambda values: struct.pack(f"<{len(values)}i", *values)
    out = {
        "triangle": ("I32", [478], whole([p["triangle"] for p in places])),
        "barycentric": ("F32", [478, 3], floats([w / sum(p["barycentric"]) for p in places for w in p["barycentric"]])),
        "sigma": ("F32", [478], floats([max(p["sigma_px512"], SUREST) / EYES / MORE.get(k, 1.0) for k, p in enumerate(places)])),
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
    save(args.out, build(args.folder), {"version": "1", "independent": str(INDEPENDENT)})


if __name__ == "__main__":
    main()
