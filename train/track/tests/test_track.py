from pathlib import Path
from types import SimpleNamespace

import numpy as np
from safetensors.numpy import load_file

from train.face.model import FaceModel
from train.track import correspond

ROOT = Path(__file__).parents[3]


def test_the_best_place_within_a_triangle():
    rng = np.random.default_rng(1)
    a = rng.normal(size=(50, 4, 2))
    y = rng.normal(size=(50, 4))
    gram = np.stack([(a[..., 0] ** 2).sum(1), (a[..., 0] * a[..., 1]).sum(1), (a[..., 1] ** 2).sum(1)], 1)
    x = correspond.inside(gram, np.einsum("nki,nk->ni", a, y))
    assert (x >= 0).all() and (x.sum(1) <= 1 + 1e-9).all()
    cost = lambda x: ((np.einsum("nki,ni->nk", a, x) - y) ** 2).sum(1)
    steps = np.linspace(0, 1, 41)
    tried = [cost(np.tile([[p, q]], (50, 1))) for p in steps for q in steps if p + q <= 1]
    assert (cost(x) <= np.min(tried, axis=0) + 1e-9).all()


def test_the_main_error_is_found_on_turned_faces_and_on_both_sides():
    rng = np.random.default_rng(2)
    mirror = np.arange(correspond.POINTS)
    mirror[1:] = mirror[:0:-1]
    planted = rng.normal(size=(correspond.POINTS, 2)) * 0.01
    planted = 0.5 * (planted + planted[mirror] * [-1, 1])
    pictures, rest = [], []
    for k in range(60):
        roll = rng.uniform(-1, 1)
        pictures.append(SimpleNamespace(turn=np.array([0, 0, roll]), person=str(k % 6), drawn=k % 2 == 0))
        # A head that turns anticlockwise has its own right higher in the picture, whose y points down.
        back = np.array([[np.cos(roll), np.sin(roll)], [-np.sin(roll), np.cos(roll)]])
        rest.append((rng.normal() * planted) @ back.T + rng.normal(size=planted.shape) * 1e-4)
    errors, sigma = correspond.usual_errors(pictures, np.array(rest), mirror, 1)
    alike = (errors[0] * planted).sum() / np.linalg.norm(errors[0]) / np.linalg.norm(planted)
    assert abs(alike) > 0.999
    assert (sigma == correspond.SUREST).all()


def test_the_shipped_places_are_symmetric():
    file = load_file(ROOT / "weights/fit_points.safetensors")
    model = FaceModel(ROOT / "weights/face.safetensors")
    mirror = file["mirror"]
    assert (mirror[mirror] == np.arange(correspond.POINTS)).all()
    np.testing.assert_allclose(file["barycentric"].sum(1), 1, atol=1e-5)
    at = np.einsum("nk,nkc->nc", file["barycentric"], model["mean.position"][model["triangles"][file["triangle"]]])
    assert np.linalg.norm(at * [-1, 1, 1] - at[mirror], axis=1).max() < 5e-4
    np.testing.assert_array_equal(file["sigma"], file["sigma"][mirror])
