"""Styles in use are held near those of training."""

from types import SimpleNamespace

import numpy as np
import pytest

torch = pytest.importorskip("torch")
from train.hef.style import REACH, SIGMA, style_range, style_sigma  # noqa: E402
from train.hef.vary import load_other_side  # noqa: E402


def people(styles):
    file = SimpleNamespace(get_tensor=lambda name: {"style": torch.from_numpy(styles)}[name])
    return SimpleNamespace(people=[SimpleNamespace(file=file)], other=load_other_side())


def test_identity_and_light_stay_near_the_middle_and_the_rest_may_be_all_that_was_seen():
    styles = np.random.default_rng(1).normal(0, 1, (200, 258)).astype(np.float32)
    low, high = style_range(people(styles))
    for part in (slice(0, 80), slice(144, 251)):
        assert np.allclose((high + low)[part] / 2, styles[:, part].mean(0), atol=1e-5)
        assert np.allclose((high - low)[part] / 2, REACH * styles[:, part].std(0), atol=1e-5)
    seen = styles[:, 80:144]
    assert (low[80:144] <= seen.min(0)).all() and (high[80:144] >= seen.max(0)).all() and (low[80:144] < seen.min(0)).any()
    for i in (252, 253, 254):  # yaw, roll, x: in a mirror as well
        assert high[i] == -low[i] == np.abs(styles[:, i]).max()
    assert low[251] == styles[:, 251].min() and high[257] == styles[:, 257].max()
    styles[3, 5] = np.nan
    with pytest.raises(ValueError, match="finite"):
        style_range(people(styles))


def test_sigma_is_driven_where_it_changes_and_else_the_number_that_it_was():
    styles = np.random.default_rng(2).normal(0, 1, (50, 258)).astype(np.float32)
    assert style_sigma(people(styles)) == "driven"
    for constant in (0.0, 1.25):
        styles[:, SIGMA] = constant
        assert style_sigma(people(styles)) == constant
