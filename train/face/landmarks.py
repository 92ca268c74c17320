"""The 68 iBUG landmarks as surface points (triangle and barycentrics) of the skin."""

import numpy as np

from . import raster
from .albedo import brow_height


def build(skin, surface, eyes, eye_radius):
    """(68,) triangle indices and (68, 3) barycentrics; `surface` (V, 3) is the skin at rest, mouth shut."""
    points = np.concatenate([jaw(skin, surface), brows(skin, surface), nose(surface), lids(skin, surface, eyes, eye_radius), mouth(skin, surface)])
    # The reference is symmetric up to its triangulation: so are the targets.
    points = 0.5 * (points + points[MIRROR] * [-1, 1, 1])
    outside = np.flatnonzero(~skin.lining)
    return locate(surface, skin.triangles, outside, points)


def locate(surface, triangles, allowed, points):
    """Nearest surface point of each target among `allowed` triangles."""
    corners = surface[triangles[allowed]]
    best_t, best_b = [], []
    for p in points:
        near = np.argsort(np.linalg.norm(corners.mean(1) - p, axis=1))[:40]
        c = corners[near]
        bary = _closest(c, p)
        d = np.linalg.norm(np.einsum("nk,nkc->nc", bary, c) - p, axis=1)
        k = int(np.argmin(d))
        best_t.append(allowed[near[k]])
        best_b.append(bary[k])
    return np.array(best_t), np.array(best_b)


def _closest(c, p):
    """Barycentrics of the closest points to `p` on triangles (N, 3, 3)."""
    a, ab, ac = c[:, 0], c[:, 1] - c[:, 0], c[:, 2] - c[:, 0]
    ap = p - a
    d11, d12, d22 = (ab * ab).sum(1), (ab * ac).sum(1), (ac * ac).sum(1)
    e1, e2 = (ap * ab).sum(1), (ap * ac).sum(1)
    det = np.maximum(d11 * d22 - d12 * d12, 1e-30)
    v, w = (d22 * e1 - d12 * e2) / det, (d11 * e2 - d12 * e1) / det
    bary = np.stack([1 - v - w, v, w], 1).clip(0)
    return bary / bary.sum(1, keepdims=True)


def front(surface, x, y):
    """Frontmost vertex-interpolated z at (x, y), from the nearest vertices."""
    d = np.hypot(surface[:, 0] - x, surface[:, 1] - y)
    near = np.argsort(d)[:12]
    top = near[surface[near, 2] > surface[near, 2].max() - 0.008][:4]
    w = 1 / (d[top] + 1e-4)
    return np.array([x, y, (surface[top, 2] * w).sum() / w.sum()])


def jaw(skin, surface):
    """17 contour points from the subject's right ear round the chin to the left: image left to right."""
    face = (skin.masks["face"] > 0.25) & (skin.masks["ears"] < 0.2) & (skin.masks["lips"] < 0.1)
    p = surface[face]
    centre = np.array([0, -0.035])
    out = []
    for degrees in np.linspace(-98, 98, 17):
        direction = np.array([np.sin(np.radians(degrees)), -np.cos(np.radians(degrees))])
        rel = p[:, :2] - centre
        along, off = rel @ direction, abs(rel @ [direction[1], -direction[0]])
        ok = (along > 0) & (off < 0.006)
        out.append(p[ok][np.argmax(along[ok])])
    return np.array(out)


def brows(skin, surface):
    out = []
    for sign in (-1, 1):
        xs = np.linspace(0.056, 0.014, 5) if sign < 0 else np.linspace(0.014, 0.056, 5)
        out += [front(surface, sign * x, brow_height(x) + 0.001) for x in xs]
    return np.array(out)


def nose(surface):
    middle = surface[(abs(surface[:, 0]) < 0.002) & (surface[:, 2] > 0)]
    ridge = middle[(middle[:, 1] < 0.01) & (middle[:, 1] > -0.06)]
    tip = ridge[np.argmax(ridge[:, 2])]
    out = [front(surface, 0, y) for y in np.linspace(0.0, tip[1], 4)[:3]] + [tip]
    # Base of the nose: deepest point of the midline between tip and lips, and the nostrils' under edge beside it.
    below = middle[(middle[:, 1] < tip[1] - 0.004) & (middle[:, 1] > tip[1] - 0.028)]
    base = below[np.argmin(below[:, 2])]
    for x in (-0.0155, -0.008, 0.0, 0.008, 0.0155):
        out.append(front(surface, x, base[1] + 0.0025 + 0.10 * abs(x)))
    return np.array(out)


def lids(skin, surface, eyes, radius):
    """Six points an eye, from the visible outline of the eyeball seen from the front."""
    out = []
    for side in (1, 0):  # image left is the subject's right
        c = eyes[side]
        size, span = 512, 0.05
        flat = surface - [c[0], c[1], c[2]]
        # Orthographic view as a far camera.
        far = 50.0
        screen = raster.project(flat - [0, 0, far], (far / span, 0.5, 0.5), size)
        _, _, depth = raster.rasterise(screen, skin.triangles, size)
        j, i = np.meshgrid(np.arange(size), np.arange(size))
        x, y = (j + 0.5) / size * span - span / 2, span / 2 - (i + 0.5) / size * span
        ball = np.sqrt(np.maximum(radius**2 - x * x - y * y, 0))
        seen = (ball > far - depth) & (x * x + y * y < (0.98 * radius) ** 2)
        columns = np.flatnonzero(seen.any(0))
        edge = lambda col, low: np.array([x[0, col], y[(np.flatnonzero(seen[:, col])[-1 if low else 0]), 0]])
        first, last = columns[0], columns[-1]
        col = lambda t: int(round(first + t * (last - first)))
        corner = lambda c0: np.array([x[0, c0], 0.5 * (edge(c0, False)[1] + edge(c0, True)[1])])
        pts = [corner(first), edge(col(0.33), False), edge(col(0.67), False), corner(last), edge(col(0.67), True), edge(col(0.33), True)]
        for q in pts:
            z = np.sqrt(max(radius**2 - q @ q, 0))
            out.append(c + [q[0], q[1], z])
    return np.array(out)


def _level_points(points, values, triangles, level):
    """Points on triangle sides where `values` crosses `level`."""
    sides = np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]])
    a, b = values[sides[:, 0]], values[sides[:, 1]]
    cut = (a - level) * (b - level) < 0
    t = ((level - a[cut]) / (b[cut] - a[cut]))[:, None]
    return points[sides[cut, 0]] * (1 - t) + points[sides[cut, 1]] * t


# Each landmark's mirror image, in iBUG-68 order.
MIRROR = np.array(
    list(range(16, -1, -1)) + list(range(26, 16, -1)) + [27, 28, 29, 30, 35, 34, 33, 32, 31]
    + [45, 44, 43, 42, 47, 46, 39, 38, 37, 36, 41, 40]
    + [54, 53, 52, 51, 50, 49, 48, 59, 58, 57, 56, 55, 64, 63, 62, 61, 60, 67, 66, 65]
)


def mouth(skin, surface):
    """Outer contour 48-59 and inner contour 60-67, image left to right along the top, back along the bottom."""
    upper, lower = skin.lip_loop
    lips = skin.masks["lips"]
    inner_u, inner_l = surface[upper], surface[lower]
    width = inner_u[:, 0].max()
    at = lambda line, x: line[np.argmin(abs(line[:, 0] - x))]
    line_y = lambda x: at(inner_l, x)[1]

    outer = skin.triangles[(skin.masks["mouth_inner"][skin.triangles] == 0).all(1)]
    contour = _level_points(surface, lips, outer, 0.45)
    contour = contour[contour[:, 2] > 0]
    middle = np.interp(contour[:, 0], *inner_l[np.argsort(inner_l[:, 0])][:, :2].T)
    halves = {up: contour[(contour[:, 1] > middle) == up] for up in (True, False)}

    def rim(x, up):
        c = halves[up]
        near = c[np.argsort(abs(c[:, 0] - x))[:5]]
        return np.array([x, near[:, 1].mean(), near[:, 2].mean()])

    corner = lambda sign: surface[upper[0 if sign > 0 else -1]] + [sign * 0.0005, 0, 0.001]
    rims = [corner(-1), rim(-0.60 * width, True), rim(-0.24 * width, True), rim(0, True), rim(0.24 * width, True), rim(0.60 * width, True), corner(1)]
    rims += [rim(0.62 * width, False), rim(0.28 * width, False), rim(0, False), rim(-0.28 * width, False), rim(-0.62 * width, False)]
    inner = [corner(-1), at(inner_u, -0.42 * width), at(inner_u, 0), at(inner_u, 0.42 * width), corner(1)]
    inner += [at(inner_l, 0.42 * width), at(inner_l, 0), at(inner_l, -0.42 * width)]
    return np.array(rims + inner)
