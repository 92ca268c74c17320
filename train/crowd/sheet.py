"""`python -m train.crowd.sheet OUT.png FOLDER …`: one row a person: the portrait, its matte, then every case."""

import argparse
import io
import json
from pathlib import Path

import numpy as np
from PIL import Image
from safetensors import safe_open


def row(folder, count):
    with safe_open(str(folder / f"{folder.name}.avatar"), "numpy") as file:
        portrait, matte = (Image.open(io.BytesIO(file.get_tensor(f"{k}.png").tobytes())).convert("RGB") for k in ("portrait", "matte"))
    cases = json.loads((folder / "truth.json").read_text())["cases"]
    tiles = [portrait, matte] + [Image.open(folder / c["image"]).convert("RGB") for c in cases]
    tiles = [np.asarray(t) for t in tiles[:count]]
    return np.concatenate(tiles + [np.zeros_like(tiles[0])] * (count - len(tiles)), 1)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--columns", type=int, default=9)
    args = parser.parse_args()
    Image.fromarray(np.concatenate([row(f, args.columns) for f in args.folders])).save(args.out)


if __name__ == "__main__":
    main()
