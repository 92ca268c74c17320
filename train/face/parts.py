"""Eyeballs, teeth, gums and tongue as matrices over the MakeHuman cage.

Eyes and teeth are templates of our own. Each is bound to a helper mesh of the cage (eyeball, upper or lower teeth box)
by the least-squares affine map of that helper, which is linear in the helper's vertices: they follow identity, jaw and
gaze without ever losing their shape. The tongue is the cage's own, at its limit.
"""

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from . import subdivide
from .source import Source
from .topology import CAGE

EYE_RINGS, EYE_SECTORS = 16, 30
EYE_SPAN = np.radians(115)  # the back of the ball is never seen
# Arch of the upper row, metres: half-widths and depths behind the front teeth, to the outer face of the crowns.
ARCH = np.array([[0, 0], [4.4, -0.35], [8.6, -1.7], [13, -4.3], [17.2, -8.4], [20.6, -14], [23.4, -21], [25.6, -29.5], [26.8, -39]]) / 1e3
# Width and height of the crowns, millimetres, from the middle outwards.
UPPER = [(8.6, 10.2), (6.7, 8.9), (7.6, 9.9), (6.9, 8.4), (6.7, 7.9), (9.8, 7.2)]
LOWER = [(5.4, 8.6), (6.0, 8.7), (6.8, 9.4), (6.9, 8.4), (7.0, 7.8), (10.4, 7.2)]
CROWN_AROUND, CROWN_UP = 10, 4


@dataclass
class Part:
    matrix: sp.csr_matrix  # (V, CAGE)
    triangles: np.ndarray  # (T, 3)


def bind(points, anchors, ids):
    """Rows over the cage that carry `points` along with the affine motion of cage vertices `ids` at `anchors`."""
    middle = anchors.mean(0)
    scale = anchors.std()
    lift = lambda x: np.concatenate([(x - middle) / scale, np.ones((len(x), 1))], 1)
    rows = lift(points) @ np.linalg.pinv(lift(anchors))
    v, k = np.indices(rows.shape)
    return sp.csr_matrix((rows.ravel(), (v.ravel(), np.asarray(ids)[k.ravel()])), (len(points), CAGE))


def grid(rows, columns, wrap):
    """Triangles of a rows x columns vertex grid, counter-clockwise when columns run left and rows run up."""
    i, j = np.meshgrid(np.arange(rows - 1), np.arange(columns if wrap else columns - 1), indexing="ij")
    a, b = i * columns + j, i * columns + (j + 1) % columns
    c, d = a + columns, b + columns
    return np.concatenate([np.stack([a, b, d], -1).reshape(-1, 3), np.stack([a, d, c], -1).reshape(-1, 3)])


def eye(source: Source, ref, side, radius):
    """A sphere cap about the optical axis (+z in the reference). Returns (Part, angle of every vertex, centre)."""
    ids = np.unique(source.quads[f"helper-{side}-eye"])
    anchors = ref[ids]
    centre = 0.5 * (anchors.min(0) + anchors.max(0))
    # Denser rings over the iris, and one exactly at its rim (25 degrees).
    t = np.linspace(0, 1, EYE_RINGS + 1)[1:]
    angle = EYE_SPAN * (0.55 * t + 0.45 * t**2)
    angle[np.argmin(abs(angle - np.radians(25)))] = np.radians(25)
    turn = np.arange(EYE_SECTORS) / EYE_SECTORS * 2 * np.pi
    s, c = np.sin(angle)[:, None], np.cos(angle)[:, None]
    ring = np.stack([s * np.cos(turn), s * np.sin(turn), c + 0 * turn], -1).reshape(-1, 3)
    points = centre + radius * np.concatenate([[[0, 0, 1.0]], ring])
    cap = np.stack([np.zeros(EYE_SECTORS, int), 1 + np.arange(EYE_SECTORS), 1 + (np.arange(EYE_SECTORS) + 1) % EYE_SECTORS], 1)
    # Rings walk away from the pole, so the grid's "up" is towards the back: flip it.
    triangles = np.concatenate([cap, 1 + grid(EYE_RINGS, EYE_SECTORS, True)[:, ::-1]])
    angles = np.concatenate([[0], np.repeat(angle, EYE_SECTORS)])
    return Part(bind(points, anchors, ids), triangles), angles, centre


class Arch:
    """A dental arch as a curve by arc length from the middle: position and outward direction in the xz plane."""

    def __init__(self, narrow=0.0):
        from scipy.interpolate import CubicSpline

        half = ARCH - np.array([0, 0])
        curve = CubicSpline(half[:, 0], half[:, 1], bc_type=((1, 0.0), "not-a-knot"))
        x = np.linspace(0, half[-1, 0], 400)
        z = curve(x)
        tangent = np.stack([np.gradient(x), np.gradient(z)], 1)
        tangent /= np.linalg.norm(tangent, axis=1, keepdims=True)
        x, z = x + narrow * tangent[:, 1], z - narrow * tangent[:, 0]
        self.length = np.concatenate([[0], np.cumsum(np.hypot(np.diff(x), np.diff(z)))])
        self.x, self.z, self.tangent = x, z, tangent

    def __call__(self, s):
        """Points (N, 2) and unit outward normals (N, 2) at signed arc length `s`."""
        a, sign = abs(np.asarray(s, float)), np.sign(s)
        at = lambda v: np.interp(a, self.length, v)
        out = np.stack([-at(self.tangent[:, 1]) * sign, at(self.tangent[:, 0])], -1)
        return np.stack([at(self.x) * sign, at(self.z)], -1), out


def crown(width, height, thick_root, thick_edge, biting):
    """One tooth about its root centre: x along the arch, y from gum (0) to edge (-height), z outwards from its face."""
    v = np.linspace(0, 1, CROWN_UP + 1)
    turn = np.arange(CROWN_AROUND) / CROWN_AROUND * 2 * np.pi
    rings = []
    for k in v:
        # Broadest two thirds down, slightly waisted at the gum; the face bulges, the tongue side hollows.
        half = 0.5 * width * (0.85 + 0.15 * np.sin(0.5 * np.pi * min(k / 0.62, 1)))
        deep = 0.5 * ((1 - k) * thick_root + k * thick_edge)
        square = lambda t: np.sign(t) * abs(t) ** 0.62  # rounded rectangle
        x, z = half * square(np.cos(turn)), deep * square(np.sin(turn)) - deep
        bulge = 0.55e-3 * np.sin(np.pi * min(k + 0.12, 1)) - 0.9e-3 * k**2
        rings.append(np.stack([x, np.full_like(x, -height * k), z + bulge], 1))
    # Rounded edge: the last ring pulls in and a cap closes it.
    last = rings[-1]
    last[:, 1] += 0.05 * height * (abs(last[:, 0]) / (0.5 * width)) ** 3
    rings.append(np.stack([last[:, 0] * 0.92, last[:, 1] - 0.03 * height, (last[:, 2] - last[:, 2].mean()) * 0.55 + last[:, 2].mean()], 1))
    top = np.array([[0, rings[-1][:, 1].min() - (0 if biting else -0.06) * height, rings[-1][:, 2].mean()]])
    points = np.concatenate(rings + [top])
    n = len(rings)
    # Rings go down while the turn is counter-clockwise seen from above: outside is to the right of the walk.
    side = grid(n, CROWN_AROUND, True)
    base, j = (n - 1) * CROWN_AROUND, np.arange(CROWN_AROUND)
    cap = np.stack([base + j, base + (j + 1) % CROWN_AROUND, np.full(CROWN_AROUND, n * CROWN_AROUND)], 1)
    return points, np.concatenate([side, cap])


def row(sizes, narrow, flip):
    """Crowns of a row about the arch's front middle; `flip` for the lower one. Returns points, triangles and gum line."""
    arch, points, triangles, line = Arch(narrow), [], [], []
    reach = 0.0
    count = 0
    for k, (width, height) in enumerate(sizes):
        width, height = width / 1e3, height / 1e3
        middle = reach + width / 2
        reach += width
        molar = k >= 3
        for sign in (1, -1):
            p, t = crown(width * 0.985, height, 6.5e-3 if molar else 5.5e-3, 6.0e-3 if molar else 1.7e-3, not molar)
            s = sign * middle
            (cx, cz), (nx, nz) = arch(s)
            # Bent along the arch: every vertex takes the frame of its own arc length.
            c, n = arch(np.full(len(p), s) + p[:, 0])
            # Canines are pointed, central incisors longest.
            drop = {0: 0.0, 1: 0.5e-3, 2: 0.1e-3}.get(k, 0.9e-3 + 0.25e-3 * (k - 3))
            y = p[:, 1] - (0 if k != 2 else 0.0)
            if k == 2:
                y = y - 0.9e-3 * np.clip(1 - abs(p[:, 0]) / (0.5 * width), 0, 1) * np.clip(-y / height, 0, 1) ** 2
            edge = -(height + 0.0)
            y = y - edge - 0.0 + drop  # edges, not roots, are level
            q = np.stack([c[:, 0] + n[:, 0] * p[:, 2], y, c[:, 1] + n[:, 1] * p[:, 2]], 1)
            if flip:
                q = q * [1, -1, 1]
                t = t[:, ::-1]
            points.append(q)
            triangles.append(t + count)
            count += len(q)
            line.append((s, width, height + drop))
    return np.concatenate(points), np.concatenate(triangles), sorted(line), arch


def gum(line, arch, flip, columns=44):
    """A band of gum over the roots with a scalloped edge, closed towards the palate."""
    reach = max(s + w / 2 for s, w, _ in line)
    s = np.linspace(-reach, reach, columns)
    mids = np.array([m for m, _, _ in line])
    widths = np.array([w for _, w, _ in line])
    heights = np.array([h for _, _, h in line])
    k = abs(s[:, None] - mids).argmin(1)
    off = np.clip(abs(s - mids[k]) / (0.5 * widths[k]), 0, 1)
    smooth = np.interp(s, mids, heights)
    edge = smooth - 0.9e-3 - 1.7e-3 * off**2  # papillae reach down between the teeth
    c, n = arch(s)
    profile = [(0.15e-3, edge), (0.75e-3, edge + 1.0e-3), (0.9e-3, smooth + 3.0e-3), (-0.5e-3, smooth + 8e-3), (-6e-3, smooth + 7e-3), (-8.5e-3, smooth + 1e-3), (-7.4e-3, edge - 0.2e-3)]
    points = np.concatenate([np.stack([c[:, 0] + n[:, 0] * d, y, c[:, 1] + n[:, 1] * d], 1) for d, y in profile])
    triangles = grid(len(profile), columns, False)
    if flip:
        points, triangles = points * [1, -1, 1], triangles[:, ::-1]
    return points, triangles


def jaws(source: Source, ref, front_upper, front_lower):
    """Teeth and gums of both rows; `front_*` is the middle of each row's incisal edge, on its outer face."""
    teeth, gums = [], []
    for group, sizes, narrow, flip, front in (
        ("helper-upper-teeth", UPPER, 0.0, False, front_upper),
        ("helper-lower-teeth", LOWER, 2.6e-3, True, front_lower),
    ):
        ids = np.unique(source.quads[group])
        points, triangles, line, arch = row(sizes, narrow, flip)
        gum_points, gum_triangles = gum(line, arch, flip)
        # The arch starts at depth -narrow; put its front where it belongs.
        move = np.asarray(front) - [0, 0, -narrow]
        teeth.append(Part(bind(points + move, ref[ids], ids), triangles))
        gums.append(Part(bind(gum_points + move, ref[ids], ids), gum_triangles))
    return join(teeth), join(gums)


def tongue(source: Source):
    quads = source.quads["helper-tongue"]
    ids = np.unique(quads)
    local = np.full(CAGE, -1)
    local[ids] = np.arange(len(ids))
    select = sp.csr_matrix((np.ones(len(ids)), (np.arange(len(ids)), ids)), (len(ids), CAGE))
    q = local[quads]
    return Part(subdivide.limit(q, len(ids)) @ select, np.concatenate([q[:, [0, 1, 2]], q[:, [0, 2, 3]]]))


def join(parts):
    start = np.cumsum([0] + [p.matrix.shape[0] for p in parts])
    return Part(
        sp.vstack([p.matrix for p in parts]).tocsr(),
        np.concatenate([p.triangles + s for p, s in zip(parts, start)]),
    )
