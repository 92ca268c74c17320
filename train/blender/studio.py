# SPDX-License-Identifier: GPL-3.0-or-later
"""Camera, lights and backdrop as train.crowd.shot decides them, and pictures with their coverage."""

import tempfile
from pathlib import Path

import bpy
import numpy as np
from mathutils import Matrix, Vector
from PIL import Image

from train.blender import exr
from train.blender.graph import linear
from train.face import raster

FACE = np.array([0.0, -0.02, 0.06])  # what the lamps look at, head space


def camera(shot):
    f, cx, cy = shot["camera"]
    turn, place = raster.rotation(shot["pose"][:3]), np.array(shot["pose"][3:])
    data = bpy.data.cameras.new("camera")
    data.sensor_width, data.lens, data.shift_x, data.shift_y = 36.0, 36.0 * f, 0.5 - cx, cy - 0.5
    thing = bpy.data.objects.new("camera", data)
    world = np.eye(4)
    world[:3, :3], world[:3, 3] = turn.T, -turn.T @ place
    thing.matrix_world = Matrix(world)
    bpy.context.scene.collection.objects.link(thing)
    bpy.context.scene.camera = thing
    return turn


def lamps(shot, turn):
    """The lamps stand still in camera axes, whatever the portrait's pose."""
    for k, lamp in enumerate(shot["lamps"]):
        data = bpy.data.lights.new(f"lamp {k}", "AREA")
        data.shape, data.size, data.energy, data.color = "DISK", lamp["size"], lamp["power"], lamp["colour"]
        thing = bpy.data.objects.new(f"lamp {k}", data)
        thing.location = FACE + turn.T @ np.array(lamp["place"])
        thing.rotation_euler = (Vector(FACE) - thing.location).to_track_quat("-Z", "Y").to_euler()
        bpy.context.scene.collection.objects.link(thing)


def world(shot):
    """Even ambient light; the camera alone sees the backdrop, which is fixed to the picture."""
    w = bpy.data.worlds.new("world")
    bpy.context.scene.world = w
    w.use_nodes = True
    tree = w.node_tree
    tree.nodes.clear()
    new = lambda kind: tree.nodes.new("ShaderNode" + kind)
    link = tree.links.new
    ambient, seen, mix, path, out = new("Background"), new("Background"), new("MixShader"), new("LightPath"), new("OutputWorld")
    ambient.inputs[0].default_value, ambient.inputs[1].default_value = (*shot["ambient"]["colour"], 1), shot["ambient"]["strength"]
    back = shot["backdrop"]
    where, move = new("TexCoord"), new("Mapping")
    ramp = new("ValToRGB")
    ramp.color_ramp.interpolation = "EASE"
    ramp.color_ramp.elements.new(0.5)
    for element, colour in zip(ramp.color_ramp.elements, back["colours"]):
        element.color = (*linear(*colour), 1)
    link(where.outputs["Window"], move.inputs[0])
    kind, scale = back["kind"], back["scale"]
    move.inputs["Location"].default_value = back["place"]
    if kind == "gradient":
        pattern = new("TexGradient")
        pattern.gradient_type = "SPHERICAL"
        x, y, _ = back["place"]
        move.inputs["Location"].default_value, move.inputs["Scale"].default_value = (-0.5 + 0.06 * x, -0.5 + 0.06 * y, 0), (0.9, 0.9, 0)
    elif kind == "blur":
        pattern = new("TexNoise")
        pattern.inputs["Scale"].default_value, pattern.inputs["Detail"].default_value = scale, 0.6
    elif kind == "spots":
        pattern = new("TexVoronoi")
        pattern.feature = "SMOOTH_F1"
        pattern.inputs["Scale"].default_value = 1.5 * scale
    else:
        pattern = new("TexBrick")
        pattern.inputs["Scale"].default_value = 2 + scale
        for k, value in enumerate((0.35, 0.6, 0.0)):
            pattern.inputs[1 + k].default_value = (value, value, value, 1)
        pattern.inputs["Mortar Smooth"].default_value = 0.4
    link(move.outputs[0], pattern.inputs["Vector"])
    if kind == "gradient":
        link(pattern.outputs["Fac"], ramp.inputs[0])
    elif kind == "bricks":
        link(pattern.outputs["Color"], ramp.inputs[0])
    else:  # both keep to the middle of their range
        stretch = new("MapRange")
        stretch.inputs[1].default_value, stretch.inputs[2].default_value = (0.2, 0.8) if kind == "blur" else (0.0, 0.6)
        link(pattern.outputs[0], stretch.inputs[0])
        link(stretch.outputs[0], ramp.inputs[0])
    for a, b in ((ramp.outputs[0], seen.inputs[0]), (path.outputs["Is Camera Ray"], mix.inputs[0]), (ambient.outputs[0], mix.inputs[1]),
                 (seen.outputs[0], mix.inputs[2]), (mix.outputs[0], out.inputs[0])):
        link(a, b)


def settings(shot, size):
    scene = bpy.context.scene
    r, c = scene.render, scene.cycles
    r.engine, r.resolution_x, r.resolution_y, r.resolution_percentage = "CYCLES", size, size, 100
    r.threads_mode, r.threads, r.use_persistent_data = "FIXED", 1, True
    c.device, c.use_adaptive_sampling = "CPU", False
    c.use_denoising, c.denoiser, c.denoising_input_passes, c.denoising_prefilter = True, "OPENIMAGEDENOISE", "RGB_ALBEDO_NORMAL", "FAST"
    c.max_bounces, c.diffuse_bounces, c.glossy_bounces, c.transmission_bounces, c.transparent_max_bounces = 4, 2, 2, 4, 8
    c.caustics_reflective = c.caustics_refractive = False
    c.sample_clamp_indirect, c.filter_width = 4.0, 1.3
    scene.cycles_curves.shape = "RIBBONS"
    scene.view_settings.view_transform, scene.view_settings.exposure = shot["tone"], shot["exposure"]
    scene.view_layers[0].use_pass_environment = True


class Studio:
    """Takes pictures of a figure that is already in the scene."""

    def __init__(self, shot, size):
        turn = camera(shot)
        lamps(shot, turn)
        world(shot)
        settings(shot, size)
        self.bare = {}

    def take(self, samples):
        """(sRGB (S, S, 3) u8, coverage (S, S) u8). Coverage is what of the bare backdrop, seen with the same samples, is gone."""
        bpy.context.scene.cycles.samples = samples
        if samples not in self.bare:
            self.bare[samples] = self._bare()
        pixels, seen = self._render()
        return pixels, np.uint8(np.round(255 * np.clip(1 - seen / np.maximum(self.bare[samples], 1e-6), 0, 1)))

    def _bare(self):
        things = [t for t in bpy.context.scene.objects if t.type not in ("CAMERA", "LIGHT")]
        for thing in things:
            thing.hide_render = True
        _, seen = self._render()
        for thing in things:
            thing.hide_render = False
        return seen

    def _render(self):
        scene = bpy.context.scene
        image = scene.render.image_settings
        with tempfile.TemporaryDirectory() as folder:
            passes, picture = Path(folder) / "passes.exr", Path(folder) / "picture.png"
            image.media_type, scene.render.filepath = "MULTI_LAYER_IMAGE", str(passes)
            image.file_format, image.color_depth, image.exr_codec = "OPEN_EXR_MULTILAYER", "32", "NONE"
            bpy.ops.render.render(write_still=True)
            image.media_type = "IMAGE"
            image.file_format, image.color_mode, image.color_depth = "PNG", "RGB", "8"
            bpy.data.images["Render Result"].save_render(str(picture), scene=scene)
            layers = exr.read(passes.read_bytes())
            seen = sum(layers[f"ViewLayer.Environment.{c}"] for c in "RGB")
            return np.asarray(Image.open(picture).convert("RGB")), seen
