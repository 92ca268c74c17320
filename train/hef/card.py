"""Writes the model card weights/hef.md from the figures of `vultus eval generator`.

    vultus eval generator --json noisy.json --sheet sheet.png
    vultus eval generator --fits exact --json exact.json
    python -m train.hef.card --noisy noisy.json --exact exact.json --sheet sheet.png --shards SHARDS --minutes 130 --limits limits.md
"""

import argparse
import json
import math
from pathlib import Path

from PIL import Image
from safetensors import safe_open

from .config import load_config, parameters

WAYS = {
    "copy": "the portrait, unmoved",
    "mesh": "mesh warp, nothing painted",
    "warp": "geometric generator",
    "warp_aligned": "geometric generator, fit corrected",
    "nano": "**HEF nano**",
    "base": "**HEF base**",
    "nano_short": "nano after as many steps as the ablations below had",
    "no_residual": "nano without residual flow",
    "no_hierarchy": "nano, flow from 64² alone",
    "no_prior": "nano without the geometric prior",
}
BOXES = {"face": "face", "mouth": "mouth", "eyes": "eyes", "turned": "face, turned by 10° and more"}

HEAD = """# HEF: the learned generator

`weights/hef_nano.safetensors`, f16, {parameters:.2f} M parameters. Licence: MIT OR Apache-2.0. Made by `train/hef` (configuration: `train/hef/config.toml`, which the file
carries in its metadata); manifest entry and checksum in `weights/manifest.toml`.

**What it does.** From a square around the head, 256², of the picture that the geometric generator made of a frame, and from what that generator knows of it (mesh, paint, flow, need), it
makes a residual flow, a change of colours and a matte; `train/hef/README.md` lists all channels. It changes pixels that the motion moves, bends, paints or lights anew, and no others.

**Trained on** {people} random people ({pictures} pictures, each with {fits} fits of the portrait: the exact one, others as wrong as landmarks that are 2 to 4 pixels off make them and corrected by
the alignment network (`align.safetensors`, [card](align.md)), and one of those that is not), path-traced with Cycles at 256² from CC0 shape data, with procedural skin, eyes and hair, light, background and camera drawn anew for each. No picture of a real person was used.

**Training:** {steps} steps of {batch} pictures, {minutes:.0f} minutes. Loss curve: `cards/hef_nano_curve.png`. {remark}

## Held-out figures
{held} people who were not trained on, {cases} pictures; the portrait's fit is wrong by 2 to 4 pixels ({held_fits} draws each); HEF corrects it first, as everywhere. PSNR in dB and SSIM against the path-traced picture; LMD: how far the
picture's own landmarks are from the truth's, in pixels of 256², found by matching the truth's patches (no detector); flicker: how much a point of the surface changes from one frame to the
next, as a multiple of what it does in the truth. Command: `vultus eval generator`.
"""


def cell(figures, box, truth):
    f = figures[box]
    flicker = f.get("flicker")
    share = "–" if flicker is None or not truth.get(box, {}).get("flicker") else f"{flicker / truth[box]['flicker']:.2f}"
    lmd = "–" if f.get("lmd") is None or math.isnan(f["lmd"]) else f"{f['lmd']:.2f}"
    return f"{f['psnr']:.2f} | {f['ssim']:.3f} | {lmd} | {share}"


def table(figures):
    """One table a box, a row a way."""
    truth, out = figures.get("truth", {}), []
    for box, title in BOXES.items():
        rows = [(way, figures[way]) for way in WAYS if way in figures and box in figures[way]]
        if rows:
            out += [f"| {title} | PSNR | SSIM | LMD | flicker |", "|---|---|---|---|---|"]
            out += [f"| {WAYS[way]} | {cell(made, box, truth)} |" for way, made in rows] + [""]
    return "\n".join(out)


def card(weights, noisy, exact, curve, remark, limits):
    with safe_open(weights / "hef_nano.safetensors", "np") as file:
        steps = int(file.metadata()["steps"])
    about = noisy["about"]
    text = HEAD.format(
        parameters=parameters(load_config("nano")) / 1e6, steps=steps, remark=remark, held=about["people"], cases=about["cases"], held_fits=about["fits"], **curve,
    )
    text += "\n" + table(noisy)
    if exact:
        text += "\nThe same with the exact fit:\n\n" + table(exact)
    return text + limits


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--noisy", type=Path, required=True)
    parser.add_argument("--exact", type=Path)
    parser.add_argument("--sheet", type=Path, help="of `vultus eval generator --sheet`; goes into weights/cards")
    parser.add_argument("--shards", type=Path, default=Path("train/.cache/hef/shards"), help="what was trained on, to count it")
    parser.add_argument("--weights", type=Path, default=Path("weights"))
    parser.add_argument("--minutes", type=float, required=True, help="of training, as the export said")
    parser.add_argument("--remark", default="")
    parser.add_argument("--limits", type=Path, help="Markdown that goes to the end")
    args = parser.parse_args()
    with open(Path(__file__).with_name("config.toml"), "rb") as file:
        import tomllib

        batch = tomllib.load(file)["train"]["batch"]
    shards = sorted(args.shards.glob("*.safetensors"))
    rows = fits = 0
    for path in shards:
        with safe_open(path, "np") as file:
            fits = file.get_slice("source").get_shape()[0]
            rows += file.get_slice("driven").get_shape()[0] // fits
    counts = {"people": len(shards), "pictures": rows, "fits": fits, "batch": batch, "minutes": args.minutes}
    read = lambda path: json.loads(path.read_text()) if path else None  # noqa: E731
    limits = "\n" + args.limits.read_text() if args.limits else ""
    if args.sheet:
        Image.open(args.sheet).convert("RGB").save(args.weights / "cards" / "hef_sheet.jpg", quality=86)
        limits = "\n![source, render, flow, geometric picture, result, truth](cards/hef_sheet.jpg)\n" + limits
    (args.weights / "hef.md").write_text(card(args.weights, read(args.noisy), read(args.exact), counts, args.remark, limits))


if __name__ == "__main__":
    main()
