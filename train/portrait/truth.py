"""`python -m train.portrait.truth RENDERS NAME …`: truth pictures for the evaluation of the picture generator.

benches/data/truth/NAME/CASE.jpg   what a path tracer makes of the face, camera and light of the avatar NAME, 512², high quality
benches/data/truth/NAME/truth.json {"avatar", "size", "cases": [{"name", "image", "beta": {expression: coefficient}, "dpose": [6]}]}

`beta` is absolute: it replaces the portrait's own expression; names that are missing are 0. `dpose` is the driven motion of the head
relative to the bust: pitch, yaw, roll in radians, x, y, z in metres. The source picture is the avatar's portrait.
"""

import argparse
import json
from pathlib import Path

import numpy as np
from PIL import Image

from train.portrait import people


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("renders", type=Path)
    parser.add_argument("names", nargs="+")
    parser.add_argument("--out", type=Path, default=Path("benches/data/truth"))
    args = parser.parse_args()
    for name in args.names:
        folder, cases = args.out / name, []
        folder.mkdir(parents=True, exist_ok=True)
        for case in people.TRUTH:
            picture = args.renders / f"{name}__{case}.png"
            if not picture.exists():
                continue
            image = Image.open(picture).convert("RGB")
            image.save(folder / f"{case}.jpg", quality=95, subsampling=0, optimize=True)
            beta, yaw = people.expression(people.PEOPLE[name], case)
            cases.append({"name": case, "image": f"{case}.jpg", "beta": beta, "dpose": [0.0, round(float(np.radians(yaw)), 6), 0.0, 0.0, 0.0, 0.0]})
        text = json.dumps({"avatar": name, "size": image.width, "cases": cases}, indent=1)
        (folder / "truth.json").write_text(text + "\n")
        print(name, [c["name"] for c in cases])


if __name__ == "__main__":
    main()
