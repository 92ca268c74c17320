# SPDX-License-Identifier: GPL-3.0-or-later
"""Skin, hair, eye, tooth and cloth materials. Patterns are tied to the rest position, so that they do not swim with an expression."""

import bpy
import numpy as np

from train.blender.graph import Graph, linear, tint
from train.portrait.iris import eye_picture


def skin(look):
    g, toon, age = Graph("skin"), look.get("toon"), look.get("age", 0.0)
    at = g.attribute("rest", vector=True)
    base = linear(*look["skin"])
    light = sum(base) / 3
    ruddy = tint(base, 1.03, 0.78, 0.72)
    deep = tint(base, 0.80, 0.68, 0.62)
    # large soft tone shifts, then fine capillary mottling
    colour = g.mix(g.ramp(g.noise(at, 24, 4), 0.30, 0.72), tint(base, 1.03, 1.03, 1.03), tint(base, 0.96, 0.91, 0.89))
    if not toon:
        colour = g.mix(g.times(g.ramp(g.noise(at, 230, 3), 0.44, 0.70), 0.42), colour, ruddy)
        colour = g.mix(g.times(g.ramp(g.noise(at, 820, 2), 0.50, 0.75), 0.26), colour, deep)
    if age:
        spots = g.times(g.ramp(g.noise(at, 95, 2), 0.60, 0.70), 0.30 * age)
        colour = g.mix(spots, colour, tint(base, 0.80, 0.66, 0.56))
    colour = g.mix(g.times(g.attribute("blush"), 0.60 if toon else 0.36), colour, tint(base, 1.05, 0.66, 0.62))
    if look.get("freckles"):
        chosen = g.ramp(g.noise(at, 130, 2), 0.48, 0.58)
        dots = g.times(g.times(g.ramp(g.cells(at, 380), 0.34, 0.14), chosen), g.times(g.attribute("freckle"), look["freckles"]), clamp=True)
        colour = g.mix(dots, colour, tint(base, 0.72, 0.50, 0.38))
    colour = g.mix(g.times(g.attribute("socket"), 0.5), colour, deep)
    if look.get("stubble") or look.get("beard"):
        grain = g.ramp(g.noise(at, 1500, 1), 0.40, 0.64)
        amount = 0.55 if look.get("beard") else look["stubble"]
        shadow = g.times(g.attribute("beard"), g.math("MULTIPLY_ADD", grain, 0.6 * amount, 0.7 * amount))
        colour = g.mix(shadow, colour, tint(base, 0.42, 0.38, 0.38) if look["melanin"] > 0.3 else tint(base, 0.80, 0.80, 0.82))
    colour = g.mix(g.times(g.attribute("scalp"), look.get("scalp", 0.75)), colour, scalp_colour(look))
    colour = g.mix(g.times(g.attribute("brow"), 0.22 * look.get("brow", 1.0)), colour, tint(base, 0.42, 0.36, 0.33))
    colour = g.mix(g.times(g.attribute("lidline"), 0.75 if look["hairline"] == "f" else 0.4), colour, tint(base, 0.14, 0.11, 0.10))
    lips = g.attribute("lips")
    lip = linear(*look["lip"])
    colour = g.mix(g.times(lips, 0.85), colour, g.mix(g.ramp(g.noise(at, 320, 3), 0.35, 0.70), lip, tint(lip, 0.84, 0.80, 0.80)))
    colour = g.mix(g.attribute("mouth"), colour, linear(128, 50, 48))

    normal = g.bump(g.noise(at, 140, 3), 0.10 if toon else 0.18, 0.0012)
    if not toon:
        normal = g.bump(g.noise(at, 640, 4, 0.6), 0.42, 0.0006, normal)
        normal = g.bump(g.ramp(g.cells(at, 1200), 0.0, 0.34), 0.26, 0.00035, normal)
        normal = g.bump(g.attribute("wrinkle"), 1.0, 0.0006, normal)
        normal = g.bump(g.times(g.noise(at, 560, 2), lips), 0.5, 0.0008, normal)
    rough = g.math("MULTIPLY_ADD", g.noise(at, 200, 2), 0.14, 0.44 if light > 0.2 else 0.43)
    rough = g.math("SUBTRACT", rough, g.math("MULTIPLY_ADD", lips, 0.14, g.times(g.attribute("oily"), 0.05)))
    rough = g.math("SUBTRACT", rough, g.times(g.attribute("mouth"), 0.15))
    shader = g.principled(
        Base_Color=colour, Roughness=rough, Normal=normal, Subsurface_Weight=1.0, Subsurface_Radius=(1.0, 0.36, 0.19) if light > 0.2 else (1.0, 0.45, 0.28),
        Subsurface_Scale=0.0075 if toon else 0.0034, Specular_IOR_Level=0.42, Sheen_Weight=0.05, Sheen_Roughness=0.4)
    return g.finish(shader)


def scalp_colour(look):
    """Approximate linear colour of the hair seen as a mass; used to darken skin below it."""
    grey, red = look.get("grey", 0.0), look["red"]
    amount = -np.log(max(1e-4, 1 - look["melanin"])) * 0.9
    absorption = amount * ((1 - red) * np.array([0.50, 0.70, 1.00]) + red * np.array([0.22, 0.50, 0.95]))
    colour = (0.012 + 0.22 * np.exp(-1.3 * absorption)) * (1 - grey) + np.array([0.30, 0.29, 0.28]) * grey
    return tuple(float(c) for c in colour)


def hair(look, name="hair", roughness=0.30):
    g = Graph(name)
    node = g.node("BsdfHairPrincipled", model="CHIANG", parametrization="MELANIN")
    for key, value in (("Melanin", look["melanin"]), ("Melanin Redness", look["red"]), ("Roughness", roughness), ("Radial Roughness", 0.45),
                       ("Random Color", 0.35 if look.get("grey") else 0.15), ("Random Roughness", 0.2), ("Coat", 0.0)):
        node.inputs[key].default_value = value
    if look.get("grey"):  # salt and pepper: every hair draws its pigment; melanin alone would be blond
        node.parametrization = "COLOR"
        pick = g.ramp(g.node("HairInfo").outputs["Random"], look["grey"] - 0.15, look["grey"] + 0.15)
        g.feed(node.inputs["Color"], g.mix(pick, (0.56, 0.55, 0.54), (0.13, 0.11, 0.10)))
    return g.finish(node.outputs[0])


def fine_hair(name, colour, roughness=0.6):
    """Plain diffuse strands: lashes and brows, too thin for a scattering model to matter."""
    g = Graph(name)
    return g.finish(g.principled(Base_Color=colour, Roughness=roughness, Specular_IOR_Level=0.2))


def hex_colour(text):
    return linear(*(int(text[i:i + 2], 16) for i in (1, 3, 5)))


def eyes(look, iris_angle, size=1024):
    """(eyeball, cornea). The eyeball is darkened where the lids come near; the cornea only reflects and casts no shadow."""
    inner_colour, ring_colour = map(hex_colour, look["iris"])
    picture = eye_picture(iris_angle, inner_colour, ring_colour, size, toon=bool(look.get("toon")))
    height, width, _ = picture.shape
    image = bpy.data.images.new("eye", width, height, float_buffer=True)
    image.colorspace_settings.name = "Linear Rec.709"
    image.pixels.foreach_set(np.concatenate([picture, np.ones((height, width, 1), np.float32)], 2).ravel())
    image.update()
    image.pack()
    g = Graph("eyeball")
    texture = g.node("TexImage", image=image)
    g.feed(texture.inputs["Vector"], g.node("UVMap").outputs[0])
    shade = g.node("AmbientOcclusion", samples=4)
    shade.inputs["Distance"].default_value = 0.006
    colour = texture.outputs["Color"]
    colour = g.mix(g.ramp(shade.outputs["AO"], 0.10, 0.80), g.mix(1.0, colour, (0.50, 0.42, 0.40), "MULTIPLY"), colour)
    ball = g.finish(g.principled(Base_Color=colour, Roughness=0.5, Specular_IOR_Level=0.15, Subsurface_Weight=0.2, Subsurface_Radius=(1.0, 0.6, 0.5),
                                 Subsurface_Scale=0.002))
    g = Graph("cornea")
    fresnel, path = g.node("Fresnel"), g.node("LightPath")
    fresnel.inputs[0].default_value = 1.45
    gloss = g.node("BsdfGlossy")
    gloss.inputs["Roughness"].default_value = 0.03
    gloss.inputs["Color"].default_value = (1.3, 1.3, 1.3, 1)  # livelier catch-lights than the lamps' true size gives
    mix = g.node("MixShader")
    g.feed(mix.inputs[0], g.times(fresnel.outputs[0], g.math("SUBTRACT", 1.0, path.outputs["Is Shadow Ray"])))
    g.feed(mix.inputs[1], g.node("BsdfTransparent").outputs[0])
    g.feed(mix.inputs[2], gloss.outputs[0])
    return ball, g.finish(mix.outputs[0])


def teeth():
    g = Graph("teeth")
    return g.finish(g.principled(Base_Color=linear(244, 238, 226), Emission_Color=linear(244, 238, 228), Emission_Strength=0.10, Roughness=0.22,
                                 Subsurface_Weight=0.35, Subsurface_Radius=(1.0, 0.85, 0.7), Subsurface_Scale=0.0015))


def gums():
    g = Graph("gums")
    return g.finish(g.principled(Base_Color=linear(186, 98, 96), Roughness=0.3, Subsurface_Weight=0.5, Subsurface_Radius=(1.0, 0.4, 0.3), Subsurface_Scale=0.003))


def cloth(colour):
    g = Graph("cloth")
    at = g.node("TexCoord").outputs["Object"]
    base = linear(*colour)
    tone = g.mix(g.ramp(g.noise(at, 1300, 2), 0.3, 0.7), tint(base, 0.80, 0.80, 0.80), tint(base, 1.12, 1.12, 1.12))
    normal = g.bump(g.noise(at, 1300, 2), 0.35, 0.0006, g.bump(g.noise(at, 16, 3), 0.30, 0.008))
    return g.finish(g.principled(Base_Color=tone, Roughness=0.85, Specular_IOR_Level=0.2, Sheen_Weight=0.2, Normal=normal))


def gold():
    g = Graph("gold")
    return g.finish(g.principled(Base_Color=(0.90, 0.62, 0.28), Metallic=1.0, Roughness=0.22))
