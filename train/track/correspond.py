"""Which place of the face model's surface is each of the tracker's 478 points, and how surely is it seen there?

    python -m train.track.correspond POINTS.json … [--without PERSON …] [--out weights/fit_points.safetensors]

POINTS.json are what `track_points` wrote of pictures whose geometry is known (train/track/known.py). For each point, the triangle and the
barycentric weights are looked for whose projections lie nearest to where the tracker sees the point, over all pictures (Cauchy's loss). Every picture counts
together with its mirror image, so that both sides of the face get the same answer. Pictures of one person err alike: people count, not pictures.

The tracker's errors are no noise: it sees the whole face of one person, or of one who smiles, a little otherwise, always the same way. The main ways
(principal components of what is left) are in the file, and the fit asks of each how much of it there is: a quarter of the fit's error goes with that.

The file: `triangle` (478) i32, `barycentric` (478, 3) f32, `mirror` (478) i32 which point a point is in the mirror image; `errors` (M, 478, 2) f16, the main
errors, each of standard deviation 1, `sigma` (478) f32, root mean square of what else is left; both as shares of the distance between the eyes, x right and
y down on an upright face. Metadata: `independent`, like how many points with independent errors all of them count.
"""

import argparse
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file
from scipy.optimize import linear_sum_assignment
from scipy.spatial import cKDTree

from train.face.model import FaceModel
from train.manifest import update

from . import known

POINTS, MESH = 478, 468
# Distances beyond this hardly count, as a share of the distance between the eyes.
SCALE = 0.023
# A surface that is seen from the side says less; from here on it counts fully.
SQUARE = 0.35
# A drawn picture is worth so much of a rendered one.
DRAWN = 0.1
# No single distance counts for more than this in a point's σ.
FARTHEST = 0.17
# Points of the inner lips, which may lie on the mouth's lining.
INNER = {78, 308, 95, 88, 178, 87, 14, 317, 402, 318, 324, 191, 80, 81, 82, 13, 312, 311, 310, 415}
# No point is surer than this.
SUREST = 0.0076
# Main errors that are kept. Found, as INDEPENDENT was, by leaving people out.
ERRORS = 64
# Neighbours err alike even in what the main errors leave.
INDEPENDENT = 450
# Triangles that are tried around a place.
NEAR = (140, 70, 70)


def mirror_table(pictures):
    """(478) which point is which in the mirror image: the two lie in the same place."""
    apart = np.median([np.linalg.norm(p.mirrored[:, None] - p.points[None], axis=-1) for p in pictures], axis=0)
    table = linear_sum_assignment(apart + apart.T)[1]
    odd = np.flatnonzero(table[table] != np.arange(POINTS))
    if len(odd):
        raise SystemExit(f"points {odd.tolist()} have no mirror image that has them for its own; give more pictures that look straight ahead")
    return table


def vertex_mirror(mean):
    """(V) the vertex on the other side of the face."""
    apart, at = cKDTree(mean).query(mean * [-1, 1, 1])
    if apart.max() > 1e-4:
        raise SystemExit(f"the mean face is not symmetric: a vertex is {1e3 * apart.max():.2f} mm from its mirror image")
    return at


def triangle_mirror(triangles, vertices):
    """(F) the triangle at the mirrored vertices; −1 where the mesh has another one there."""
    of = {tuple(sorted(t)): k for k, t in enumerate(triangles.tolist())}
    at = [of.get(tuple(sorted(vertices[t].tolist())), -1) for t in triangles]
    return np.array(at)


def worth_of(pictures):
    """(P) how much each counts: a person's pictures together for the square root of their number."""
    worth = np.array([DRAWN if p.drawn else 1.0 for p in pictures])
    person = np.unique([p.person for p in pictures], return_inverse=True)[1]
    return worth / np.sqrt(np.bincount(person, worth)[person])


class Evidence:
    """All pictures and their mirror images, stacked."""

    def __init__(self, model, pictures, mirror):
        mean = model["mean.position"].astype(float)
        vertices, triangles = vertex_mirror(mean), model["triangles"]
        flip = lambda xy: xy * [-1, 1]
        seen = [0.5 * (p.points + p.mirrored[mirror]) for p in pictures]
        self.points = np.array(seen + [flip(s[mirror]) for s in seen])
        self.screen = np.array([p.screen for p in pictures] + [flip(p.screen[vertices]) for p in pictures], np.float32)
        other = triangle_mirror(triangles, vertices)
        # Where diagonals differ, a triangle of the mirrored quad's other half: the one whose middle is nearest.
        lost = np.flatnonzero(other < 0)
        middle = mean[triangles].mean(1)
        other[lost] = cKDTree(middle).query(middle[lost] * [-1, 1, 1])[1]
        facing = np.array([p.facing for p in pictures] + [p.facing[other] for p in pictures])
        self.shown = np.clip(facing / SQUARE, 0, 1).astype(np.float32)
        self.worth = np.tile(worth_of(pictures), 2)
        yaw = np.array([p.turn[1] for p in pictures])
        self.yaw = np.concatenate([yaw, -yaw])


def start(evidence, point, allowed, triangles, mean):
    """Where the point roughly lies on the mean face: by the vertices nearest to it in pictures that look straight ahead."""
    vertices = np.unique(triangles[allowed])
    vertices = vertices[mean[vertices, 2] > mean[vertices, 2].max() - 0.12]
    frontal = np.argsort(abs(evidence.yaw), kind="stable")[:60]
    found = []
    for p in frontal:
        off = ((evidence.screen[p, vertices] - evidence.points[p, point]) ** 2).sum(1)
        near = vertices[np.argsort(off)[:6]]
        found.append(mean[near[mean[near, 2].argmax()]])
    return np.median(found, axis=0)


def inside(gram, pull):
    """Barycentric coordinates (C, 2) of the second and third corner that minimise xᵀGx − 2hᵀx within the triangle."""
    det = gram[:, 0] * gram[:, 2] - gram[:, 1] ** 2
    x = np.stack([gram[:, 2] * pull[:, 0] - gram[:, 1] * pull[:, 1], gram[:, 0] * pull[:, 1] - gram[:, 1] * pull[:, 0]], 1)
    x /= np.maximum(det, 1e-12)[:, None]
    ok = (x >= 0).all(1) & (x.sum(1) <= 1)
    zero = np.zeros(len(x))
    first = np.stack([np.clip(pull[:, 0] / np.maximum(gram[:, 0], 1e-12), 0, 1), zero], 1)
    second = np.stack([zero, np.clip(pull[:, 1] / np.maximum(gram[:, 2], 1e-12), 0, 1)], 1)
    along = gram[:, 0] - 2 * gram[:, 1] + gram[:, 2]
    t = np.clip((pull[:, 1] - pull[:, 0] + gram[:, 0] - gram[:, 1]) / np.maximum(along, 1e-12), 0, 1)
    edges = np.stack([first, second, np.stack([1 - t, t], 1)])
    cost = (gram[:, 0] * edges[..., 0] ** 2 + 2 * gram[:, 1] * edges[..., 0] * edges[..., 1] + gram[:, 2] * edges[..., 1] ** 2) - 2 * (edges * pull).sum(-1)
    best = edges[cost.argmin(0), np.arange(len(x))]
    return np.where(ok[:, None], x, best)


def place(evidence, point, candidates, triangles, rounds=6):
    """Best of the candidate triangles: (triangle, weights (3), what is left in each picture (P, 2), how well it is shown (P))."""
    corners = evidence.screen[:, triangles[candidates]].astype(float)  # (P, C, 3, 2)
    y = evidence.points[:, point, None] - corners[:, :, 0]
    a, b = corners[:, :, 1] - corners[:, :, 0], corners[:, :, 2] - corners[:, :, 0]
    products = np.stack([(a * a).sum(-1), (a * b).sum(-1), (b * b).sum(-1)], -1)
    pulls = np.stack([(a * y).sum(-1), (b * y).sum(-1)], -1)
    shown = evidence.shown[:, candidates] * evidence.worth[:, None]
    weight = shown + 1e-9
    for _ in range(rounds):
        x = inside(np.einsum("pcq,pc->cq", products, weight), np.einsum("pcq,pc->cq", pulls, weight))
        rest = y - a * x[:, 0, None] - b * x[:, 1, None]
        square = (rest**2).sum(-1) / SCALE**2
        weight = shown / (1 + square) + 1e-9
    total = shown.sum(0)
    # A triangle that hardly any picture shows says nothing by lying well in those.
    loss = (shown * np.log1p(square)).sum(0) / np.maximum(total, 1e-9) + 9.0 * (total < 0.3 * evidence.worth.sum())
    best = loss.argmin()
    return candidates[best], np.r_[1 - x[best].sum(), x[best]], rest[:, best], shown[:, best]


def opposite(triangle, weights, triangles, mean, allowed):
    """The mirror image of a place: on the nearest allowed triangle."""
    at = (weights @ mean[triangles[triangle]]) * [-1, 1, 1]
    near = allowed[np.argsort(((mean[triangles[allowed]].mean(1) - at) ** 2).sum(1))[:40]]
    best = None
    for t in near:
        o, a, b = mean[triangles[t]]
        a, b = a - o, b - o
        g, h = np.array([[a @ a, a @ b, b @ b]]), np.array([[a @ (at - o), b @ (at - o)]])
        x = inside(g, h)[0]
        off = np.linalg.norm(o + x[0] * a + x[1] * b - at)
        if best is None or off < best[0]:
            best = off, t, np.r_[1 - x.sum(), x]
    return best[1], best[2]


def solve(model, pictures):
    """(triangle (478), weights (478, 3), mirror (478)), and what is left (P, 478, 2), NaN where a point is not shown."""
    mirror = mirror_table(pictures)
    evidence = Evidence(model, pictures, mirror)
    triangles, region = model["triangles"].astype(int), model["triangle.region"]
    mean = model["mean.position"].astype(float)
    middle = mean[triangles].mean(1)
    skin, mouth, eyes = np.flatnonzero(region == 0), np.flatnonzero(region <= 1), np.flatnonzero((region == 2) | (region == 3))
    triangle, weights = np.zeros(POINTS, int), np.zeros((POINTS, 3))
    half = len(pictures)
    rest = np.full((half, POINTS, 2), np.nan)
    for k in range(POINTS):
        m = mirror[k]
        if m < k:
            continue
        allowed = eyes if k >= MESH else mouth if k in INNER else skin
        at = start(evidence, k, allowed, triangles, mean)
        for count in NEAR:
            near = allowed[np.argsort(((middle[allowed] - at) ** 2).sum(1))[:count]]
            t, w, off, shown = place(evidence, k, near, triangles)
            at = w @ mean[triangles[t]]
        triangle[k], weights[k] = t, w
        triangle[m], weights[m] = (t, w) if m == k else opposite(t, w, triangles, mean, allowed)
        hidden = np.where(shown > 0, 0, np.nan)[:, None]
        rest[:, k] = (off + hidden)[:half]
        rest[:, m] = ((off + hidden) * [-1, 1])[half:]
        if m == k:
            rest[:, k] = (off + hidden)[:half]
    return triangle, weights, mirror, rest


def usual_errors(pictures, rest, mirror, count):
    """The `count` main errors (M, 478, 2), each of standard deviation 1, and the root mean square of what they leave (478)."""
    cos, sin = (f([p.turn[2] for p in pictures])[:, None] for f in (np.cos, np.sin))
    upright = np.stack([cos * rest[..., 0] - sin * rest[..., 1], sin * rest[..., 0] + cos * rest[..., 1]], -1)
    both = np.concatenate([upright, upright[:, mirror] * [-1, 1]])
    both = np.nan_to_num(both.clip(-FARTHEST, FARTHEST)).reshape(len(both), -1)
    worth = np.sqrt(np.tile(worth_of(pictures), 2))
    scaled = both * (worth / np.linalg.norm(worth))[:, None]
    _, size, direction = np.linalg.svd(scaled, full_matrices=False)
    errors = size[:count, None] * direction[:count]
    left = np.maximum((scaled**2).sum(0) - (errors**2).sum(0), 0)
    return errors.reshape(-1, POINTS, 2), np.sqrt(left.reshape(POINTS, 2).sum(1)).clip(SUREST)


GROUPS = {
    "lips": [61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291, 185, 40, 39, 37, 0, 267, 269, 270, 409, *sorted(INNER)],
    "lids": [33, 7, 163, 144, 145, 153, 154, 155, 133, 246, 161, 160, 159, 158, 157, 173, 263, 249, 390, 373, 374, 380, 381, 382, 362, 466, 388, 387, 386, 385, 384, 398],
    "brows": [46, 53, 52, 65, 55, 70, 63, 105, 66, 107, 276, 283, 282, 295, 285, 300, 293, 334, 296, 336],
    "irises": list(range(MESH, POINTS)),
    "all": list(range(MESH)),
}


def report(pictures, rest, mirror, triangle, weights, model):
    far = np.linalg.norm(rest, axis=2)
    for kind, of in (("rendered", [not p.drawn for p in pictures]), ("drawn", [p.drawn for p in pictures])):
        if not any(of):
            continue
        print(f"{kind}: {sum(of)} pictures; distance in % of that between the eyes, median and mean")
        for name, which in GROUPS.items():
            part = far[np.array(of)][:, which]
            print(f"  {name:7s} {100 * np.nanmedian(part):5.2f} {100 * np.nanmean(part):5.2f}")
    at = np.einsum("nk,nkc->nc", weights, model["mean.position"].astype(float)[model["triangles"][triangle]])
    apart = 1e3 * np.linalg.norm(at * [-1, 1, 1] - at[mirror], axis=1)
    print(f"asymmetry, mm: median {np.median(apart):.3f}, most {apart.max():.3f} at point {apart.argmax()}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("points", type=Path, nargs="+")
    parser.add_argument("--weights", type=Path, default=Path("weights"))
    parser.add_argument("--without", nargs="*", default=[], help="people to leave out")
    parser.add_argument("--errors", type=int, default=ERRORS)
    parser.add_argument("--out", type=Path, default=Path("weights/fit_points.safetensors"))
    args = parser.parse_args()
    model = FaceModel(args.weights / "face.safetensors")
    pictures = known.read(args.points, model, args.weights, args.without)
    print(f"{len(pictures)} pictures of {len({p.person for p in pictures})} people")
    triangle, weights, mirror, rest = solve(model, pictures)
    report(pictures, rest, mirror, triangle, weights, model)
    errors, sigma = usual_errors(pictures, rest, mirror, args.errors)
    print(f"{len(errors)} main errors: {100 * np.sqrt((errors**2).sum(-1).sum(0).mean()):.2f} % of the distance between the eyes; they leave {100 * np.sqrt((sigma**2).mean()):.2f} %")
    rendered, drawn = (sum(p.drawn == kind for p in pictures) for kind in (False, True))
    about = {"version": "1", "independent": str(INDEPENDENT), "licence": "MIT OR Apache-2.0", "made": f"train/track/correspond.py from {rendered} rendered and {drawn} drawn pictures of {len({p.person for p in pictures})} people"}
    weights = np.clip(weights, 0, 1)
    weights /= weights.sum(1, keepdims=True)
    tensors = {
        "triangle": triangle.astype(np.int32),
        "barycentric": weights.astype(np.float32),
        "mirror": mirror.astype(np.int32),
        "errors": errors.astype(np.float16),
        "sigma": sigma.astype(np.float32),
    }
    save_file(tensors, args.out, about)
    if args.out.resolve().parent == args.weights.resolve():
        update(
            args.weights,
            args.out.name,
            licence=about["licence"],
            source="where MediaPipe's mesh (track_mesh.safetensors) sees its points in our own rendered and drawn pictures, whose geometry is known",
            how="weights/track.md, Correspondence",
        )


if __name__ == "__main__":
    main()
