"""Networks as they are shipped: half precision, one safetensors file, what the engine needs to know in its metadata."""

import torch
from safetensors.torch import save_file


def save_half(net, file, **metadata):
    """Writes every tensor of `net` in f16 under its own name; `metadata` are strings.

    # Errors
    ValueError: a value is not finite in f16; nothing is written.
    """
    tensors = {k: v.half().contiguous() for k, v in net.state_dict().items()}
    bad = [k for k, v in tensors.items() if not torch.isfinite(v).all()]
    if bad:
        raise ValueError(f"not finite in f16: {bad}")
    save_file(tensors, file, metadata={"version": "1"} | metadata)
    file.chmod(0o644)
