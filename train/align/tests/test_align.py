"""The network says nothing before it is trained, its loss asks for the truth, disguises keep offsets where they belong, and the file holds the average."""

import json

import numpy as np
import pytest

torch = pytest.importorskip("torch")
from safetensors import safe_open  # noqa: E402
from safetensors.torch import save_file  # noqa: E402

from train.align.data import Fits, disguise  # noqa: E402
from train.align.export import export  # noqa: E402
from train.align.model import UP, WIDTHS, Align  # noqa: E402
from train.align.train import held_error, loss_of  # noqa: E402


def test_an_untrained_network_says_nothing_at_a_quarter_of_the_side():
    out = Align([4, 6, 8], [6])(torch.rand(2, 8, 64, 64))
    assert out.shape == (2, 3, 16, 16) and (out == 0).all()


def test_the_loss_is_least_at_the_truth_and_where_the_spread_is_the_error():
    mask = torch.zeros(1, 1, 32, 32)
    mask[..., 8:24, 8:24] = 1
    offset = torch.full((1, 2, 32, 32), 2.0) * mask

    def loss(by, spread):
        out = torch.cat([torch.full((1, 2, 8, 8), 2.0 + by), torch.full((1, 1, 8, 8), float(spread))], 1)
        return [float(v) for v in loss_of(out, offset, mask)]

    assert loss(0, 0) == pytest.approx([0, 0], abs=1e-6)
    assert loss(1, 0)[0] > loss(0, 0)[0] and loss(1, 0)[1] == pytest.approx(1)
    errors = [loss(np.e, spread)[0] for spread in (0.5, 1, 1.5)]
    assert errors[1] == min(errors)


def test_disguised_offsets_lead_from_the_mesh_to_the_portrait():
    middle = lambda plane: np.array([float(axis.float().mean()) for axis in torch.nonzero(plane > 0.5, as_tuple=True)])[::-1]  # noqa: E731
    for seed in range(12):
        source, offset, mask = torch.rand(8, 256, 256), torch.zeros(2, 256, 256), torch.zeros(1, 256, 256)
        mask[:, 100:120, 60:90] = 1
        offset[:] = mask * torch.tensor([3.0, -1.0])[:, None, None]
        source[7:8] = mask
        source[3] = torch.roll(mask[0], (-1, 3), (0, 1))  # the matte is where the portrait is
        before = source.clone()
        seen, moved, where = disguise(source, offset, mask, np.random.default_rng(seed))
        assert (source == before).all() and torch.isfinite(seen).all()
        assert (seen[7:8] == where).all() and where.sum() == mask.sum()
        inside = moved[:, where[0] > 0]
        assert (inside == inside[:, :1]).all()
        if seen[3].min() == 0:  # else the matte is disguised too
            np.testing.assert_allclose(middle(where[0]) + inside[:, 0].numpy(), middle(seen[3]), atol=1e-3)


def test_held_fits_are_told_from_exact_ones(tmp_path):
    source = torch.rand(2, 8, 256, 256)
    source[:, 7] = 1
    offset = torch.zeros(2, 2, 256, 256)
    offset[1, 0] = 3 / 256
    save_file({"source": source.half(), "offset": offset.half(), "parameters": torch.zeros(2, 150)}, tmp_path / "p.safetensors")
    left, was, made_up = held_error(Align([4, 6, 8], [6]), Fits(tmp_path))
    assert left == pytest.approx(3, rel=1e-2) and was == pytest.approx(3, rel=1e-2) and made_up == 0
    with pytest.raises(ValueError, match="no shards"):
        Fits(tmp_path / "none")


def test_what_is_exported_is_the_average_in_half_precision(tmp_path):
    net, average = Align(), Align()
    state = {"net": net.state_dict(), "average": average.state_dict(), "step": 7, "seconds": 60.0, "curve": []}
    torch.save(state, tmp_path / "last.pt")
    file, _ = export(tmp_path / "last.pt", tmp_path)
    assert file.name == "align.safetensors"
    with safe_open(file, "pt") as f:
        assert json.loads(f.metadata()["network"]) == {"crop": 256, "widths": WIDTHS, "up": UP}
        assert set(f.keys()) == set(average.state_dict())
        for name, value in average.state_dict().items():
            assert f.get_tensor(name).dtype == torch.float16
            torch.testing.assert_close(f.get_tensor(name), value.half(), rtol=0, atol=0)
    state["average"]["stem.weight"][0] = 1e6
    torch.save(state, tmp_path / "last.pt")
    with pytest.raises(ValueError, match="stem.weight"):
        export(tmp_path / "last.pt", tmp_path)
