"""The committed golden file is what this code and the shipped model give."""

from pathlib import Path

import numpy as np
from safetensors.numpy import load_file

from train.face.model import FaceModel
from train.goldens import face

ROOT = Path(__file__).parents[2]


def test_face_golden_regenerates():
    made = face.make(FaceModel(ROOT / "weights/face.safetensors"))
    kept = load_file(ROOT / "engine/tests/golden/face.safetensors")
    assert made.keys() == kept.keys()
    for name, value in made.items():
        np.testing.assert_allclose(value, kept[name], rtol=1e-5, atol=1e-6, err_msg=name)
