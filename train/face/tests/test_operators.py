"""Small checks of the tools that the model is built with."""

import numpy as np

from train.face import people, raster, subdivide


def grid_mesh(n=6):
    x, y = np.meshgrid(np.arange(n), np.arange(n))
    i = (np.arange(n - 1)[:, None] * n + np.arange(n - 1)).ravel()
    return np.stack([x.ravel(), y.ravel(), 0 * x.ravel()], 1).astype(float), np.stack([i, i + 1, i + 1 + n, i + n], 1)


def test_limit_keeps_planes_and_sums_to_one():
    v, quads = grid_mesh()
    first, fine, _, _ = subdivide.subdivide(quads, len(v))
    limit = subdivide.limit(fine, first.shape[0]) @ first
    assert np.allclose(np.asarray(limit.sum(1)).ravel(), 1)
    inner = (v[:, 0] > 1) & (v[:, 0] < 4) & (v[:, 1] > 1) & (v[:, 1] < 4)
    assert np.allclose((limit @ v)[: len(v)][inner], v[inner])


def test_limit_of_a_level_is_the_limit():
    """Limit masks commute with subdivision."""
    v, quads = grid_mesh()
    v[:, 2] = np.sin(v[:, 0]) * np.cos(v[:, 1])
    first, fine, _, _ = subdivide.subdivide(quads, len(v))
    coarse = subdivide.limit(quads, len(v)) @ v
    assert np.allclose((subdivide.limit(fine, first.shape[0]) @ (first @ v))[: len(v)], coarse)


def test_refined_seams_have_no_cracks():
    v, quads = grid_mesh()
    chosen = np.zeros(len(quads), bool)
    chosen[[6, 12]] = True
    matrix, triangles, owner = subdivide.refine(quads, len(v), chosen)
    sides = np.sort(np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]]), axis=1)
    _, count = np.unique(sides, axis=0, return_counts=True)
    assert count.max() == 2 and (count == 1).sum() == 4 * 5  # only the outer rim is open
    assert len(owner) == len(triangles) and matrix.shape[0] == triangles.max() + 1


def test_raster_fills_once_and_interpolates_in_perspective():
    v = np.array([[-1, -1, -2], [1, -1, -2], [1, 1, -4], [-1, 1, -4]], float)
    t = np.array([[0, 1, 2], [0, 2, 3]])
    ids, bary, depth = raster.rasterise(raster.project(v, (1.0, 0.5, 0.5), 64), t, 64)
    hit = ids >= 0
    assert hit.any() and np.allclose(bary[hit].sum(1), 1)
    point = raster.interpolate(v, t, ids, bary)[hit]
    assert np.allclose(-point[:, 2], depth[hit])
    j, i = np.nonzero(hit)[1], np.nonzero(hit)[0]
    assert np.allclose((0.5 + point[:, 0] / depth[hit]) * 64, j + 0.5)
    assert np.allclose((0.5 - point[:, 1] / depth[hit]) * 64, i + 0.5)
    back, _, _ = raster.rasterise(raster.project(v, (1.0, 0.5, 0.5), 64), t[:, ::-1], 64)
    assert (back == -1).all()


def test_weighted_pca_recovers_a_low_rank_population():
    rng = np.random.default_rng(0)
    basis = rng.normal(size=(12, 30, 3))
    scores = rng.normal(size=(400, 3)) @ rng.normal(size=(3, 12))
    mean, components, found, share = people.weighted_pca(scores, basis, rng.uniform(0.5, 2, 30), 3)
    truth = np.tensordot(scores - mean, basis, 1)
    assert np.allclose(np.tensordot(found, components, 1), truth, atol=1e-6 * abs(truth).max() + 1e-6)
    assert np.allclose(found.std(0), 1) and abs(share.sum() - 1) < 1e-9
