"""Every shipped avatar keeps the file format's promises, and its picture and its coefficients describe the same face."""

import hashlib
import io
import json
import re
import tomllib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from safetensors import safe_open

from train.face import model as face
from train.portrait import light, people

ROOT = Path(__file__).parents[3]
AVATARS = sorted((ROOT / "weights/avatars").glob("*.avatar"))
FLOATS = {"alpha": 80, "beta": 64, "delta": 80, "gamma": 27, "pose": 6, "camera": 3}


def read(path):
    with safe_open(str(path), "numpy") as file:
        return {k: file.get_tensor(k) for k in file.keys()}, file.metadata()


@pytest.fixture(scope="module")
def model():
    return face.FaceModel(ROOT / "weights/face.safetensors")


def test_there_are_avatars():
    assert AVATARS


@pytest.mark.parametrize("path", AVATARS, ids=lambda p: p.stem)
def test_format(path):
    tensors, metadata = read(path)
    assert path.stat().st_size < 2**20
    assert metadata["version"] == "1" and metadata["name"] == path.stem and metadata["title"] and metadata["licence"] == "CC0-1.0"
    assert set(tensors) == {"portrait.png", "matte.png", *FLOATS}
    for name, count in FLOATS.items():
        assert tensors[name].dtype == np.float32 and tensors[name].shape == (count,) and np.isfinite(tensors[name]).all(), name
    portrait, matte = (Image.open(io.BytesIO(tensors[f"{k}.png"].tobytes())) for k in ("portrait", "matte"))
    assert portrait.mode == "RGB" and matte.mode == "L" and portrait.size == matte.size and portrait.width == portrait.height
    assert abs(tensors["alpha"]).max() < 6 and abs(tensors["delta"]).max() < 6
    assert -2.0 < tensors["pose"][5] < -0.8 and 1.0 < tensors["camera"][0] < 8.0


@pytest.mark.parametrize("path", AVATARS, ids=lambda p: p.stem)
def test_the_model_lies_on_the_picture(path, model):
    """The matte covers the face, leaves the corners free, and the lit model is close to the pixels of open skin."""
    t, _ = read(path)
    pixels = np.asarray(Image.open(io.BytesIO(t["portrait.png"].tobytes())))
    matte = np.asarray(Image.open(io.BytesIO(t["matte.png"].tobytes())))
    picture = light.Picture(model, pixels, t["alpha"], t["beta"], t["pose"], t["camera"])
    skin = picture.skin()
    assert skin.mean() > 0.03
    assert (matte[skin] > 250).mean() > 0.995
    assert matte[:20, :20].max() == 0 and matte[:20, -20:].max() == 0
    error = picture.relit(t["gamma"], t["delta"])[skin] - picture.linear[skin]
    assert np.median(abs(error)) < 0.25 * np.median(picture.linear[skin])


def test_manifest_knows_every_avatar():
    entries = {e["name"]: e for e in tomllib.loads((ROOT / "weights/manifest.toml").read_text())["file"]}
    for path in AVATARS:
        entry = entries[f"avatars/{path.name}"]
        data = path.read_bytes()
        assert entry["bytes"] == len(data) and entry["sha256"] == hashlib.sha256(data).hexdigest() and entry["licence"] == "CC0-1.0"


def test_truth_pictures(model):
    paths = sorted((ROOT / "benches/data/truth").glob("*/truth.json"))
    assert len(paths) >= 3, "the figures are about three people at least"
    for path in paths:
        truth = json.loads(path.read_text())
        assert (ROOT / f"weights/avatars/{truth['avatar']}.avatar").exists() and truth["cases"]
        for case in truth["cases"]:
            assert Image.open(path.parent / case["image"]).size == (truth["size"],) * 2
            assert set(case["beta"]) <= set(model.names) and len(case["dpose"]) == 6


def test_manifest_admits_what_the_commands_do_not_repeat():
    """The card names them; whoever reads the manifest only shall know too."""
    how = {Path(e["name"]).stem: e["how"] for e in tomllib.loads((ROOT / "weights/manifest.toml").read_text())["file"]}
    for words, names in {"brows": "george jonas lea", "earlier build": "amara ingrid lea"}.items():
        assert {name for name in (path.stem for path in AVATARS) if words in how[name]} == set(names.split()), words


def test_people_are_well_formed():
    for name, person in people.PEOPLE.items():
        assert re.fullmatch(r"[a-z]+", name) and person.name == name and person.title.startswith(name.capitalize())
        phenotype, local = people.shape(person)
        assert all(0 <= v <= 1 for v in phenotype.values()) and all(-1 <= v <= 1 for v in local.values())
        beta, _ = people.expression(person)
        assert beta.get("jawOpen", 0) == 0  # the portrait's lips are shut
