# SPDX-License-Identifier: GPL-3.0-or-later
"""The skin as a fine mesh, and things that grow on it: points tied to triangles in the rest pose follow every expression."""

import bpy
import numpy as np
from mathutils import Vector
from mathutils.bvhtree import BVHTree


def step(low, high, x):
    """Smooth step; low may exceed high."""
    t = np.clip((x - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


def unit(v):
    return v / (np.linalg.norm(v, axis=-1, keepdims=True) + 1e-12)


def add_mesh(name, vertices, faces, uv=None):
    """Mesh object from quads (triangles padded by repeating a corner); vertices no face uses are dropped."""
    used, flat = np.unique(faces, return_inverse=True)
    lists = [list(dict.fromkeys(f)) for f in flat.reshape(faces.shape).tolist()]
    good = [len(f) >= 3 for f in lists]
    mesh = bpy.data.meshes.new(name)
    mesh.from_pydata(np.asarray(vertices)[used].tolist(), [], [f for f, ok in zip(lists, good) if ok])
    if uv is not None:
        corners = np.concatenate([u[: len(f)] for u, f, ok in zip(uv, lists, good) if ok]).astype(np.float32)
        mesh.uv_layers.new(name="uv").data.foreach_set("uv", corners.ravel())
    mesh.polygons.foreach_set("use_smooth", [True] * len(mesh.polygons))
    mesh.update()
    thing = bpy.data.objects.new(name, mesh)
    bpy.context.scene.collection.objects.link(thing)
    return thing


class Surface:
    """Rest skin with nearest-point queries and rooting of strands."""

    def __init__(self, vertices, quads):
        self.vertices = vertices
        self.triangles = np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]])
        self.tree = BVHTree.FromPolygons(vertices.tolist(), self.triangles.tolist())

    def nearest(self, points):
        """(closest points, outward normals, triangle indices)."""
        place, normal, index = np.empty_like(points), np.empty_like(points), np.empty(len(points), int)
        for i, point in enumerate(points):
            a, b, k, _ = self.tree.find_nearest(Vector(point))
            place[i], normal[i], index[i] = a, b, k
        return place, normal, index

    def frames(self, vertices, index):
        """Orthonormal frame (n, 3, 3) of each triangle: rows edge, side, normal."""
        a, b, c = (vertices[self.triangles[index][:, k]] for k in range(3))
        normal = unit(np.cross(b - a, c - a))
        edge = unit(b - a)
        return np.stack([edge, np.cross(normal, edge), normal], 1)

    def root(self, strands):
        """Strands (n, k, 3) grown on the rest skin, tied to it: what `follow` takes."""
        root, _, index = self.nearest(strands[:, 0])
        corners = self.vertices[self.triangles[index]]
        # barycentric coordinates of the root
        u, v, w = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0], root - corners[:, 0]
        uu, uv, vv, wu, wv = ((p * q).sum(1) for p, q in ((u, u), (u, v), (v, v), (w, u), (w, v)))
        det = uu * vv - uv * uv + 1e-20
        b1, b2 = (vv * wu - uv * wv) / det, (uu * wv - uv * wu) / det
        local = np.einsum("nij,nkj->nki", self.frames(self.vertices, index), strands - root[:, None])
        return index, np.stack([1 - b1 - b2, b1, b2], 1), local

    def follow(self, rooted, posed):
        """Rooted strands moved with the skin to its posed vertices."""
        index, weight, local = rooted
        moved = (posed[self.triangles[index]] * weight[..., None]).sum(1)
        return moved[:, None] + np.einsum("nij,nki->nkj", self.frames(posed, index), local)


def add_strands(name, strands, radius, material):
    """New hair-curves object; strands (n, k, 3) metres, radius (n, k) metres."""
    curves = bpy.data.hair_curves.new(name)
    count, points, _ = strands.shape
    curves.add_curves([points] * count)
    curves.attributes["position"].data.foreach_set("vector", strands.astype(np.float32).ravel())
    attribute = curves.attributes.get("radius") or curves.attributes.new("radius", "FLOAT", "POINT")
    attribute.data.foreach_set("value", radius.astype(np.float32).ravel())
    curves.materials.append(material)
    thing = bpy.data.objects.new(name, curves)
    bpy.context.scene.collection.objects.link(thing)
    return thing
