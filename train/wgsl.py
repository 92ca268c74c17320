"""The constants that the kernels' WGSL shares with Rust and with this Python: `shaders/wgsl/shared/NAME.wgsl` is the only place they stand in."""

import re
from pathlib import Path

SHARED = Path(__file__).resolve().parents[1] / "shaders" / "wgsl" / "shared"


def constants(name: str) -> dict[str, float]:
    """`const NAME = 13u;` and `const NAME: f32 = 0.15;` of a file, as whole numbers and floats."""
    text = (SHARED / f"{name}.wgsl").read_text()
    found = re.findall(r"^const (\w+)(?:: \w+)? = (0x[0-9a-f]+u|[0-9]+u|[0-9.]+);", text, re.M)
    if len(found) != len(re.findall(r"^const ", text, re.M)):
        raise ValueError(f"{name}.wgsl has constants that are neither whole numbers nor floats")
    return {key: int(value[:-1], 0) if value.endswith("u") else float(value) for key, value in found}
