"""The constants that WGSL, Rust and Python share are read as they stand in the WGSL."""

import pytest

from train import wgsl


def test_channels_of_driven_leave_no_gap():
    channels = wgsl.constants("hef_channels")
    widths = {"COMPOSITE": 3, "RENDER": 3, "PRIOR": 2}
    order = ("COMPOSITE", "RENDER", "RENDER_MASK", "PAINT", "MOUTH", "EYE", "PRIOR", "LIGHT", "NEED", "STRETCH", "UNDER", "CHANNELS")
    at = 0
    for name in order:
        assert channels[f"DRIVEN_{name}"] == at, name
        at += widths.get(name, 1)


def test_numbers_keep_their_kinds():
    assert wgsl.constants("hef_range") == {"CELL": 4, "DARK": 0.15}
    assert wgsl.constants("mesh")["NO_TRIANGLE"] == 2**32 - 1


def test_what_is_no_number_is_refused(tmp_path, monkeypatch):
    (tmp_path / "odd.wgsl").write_text("const A = 1u;\nconst B = A + 1u;\n")
    monkeypatch.setattr(wgsl, "SHARED", tmp_path)
    with pytest.raises(ValueError, match="odd.wgsl"):
        wgsl.constants("odd")
