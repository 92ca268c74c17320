"""Python reads what the data tool wrote."""

import json
import os
import subprocess
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[3]
TOOL = Path(os.environ.get("VULTUS_SHARDS", ROOT / "target/release/vultus-shards"))
SIDE = 256


@pytest.fixture(scope="module")
def shards(tmp_path_factory):
    """A shard of a shipped avatar: at rest, and 40 ms later."""
    if not TOOL.is_file():
        pytest.skip(f"{TOOL} is not built: cargo build --release -p vultus-shards")
    from PIL import Image
    from safetensors import safe_open
    from safetensors.numpy import save_file

    root = tmp_path_factory.mktemp("people")
    place = root / "people/somebody"
    place.mkdir(parents=True)
    with safe_open(sorted((ROOT / "weights/avatars").glob("*.avatar"))[0], "np") as file:
        tensors, metadata = {k: file.get_tensor(k) for k in file.keys()}, file.metadata()
    for key in ("portrait.png", "matte.png"):
        small = BytesIO()
        Image.open(BytesIO(tensors[key].tobytes())).resize((SIDE, SIDE), Image.Resampling.BOX).save(small, "PNG")
        tensors[key] = np.frombuffer(small.getvalue(), np.uint8).copy()
        (place / key).write_bytes(small.getvalue())
    save_file(tensors, place / "somebody.avatar", metadata)
    case = {"beta": {}, "dpose": [0.0] * 6, "image": "portrait.png", "matte": "matte.png"}
    cases = [case | {"name": "a"}, case | {"name": "b", "beta": {"jawOpen": 0.3}, "dpose": [0, 0.02, 0, 0, 0, 0], "after": "a"}]
    (place / "truth.json").write_text(json.dumps({"avatar": "somebody", "size": SIDE, "cases": cases}))
    done = subprocess.run(
        [TOOL, "--people", root / "people", "--out", root / "shards", "--fits", "2", "--threads", "1"],
        capture_output=True, text=True, env=os.environ | {"VULTUS_WEIGHTS": str(ROOT / "weights")}, cwd=ROOT,
    )
    assert done.returncode == 0, done.stderr
    assert "somebody: 4 rows" in done.stdout
    return root / "shards"


def test_people_reads_what_the_tool_wrote(shards):
    pytest.importorskip("torch")
    from train.hef.data import People

    people = People(shards, SIDE)
    assert len(people.index) == 4 and len(people.pairs) == 2
    batch = people.batch(np.random.default_rng(1), 4)
    assert batch["driven"].shape == (4, 16, SIDE, SIDE) and batch["source"].shape == (4, 8, SIDE, SIDE)
    assert batch["style"].shape == (4, 258) and batch["truth_matte"].shape == (4, 1, SIDE, SIDE)
    assert batch["motion"].shape == (1, 2, SIDE, SIDE) and 0 < batch["motion"].abs().max() < 0.1
    # Portrait and truth are one picture here, and the mouth opens in the second row.
    person = people.people[0]
    still, open_mouth = person.row(0), person.row(1)
    assert (still["source"][:3] - still["truth"]).abs().max() < 3e-3
    assert (still["source"][3] - still["truth_matte"][0]).abs().max() < 3e-3
    x, y, w, h = person.boxes[1, 0].tolist()
    assert open_mouth["driven"][13, y : y + h, x : x + w].max() > 0.9
    assert (open_mouth["features"][0, y : y + h, x : x + w] == 1).all()
