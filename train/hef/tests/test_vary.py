"""Mirrors and lamps change a row as they would change what it shows."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")
from train.hef import vary  # noqa: E402


def row():
    g = torch.Generator().manual_seed(3)
    r = lambda *shape: torch.rand(shape, generator=g)  # noqa: E731
    return {"driven": r(16, 8, 8), "source": r(8, 8, 8), "style": r(258), "truth": r(3, 8, 8), "truth_matte": r(1, 8, 8), "features": r(1, 8, 8)}


def same(a, b):
    return all(torch.allclose(a[k], b[k]) for k in a) and a.keys() == b.keys()


def test_expressions_have_a_mirror_image():
    other = vary.other_side(["eyeBlinkLeft", "jawLeft", "jawOpen", "eyeBlinkRight", "jawRight"])
    assert other.tolist() == [3, 4, 2, 0, 1]
    shipped = vary.load_other_side()
    assert len(shipped) == 64 and (shipped[shipped] == torch.arange(64)).all() and (shipped != torch.arange(64)).sum() > 30


def test_a_mirror_in_a_mirror_shows_the_row_itself():
    before, other = row(), vary.load_other_side()
    once = vary.mirrored(before, other)
    assert not same(once, before) and same(vary.mirrored(once, other), before) and same(before, row())
    assert torch.equal(once["truth"], before["truth"].flip(-1))
    assert torch.equal(once["driven"][10], -before["driven"][10].flip(-1)) and torch.equal(once["driven"][11], before["driven"][11].flip(-1))


def test_mirrored_light_falls_on_mirrored_normals():
    def light(style, n):
        x, y, z = n
        basis = [0.282095, 0.488603 * y, 0.488603 * z, 0.488603 * x, 1.092548 * x * y, 1.092548 * y * z, 0.315392 * (3 * z * z - 1), 1.092548 * x * z, 0.546274 * (x * x - y * y)]
        return style[224:251].reshape(9, 3).T @ torch.tensor(basis)

    before = row()["style"]
    after = vary.mirrored(row(), vary.load_other_side())["style"]
    assert torch.allclose(light(after, (-0.4, 0.5, 0.77)), light(before, (0.4, 0.5, 0.77)))
    assert torch.equal(after[251:257], before[251:257] * torch.tensor([1, -1, -1, -1, 1, 1.0]))


def test_a_lamp_colours_everything_alike():
    before = row()
    gain = torch.tensor([0.9, 0.8, 0.7])
    after = vary.lit(before, gain)
    ratio = lambda key, first: after[key][first : first + 3] / before[key][first : first + 3]  # noqa: E731
    for key, first in (("driven", 0), ("driven", 3), ("source", 0), ("source", 4), ("truth", 0)):
        assert torch.allclose(ratio(key, first), gain[:, None, None].expand(3, 8, 8)), (key, first)
    assert torch.equal(after["driven"][6:], before["driven"][6:]) and torch.equal(after["source"][3], before["source"][3])
    assert torch.allclose(after["style"][224:251], before["style"][224:251] * (gain**2).repeat(9)) and same(before, row())


def test_a_pale_print_keeps_its_luma_and_ends_in_grey():
    before, ones, luma = row(), torch.ones(3), lambda c: torch.einsum("i,ixy->xy", vary.LUMA, c)
    half, grey = vary.lit(before, ones, 0.5), vary.lit(before, ones, 0.0)
    for key, first in vary.COLOURS:
        a, b, c = (r[key][first : first + 3] for r in (before, half, grey))
        assert torch.allclose(luma(a), luma(b)) and torch.allclose(c, luma(a).expand(3, 8, 8)), (key, first)
        assert torch.allclose(b, (a + c) / 2) and not torch.allclose(a, b)
    assert same(vary.lit(before, ones, 1.0), before)


def test_draws_are_seeded_and_never_lighten():
    rng = np.random.default_rng(1)
    drawn = [vary.draw(rng) for _ in range(200)]
    assert all((gain > 0.2).all() and (gain <= 1).all() and 0 < saturation <= 1 for _, gain, saturation in drawn)
    assert 70 < sum(mirror for mirror, _, _ in drawn) < 130 and 70 < sum(bool((gain == 1).all()) for _, gain, _ in drawn) < 130
    again = np.random.default_rng(1)
    assert all(m == n and torch.equal(g, h) and s == t for (m, g, s), (n, h, t) in zip(drawn, [vary.draw(again) for _ in range(200)]))
