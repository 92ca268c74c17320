"""Golden files: what numpy and PyTorch compute, for the Rust tests in `engine/tests` to be held to.

    python -m train.goldens.mel     # the front-end
    python -m train.goldens.face    # vertices, normals, landmarks, raster; after every build of the face model
    python -m train.goldens.eac --weights weights/eac.safetensors    # per layer; after every export of the network; needs PyTorch
    python -m train.goldens.hef     # tiny networks, per layer; after every change of the network; needs PyTorch

Each writes `engine/tests/golden/NAME.safetensors`; `tests/` checks that the committed files are what the code gives.
"""
