"""Golden values of the face model for the Rust tests: `python -m train.goldens.face`. numpy only.

engine/native/tests/golden/face.safetensors, with C cases (identity, expression, motion and placement drawn by seed):

* alpha (C, 80), beta (C, 64), delta (C, 80), motion (C, 6), placement (C, 6) f32: inputs
* vertex.index (N) i32, vertex.position (C, N, 3) f32: camera space, metres, at a subset of vertices
* vertex.sum (C, 3), vertex.square_sum (C, 3) f64: over all vertices
* normal (C, N, 3) f32: area-weighted unit normals there, camera space
* landmark (C, 68, 3) f32 camera space; lip_gap (C) f32, measured in head space before posing
* raster.size i32 (1), camera (3) f32 = f, cx, cy in image heights
* raster.triangle (64, 64) i32, -1 empty; raster.barycentric (64, 64, 3) f32, perspective-correct; raster.depth (64, 64) f32
  = -z in metres, 0 where empty: the mean head at rest, placed by raster.placement (6), back faces culled
* gamma (27) f32; pixel.index (P) i32 into the raster; pixel.colour (P, 3) f32: linear albedo x SH shade there
"""

import argparse
from pathlib import Path

import numpy as np

from train.face import raster
from train.face.model import FaceModel

SEED, CASES, SUBSET, SIZE, PIXELS = 11, 4, 240, 64, 200
CAMERA = (2.9, 0.5, 0.5)
PLACEMENT = (0.05, -0.12, 0.02, 0.004, 0.02, -1.25)


def inputs(model, rng):
    beta = np.zeros((CASES, 64))
    for row in beta[1:]:
        pick = rng.choice(64, 10, replace=False)
        row[pick] = rng.uniform(0, 0.8, 10)
    beta[1, model.names.index("jawOpen")] = 0.6
    alpha = rng.normal(0, 0.8, (CASES, 80))
    alpha[0] = 0
    return dict(
        alpha=alpha,
        beta=beta,
        delta=rng.normal(0, 0.5, (CASES, 80)),
        motion=rng.uniform(-0.25, 0.25, (CASES, 6)) * [1, 1, 1, 0.03, 0.03, 0.03],
        placement=np.concatenate([rng.uniform(-0.15, 0.15, (CASES, 3)), rng.uniform(-0.03, 0.03, (CASES, 3)) + [0, 0, -1.25]], 1),
    )


def make(model: FaceModel):
    rng = np.random.default_rng(SEED)
    given = {k: v.astype(np.float32) for k, v in inputs(model, rng).items()}
    index = np.sort(rng.choice(len(model["mean.position"]), SUBSET, replace=False))
    t = model["triangles"]
    rows = {k: [] for k in ("vertex.position", "vertex.sum", "vertex.square_sum", "normal", "landmark", "lip_gap")}
    for c in range(CASES):
        head = model.shape(given["alpha"][c], given["beta"][c].astype(np.float64))
        v = model.pose(head, given["motion"][c], given["placement"][c])
        rows["vertex.position"].append(v[index])
        rows["vertex.sum"].append(v.sum(0))
        rows["vertex.square_sum"].append((v**2).sum(0))
        rows["normal"].append(raster.vertex_normals(v, t)[index])
        rows["landmark"].append(model.landmarks(v))
        rows["lip_gap"].append(model.lip_gap(head))
    out = dict(given)
    for k, v in rows.items():
        out[k] = np.array(v, np.float64 if "sum" in k else np.float32)
    out["vertex.index"] = index.astype(np.int32)

    v = model.pose(model.shape(), placement=np.float32(PLACEMENT))
    ids, bary, depth = raster.rasterise(raster.project(v, CAMERA, SIZE), t, SIZE)
    hit = ids >= 0
    gamma = np.zeros((9, 3))
    gamma[:4] = np.array([[1.1, 1.05, 1.0], [0.2, 0.2, 0.25], [0.45, 0.4, 0.4], [-0.3, -0.25, -0.2]])
    gamma[4:] = rng.normal(0, 0.06, (5, 3))
    normal = raster.interpolate(raster.vertex_normals(v, t), t, ids, bary)
    normal /= np.maximum(np.linalg.norm(normal, axis=-1, keepdims=True), 1e-12)
    colour = raster.interpolate(model.albedo(), t, ids, bary) * np.maximum(raster.sh_basis(normal) @ gamma, 0)
    pixels = np.sort(rng.choice(np.flatnonzero(hit.ravel()), PIXELS, replace=False))
    out.update(
        {
            "raster.size": np.array([SIZE], np.int32),
            "raster.placement": np.float32(PLACEMENT),
            "camera": np.float32(CAMERA),
            "raster.triangle": ids,
            "raster.barycentric": (bary * hit[..., None]).astype(np.float32),
            "raster.depth": np.where(hit, depth, 0).astype(np.float32),
            "gamma": gamma.ravel().astype(np.float32),
            "pixel.index": pixels.astype(np.int32),
            "pixel.colour": colour.reshape(-1, 3)[pixels].astype(np.float32),
        }
    )
    return out


def main():
    from safetensors.numpy import save_file

    arg = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arg.add_argument("--model", type=Path, default=Path("weights/face.safetensors"))
    arg.add_argument("--out", type=Path, default=Path("engine/native/tests/golden/face.safetensors"))
    args = arg.parse_args()
    args.out.parent.mkdir(parents=True, exist_ok=True)
    tensors = make(FaceModel(args.model))
    save_file({k: np.ascontiguousarray(v) for k, v in tensors.items()}, args.out, metadata={"seed": str(SEED)})
    print(f"{args.out}: {args.out.stat().st_size} bytes")


if __name__ == "__main__":
    main()
