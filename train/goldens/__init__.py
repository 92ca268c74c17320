"""Golden files: what numpy and PyTorch compute, for the Rust tests in `engine/native/tests` to be held to.

    python -m train.goldens.mel     # the front-end
    python -m train.goldens.face    # vertices, normals, landmarks, raster; after every build of the face model
    python -m train.goldens.speech  # closures, aperture, offset, for `engine/truth/tests`; after every change of a definition
    python -m train.goldens.eac     # a tiny network and the shipped one, per layer; after every export of the network; needs PyTorch
    python -m train.goldens.align   # the same
    python -m train.goldens.hef     # the same

Each but `speech` writes `engine/native/tests/golden/NAME.safetensors`; `tests/` checks that the committed files are what the code gives.
"""


SAMPLES = 512


def sampled(tensor):
    """About SAMPLES values of an activation that is too large to keep whole. The step is odd, so that no channel or column is left out."""
    flat = tensor.flatten()
    return flat[:: flat.numel() // SAMPLES | 1].clone()
