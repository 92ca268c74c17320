# SPDX-License-Identifier: GPL-3.0-or-later
"""Camera, lights, backdrop and render settings. Blender's world is head space, so the camera needs no rotation."""

import bpy
import numpy as np
from mathutils import Vector

from train.blender.graph import linear

DISTANCE = 1.25  # camera to the plane of the eyes, metres


def camera(look):
    """Adds the camera; returns {f, cx, cy, pose}: pose places head space in camera space as in the avatar format."""
    height = look.get("picture_height", 0.345)
    x, y = 0.0, look.get("picture_centre", -0.032)
    data = bpy.data.cameras.new("camera")
    data.sensor_width, data.lens = 36.0, 36.0 * DISTANCE / height
    thing = bpy.data.objects.new("camera", data)
    thing.location = (x, y, DISTANCE)
    bpy.context.scene.collection.objects.link(thing)
    bpy.context.scene.camera = thing
    return {"camera": [DISTANCE / height, 0.5, 0.5], "pose": [0.0, 0.0, 0.0, -x, -y, -DISTANCE]}


def lamp(name, place, size, power, colour=(1, 1, 1)):
    """Disk light at `place`, aimed at the face."""
    target = np.array([0.0, -0.02, 0.06])
    data = bpy.data.lights.new(name, "AREA")
    data.shape, data.size, data.energy, data.color = "DISK", size, power, colour
    thing = bpy.data.objects.new(name, data)
    thing.location = target + place
    thing.rotation_euler = (Vector(target) - thing.location).to_track_quat("-Z", "Y").to_euler()
    bpy.context.scene.collection.objects.link(thing)


def lights(look):
    k = look.get("light", 1.0)
    lamp("key", np.array([0.55, 0.50, 0.85]), 0.7, 13.5 * k, (1, 0.955, 0.90))
    lamp("fill", np.array([-0.75, 0.10, 0.85]), 1.0, 3.6 * k, (0.92, 0.96, 1))
    lamp("low", np.array([0.0, -0.60, 0.70]), 0.7, 1.6 * k, (1, 0.97, 0.94))
    lamp("rim", np.array([-0.60, 0.42, -0.55]), 0.45, 8.0 * k, (0.93, 0.96, 1))
    lamp("rim 2", np.array([0.65, 0.30, -0.60]), 0.5, 4.5 * k, (1, 0.95, 0.88))


def world(look):
    """Soft ambient light; the camera alone sees a radial gradient."""
    inner, outer = (linear(*c) for c in look["backdrop"])
    w = bpy.data.worlds.new("world")
    bpy.context.scene.world = w
    w.use_nodes = True
    tree = w.node_tree
    tree.nodes.clear()
    new = lambda kind: tree.nodes.new("ShaderNode" + kind)
    ambient, seen, mix, path, out = new("Background"), new("Background"), new("MixShader"), new("LightPath"), new("OutputWorld")
    ambient.inputs[0].default_value, ambient.inputs[1].default_value = (0.62, 0.66, 0.72, 1), 0.26
    where, move, gradient, ramp = new("TexCoord"), new("Mapping"), new("TexGradient"), new("ValToRGB")
    move.inputs["Location"].default_value, move.inputs["Scale"].default_value = (-0.46, -0.60, 0), (0.95, 0.95, 0)
    gradient.gradient_type = "SPHERICAL"
    ramp.color_ramp.interpolation = "EASE"
    ramp.color_ramp.elements[0].color, ramp.color_ramp.elements[1].color = (*outer, 1), (*inner, 1)
    for a, b in ((where.outputs["Window"], move.inputs[0]), (move.outputs[0], gradient.inputs[0]), (gradient.outputs[0], ramp.inputs[0]),
                 (ramp.outputs[0], seen.inputs[0]), (path.outputs["Is Camera Ray"], mix.inputs[0]), (ambient.outputs[0], mix.inputs[1]),
                 (seen.outputs[0], mix.inputs[2]), (mix.outputs[0], out.inputs[0])):
        tree.links.new(a, b)


def settings(size, samples, look, threads=1):
    scene = bpy.context.scene
    r, c = scene.render, scene.cycles
    r.engine = "CYCLES"
    r.resolution_x = r.resolution_y = size
    r.resolution_percentage = 100
    r.threads_mode, r.threads = "FIXED", threads
    r.image_settings.file_format = "PNG"
    c.device, c.samples, c.use_adaptive_sampling, c.adaptive_threshold = "CPU", samples, True, 0.035
    c.use_denoising, c.denoiser, c.denoising_input_passes = True, "OPENIMAGEDENOISE", "RGB_ALBEDO_NORMAL"
    c.max_bounces, c.diffuse_bounces, c.glossy_bounces, c.transmission_bounces, c.transparent_max_bounces = 6, 3, 3, 6, 12
    c.caustics_reflective = c.caustics_refractive = False
    c.sample_clamp_indirect, c.filter_width = 4.0, 1.4
    scene.cycles_curves.shape = "RIBBONS"
    scene.view_settings.view_transform = "Khronos PBR Neutral"
    scene.view_settings.exposure = look.get("exposure", 0.0)


def render(path):
    bpy.context.scene.render.film_transparent = False
    bpy.context.scene.render.image_settings.color_mode = "RGB"
    bpy.context.scene.render.filepath = str(path)
    bpy.ops.render.render(write_still=True)


def render_matte(path, samples=32):
    """Coverage alone: no light, no bounces, the world transparent. The alpha channel is the matte."""
    scene = bpy.context.scene
    flat = bpy.data.materials.new("flat")
    flat.use_nodes = True
    flat.node_tree.nodes.clear()
    emit, out = flat.node_tree.nodes.new("ShaderNodeEmission"), flat.node_tree.nodes.new("ShaderNodeOutputMaterial")
    flat.node_tree.links.new(emit.outputs[0], out.inputs[0])
    scene.view_layers[0].material_override = flat
    for thing in scene.objects:
        if thing.type == "LIGHT":
            thing.hide_render = True
    scene.cycles.samples, scene.cycles.use_denoising, scene.cycles.max_bounces, scene.cycles.use_adaptive_sampling = samples, False, 0, False
    scene.render.film_transparent = True
    scene.render.image_settings.color_mode = "RGBA"
    scene.render.filepath = str(path)
    bpy.ops.render.render(write_still=True)
