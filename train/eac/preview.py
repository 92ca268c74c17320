"""Contact sheet of what the network is asked for: the mouth of each phone under each emotion, on the face model.

    python -m train.eac.preview --face weights/face.safetensors --out train/.cache/eac/targets.png

With --expressions it writes instead the coefficients of which `vultus-benches faces` makes stills: the emotions in silence, intensity 1, 2, 3 down
the rows, then visemes without emotion, and last an open mouth under four emotions.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import torch

from ..face.model import FaceModel
from ..face.preview import label, picture, sheet
from ..speech.visemes import render
from .compose import compose
from .face import EMOTIONS, NAMES, load_face

PHONES = "SIL AA IY UW M F S SH L TH".split()
VISEMES = "AA AE IY OW UW M F S SH L TH R".split()


def held_phone(phone):
    """Tracks of one frame in the middle of a long phone. (1, 1, 11)"""
    if phone == "SIL":
        tracks = render([(0.0, 1.0, "SIL")], 25)
    else:
        tracks = render([(0.0, 0.3, "SIL"), (0.3, 0.42, "AX"), (0.42, 0.58, phone), (0.58, 0.7, "AX"), (0.7, 1.0, "SIL")], 25)
    return torch.from_numpy(tracks[12])[None, None]


def coefficients(phone, emotion, mu, row):
    """(64,) of a phone held in an emotion."""
    return compose(held_phone(phone), torch.eye(8)[EMOTIONS.index(emotion)][None], torch.tensor([mu]), row)[0, 0]


def expressions(row):
    """What `vultus-benches faces` reads."""
    wanted = [(f"{e} {mu}", "SIL", e, float(mu)) for mu in (1, 2, 3) for e in EMOTIONS]
    wanted += [(phone, phone, "neutral", 2.0) for phone in VISEMES]
    wanted += [(f"AA {e}", "AA", e, 2.5) for e in ("angry", "happy", "sad", "surprised")]
    cells = []
    for name, phone, emotion, mu in wanted:
        beta = coefficients(phone, emotion, mu, row)
        cells.append({"name": name, "beta": {n: round(float(v), 4) for n, v in zip(NAMES, beta) if v > 5e-5}})
    lines = ",\n".join("  " + json.dumps(cell) for cell in cells)
    return f'{{"columns": {len(EMOTIONS)}, "cells": [\n{lines}\n]}}\n'


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--face", type=Path, default=Path("weights/face.safetensors"))
    parser.add_argument("--out", type=Path, default=Path("train/.cache/eac/targets.png"))
    parser.add_argument("--emotions", nargs="*", default=EMOTIONS)
    parser.add_argument("--phones", nargs="*", default=PHONES)
    parser.add_argument("--mu", type=float, default=2.5)
    parser.add_argument("--size", type=int, default=180)
    parser.add_argument("--expressions", type=Path, help="write coefficients here (benches/data/expressions.json), no picture")
    args = parser.parse_args()
    torch.set_num_threads(1)
    row = torch.from_numpy(load_face(args.face).gap)
    if args.expressions:
        args.expressions.write_text(expressions(row))
        return
    model, tiles = FaceModel(args.face), []
    for emotion in args.emotions:
        for phone in args.phones:
            beta = coefficients(phone, emotion, args.mu, row)
            image = picture(model, model.shape(beta=beta.numpy().astype(np.float64)), args.size, 0.15, 1.7, (0, -0.03, 0.03))
            tiles.append(label(image, f"{emotion} {phone} {max(0.0, float(beta @ row)):.2f}"))
    args.out.parent.mkdir(parents=True, exist_ok=True)
    sheet(tiles, len(args.phones)).save(args.out)


if __name__ == "__main__":
    main()
