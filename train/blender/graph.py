# SPDX-License-Identifier: GPL-3.0-or-later
"""A small expression language over Blender's shader nodes: every method returns an output socket."""

import bpy


def linear(r, g, b):
    """sRGB bytes → linear floats."""
    return tuple(c / 255 / 12.92 if c <= 10 else ((c / 255 + 0.055) / 1.055) ** 2.4 for c in (r, g, b))


def tint(colour, *factors):
    """A colour with its channels scaled."""
    return tuple(c * f for c, f in zip(colour, factors))


class Graph:
    """One material under construction."""

    def __init__(self, name):
        self.material = bpy.data.materials.new(name)
        self.material.use_nodes = True
        self.tree = self.material.node_tree
        self.tree.nodes.clear()

    def node(self, kind, **settings):
        node = self.tree.nodes.new("ShaderNode" + kind)
        for key, value in settings.items():
            setattr(node, key, value)
        return node

    def feed(self, socket, value):
        if isinstance(value, bpy.types.NodeSocket):
            self.tree.links.new(value, socket)
        elif isinstance(value, tuple) and socket.type == "RGBA" and len(value) == 3:
            socket.default_value = (*value, 1.0)
        else:
            socket.default_value = value

    def attribute(self, name, vector=False):
        return self.node("Attribute", attribute_name=name).outputs["Vector" if vector else "Fac"]

    def math(self, operation, a, b=0.0, c=None, clamp=False):
        node = self.node("Math", operation=operation, use_clamp=clamp)
        for socket, value in zip(node.inputs, (a, b, c)):
            if value is not None:
                self.feed(socket, value)
        return node.outputs[0]

    def times(self, a, b, clamp=False):
        return self.math("MULTIPLY", a, b, clamp=clamp)

    def mix(self, factor, a, b, mode="MIX"):
        node = self.node("Mix", data_type="RGBA", blend_type=mode)
        for index, value in ((0, factor), (6, a), (7, b)):
            self.feed(node.inputs[index], value)
        return node.outputs[2]

    def noise(self, at, scale, detail=3.0, roughness=0.55):
        node = self.node("TexNoise")
        for key, value in (("Vector", at), ("Scale", scale), ("Detail", detail), ("Roughness", roughness)):
            self.feed(node.inputs[key], value)
        return node.outputs[0]

    def cells(self, at, scale):
        node = self.node("TexVoronoi")
        self.feed(node.inputs["Vector"], at)
        self.feed(node.inputs["Scale"], scale)
        return node.outputs["Distance"]

    def ramp(self, value, low, high):
        """Smooth step from 0 at `low` to 1 at `high`."""
        node = self.node("MapRange", interpolation_type="SMOOTHSTEP")
        self.feed(node.inputs[0], value)
        node.inputs[1].default_value, node.inputs[2].default_value = low, high
        return node.outputs[0]

    def bump(self, height, strength, distance, normal=None):
        node = self.node("Bump")
        node.inputs["Strength"].default_value, node.inputs["Distance"].default_value = strength, distance
        self.feed(node.inputs["Height"], height)
        if normal is not None:
            self.feed(node.inputs["Normal"], normal)
        return node.outputs[0]

    def principled(self, **inputs):
        node = self.node("BsdfPrincipled")
        for key, value in inputs.items():
            self.feed(node.inputs[key.replace("_", " ")], value)
        if "Subsurface_Weight" in inputs:
            node.subsurface_method = "RANDOM_WALK"
        return node.outputs[0]

    def finish(self, shader):
        self.tree.links.new(shader, self.node("OutputMaterial").inputs[0])
        return self.material
