"""The committed golden files are what this code and the shipped weights give."""

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from train.face.model import FaceModel
from train.goldens import face, mel

ROOT = Path(__file__).parents[3]


def same(name, made, **tolerance):
    kept = load_file(ROOT / f"engine/tests/golden/{name}.safetensors")
    assert made.keys() == kept.keys()
    for key, value in made.items():
        np.testing.assert_allclose(value, kept[key], err_msg=f"{name}: {key}", **tolerance)


def test_face():
    same("face", face.make(FaceModel(ROOT / "weights/face.safetensors")), rtol=1e-5, atol=1e-6)


def test_mel():
    same("mel", mel.build(), atol=1e-5)


def test_eac():
    torch = pytest.importorskip("torch")
    from train.goldens import eac

    torch.set_num_threads(1)
    made = eac.build(ROOT / "weights/eac.safetensors")
    same("eac", {key: value.numpy() for key, value in made.items()}, atol=2e-4, rtol=2e-4)


def test_hef():
    torch = pytest.importorskip("torch")
    from train.goldens import hef

    torch.set_num_threads(1)
    same("hef", {key: value.numpy() for key, value in hef.build().items()}, atol=2e-5, rtol=2e-5)


def test_align():
    torch = pytest.importorskip("torch")
    from train.goldens import align

    torch.set_num_threads(1)
    same("align", {key: value.numpy() for key, value in align.build().items()}, atol=2e-5, rtol=2e-5)


def test_every_golden_has_its_test():
    assert {path.stem for path in (ROOT / "engine/tests/golden").glob("*.safetensors")} == {"face", "mel", "eac", "hef", "align"}
