"""Contact sheet of what the network is asked for: the mouth of each phone under each emotion, on the face model.

    python -m train.eac.preview --face weights/face.safetensors --out train/.cache/eac/targets.png
"""

import argparse
from pathlib import Path

import numpy as np
import torch

from ..face.model import FaceModel
from ..face.preview import label, picture, sheet
from ..speech.visemes import render
from .compose import compose
from .face import EMOTIONS, load_face

PHONES = "SIL AA IY UW M F S SH L TH".split()


def held_phone(phone):
    """Tracks of one frame in the middle of a long phone. (1, 1, 11)"""
    if phone == "SIL":
        tracks = render([(0.0, 1.0, "SIL")], 25)
    else:
        tracks = render([(0.0, 0.3, "SIL"), (0.3, 0.42, "AX"), (0.42, 0.58, phone), (0.58, 0.7, "AX"), (0.7, 1.0, "SIL")], 25)
    return torch.from_numpy(tracks[12])[None, None]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--face", type=Path, default=Path("weights/face.safetensors"))
    parser.add_argument("--out", type=Path, default=Path("train/.cache/eac/targets.png"))
    parser.add_argument("--emotions", nargs="*", default=EMOTIONS)
    parser.add_argument("--phones", nargs="*", default=PHONES)
    parser.add_argument("--mu", type=float, default=2.5)
    parser.add_argument("--size", type=int, default=180)
    args = parser.parse_args()
    torch.set_num_threads(1)
    model, row = FaceModel(args.face), torch.from_numpy(load_face(args.face).gap)
    tiles = []
    for emotion in args.emotions:
        mix = torch.eye(8)[EMOTIONS.index(emotion)][None]
        for phone in args.phones:
            beta = compose(held_phone(phone), mix, torch.tensor([args.mu]), row)[0, 0]
            image = picture(model, model.shape(beta=beta.numpy().astype(np.float64)), args.size, 0.15, 1.7, (0, -0.03, 0.03))
            tiles.append(label(image, f"{emotion} {phone} {max(0.0, float(beta @ row)):.2f}"))
    args.out.parent.mkdir(parents=True, exist_ok=True)
    sheet(tiles, len(args.phones)).save(args.out)


if __name__ == "__main__":
    main()
