"""A small z-buffer rasteriser in numpy: the reference that goldens and contact sheets use.

Camera of the project: camera space has x right, y up, z towards the viewer, the camera at the origin looking along -z;
u = cx + f x / -z, v = cy - f y / -z in units of the image height. Pixel (i, j) has its centre at (i + .5, j + .5).
"""

import numpy as np


def project(points, camera, size):
    """Camera-space points (V, 3) to pixel x, y and depth -z, for a square image of `size` pixels."""
    f, cx, cy = camera
    depth = -points[:, 2]
    return np.stack([(cx + f * points[:, 0] / depth) * size, (cy - f * points[:, 1] / depth) * size, depth], 1)


def rasterise(screen, triangles, size, cull=True):
    """Nearest triangle per pixel.

    Returns id (size, size) i32 with -1 for background, perspective-correct barycentrics (size, size, 3) and depth
    (size, size), infinite in the background. Front faces are counter-clockwise seen from outside, with y up.
    """
    a, b, c = (screen[triangles[:, k]] for k in range(3))
    # Twice the signed area in pixel coordinates (y down): negative for front faces.
    area = (b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1]) - (b[:, 1] - a[:, 1]) * (c[:, 0] - a[:, 0])
    corners = np.stack([a, b, c], 1)
    low = np.ceil(corners[..., :2].min(1) - 0.5).astype(int).clip(0)
    high = np.floor(corners[..., :2].max(1) - 0.5).astype(int).clip(max=size - 1)
    extent = (high - low + 1).clip(0)
    keep = (area < -1e-12 if cull else abs(area) > 1e-12) & (corners[..., 2].min(1) > 1e-3) & (extent.prod(1) > 0)
    tri = np.flatnonzero(keep)
    counts = extent[tri].prod(1)
    owner = np.repeat(tri, counts)
    local = np.arange(len(owner)) - np.repeat(np.cumsum(counts) - counts, counts)
    width = extent[owner, 0]
    px, py = low[owner, 0] + local % width, low[owner, 1] + local // width
    x, y = px + 0.5, py + 0.5
    A, B, C, s = a[owner], b[owner], c[owner], area[owner]
    w0 = ((B[:, 0] - x) * (C[:, 1] - y) - (B[:, 1] - y) * (C[:, 0] - x)) / s
    w1 = ((C[:, 0] - x) * (A[:, 1] - y) - (C[:, 1] - y) * (A[:, 0] - x)) / s
    w2 = 1 - w0 - w1
    inside = (w0 >= 0) & (w1 >= 0) & (w2 >= 0)
    owner, px, py = owner[inside], px[inside], py[inside]
    w = np.stack([w0, w1, w2], 1)[inside] / corners[owner, :, 2]
    inverse = w.sum(1)
    depth, bary = 1 / inverse, w / inverse[:, None]
    pixel = py * size + px
    # Far to near, larger index first: the last write wins, so ties go to the smaller triangle index.
    order = np.lexsort((-owner, -depth))
    ids = np.full(size * size, -1, np.int32)
    zs = np.full(size * size, np.inf)
    bs = np.zeros((size * size, 3))
    ids[pixel[order]], zs[pixel[order]], bs[pixel[order]] = owner[order], depth[order], bary[order]
    return ids.reshape(size, size), bs.reshape(size, size, 3), zs.reshape(size, size)


def interpolate(values, triangles, ids, bary):
    """Per-vertex `values` (V, C) at every pixel; background pixels repeat triangle 0 and must be masked."""
    return np.einsum("hwk,hwkc->hwc", bary, values[triangles[ids.clip(0)]])


def vertex_normals(vertices, triangles):
    """Area-weighted unit vertex normals."""
    a, b, c = (vertices[triangles[:, k]] for k in range(3))
    face = np.cross(b - a, c - a)
    normals = np.zeros_like(vertices)
    for k in range(3):
        for axis in range(3):
            normals[:, axis] += np.bincount(triangles[:, k], face[:, axis], len(vertices))
    return normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-20)


def sh_basis(n):
    """Nine real spherical harmonics of unit normals (..., 3), order Y00 Y1-1 Y10 Y11 Y2-2 Y2-1 Y20 Y21 Y22."""
    x, y, z = n[..., 0], n[..., 1], n[..., 2]
    one = np.ones_like(x)
    return np.stack(
        [
            0.282095 * one,
            0.488603 * y,
            0.488603 * z,
            0.488603 * x,
            1.092548 * x * y,
            1.092548 * y * z,
            0.315392 * (3 * z * z - 1),
            1.092548 * x * z,
            0.546274 * (x * x - y * y),
        ],
        -1,
    )


def srgb(linear):
    """Linear light to sRGB bytes."""
    x = np.clip(linear, 0, 1)
    return np.round(255 * np.where(x <= 0.0031308, 12.92 * x, 1.055 * x ** (1 / 2.4) - 0.055)).astype(np.uint8)


def rotation(angles):
    """R = Ry(yaw) Rx(pitch) Rz(roll) from (pitch, yaw, roll) in radians; leading axes broadcast."""
    pitch, yaw, roll = np.moveaxis(np.asarray(angles, float), -1, 0)
    c, s = np.cos, np.sin
    zero, one = np.zeros_like(pitch), np.ones_like(pitch)
    matrix = lambda rows: np.stack([np.stack(r, -1) for r in rows], -2)
    ry = matrix([[c(yaw), zero, s(yaw)], [zero, one, zero], [-s(yaw), zero, c(yaw)]])
    rx = matrix([[one, zero, zero], [zero, c(pitch), -s(pitch)], [zero, s(pitch), c(pitch)]])
    rz = matrix([[c(roll), -s(roll), zero], [s(roll), c(roll), zero], [zero, zero, one]])
    return ry @ rx @ rz
