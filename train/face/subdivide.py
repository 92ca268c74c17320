"""Catmull-Clark as sparse matrices: one level of subdivision, limit positions, and local refinement.

Limit positions are linear in the cage, so bases built for the cage stay linear bases of the smooth surface.
"""

import numpy as np
import scipy.sparse as sp


def edges_of(quads):
    """Unique undirected edges (E, 2), the edge index of every quad side (F, 4), and faces per edge (E,)."""
    sides = np.sort(np.stack([quads, np.roll(quads, -1, 1)], 2).reshape(-1, 2), 1)
    edges, inverse, count = np.unique(sides, axis=0, return_inverse=True, return_counts=True)
    return edges, inverse.reshape(-1, 4), count


def _matrix(rows, cols, values, shape):
    rows, cols = np.ravel(rows), np.ravel(cols)
    return sp.csr_matrix((np.broadcast_to(values, rows.shape).astype(float), (rows, cols)), shape)


def subdivide(quads, n):
    """One level: (matrix (n + E + F, n), new quads (4F, 4), edges (E, 2), side edges (F, 4)).

    New vertices are in the order old vertices, edge points, face points.
    """
    edges, side, count = edges_of(quads)
    f, e = len(quads), len(edges)
    face = _matrix(np.repeat(np.arange(f), 4), quads, 0.25, (f, n))
    middle = _matrix(np.repeat(np.arange(e), 2), edges, 0.5, (e, n))
    edge_faces = _matrix(side, np.repeat(np.arange(f), 4), 1.0, (e, f))
    inner = (count == 2).astype(float)
    edge = sp.diags(1 - 0.5 * inner) @ middle + sp.diags(0.25 * inner) @ (edge_faces @ face)
    border, on_border = _border(edges[count != 2], n)
    valence = np.bincount(edges.ravel(), minlength=n).clip(1).astype(float)
    faces_at = _matrix(quads, np.repeat(np.arange(f), 4), 1.0, (n, f))
    edges_at = _matrix(edges, np.repeat(np.arange(e), 2), 1.0, (n, e))
    per_face = np.asarray(faces_at.sum(1)).ravel().clip(1)
    smooth = (
        sp.diags((valence - 3) / valence)
        + sp.diags(1 / (valence * per_face)) @ (faces_at @ face)
        + sp.diags(2 / valence**2) @ (edges_at @ middle)
    )
    keep = sp.diags(on_border.astype(float))
    vertex = keep @ (0.75 * sp.eye(n) + 0.125 * border) + (sp.eye(n) - keep) @ smooth
    ei, fi = side + n, (np.arange(f) + n + e)[:, None]
    new = np.stack(
        [np.stack([quads[:, k], ei[:, k], fi[:, 0], ei[:, (k - 1) % 4]], 1) for k in range(4)], 1
    ).reshape(-1, 4)
    return sp.vstack([vertex, edge, face]).tocsr(), new, edges, side


def limit(quads, n):
    """Matrix (n, n) that moves every vertex of an all-quad mesh to its limit position."""
    edges, _, count = edges_of(quads)
    valence = np.bincount(edges.ravel(), minlength=n).clip(1).astype(float)
    near = _matrix(edges.ravel(), edges[:, ::-1].ravel(), 1.0, (n, n))
    across = _matrix(quads, np.roll(quads, 2, 1), 1.0, (n, n))
    smooth = sp.diags(1 / (valence * (valence + 5))) @ (sp.diags(valence**2) + 4 * near + across)
    border, on_border = _border(edges[count != 2], n)
    keep = sp.diags(on_border.astype(float))
    return (keep @ ((4 * sp.eye(n) + border) / 6) + (sp.eye(n) - keep) @ smooth).tocsr()


def _border(border_edges, n):
    matrix = _matrix(border_edges.ravel(), border_edges[:, ::-1].ravel(), 1.0, (n, n))
    mask = np.zeros(n, bool)
    mask[border_edges.ravel()] = True
    return matrix, mask


def refine(quads, n, chosen):
    """Triangulate with one more level in the `chosen` quads (F,) and conforming seams around them.

    Returns (matrix (m, n) of limit positions, triangles (T, 3), the cage quad of each triangle (T,)).
    The first n rows are the cage vertices themselves, at their limit.
    """
    first, fine, edges, side = subdivide(quads, n)
    positions = (limit(fine, first.shape[0]) @ first).tocsr()
    e = len(edges)
    split = np.zeros(e, bool)
    split[side[chosen].ravel()] = True
    triangles, owner = [], []
    for i, q in enumerate(quads):
        mids = [n + s if split[s] else -1 for s in side[i]]
        if chosen[i]:
            centre = n + e + i
            for k in range(4):
                a, b, d = q[k], mids[k], mids[k - 1]
                triangles += [(a, b, centre), (a, centre, d)]
        elif max(mids) < 0:
            triangles += [(q[0], q[1], q[2]), (q[0], q[2], q[3])]
        else:
            loop = [x for k in range(4) for x in (q[k], mids[k]) if x >= 0]
            # Fan from a midpoint: no sliver, because a midpoint sees every other corner of the quad.
            start = next(k for k, x in enumerate(loop) if x >= n)
            loop = loop[start:] + loop[:start]
            triangles += [(loop[0], loop[k], loop[k + 1]) for k in range(1, len(loop) - 1)]
        owner += [i] * (len(triangles) - len(owner))
    triangles, owner = np.array(triangles), np.array(owner)
    used = np.zeros(positions.shape[0], bool)
    used[triangles.ravel()] = True
    used[:n] = True
    index = np.cumsum(used) - 1
    return positions[used], index[triangles], owner
