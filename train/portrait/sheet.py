"""`python -m train.portrait.sheet OUT.jpg`: all shipped avatars side by side, for the model card."""

import argparse
import io
from pathlib import Path

from PIL import Image
from safetensors import safe_open


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--avatars", type=Path, default=Path("weights/avatars"))
    parser.add_argument("--side", type=int, default=256)
    parser.add_argument("--columns", type=int, default=4)
    args = parser.parse_args()
    files = sorted(args.avatars.glob("*.avatar"))
    sheet = Image.new("RGB", (args.side * args.columns, args.side * -(-len(files) // args.columns)))
    for i, path in enumerate(files):
        with safe_open(str(path), "numpy") as file:
            picture = Image.open(io.BytesIO(file.get_tensor("portrait.png").tobytes()))
        sheet.paste(picture.resize((args.side, args.side), Image.LANCZOS), (i % args.columns * args.side, i // args.columns * args.side))
    sheet.save(args.out, quality=90)


if __name__ == "__main__":
    main()
