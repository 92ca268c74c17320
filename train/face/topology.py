"""The skin mesh: which cage quads are kept, where one more level is spent, the lip and lid loops, and masks.

Everything is decided once, on one reference head (`reference`), and from then on is index lists and matrices.
"""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import scipy.sparse as sp
from PIL import Image

from . import subdivide
from .source import Source, to_head

CAGE = 19158  # vertices of the MakeHuman base mesh with its helpers
REFERENCE = dict(gender=0.5, age=0.66, weight=0.45, african=0.3, asian=0.3, caucasian=0.5)
CROP_BELOW, CROP_SIDE = 0.20, 0.19  # metres below and beside the eyes
# Inner-lip loop of the MakeHuman cage: middle of the upper and of the lower lip.
LIP_UPPER, LIP_LOWER = 520, 523


@dataclass
class Skin:
    cage_quads: np.ndarray  # (Q, 4) cage indices of the kept quads
    matrix: sp.csr_matrix  # (V, CAGE) limit positions
    triangles: np.ndarray  # (T, 3)
    owner: np.ndarray  # (T,) kept quad of each triangle
    cage_of: np.ndarray  # (V,) cage index of a vertex, -1 for added ones
    lining: np.ndarray  # (T,) bool, mouth lining
    masks: dict = field(default_factory=dict)  # name -> (V,) 0..1
    lip_loop: tuple = ()  # (upper, lower) skin vertex rows, each left corner to right corner


def eye_centre(source: Source, v, side):
    """Centre of an eyeball: middle of the helper eye's box. Works on (..., CAGE, 3)."""
    box = v[..., np.unique(source.quads[f"helper-{side}-eye"]), :]
    return 0.5 * (box.min(-2) + box.max(-2))


def reference(source: Source, actions=None):
    """The reference head in head space, anchored between the eyes; `actions` keep the rest pose's anchor."""
    c = source.coefficients(REFERENCE).astype(np.float32)
    rest = source.template + np.tensordot(c, source.blendshapes, 1)
    heads = source.arrays["template_bone_heads"] + np.tensordot(c, source.arrays["bone_heads_blendshapes"], 1)
    v = to_head(source.pose_arms(rest, heads))
    v = v - 0.5 * (eye_centre(source, v, "l") + eye_centre(source, v, "r"))
    for name, x in (actions or {}).items():
        v = v + x * to_head(source.blendshapes[source.action_index(name)])
    return v


def lip_loop(quads):
    """The closed cage edge loop along the inner lips, starting at the upper middle towards the subject's left."""
    faces_at, near = {}, {}
    for i, q in enumerate(quads):
        for k in range(4):
            faces_at.setdefault(q[k], set()).add(i)
            near.setdefault(q[k], set()).update((q[k - 1], q[(k + 1) % 4]))

    def walk(a, b):
        loop = [a, b]
        while True:
            shared = faces_at[loop[-2]] & faces_at[loop[-1]]
            ahead = [c for c in near[loop[-1]] if not (faces_at[c] & faces_at[loop[-1]] & shared)]
            if len(ahead) != 1 or len(loop) > 200:
                return None
            if ahead[0] == a:
                return loop
            loop.append(ahead[0])

    for b in sorted(near[LIP_UPPER]):
        loop = walk(LIP_UPPER, b)
        if loop and LIP_LOWER in loop:
            return loop
    raise ValueError("the base mesh has no inner-lip loop where MakeHuman's has one")


def flood(quads, seeds, fence):
    """Faces reachable from `seeds` (face indices) without crossing an edge in `fence` (pairs of vertices)."""
    sides = {}
    for i, q in enumerate(quads):
        for k in range(4):
            sides.setdefault(frozenset((q[k], q[(k + 1) % 4])), []).append(i)
    seen, todo = set(seeds), list(seeds)
    while todo:
        q = quads[todo.pop()]
        for k in range(4):
            edge = frozenset((q[k], q[(k + 1) % 4]))
            if edge in fence:
                continue
            for j in sides[edge]:
                if j not in seen:
                    seen.add(j)
                    todo.append(j)
    out = np.zeros(len(quads), bool)
    out[list(seen)] = True
    return out


def texture_mask(source: Source, name, quads, uv):
    """A painted MakeHuman mask (grey JPEG in the base UV layout) as a value per cage vertex."""
    path = Path(source.meta["data"]) / "textures" / f"mpfb_{name}.jpg"
    image = np.asarray(Image.open(path).convert("L"), np.float32) / 255
    h, w = image.shape
    x = (uv[..., 0] * w).astype(int).clip(0, w - 1)
    y = ((1 - uv[..., 1]) * h).astype(int).clip(0, h - 1)
    out = np.zeros(CAGE)
    np.maximum.at(out, quads.ravel(), image[y, x].ravel())
    return out


def smoothstep(low, high, x):
    t = np.clip((x - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


def build(source: Source) -> Skin:
    ref = reference(source)
    body, uv = source.quads["body"], source.uv["body"]
    inside = (ref[body][..., 1].min(1) > -CROP_BELOW) & (abs(ref[body][..., 0]).max(1) < CROP_SIDE)
    quads, uv = body[inside], uv[inside]
    used = np.unique(quads)
    local = np.full(CAGE, -1)
    local[used] = np.arange(len(used))

    loop = lip_loop(quads)
    fence = {frozenset((loop[k], loop[k - 1])) for k in range(len(loop))}
    centre = ref[quads].mean(1)
    throat = int(np.argmin(np.linalg.norm(centre - [0, -0.075, -0.03], axis=1) + 10 * (abs(centre[:, 2]) > 0.05)))
    lining = flood(quads, [throat], fence)
    if lining[np.argmax(centre[:, 2])]:
        raise ValueError("the mouth lining leaks out of the lips")
    # The ring right behind the contact line still shows on parted lips and looks like lip, not like mouth.
    lining &= ~np.isin(quads, loop).any(1)

    blink = sum(
        np.linalg.norm(source.blendshapes[source.action_index(f"eyeBlink{s}")], axis=1) for s in ("Left", "Right")
    )
    eyes = np.stack([eye_centre(source, ref, s) for s in "lr"])
    lid_gap = np.linalg.norm(ref[:, None] - eyes, axis=2).min(1)
    lips = texture_mask(source, "lips", quads, uv)
    near_lips = _near(ref, np.array(loop), 0.0085) & (ref[:, 2] > 0)
    near_lids = (lid_gap < 0.0215) & (ref[:, 2] > 0.002) & ((blink > 0.0004) | (lid_gap < 0.0185))
    chosen = near_lips[quads].all(1) | near_lids[quads].all(1)

    matrix, triangles, owner = subdivide.refine(local[quads], len(used), chosen)
    select = sp.csr_matrix((np.ones(len(used)), (np.arange(len(used)), used)), (len(used), CAGE))
    cage_of = np.full(matrix.shape[0], -1)
    cage_of[: len(used)] = used
    matrix = smooth_rim(triangles, matrix @ select)
    skin = Skin(quads, matrix, triangles, owner, cage_of, lining[owner])

    surface = skin.matrix @ ref
    corner = lambda sign: local[max(loop, key=lambda i: sign * ref[i, 0])]
    rows = _fine_loop(skin, local[loop])
    left, right = rows.index(corner(1)), rows.index(corner(-1))
    upper, lower = sorted((_arc(rows, left, right), _arc(rows, left, right, -1)), key=lambda a: -surface[a, 1].mean())
    skin.lip_loop = (np.array(upper), np.array(lower))

    spread = lambda cage_values: np.clip(skin.matrix @ cage_values, 0, 1)
    y, z = surface[:, 1], surface[:, 2]
    inner = np.zeros(len(surface))
    inner[np.unique(triangles[skin.lining])] = 1
    move = lambda *names: np.linalg.norm(
        sum(abs(skin.matrix @ source.blendshapes[source.action_index(n)]) for n in names), axis=1
    )
    lids = smoothstep(0.0006, 0.003, move("eyeBlinkLeft", "eyeBlinkRight"))
    ears = spread(texture_mask(source, "ears", quads, uv))
    face = spread(texture_mask(source, "face", quads, uv)) * (1 - ears) * (1 - inner)
    neck = smoothstep(-0.105, -0.125, y + 0.35 * np.minimum(z, 0)) * (1 - inner)
    skin.masks = {
        "face": face * (1 - neck),
        "lips": spread(lips) * (1 - inner),
        "mouth_inner": inner,
        "ears": ears,
        "lids": lids,
        "scalp": smoothstep(0.05, 0.09, y - 0.5 * (z + 0.02)) * (1 - ears),
        "neck": neck,
    }
    return skin


def smooth_rim(triangles, matrix, rounds=8):
    """Even out the jagged cut across the shoulders: rim vertices take the mean of their neighbours on the rim."""
    from .layout import rim_loop

    rim = rim_loop(triangles)
    n, k = matrix.shape[0], len(rim)
    ring = sp.csr_matrix(
        (np.tile([0.25, 0.5, 0.25], k), (np.repeat(rim, 3), np.stack([np.roll(rim, 1), rim, np.roll(rim, -1)], 1).ravel())),
        (n, n),
    )
    inside = np.ones(n)
    inside[rim] = 0
    once = sp.diags(inside) + ring
    for _ in range(rounds):
        matrix = once @ matrix
    return matrix.tocsr()


def _near(points, targets, radius):
    from scipy.spatial import cKDTree

    return cKDTree(points[targets]).query(points)[0] < radius


def _fine_loop(skin, loop):
    """A cage loop with the edge points of the refined level put between its vertices."""
    near = {}
    for t in skin.triangles:
        for k in range(3):
            near.setdefault(t[k], set()).update((t[k - 1], t[k - 2]))
    n = int((skin.cage_of >= 0).sum())
    out = []
    for a, b in zip(loop, np.roll(loop, -1)):
        out.append(int(a))
        if b not in near[a]:
            # The edge point is the shared added vertex with weight from these two vertices only half-way: pick the
            # one whose stencil leans most on the edge.
            both = [m for m in near[a] & near[b] if m >= n]
            row = skin.matrix[both][:, skin.cage_of[[a, b]]].toarray().sum(1)
            out.append(int(both[int(np.argmax(row))]))
    return out


def _arc(ring, start, stop, step=1):
    out, i = [ring[start]], start
    while i != stop:
        i = (i + step) % len(ring)
        out.append(ring[i])
    return out
