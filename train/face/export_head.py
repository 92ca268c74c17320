"""Write a person's geometry for a renderer: `python -m train.face.export_head SPEC.json OUT.npz`.

SPEC: {"phenotypes": {...}, "changes": {...}, "expressions": {"rest": {}, "jaw": {"jawOpen": 1}},
"motions": {"front": [0,0,0,0,0,0], "yaw10": [0,0.1745,0,0,0,0]}}; `motions` may be left out.

OUT: alpha (80), residual_mm, eye_centres (2, 3), eye_radius, and for every expression E and motion M: `E/M/cage`
(19158, 3), `E/M/teeth`, `E/M/gums`, `E/M/tongue`, `E/M/eye_left`, `E/M/eye_right`, `E/M/eye_rotation` (2, 3, 3); triangles
of the parts as `triangles/PART`. Metres, z up, face to -y, midpoint of the resting eyeballs at the origin.
"""

import argparse
import json
from pathlib import Path

import numpy as np

from . import source
from .person import PARTS, Person


def main():
    arg = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arg.add_argument("spec", type=Path)
    arg.add_argument("out", type=Path)
    arg.add_argument("--cache", type=Path, default=source.CACHE)
    arg.add_argument("--model", type=Path, default=Path("weights/face.safetensors"))
    args = arg.parse_args()
    spec = json.loads(args.spec.read_text())
    who = Person(source.load(args.cache), spec["phenotypes"], spec.get("changes"), args.model)
    centres, radius = who.eyes()
    out = dict(alpha=who.alpha, residual_mm=who.residual_mm, eye_centres=centres, eye_radius=radius)
    parts = [p for p in PARTS if p != "skin"]
    out.update({f"triangles/{p}": who.part_triangles(p) for p in parts})
    for e, expression in spec.get("expressions", {"rest": {}}).items():
        for m, motion in spec.get("motions", {"front": [0] * 6}).items():
            out[f"{e}/{m}/cage"] = who.cage(expression, motion).astype(np.float32)
            out[f"{e}/{m}/eye_rotation"] = who.eye_rotation(expression, motion)
            out.update({f"{e}/{m}/{p}": who.part(p, expression, motion).astype(np.float32) for p in parts})
    np.savez(args.out, **out)
    print(f"{args.out}: identity residual {who.residual_mm:.2f} mm over the face, |alpha| {np.linalg.norm(who.alpha):.1f}")


if __name__ == "__main__":
    main()
