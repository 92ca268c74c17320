# SPDX-License-Identifier: GPL-3.0-or-later
"""One person in the scene: built once, then posed for every picture, so that a second expression costs a fraction of the first."""

import copy
from pathlib import Path

import bpy
import numpy as np
from mathutils import Matrix
from PIL import Image

from train.blender import features, hair, materials
from train.blender.surface import Surface, add_mesh, add_strands
from train.face import raster, subdivide

SKIN = 13380  # the first vertices of the cage are skin
SIDES = {1: "left", -1: "right"}
LOWEST = -0.36  # metres: what of the body is never in the picture
LASHES = "eyelashes02"


class Topology:
    """The skin, two levels of Catmull–Clark finer than the cage and at its limit: a matrix, quads, and painted masks. The same for everybody."""

    def __init__(self, static, masks, lowest=LOWEST):
        body = static["group"] == "body"
        faces, uv = static["faces"][body], static["uv"][body]
        keep = (static["reference"][faces][:, :, 1].min(1) > lowest) & (faces.max(1) < SKIN)
        self.faces, uv = faces[keep], uv[keep]
        first, quads, _, _ = subdivide.subdivide(self.faces, SKIN)
        second, quads, _, _ = subdivide.subdivide(quads, first.shape[0])
        used, flat = np.unique(quads, return_inverse=True)
        self.matrix = (subdivide.limit(quads, second.shape[0])[used] @ second @ first).tocsr()
        self.quads = flat.reshape(quads.shape)
        for _ in range(2):  # each corner's quad, as subdivide orders them
            after, before, middle = 0.5 * (uv + np.roll(uv, -1, 1)), 0.5 * (uv + np.roll(uv, 1, 1)), uv.mean(1, keepdims=True).repeat(4, 1)
            uv = np.stack([uv, after, middle, before], 2).reshape(-1, 4, 2)
        self.lips, self.ears, self.mouth = (self.painted(Path(masks) / f"mpfb_{n}.jpg", uv) for n in ("lips", "ears", "inside-mouth"))

    def painted(self, path, uv):
        """A grey picture in the cage's UV layout as a value per vertex."""
        grey = np.asarray(Image.open(path).convert("L"), np.float32) / 255
        height, width = grey.shape
        row, column = np.clip(((1 - uv[..., 1]) * height).astype(int), 0, height - 1), np.clip((uv[..., 0] * width).astype(int), 0, width - 1)
        out = np.zeros(self.matrix.shape[0])
        out[self.quads.ravel()] = grey[row, column].ravel()
        return out

    def fine(self, cage):
        return self.matrix @ cage[:SKIN].astype(np.float64)


class Soft:
    """A mesh object whose vertices move; `base` numbers its vertices in the array that `move` takes."""

    def __init__(self, name, vertices, faces, material):
        self.base = np.unique(faces)
        self.thing = add_mesh(name, vertices, faces)
        self.thing.data.materials.append(material)

    def move(self, vertices):
        self.thing.data.vertices.foreach_set("co", vertices[self.base].astype(np.float32).ravel())
        self.thing.data.update()


def remove(thing):
    data = thing.data
    bpy.data.objects.remove(thing)
    (bpy.data.hair_curves if isinstance(data, bpy.types.Curves) else bpy.data.curves).remove(data)


class Figure:
    """`rest` and what `pose` takes are geometry as train.portrait.export.Exporter.shape returns it."""

    def __init__(self, person, topology, static, rest, hairs, eye_pixels=1024):
        bpy.ops.wm.read_factory_settings(use_empty=True)
        self.person, self.look, self.topology, self.static, self.rest = person, person.look, topology, static, rest
        self.rng, self.passing = np.random.default_rng(person.seed), []
        self.rest_eyes = {sign: rest[f"eye_{side}.center"].astype(np.float64) for sign, side in SIDES.items()}
        self.surface = Surface(topology.fine(rest["cage"]), topology.quads)
        self.scalp = hair.Scalp(self.surface, topology.ears, self.look["hairline"], self.rng)
        self.skin()
        self.clothes()
        self.eyeballs(eye_pixels)
        self.mouth()
        self.hair(hairs)
        self.jewellery()

    def skin(self):
        look, rest, topology = self.look, self.rest, self.topology
        style = look.get("brow_style", "eyebrow001")
        self.brow_lines = features.brow_outlines(rest[style], self.static[f"{style}.faces"], lift=look.get("brow_lift", 0.0040))
        self.rest_lashes = features.lash_edges(rest[LASHES], self.static[f"{LASHES}.faces"], self.rest_eyes)
        lid = np.concatenate([features.along(root, np.linspace(0, 1, 60)) for _, upper, root, _ in self.rest_lashes if upper])
        line = np.concatenate([0.5 * (features.along(a, np.linspace(0.02, 0.95, 30)) + features.along(b, np.linspace(0.02, 0.95, 30))) for a, b in self.brow_lines])
        self.paint = features.paint(self.surface.vertices, topology.lips, topology.ears, topology.mouth, self.rest_eyes, self.scalp, line, lid, look)
        hidden = np.zeros(SKIN, bool)
        if look["cloth"] != "crew":
            index = self.static[f"{look['cloth']}.hidden"]
            hidden[index[index < SKIN]] = True
        shown = np.repeat(~hidden[topology.faces].all(1), 16)  # two levels: sixteen quads a face, in order
        self.soft_skin = Soft("skin", self.surface.vertices, topology.quads[shown], materials.skin(look))
        data, base = self.soft_skin.thing.data, self.soft_skin.base
        for key, value in self.paint.items():
            if value.ndim == 1:
                data.attributes.new(key, "FLOAT", "POINT").data.foreach_set("value", value[base].astype(np.float32))
            else:
                data.attributes.new(key, "FLOAT_VECTOR", "POINT").data.foreach_set("vector", value[base].astype(np.float32).ravel())

    def clothes(self):
        look = self.look
        self.cloth_material = materials.cloth(look["cloth_colour"])
        if look["cloth"] == "crew":  # a plain top: the skin below a neckline, pushed out
            rest, quads = self.surface.vertices, self.topology.quads
            self.above = rest[:, 1] - (-0.150 - 0.30 * np.clip(rest[:, 2] + 0.02, -0.02, 0.2))
            faces = quads[(self.above[quads] < 0).any(1)]
            self.soft_cloth = Soft("cloth", rest, faces, self.cloth_material)
            self.neckline = rim(faces, rest)
        else:
            v, faces = self.rest[look["cloth"]], self.static[f"{look['cloth']}.faces"]
            self.soft_cloth = Soft("cloth", v, faces[v[faces][:, :, 1].min(1) > -0.45], self.cloth_material)
            divide = self.soft_cloth.thing.modifiers.new("divide", "SUBSURF")
            divide.levels = divide.render_levels = 1
        thick = self.soft_cloth.thing.modifiers.new("thick", "SOLIDIFY")
        thick.thickness, thick.offset = 0.0035, 1

    def crew(self):
        """Vertices of the plain top, and its collar, for the posed skin."""
        v, quads = self.fine, self.topology.quads
        v = v - np.where(self.above > 0, self.above, 0)[:, None] * np.array([0, 1.0, 0])  # the first row slides onto the neckline
        corner = v[quads[(self.above[quads] < 0).any(1)]]
        cross = np.cross(corner[:, 2] - corner[:, 0], corner[:, 3] - corner[:, 1])
        normal, flat = np.empty_like(v), quads[(self.above[quads] < 0).any(1)]
        for axis in range(3):
            normal[:, axis] = np.bincount(flat.ravel(), cross[:, axis].repeat(4), len(v))
        normal /= np.linalg.norm(normal, axis=1, keepdims=True) + 1e-12
        line = (v + 0.0055 * normal)[self.neckline]
        for _ in range(30):
            line = 0.5 * line + 0.25 * (np.roll(line, 1, 0) + np.roll(line, -1, 0))
        curve = bpy.data.curves.new("collar", "CURVE")
        curve.dimensions, curve.bevel_depth, curve.bevel_resolution = "3D", 0.0058, 3
        spline = curve.splines.new("POLY")
        spline.points.add(len(line) - 1)
        spline.points.foreach_set("co", np.c_[line, np.ones(len(line))].ravel())
        spline.use_cyclic_u = True
        curve.materials.append(self.cloth_material)
        thing = bpy.data.objects.new("collar", curve)
        bpy.context.scene.collection.objects.link(thing)
        self.passing.append(thing)
        return v + 0.004 * normal

    def eyeballs(self, pixels):
        iris, self.balls = np.arcsin(0.50 if self.look.get("toon") else self.look.get("iris_size", 0.44)), {}
        shaders = materials.eyes(self.look, iris, pixels)
        for sign, side in SIDES.items():
            radius = np.linalg.norm(self.rest[f"eye_{side}"] - self.rest_eyes[sign], axis=1).mean()
            self.balls[side] = features.eyeball(f"eye {sign}", np.zeros(3), radius, np.eye(3), iris, shaders)

    def mouth(self):
        """Teeth, gums and tongue of the face model itself, so that truth and model show the same mouth."""
        self.soft_mouth = {}
        for name, material in (("teeth", materials.teeth()), ("gums", materials.gums()), ("tongue", materials.gums())):
            faces = self.static[f"{name}.faces"]
            self.soft_mouth[name] = soft = Soft(name, self.rest[name], np.concatenate([faces, faces[:, 2:]], 1), material)
            soft.thing.modifiers.new("divide", "SUBSURF").render_levels = 1

    def hair(self, count):
        """Strands on the rest head. Scalp hair becomes an object that turns with the head; the rest is laid on the skin by `pose`."""
        look, rng = self.look, self.rng
        dark = np.array(materials.scalp_colour(look))
        brow = dark * (1.1 if look["melanin"] > 0.9 else np.array([1.0, 0.68, 0.42])) if not look.get("grey") else np.array([0.20, 0.155, 0.12])
        strands, radius = features.brows(self.brow_lines, self.surface, rng, look)
        self.growth = [("brows", self.surface.root(strands), radius, materials.fine_hair("brow", tuple(float(c) for c in brow)))]
        # Closed lids may swap upper and lower edge and so draw other random values; hair and beard after them stay as with open ones.
        self.lash_rng = copy.deepcopy(rng)
        features.lashes(self.rest_lashes, self.rest_lashes, self.rest_eyes, rng, look["hairline"] == "f")
        self.lash_material = materials.fine_hair("lash", (0.015, 0.011, 0.009) if not look.get("grey") else (0.07, 0.06, 0.05))
        if look.get("beard"):
            strands, radius = hair.beard(self.surface, self.paint["beard"], rng, look.get("beard_length", 0.0105))
            self.growth.append(("beard", self.surface.root(strands), radius, materials.hair(look, "beard", 0.4)))
        self.scalp_hair = None
        if look["hair"] != "bald":
            strands, radius = hair.STYLES[look["hair"]](self.scalp, count)
            radius = radius * max(1.0, 20000 / count) ** 0.35  # fewer hairs, but the same head of hair
            self.scalp_hair = add_strands("hair", strands, radius, materials.hair(look))

    def jewellery(self):
        self.studs = []
        if self.look.get("studs"):
            self.lobes = self.surface.root(features.studs(self.surface, self.scalp.ears))
            for _ in range(2):
                bpy.ops.mesh.primitive_uv_sphere_add(radius=0.0026, segments=24, ring_count=12)
                thing = bpy.context.object
                thing.data.materials.append(materials.gold())
                thing.data.polygons.foreach_set("use_smooth", [True] * len(thing.data.polygons))
                self.studs.append(thing)

    def lashes(self, posed):
        """Drawn before the head turns, because they know up from down; then turned."""
        eyes = dict(zip(SIDES, posed["still.eyes"].astype(np.float64)))
        edges = features.lash_edges(posed["still.lashes"], self.static[f"{LASHES}.faces"], eyes)
        strands, radius = features.lashes(edges, self.rest_lashes, eyes, copy.deepcopy(self.lash_rng), self.look["hairline"] == "f")
        return strands @ self.head[:3, :3].T + self.head[:3, 3], radius

    def pose(self, posed):
        """Moves everything into an expression and head pose."""
        for thing in self.passing:
            remove(thing)
        self.passing = []
        self.head = rigid(posed["motion"].astype(np.float64), posed["pivot"].astype(np.float64))
        self.fine = self.topology.fine(posed["cage"])
        self.soft_skin.move(self.fine)
        self.soft_cloth.move(self.crew() if self.look["cloth"] == "crew" else posed[self.look["cloth"]])
        for name, soft in self.soft_mouth.items():
            soft.move(posed[name])
        for side, things in self.balls.items():
            place = np.eye(4)
            place[:3, :3] = features.rotation_between(self.rest[f"eye_{side}"], posed[f"eye_{side}"])
            place[:3, 3] = posed[f"eye_{side}.center"]
            for thing in things:
                thing.matrix_world = Matrix(place)
        for name, rooted, radius, material in self.growth:
            self.passing.append(add_strands(name, self.surface.follow(rooted, self.fine), radius, material))
        strands, radius = self.lashes(posed)
        self.passing.append(add_strands("lashes", strands, radius, self.lash_material))
        if self.scalp_hair:
            self.scalp_hair.matrix_world = Matrix(self.head)
        if self.studs:
            for thing, place in zip(self.studs, self.surface.follow(self.lobes, self.fine)[:, 1]):
                thing.location = place


def rigid(motion, pivot):
    """Matrix (4, 4) of a head motion where its weight is 1."""
    out = np.eye(4)
    out[:3, :3] = raster.rotation(motion[:3])
    out[:3, 3] = pivot + motion[3:] - out[:3, :3] @ pivot
    return out


def rim(faces, v):
    """Vertices along the upper edge of a plain top, in order."""
    edges = {}
    for quad in faces.tolist():
        for a, b in zip(quad, quad[1:] + quad[:1]):
            edges[a, b] = True
    chain = {a: b for (a, b) in edges if (b, a) not in edges and v[a, 1] > -0.25 and v[b, 1] > -0.25}
    start = here = next(iter(chain))
    loop = [start]
    while (here := chain.get(here, start)) != start:
        loop.append(here)
    return loop
