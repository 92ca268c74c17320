"""Texture coordinates of the skin: one chart without seams or folds, with the face large in its middle.

The skin is a disc: its rim is the cut across the shoulders, pinned to a circle. Inside, each vertex sits at a weighted
mean of its neighbours; with positive weights no triangle can fold over (Tutte). Starting from mean-value weights, pulls
towards squeezed places are weakened step by step until area follows a wanted density (after Yoshizawa's stretch
minimisation): the face gets most of the picture, the inside of the mouth and the sockets a little.
"""

import numpy as np
import scipy.sparse as sp
import scipy.sparse.linalg as sl

RIM_RADIUS, ROUNDS, STRENGTH = 0.495, 24, 0.6


def mean_value_weights(points, triangles):
    """Sparse positive weights (V, V) of Floater's mean-value coordinates."""
    n = len(points)
    rows, cols, values = [], [], []
    for k in range(3):
        i, j, l = triangles[:, k], triangles[:, (k + 1) % 3], triangles[:, (k + 2) % 3]
        a, b = points[j] - points[i], points[l] - points[i]
        la, lb = np.linalg.norm(a, axis=1) + 1e-9, np.linalg.norm(b, axis=1) + 1e-9
        cos = np.clip((a * b).sum(1) / (la * lb), -0.9999, 0.9999)
        half = np.sqrt((1 - cos) / (1 + cos))  # tan of half the angle at i
        rows += [i, i]
        cols += [j, l]
        values += [half / la, half / lb]
    return sp.csr_matrix((np.concatenate(values), (np.concatenate(rows), np.concatenate(cols))), (n, n))


def rim_loop(triangles):
    """Vertices of the longest border loop, in order."""
    sides = np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]])
    known = {(a, b) for a, b in sides.tolist()}
    after = {a: b for a, b in known if (b, a) not in known}
    best = []
    while after:
        start, loop = next(iter(after)), []
        while start in after:
            loop.append(start)
            start = after.pop(start)
        if len(loop) > len(best):
            best = loop
    return np.array(best)


def area(points, triangles):
    a, b, c = (points[triangles[:, k]] for k in range(3))
    if points.shape[1] == 3:
        return np.linalg.norm(np.cross(b - a, c - a), axis=1) / 2
    return ((b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1]) - (b[:, 1] - a[:, 1]) * (c[:, 0] - a[:, 0])) / 2


def skin_uv(points, triangles, density):
    """UV (V, 2) in 0..1; `density` (V,) is the wanted UV area per surface area, up to a factor."""
    n = len(points)
    rim = rim_loop(triangles)
    step = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(points[np.append(rim, rim[0])], axis=0), axis=1))])
    start = np.argmax(points[rim, 2])  # the middle of the chest goes to the bottom
    turn = (step[:-1] - step[start]) / step[-1] * 2 * np.pi
    if points[rim[(start + len(rim) // 4) % len(rim)], 0] < 0:
        turn = -turn
    fixed = np.zeros(n, bool)
    fixed[rim] = True
    uv = np.zeros((n, 2))
    uv[rim] = RIM_RADIUS * np.stack([np.sin(turn), -np.cos(turn)], 1)
    weights = mean_value_weights(points, triangles)
    wanted = area(points, triangles) * density[triangles].mean(1)
    wanted /= wanted.sum()
    spread = sp.csr_matrix(
        (np.ones(triangles.size), (triangles.ravel(), np.repeat(np.arange(len(triangles)), 3))), (n, len(triangles))
    )
    for k in range(ROUNDS):
        uv = _solve(weights, uv, fixed)
        got = np.maximum(area(uv, triangles), 1e-12)
        squeeze = np.asarray(spread @ wanted / (spread @ (got / got.sum()))) ** 0.5
        weights = (weights @ sp.diags(squeeze.clip(0.2, 5) ** -STRENGTH)).tocsr()
    return 0.5 + _solve(weights, uv, fixed)


def folded(uv, triangles):
    return area(uv, triangles) <= 0


def _solve(weights, uv, fixed):
    free = ~fixed
    weights = sp.diags(1 / np.asarray(weights.sum(1)).ravel()) @ weights
    system = (sp.eye(len(uv)) - weights).tocsr()[free]
    inner, edge = system[:, free].tocsc(), system[:, fixed]
    out = uv.copy()
    out[free] = sl.spsolve(inner, -(edge @ uv[fixed]))
    return out
