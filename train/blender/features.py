# SPDX-License-Identifier: GPL-3.0-or-later
"""Painted masks of the skin, brows, lashes and eyeballs, all in head space."""

import numpy as np

from train.blender.surface import add_mesh, step, unit


def parts(faces, count):
    """Label of the connected component of every vertex."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    a, b = faces.ravel(), np.roll(faces, 1, axis=1).ravel()
    return connected_components(coo_matrix((np.ones(len(a)), (a, b)), shape=(count, count)), directed=False)[1]


def paint(rest, lips, ears, mouth, eyes, scalp, brow_lines, lid_line, look):
    """Masks (V,) that the skin material reads; `eyes` {±1: centre}."""
    blob = lambda centre, size: np.exp(-(((rest - centre) / size) ** 2).sum(1))
    head = rest[:, 1] > -0.17
    weight = lips * head
    lip_centre = (rest * weight[:, None]).sum(0) / weight.sum()
    middle = rest[head & (abs(rest[:, 0]) < 0.02) & (abs(rest[:, 1]) < 0.06)]
    nose = middle[middle[:, 2].argmax()]
    blush, socket, freckle, lines = (np.zeros(len(rest)) for _ in range(4))
    for sign, eye in eyes.items():
        blush += 0.85 * blob(eye + [sign * 0.016, -0.040, 0], [0.022, 0.019, 0.05])
        socket += 0.7 * blob(eye + [0, -0.0180, 0.008], [0.015, 0.0055, 0.02]) + 0.3 * blob(eye + [0, 0.012, 0.01], [0.018, 0.006, 0.02])
        socket += 0.35 * blob(eye + [-sign * 0.017, -0.004, 0.01], [0.006, 0.008, 0.02])
        freckle += blob(eye + [sign * 0.006, -0.030, 0], [0.026, 0.018, 0.05])
        x, y = sign * (rest[:, 0] - eye[0]), rest[:, 1] - eye[1]
        # crow's feet fan out from the outer corner; bags below; folds from the nose to the corners of the mouth
        angle = np.arctan2(y + 0.002, x - 0.012)
        fan = np.exp(-(((np.hypot(x - 0.012, y) - 0.015) / 0.008) ** 2)) * (x > 0.014) * step(0.9, 0.5, abs(angle))
        lines += 0.35 * fan * np.cos(angle * 14)
        lines += 0.6 * np.exp(-(((y + 0.0155 + 0.5 * x * x / 0.03) / 0.0022) ** 2)) * step(0.018, 0.010, abs(x)) * (rest[:, 2] > eye[2])
    blush += 0.7 * blob(nose, [0.016, 0.014, 0.02]) + 0.2 * blob(lip_centre + [0, -0.036, 0], [0.02, 0.013, 0.03]) + 0.55 * ears
    freckle += 1.1 * blob(nose + [0, 0.012, 0], [0.016, 0.016, 0.03])
    forehead = blob(np.array([0, 0.045, nose[2] - 0.02]), [0.034, 0.014, 0.05])
    lines += 0.8 * forehead * np.cos((rest[:, 1] - 0.10 * rest[:, 0] ** 2 / 0.05) * 2 * np.pi / 0.0092)
    oily = blob(nose + [0, 0.02, 0], [0.012, 0.03, 0.04]) + blob(np.array([0, 0.055, nose[2]]), [0.04, 0.02, 0.06])
    # beard: jaw, chin, upper lip; not the lips, not the cheeks, not the neck below the jaw
    dx, dy = abs(rest[:, 0]), rest[:, 1] - lip_centre[1]
    cheek = np.interp(dx, [0.0, 0.018, 0.030, 0.045, 0.060, 0.075], [0.025, 0.020, 0.002, 0.002, 0.024, 0.050])
    beard = step(0.003, -0.007, dy - cheek) * step(-0.072, -0.054, dy + 0.25 * np.clip(rest[:, 2] - lip_centre[2] + 0.07, -0.1, 0))
    beard *= step(lip_centre[2] - 0.098, lip_centre[2] - 0.080, rest[:, 2]) * (1 - ears) * step(-0.145, -0.125, rest[:, 1])
    around = np.hypot(dx / 1.75, dy + 0.001)
    beard *= step(0.0125, 0.0165, around) + 0.9 * (around < 0.0165) * step(0.005, 0.008, dy)
    beard *= 1 - 0.6 * np.exp(-(((dx - 0.015) / 0.006) ** 2 + ((dy + 0.014) / 0.006) ** 2))  # bare spots beside the soul patch
    clear = np.clip(1 - lips * 3, 0, 1)
    depth = scalp.depth(rest)
    cover = step(-0.004, 0.014, depth) * (1 - ears) * (rest[:, 1] > -0.11)
    near = lambda points, width: np.exp(-((nearest_distance(rest, points, 4 * width) / width) ** 2))
    return {
        "blush": np.clip(blush, 0, 1), "socket": np.clip(socket, 0, 1), "freckle": np.clip(freckle, 0, 1), "oily": np.clip(oily, 0, 1),
        "beard": np.clip(beard, 0, 1) * clear, "lips": lips * (1 - mouth), "mouth": mouth, "scalp": cover, "brow": near(brow_lines, 0.0036),
        "lidline": near(lid_line, 0.0013), "wrinkle": np.clip(lines, -1, 1) * look.get("age", 0.0), "rest": rest,
    }


def nearest_distance(points, targets, cutoff):
    from scipy.spatial import cKDTree

    return np.minimum(cKDTree(targets).query(points, distance_upper_bound=cutoff)[0], cutoff * 2)


def strip_sides(faces):
    """The two long sides of a quad strip, as vertex lists."""
    edges, spokes = {}, {}
    for quad in faces:
        for a, b in zip(quad, np.roll(quad, -1)):
            if a != b:
                key = (min(a, b), max(a, b))
                edges[key] = edges.get(key, 0) + 1
    border = {}
    for a, b in edges:
        spokes[a], spokes[b] = spokes.get(a, 0) + 1, spokes.get(b, 0) + 1
        if edges[a, b] == 1:
            border.setdefault(a, []).append(b)
            border.setdefault(b, []).append(a)
    corners = [v for v in border if spokes[v] == 2]
    sides, side, before, here = [], [corners[0]], None, corners[0]
    while True:
        before, here = here, [v for v in border[here] if v != before][0]
        side.append(here)
        if here in corners:
            sides.append(side)
            side = [here]
            if here == corners[0]:
                return sorted(sides, key=len)[-2:]


def along(line, u):
    """Points of a polyline at u in 0..1."""
    x = np.linspace(0, 1, len(line))
    return np.stack([np.interp(u, x, line[:, k]) for k in range(3)], -1)


def lash_edges(vertices, faces, eyes):
    """[(sign, upper, root line, tip line)] of the four lash strips of `eyelashes02`."""
    label, result = parts(faces, len(vertices)), []
    for part in np.unique(label[faces[:, 0]]):
        sides = strip_sides(faces[label[faces[:, 0]] == part])
        middle = vertices[label == part].mean(0)
        sign = 1 if middle[0] > 0 else -1
        sides.sort(key=lambda s: np.linalg.norm(vertices[s] - eyes[sign], axis=1).mean())
        root, tip = vertices[sides[0]], vertices[sides[1]]
        if np.linalg.norm(root[0] - tip[0]) > np.linalg.norm(root[0] - tip[-1]):
            tip = tip[::-1]
        result.append((sign, middle, root, tip))
    # of the two strips of an eye, the higher one is the upper lid's
    return [(s, m[1] > np.mean([n[1] for t, n, _, _ in result if t == s]), r, t_) for s, m, r, t_ in result]


def lashes(edges, rest_edges, eyes, rng, feminine):
    """Lash strands; they swing down with a closing lid. Same draws for every expression of a person."""
    strands, t = [], np.linspace(0, 1, 7)
    for (sign, upper, root, tip), (_, _, rest_root, _) in zip(edges, rest_edges):
        count = (120 if upper else 46) if feminine else (80 if upper else 26)
        u = np.sort(rng.uniform(0.02, 0.98, count))
        noise, size = rng.normal(size=(count, 3)), rng.uniform(0.65, 1.0, count)
        start, end = along(root, u), along(tip, u)
        drop = rest_root[len(root) // 2, 1] - root[len(root) // 2, 1]
        shut = step(0.002, 0.0075, drop) if upper else 0.0
        fan = np.zeros_like(start)
        fan[:, 0] = 0.5 * (start[:, 0] - eyes[sign][0]) / 0.016
        out = np.array([0, 0.15 - 0.85 * shut, 1.0 - 0.2 * shut]) if upper else np.array([0, -0.40, 0.9])
        way = unit(0.30 * unit(end - start) + out + fan + 0.10 * noise)
        length = ((0.0075 if feminine else 0.0058) if upper else 0.0034) * size * (0.55 + 0.45 * np.sin(np.pi * np.clip(u, 0.06, 0.97)))
        curl = np.array([0, 0.9 - 0.75 * shut, 0.15]) if upper else np.array([0, -0.4, 0])
        start = start + np.array([0, -0.0004, 0.0006])
        strands.append(start[:, None] + way[:, None] * (length[:, None] * t)[..., None] + curl * (length[:, None] * t**2 * 0.6)[..., None])
    strands = np.concatenate(strands)
    return strands, np.tile((0.000105 if feminine else 0.00009) * (1 - 0.8 * t), (len(strands), 1))


def brow_outlines(vertices, faces, flatten=0.70, lift=0.0):
    """[(lower line, upper line)] from the nose outwards, one pair a brow, with a calmer arch than the strips have."""
    label, result = parts(faces, len(vertices)), []
    for part in np.unique(label[faces[:, 0]]):
        v = vertices[label == part]
        x = abs(v[:, 0])
        bins = np.linspace(x.min(), x.max() + 1e-6, 13)
        groups = [v[(x >= a) & (x < b)] for a, b in zip(bins[:-1], bins[1:])]
        groups = [g for g in groups if len(g) > 1]
        low, high = (np.array([g[pick(g[:, 1])] for g in groups]) for pick in (np.argmin, np.argmax))
        for line in (low, high):
            line[1:-1] = (line[:-2] + 2 * line[1:-1] + line[2:]) / 4
            line[:, 1] = line[:, 1].mean() + flatten * (line[:, 1] - line[:, 1].mean()) + lift
        result.append((low, high))
    return result


def brows(outlines, surface, rng, look):
    """Many fine hairs with soft edges, upright near the nose, lying down towards the temple."""
    strands, t, full = [], np.linspace(0, 1, 6), look.get("brow", 1.0)
    count = int(1000 * full)
    for low, high in outlines:
        u = rng.beta(1.25, 1.2, count)
        spread = np.clip(rng.normal(0, 0.45, count), -1.25, 1.25)  # denser in the middle: no hard border
        w = 0.5 + 0.66 * full * spread * np.interp(u, [0, 0.06, 0.30, 0.65, 1], [0.60, 0.90, 1.0, 0.68, 0.22])
        place = lambda u, w: along(low, u) * (1 - w)[:, None] + along(high, u) * w[:, None]
        root, normal, _ = surface.nearest(place(u, w))
        half = np.full(count, 0.5)
        forward = unit(place(np.clip(u + 0.05, 0, 1), half) - place(np.clip(u - 0.05, 0, 1), half))
        lean = np.interp(u, [0, 0.12, 0.45, 1], [1.5, 0.9, 0.30, -0.10])[:, None] - 0.8 * (w - 0.5)[:, None]
        way = forward + lean * np.array([0, 1.0, 0]) + 0.16 * rng.normal(size=root.shape)
        way = unit(way - (way * normal).sum(1, keepdims=True) * normal + 0.20 * normal)
        length = 0.0078 * rng.uniform(0.5, 1.0, count) * np.interp(u, [0, 0.2, 1], [0.75, 1.0, 0.6])
        bend = -0.28 * normal + 0.35 * forward
        strands.append(root[:, None] + way[:, None] * (length[:, None] * t)[..., None] + bend[:, None] * (length[:, None] * t**2)[..., None])
    strands = np.concatenate(strands)
    return strands, np.tile(0.000064 * (1 - 0.75 * t**2), (len(strands), 1)) * rng.uniform(0.7, 1.2, (len(strands), 1))


def eyeball(name, centre, radius, turn, iris_angle, materials):
    """Inner ball with a slightly sunken iris, and a clear shell with the bulge of the cornea: the two objects. Axis +z before `turn` (3, 3)."""
    ring = 64
    tilt = np.concatenate([np.linspace(0, iris_angle * 1.3, 32), np.linspace(iris_angle * 1.3, np.pi * 0.62, 34)[1:]])
    around = np.arange(ring) / ring * 2 * np.pi
    grid_t, grid_a = np.meshgrid(tilt, around, indexing="ij")
    i, j = np.arange(len(tilt) - 1)[:, None] * ring, np.arange(ring)[None]
    quads = np.stack([i + j, i + ring + j, i + ring + (j + 1) % ring, i + (j + 1) % ring], 2).reshape(-1, 4)
    uv = 0.5 + 0.5 * np.stack([grid_t / (np.pi / 2) * np.cos(grid_a), grid_t / (np.pi / 2) * np.sin(grid_a)], 2).reshape(-1, 2)

    def shell(suffix, size, material):
        r = size[:, None]
        points = np.stack([r * np.sin(grid_t) * np.cos(grid_a), r * np.sin(grid_t) * np.sin(grid_a), r * np.cos(grid_t)], 2).reshape(-1, 3)
        thing = add_mesh(name + suffix, points @ turn.T + centre, quads, uv[quads])
        thing.data.materials.append(material)
        return thing

    dish = 1 - step(iris_angle * 0.88, iris_angle * 1.06, tilt)
    ball = shell(" ball", radius * (1 - 0.075 * dish * (1 - 0.35 * np.clip(1 - tilt / iris_angle, 0, 1))), materials[0])
    cornea = shell(" cornea", radius * (1.004 + 0.075 * np.cos(np.clip(tilt / (iris_angle * 1.22), 0, 1) * np.pi / 2) ** 1.5), materials[1])
    return ball, cornea


def rotation_between(a, b):
    """Rotation (3, 3) that best takes points a to b."""
    u, _, vt = np.linalg.svd((a - a.mean(0)).T @ (b - b.mean(0)))
    return vt.T @ np.diag([1, 1, np.sign(np.linalg.det(vt.T @ u.T))]) @ u.T


def studs(surface, ears, size=0.0026):
    """Places of small ear studs as strands of one step (2, 2, 3): root on the lobe, tip where the centre sits."""
    v, result = surface.vertices, []
    for sign in (1, -1):
        lobe = v[(ears > 0.5) & (np.sign(v[:, 0]) == sign)]
        low = lobe[:, 1].min()
        low_part = lobe[lobe[:, 1] < low + 0.012]
        root = low_part[(abs(low_part[:, 0]) - 0.4 * abs(low_part[:, 1] - low - 0.005)).argmax()]
        _, normal, _ = surface.nearest(root[None])
        result.append(np.stack([root, root + unit(normal[0] + [sign * 0.5, 0, 0.5]) * size * 0.7]))
    return np.stack(result)
