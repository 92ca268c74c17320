"""`python -m train.portrait.pack RENDERS GEOMETRY [NAME …] [--out weights/avatars]`: renders → `.avatar` files.

RENDERS holds NAME__portrait.png, NAME__matte.png and NAME.json (camera and placement) of train.blender.render; GEOMETRY the identity
coefficients (NAME__alpha.npy) of train.portrait.export. With --check DIR a picture of the model's outline over the portrait is drawn.
The file format is described in engine/core/src/avatar/format.rs.
"""

import argparse
import io
import json
from pathlib import Path

import numpy as np
from PIL import Image
from safetensors.numpy import save_file

from train.face import model as face
from train.portrait import light, people


def png(image):
    buffer = io.BytesIO()
    image.save(buffer, "PNG", optimize=True)
    return np.frombuffer(buffer.getvalue(), np.uint8).copy()


def pack(model, person, renders, geometry):
    """(tensors, metadata, light.Picture) of one person."""
    portrait = Image.open(renders / f"{person.name}__portrait.png").convert("RGB")
    matte = Image.open(renders / f"{person.name}__matte.png").getchannel("A")
    shot = json.loads((renders / f"{person.name}.json").read_text())
    alpha = np.load(geometry / f"{person.name}__alpha.npy")
    beta = model.beta(people.expression(person)[0])
    picture = light.Picture(model, np.asarray(portrait), alpha, beta, shot["pose"], shot["camera"])
    gamma, delta, error = picture.fit(light.to_linear(person.look["skin"]))
    print(f"{person.name}: skin error {error:.4f} linear, |delta| max {abs(delta).max():.2f}, |alpha| max {abs(alpha).max():.2f}")
    floats = {"alpha": alpha, "beta": beta, "delta": delta, "gamma": gamma, "pose": shot["pose"], "camera": shot["camera"]}
    tensors = {"portrait.png": png(portrait), "matte.png": png(matte), **{k: np.asarray(v, np.float32) for k, v in floats.items()}}
    return tensors, {"version": "1", "name": person.name, "title": person.title, "licence": "CC0-1.0"}, picture


def overlay(picture, pixels, scale=2):
    """Portrait, enlarged, with the model's edges between regions, its silhouette and its landmarks drawn over it."""
    from PIL import ImageDraw

    model, size = picture.model, picture.size
    image = Image.fromarray(pixels).resize((size * scale, size * scale), Image.LANCZOS)
    draw = ImageDraw.Draw(image)
    region = np.where(picture.ids >= 0, model["triangle.region"][picture.ids.clip(0)].astype(int), -1)
    lips = picture.mask("lips") > 0.5
    label = region * 2 + lips
    for dy, dx in ((0, 1), (1, 0)):
        a, b = label[: size - dy, : size - dx], label[dy:, dx:]
        for y, x in np.argwhere(a != b):
            cy, cx = (y + 0.5 + dy / 2) * scale, (x + 0.5 + dx / 2) * scale
            draw.line([cx - scale / 2 * dy, cy - scale / 2 * dx, cx + scale / 2 * dy, cy + scale / 2 * dx], fill=(60, 255, 90))
    for x, y in model.landmarks(picture.screen)[:, :2] * scale:
        draw.ellipse([x - 1.5, y - 1.5, x + 1.5, y + 1.5], fill=(255, 60, 200))
    return image


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("renders", type=Path)
    parser.add_argument("geometry", type=Path)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--out", type=Path, default=Path("weights/avatars"))
    parser.add_argument("--face", default="weights/face.safetensors")
    parser.add_argument("--check", type=Path)
    args = parser.parse_args()
    model = face.FaceModel(args.face)
    args.out.mkdir(parents=True, exist_ok=True)
    for name in args.names or people.PEOPLE:
        tensors, metadata, picture = pack(model, people.PEOPLE[name], args.renders, args.geometry)
        save_file(tensors, str(args.out / f"{name}.avatar"), metadata)
        if args.check:
            args.check.mkdir(parents=True, exist_ok=True)
            pixels = np.asarray(Image.open(args.renders / f"{name}__portrait.png").convert("RGB"))
            overlay(picture, pixels).save(args.check / f"{name}_overlay.png")
            drawn = light.raster.srgb(picture.relit(tensors["gamma"], tensors["delta"]))
            Image.fromarray(np.concatenate([pixels, drawn], 1)).save(args.check / f"{name}_relit.png")


if __name__ == "__main__":
    main()
