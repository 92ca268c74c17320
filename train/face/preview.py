"""Contact sheets of a face model: `python -m train.face.preview weights/face.safetensors --out DIR`."""

import argparse
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from . import raster
from .model import FaceModel

REGION_COLOURS = np.array(
    [[0.75, 0.5, 0.4], [0.45, 0.05, 0.05], [0.2, 0.5, 0.9], [0.2, 0.8, 0.5], [0.95, 0.95, 0.8], [0.8, 0.2, 0.4], [0.7, 0.1, 0.6], [0.1, 0.1, 0.1]]
)
LIGHT = np.zeros((9, 3))
LIGHT[0], LIGHT[1], LIGHT[2], LIGHT[3], LIGHT[6] = 1.9, 0.35, 0.75, -0.35, 0.12


def picture(model, vertices, size=256, yaw=0.0, zoom=1.0, centre=(0, -0.03, 0.02), colour="albedo", albedo=None, supersample=2):
    """A shaded square picture of head-space vertices, sRGB bytes."""
    big = size * supersample
    t = model["triangles"]
    v = (vertices - np.array(centre)) @ raster.rotation((0, yaw, 0)).T + [0, 0, -1.25]
    ids, bary, _ = raster.rasterise(raster.project(v, (2.9 * zoom, 0.5, 0.5), big), t, big)
    n = raster.interpolate(raster.vertex_normals(v, t), t, ids, bary)
    n /= np.maximum(np.linalg.norm(n, axis=-1, keepdims=True), 1e-9)
    shade = np.maximum(raster.sh_basis(n) @ LIGHT, 0) * 0.8
    if colour == "albedo":
        base = raster.interpolate(model.albedo() if albedo is None else albedo, t, ids, bary)
    elif colour == "region":
        base = REGION_COLOURS[model["triangle.region"][ids.clip(0)]]
    else:
        base = np.full(n.shape, 0.5)
    out = np.where((ids >= 0)[..., None], base * shade, 0.05)
    return raster.srgb(out.reshape(size, supersample, size, supersample, 3).mean((1, 3)))


def label(image, text):
    im = Image.fromarray(image)
    size = 9 if image.shape[1] < 160 else 11
    ImageDraw.Draw(im).text((3, 1), text, fill=(235, 235, 235), font_size=size)
    return np.asarray(im)


def sheet(tiles, columns):
    tiles = list(tiles)
    while len(tiles) % columns:
        tiles.append(np.zeros_like(tiles[0]))
    rows = [np.concatenate(tiles[i : i + columns], 1) for i in range(0, len(tiles), columns)]
    return Image.fromarray(np.concatenate(rows))


def identity_sheet(m, size=256):
    tiles = [label(picture(m, m.shape(), size, yaw), f"mean {np.degrees(yaw):.0f}") for yaw in (-0.7, 0.0, 0.7)]
    tiles += [label(picture(m, m.shape(), size, yaw, colour="region"), "regions") for yaw in (0.0, 0.9)]
    tiles.append(label(picture(m, m.shape(beta={"jawOpen": 0.8}), size, 0, 2.2, (0, -0.06, 0.03), "region"), "regions"))
    for k in range(6):
        for s in (-2, 2):
            tiles.append(label(picture(m, m.shape(np.eye(80)[k] * s), size, 0.35), f"id {k} {s:+d}"))
    return sheet(tiles, 6)


def expression_sheet(m, size=224):
    tiles = []
    for k, name in enumerate(m.names):
        b = np.zeros(64)
        b[k] = 1
        if name.startswith("tongue") and name != "tongueOut":
            b[m.names.index("jawOpen")] = 0.35
        eyes, mouth = name.startswith(("eye", "brow")), name.startswith(("jaw", "mouth", "tongue", "lip", "lower"))
        zoom, centre = (3.2, (0, 0.004, 0.03)) if eyes else (3.2, (0, -0.066, 0.03)) if mouth else (1.4, (0, -0.03, 0.03))
        tiles.append(label(picture(m, m.shape(beta=b), size, 0.25 if name in ("jawForward", "mouthPucker", "mouthFunnel") else 0, zoom, centre), name))
    return sheet(tiles, 8)


def people_sheet(m, count=24, size=224, seed=3):
    rng = np.random.default_rng(seed)
    tiles = []
    for _ in range(count):
        v = m.shape(rng.normal(0, 0.9, 80))
        tiles.append(picture(m, v, size, rng.uniform(-0.5, 0.5), albedo=m.albedo(rng.normal(0, 0.9, 80))))
    return sheet(tiles, 8)


def cards(m, folder):
    """The model card's pictures, small."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, image in (
        ("face_identity", identity_sheet(m, 128)),
        ("face_expressions", expression_sheet(m, 96)),
        ("face_people", people_sheet(m, 16, 96)),
    ):
        image.quantize(256, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE).save(folder / f"{name}.png", optimize=True)


def main():
    arg = argparse.ArgumentParser(description=__doc__)
    arg.add_argument("model", type=Path)
    arg.add_argument("--out", type=Path, default=Path("out/face"))
    arg.add_argument("--cards", type=Path, help="write the model card's pictures here instead")
    args = arg.parse_args()
    if args.cards:
        return cards(FaceModel(args.model), args.cards)
    args.out.mkdir(parents=True, exist_ok=True)
    m = FaceModel(args.model)
    for name, make in (("identity", identity_sheet), ("expressions", expression_sheet), ("people", people_sheet)):
        make(m).save(args.out / f"{name}.png")


if __name__ == "__main__":
    main()
