"""The shipped face model keeps its contract: shapes, names, and the behaviour that speech depends on. No PyTorch."""

from pathlib import Path

import numpy as np
import pytest

from train.face import expressions, raster
from train.face.layout import folded
from train.face.model import FaceModel
from train.face.project import IdentityFit
from train.wgsl import constants

MODEL = Path(__file__).parents[3] / "weights" / "face.safetensors"
BLINK = {"eyeBlinkLeft": 1, "eyeBlinkRight": 1}
REGION = {name.removeprefix("REGION_"): number for name, number in constants("mesh").items()}
EYES = [REGION[name] for name in ("LEFT_EYE", "RIGHT_EYE")]
MOUTH = [REGION[name] for name in ("MOUTH_LINING", "TEETH", "GUM", "TONGUE")]


@pytest.fixture(scope="module")
def model():
    return FaceModel(MODEL)


def people(count=2, sd=0.7):
    rng = np.random.default_rng(2)
    return [np.zeros(80)] + [rng.normal(0, sd, 80) for _ in range(count)]


def pixels(model, vertices, regions, yaw=0.0, size=420):
    """How many pixels of these regions show from the front."""
    v = (vertices - [0, -0.035, 0.02]) @ raster.rotation((0, yaw, 0)).T + [0, 0, -1.25]
    ids, _, _ = raster.rasterise(raster.project(v, (6.2, 0.5, 0.5), size), model["triangles"], size)
    return int(np.isin(model["triangle.region"][ids[ids >= 0]], regions).sum())


def test_shapes(model):
    v, f = len(model["mean.position"]), len(model["triangles"])
    assert f <= 20000
    expected = {
        "mean.position": (v, 3), "identity.basis": (80, v, 3), "expression.basis": (64, v, 3), "albedo.mean": (v, 3),
        "albedo.basis": (80, v, 3), "uv": (v, 2), "triangles": (f, 3), "triangle.region": (f,), "head_weight": (v,),
        "pivot": (3,), "eye.center": (2, 3), "eye.radius": (1,), "eye.angle": (v,), "landmarks.triangle": (68,),
        "landmarks.barycentric": (68, 3), "lip_gap.closed": (1,), "lip_gap.open": (1,),
        "inner_lip.upper": model["inner_lip.lower"].shape, "inner_lip.lower": model["inner_lip.upper"].shape,
    }  # fmt: skip
    expected |= {f"mask.{m}": (v,) for m in "face lips mouth_inner ears lids brows scalp neck".split()}
    assert {k: t.shape for k, t in model.tensors.items()} == expected
    assert all(np.isfinite(t).all() for t in model.tensors.values())
    assert model.names == expressions.NAMES and len(set(model.names)) == 64
    assert model["triangles"].min() == 0 and model["triangles"].max() == v - 1
    assert set(np.unique(model["triangle.region"])) == set(range(7))


def test_parts_in_order_and_size(model):
    region = model["triangle.region"].astype(int)
    order = np.where(region == 1, 0, region)
    assert (np.diff(order) >= 0).all()
    counts = np.bincount(region)
    assert counts[2] <= 1500 and counts[3] <= 1500 and counts[4:].sum() <= 5000


def test_identity_basis_has_unit_scores(model):
    """A unit coefficient is one standard deviation: the first moves the head by centimetres, none by decimetres."""
    reach = np.linalg.norm(model["identity.basis"], axis=2).max(1)
    assert 0.005 < reach[0] < 0.08 and reach.max() < 0.08


def test_faces_look_outwards(model):
    v, t = model.shape(), model["triangles"]
    n = raster.vertex_normals(v, t)
    tip = model["triangles"][model["landmarks.triangle"][30]]
    assert (n[tip, 2] > 0.5).all()
    for side, region in enumerate(EYES):
        rows = np.unique(t[model["triangle.region"] == region])
        out = v[rows] - model["eye.center"][side]
        assert (np.einsum("vc,vc->v", out, n[rows]) > 0).mean() > 0.99


def test_left_is_the_subjects_left(model):
    left = model["expression.basis"][model.names.index("mouthSmileLeft")]
    moved = np.linalg.norm(left, axis=1)
    assert (moved * model["mean.position"][:, 0]).sum() > 0
    assert model["eye.center"][0, 0] > 0.02 > -0.02 > model["eye.center"][1, 0]
    assert model.landmarks(model.shape())[36, 0] < 0 < model.landmarks(model.shape())[45, 0]


def test_origin_between_the_eyes(model):
    assert abs(model["eye.center"].mean(0)).max() < 1e-5
    for side, region in enumerate(EYES):
        rows = np.unique(model["triangles"][model["triangle.region"] == region])
        r = np.linalg.norm(model["mean.position"][rows] - model["eye.center"][side], axis=1)
        assert abs(r / model["eye.radius"][0] - 1).max() < 0.03
        front = rows[np.argmin(model["eye.angle"][rows])]
        axis = model["mean.position"][front] - model["eye.center"][side]
        assert axis[2] / np.linalg.norm(axis) > 0.995


@pytest.mark.parametrize("alpha", people())
def test_blink_covers_the_eyes(model, alpha):
    assert pixels(model, model.shape(alpha), EYES) > 500
    for yaw in (0.0, 0.5):
        assert pixels(model, model.shape(alpha, BLINK), EYES, yaw) == 0


@pytest.mark.parametrize("alpha", people())
def test_mouth_is_shut_at_rest(model, alpha):
    assert pixels(model, model.shape(alpha), MOUTH) <= 4
    assert model.lip_gap(model.shape(alpha)) < 0.01
    assert pixels(model, model.shape(alpha, {"jawOpen": 0.5}), MOUTH) > 1000


@pytest.mark.parametrize("jaw", [0.3, 0.6, 1.0])
def test_mouth_close_shuts_an_open_jaw(model, jaw):
    v = model.shape(beta={"jawOpen": jaw, "mouthClose": jaw})
    assert pixels(model, v, MOUTH) <= 4
    assert model.lip_gap(v) < 0.01
    assert abs(model.lip_gap(model.shape(beta={"jawOpen": jaw})) - jaw) < 0.01


def test_seal_presses_and_part_opens(model):
    raw = lambda b: float((model.shape(beta=b)[model["inner_lip.upper"], 1] - model.shape(beta=b)[model["inner_lip.lower"], 1]).mean())
    assert raw({"lipSeal": 1}) < raw({}) - 0.0008
    assert raw({"lipsPart": 1}) > raw({}) + 0.002


def test_lower_teeth_and_tongue_follow_the_jaw(model):
    delta = model["expression.basis"][model.names.index("jawOpen")]
    rows = lambda r: np.unique(model["triangles"][model["triangle.region"] == r])
    tongue, teeth = rows(6), rows(4)
    assert delta[tongue, 1].min() < -0.02
    drop = delta[teeth, 1]
    assert (drop > -0.001).sum() > 0.4 * len(teeth) and (drop < -0.01).sum() > 0.4 * len(teeth)


def test_expressions_mirror(model):
    """A left expression is its right one mirrored, within what the not quite symmetric base mesh allows."""
    from scipy.spatial import cKDTree

    mean = model["mean.position"].astype(float)
    skin = np.unique(model["triangles"][model["triangle.region"] == 0])
    distance, near = cKDTree(mean[skin]).query(mean[skin] * [-1, 1, 1])
    good = distance < 5e-4
    assert good.mean() > 0.5
    for name in model.names:
        if not name.endswith("Left") or name in ("jawLeft", "mouthLeft"):
            continue
        a = model["expression.basis"][model.names.index(name)][skin]
        b = model["expression.basis"][model.names.index(name[:-4] + "Right")][skin][near] * [-1, 1, 1]
        size = np.linalg.norm(a, axis=1).max()
        assert np.sqrt(((a - b)[good] ** 2).sum(1).mean()) < 0.06 * size, name


def test_gaze_turns_the_eyes_as_named(model):
    for side, region, index in (("Left", 2, 0), ("Right", 3, 1)):
        rows = np.unique(model["triangles"][model["triangle.region"] == region])
        front = rows[np.argmin(model["eye.angle"][rows])]
        move = lambda way: model["expression.basis"][model.names.index(f"eyeLook{way}{side}")][front]
        assert move("Up")[1] > 0.003 and move("Down")[1] < -0.003
        nose = -np.sign(model["eye.center"][index, 0])
        assert move("In")[0] * nose > 0.004 and move("Out")[0] * nose < -0.004


def test_uv_has_no_folds(model):
    skin = model["triangles"][model["triangle.region"] < 2]
    uv = model["uv"].astype(float)
    assert folded(uv, skin).mean() < 0.006  # half precision flips the tiniest slivers
    assert 0 <= uv.min() and uv.max() <= 1


def test_albedo_is_colour(model):
    rng = np.random.default_rng(0)
    lips = np.asarray(model["mask.lips"], float) > 0.8
    face = np.asarray(model["mask.face"], float) > 0.8
    for _ in range(4):
        c = model.albedo(rng.normal(0, 0.5, 80))
        assert 0 <= c.min() and c.max() <= 1
        r, g, b = c[face & ~lips].mean(0)
        assert r > g > b
    mean = model.albedo()
    assert mean[lips, 1].mean() / mean[lips, 0].mean() < mean[face & ~lips, 1].mean() / mean[face & ~lips, 0].mean()


def test_identity_fit_recovers_alpha(model):
    alpha = people(1)[1]
    found, rest = IdentityFit(model)(model.shape(alpha))
    assert abs(found - alpha).max() < 0.25 and rest < 0.05


def test_pose_is_rigid_on_the_head(model):
    v = model.shape()
    p = model.pose(v, (0.1, 0.2, -0.1, 0, 0, 0), (0, 0, 0, 0, 0, 0))
    head = model["head_weight"] > 0.999
    a, b = v[head][:200] - v[head][0], p[head][:200] - p[head][0]
    assert abs(np.linalg.norm(a, axis=1) - np.linalg.norm(b, axis=1)).max() < 2e-4
    still = model["head_weight"] == 0
    assert still.any() and abs(p[still] - v[still]).max() < 1e-9
    nose = model.landmarks(model.pose(v, (0, 0.2, 0, 0, 0, 0), (0,) * 6))[30] - model.landmarks(v)[30]
    assert nose[0] > 0.01  # positive yaw turns to the image's right
