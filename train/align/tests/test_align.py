"""Points come in pairs, places are what the planes say, the loss asks for the truth, disguises keep points where they belong, and the file holds the average."""

import json

import numpy as np
import pytest

torch = pytest.importorskip("torch")
from safetensors import safe_open  # noqa: E402

from train.align.data import CROP, cut, disguise  # noqa: E402
from train.align.export import export  # noqa: E402
from train.align.model import UP, WIDTHS, Align, places  # noqa: E402
from train.align.points import choose  # noqa: E402
from train.align.train import Trainer, loss_of  # noqa: E402
from train.face.model import FaceModel  # noqa: E402


def test_points_are_the_same_on_both_sides():
    model = FaceModel("weights/face.safetensors")
    points, other = choose(model)
    assert len(set(points.tolist())) == len(points) > 100
    assert (other[other] == np.arange(len(points))).all()
    mean = model["mean.position"]
    np.testing.assert_allclose(mean[points] * [-1, 1, 1], mean[points[other]], atol=2e-3)


def test_an_untrained_network_says_nothing_in_particular():
    out = Align(5, [4, 6, 8], [6])(torch.rand(2, 3, 64, 64))
    assert out.shape == (2, 10, 16, 16) and (out == 0).all()
    at, spread, _ = places(out)
    assert (at - 32).abs().max() < 1e-3 and (spread == 0).all()


def test_a_spot_is_a_place_in_pixels():
    out = torch.zeros(1, 2, 16, 16)
    out[0, 0] = -1e4
    out[0, 0, 5, 9], out[0, 0, 5, 10] = 20, 20
    out[0, 1, 5, 9:11] = torch.tensor([1.0, 2.0])
    at, spread, _ = places(out)
    assert at[0, 0].tolist() == pytest.approx([40, 22]) and float(spread) == pytest.approx(1.5)


def test_the_loss_is_least_at_the_truth_and_where_the_spread_is_the_error():
    centre = 4 * torch.arange(16) + 2.0

    def loss(by, spread):
        spot = -((centre[None, :] - 30 - by) ** 2 + (centre[:, None] - 30) ** 2) / 32
        out = torch.stack([spot, torch.full((16, 16), float(spread))])[None]
        return [float(v) for v in loss_of(out, torch.tensor([[[30.0, 30.0]]]))]

    assert loss(0, 0)[1] == pytest.approx(0, abs=0.01)
    assert loss(2, 0)[0] > loss(0, 0)[0] and loss(2, 0)[1] == pytest.approx(1, abs=0.02)
    losses = [loss(2 * np.e, spread)[0] for spread in (0, 1, 2)]
    assert losses[1] < min(losses[0], losses[2])
    outside = torch.tensor([[[-5.0, 30.0]]])
    assert float(loss_of(torch.zeros(1, 2, 16, 16), outside)[0]) == 0


def test_points_stay_on_what_they_mark():
    """A light pixel on black: wherever crops and turns put it, the point is on it."""
    for seed in range(12):
        rng = np.random.default_rng(seed)
        picture = torch.zeros(3, 200, 200, dtype=torch.uint8)
        picture[:, 99:101, 119:121] = 255
        crop = (rng.uniform(90, 110), rng.uniform(90, 110), rng.uniform(150, 220))
        seen, point = cut(picture, torch.tensor([[120.0, 100.0]]), crop, rng.normal(0, 0.3))
        weight = seen.sum(0)
        centre = torch.arange(CROP) + 0.5
        found = [float((weight.sum(axis) * centre).sum() / weight.sum()) for axis in (0, 1)]
        np.testing.assert_allclose(found, point[0], atol=0.15)


def test_disguises_mirror_points_with_the_picture():
    other = np.array([1, 0])
    swapped = 0
    for seed in range(20):
        picture = torch.zeros(3, CROP, CROP)
        picture[:, :, :64] = 0.6
        points = torch.tensor([[30.0, 90.0], [200.0, 95.0]])
        seen, moved = disguise(picture, points, other, np.random.default_rng(seed))
        assert torch.isfinite(seen).all() and seen.shape == picture.shape
        left = float(seen[..., :64].mean()) > float(seen[..., -64:].mean())
        swapped += not left
        assert moved.tolist() == (points.tolist() if left else [[56.0, 95.0], [226.0, 90.0]])
        assert float(picture[0, 0, 0]) == pytest.approx(0.6), "what is given stays"
    assert 4 < swapped < 16


def test_the_average_is_exported_in_half_precision(tmp_path):
    torch.manual_seed(1)
    net = Align(9)
    average = {k: v + 0.5 for k, v in net.state_dict().items()}
    state = {"net": net.state_dict(), "average": average, "points": list(range(9)), "step": 7, "seconds": 1.0, "curve": []}
    torch.save(state, tmp_path / "last.pt")
    file, _ = export(tmp_path / "last.pt", tmp_path)
    with safe_open(file, "pt") as opened:
        assert json.loads(opened.metadata()["network"]) == {"crop": CROP, "widths": WIDTHS, "up": UP, "points": list(range(9))}
        for name, value in average.items():
            assert opened.get_tensor(name).equal(value.half()), name


def test_a_run_goes_on_along_the_same_curve_and_only_with_its_own_points(tmp_path):
    class Noise:
        """Small pictures of nothing, to see that the numbers repeat."""

        def __init__(self, points):
            self.points = points

        def batch(self, rng, size, other):
            assert sorted(other) == list(range(self.points))
            places = rng.uniform(4, 60, (2, self.points, 2))
            return [torch.from_numpy(x).float() for x in (rng.uniform(0, 1, (2, 3, 64, 64)), places)]

    model = FaceModel("weights/face.safetensors")
    count = len(choose(model)[0])
    first = Trainer(model, Noise(count))
    first.advance(0.0)
    first.save(tmp_path / "last.pt")
    again = Trainer(model, Noise(count))
    again.load(tmp_path / "last.pt")
    assert again.advance(0.5) == first.advance(0.5) and again.step == 2
    file, state = export(tmp_path / "last.pt", tmp_path)
    assert state["step"] == 1 and file.name == "align.safetensors"
    state["points"][3] += 1
    torch.save(state, tmp_path / "last.pt")
    with pytest.raises(ValueError, match="points differ"):
        Trainer(model, Noise(count)).load(tmp_path / "last.pt")
