"""Which points of the surface the network is asked for: the 68 landmarks, and others spread over the face between them, the same on both sides."""

import numpy as np

MORE = 44
SKIN = 0


def choose(model, more=MORE):
    """Vertices (K,), and for each the one of them on the other side of the face, as an index among them."""
    mean = model["mean.position"].astype(np.float64)
    corners, weights = model["triangles"][model["landmarks.triangle"]], model["landmarks.barycentric"]
    marks = list(dict.fromkeys(corners[np.arange(len(corners)), weights.argmax(1)].tolist()))  # the corners of the lips are marked twice
    skin = np.zeros(len(mean), bool)
    skin[model["triangles"][model["triangle.region"] == SKIN].ravel()] = True
    free = skin & (model["mask.face"] > 0.5) & (model["mask.mouth_inner"] < 0.1) & (model["head_weight"] > 0.99)
    # Farthest points first, on one side; each brings its mirror image.
    half = np.flatnonzero(free & (mean[:, 0] > 0.002))
    mirror = lambda v: int(np.linalg.norm(mean - mean[v] * [-1, 1, 1], axis=1).argmin())  # noqa: E731
    far = np.linalg.norm(mean[half][:, None] - mean[marks][None], axis=-1).min(1)
    for _ in range(more // 2):
        best = int(half[far.argmax()])
        marks += [best, mirror(best)]
        far = np.minimum(far, np.linalg.norm(mean[half] - mean[best], axis=-1))
    marks = np.array(marks)
    at = mean[marks]
    other = np.linalg.norm(at[:, None] * [-1, 1, 1] - at[None], axis=-1).argmin(1)
    return marks, other
