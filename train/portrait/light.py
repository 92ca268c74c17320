"""Light and albedo of a portrait from its pixels: order-2 spherical harmonics and the face model's albedo coefficients.

Linear sRGB throughout; pixel = albedo(vertex) · max(0, Σ γᵢ Yᵢ(n)), normals in camera space.
"""

import numpy as np

from train.face import raster

# Bands 1 and 2 are held back: a portrait shows half of the sphere, and the unseen half must not run away.
RIDGE = np.array([0.0, 0.004, 0.004, 0.004, 0.02, 0.02, 0.02, 0.02, 0.02])


def to_linear(srgb):
    """sRGB bytes → linear floats."""
    x = np.asarray(srgb, np.float64) / 255
    return np.where(x <= 0.04045, x / 12.92, ((x + 0.055) / 1.055) ** 2.4)


def robust(design, target, ridge, rounds=12):
    """Least squares with Huber-like weights on the residual, target (N, 3) and design (N, K) shared by the channels, or (N, 3, K)."""
    shared = design.ndim == 2
    result = np.zeros((ridge.size, 3))
    for channel in range(3):
        a = design if shared else design[:, channel]
        b, weight = target[:, channel], np.ones(len(target))
        for _ in range(rounds):
            aw = a * weight[:, None]
            x = np.linalg.solve(a.T @ aw + len(b) * np.diag(ridge) * (a[:, 0] ** 2).mean() + 1e-12 * np.eye(ridge.size), aw.T @ b)
            residual = abs(a @ x - b)
            scale = 1.5 * np.median(residual) + 1e-6
            weight = 1 / np.maximum(1, residual / scale)
        result[:, channel] = x
    return result


def plausible(colours):
    """Which of the linear colours (N, 3) are skin and not hair or cloth in front of it: near the median in hue, not far below in light."""
    logs = np.log(colours + 0.004)
    hue = np.stack([logs[:, 0] - logs[:, 1], logs[:, 1] - logs[:, 2]], 1)
    off = abs(hue - np.median(hue, axis=0))
    keep = (off < 4 * np.median(off, axis=0) + 0.02).all(1)
    return keep & (logs.mean(1) > np.median(logs.mean(1)) - 1.3)


class Picture:
    """A portrait with the face model rasterised over it."""

    def __init__(self, model, pixels, alpha, beta, pose, camera):
        self.model, self.size = model, pixels.shape[0]
        self.points = model.pose(model.shape(alpha, beta), placement=pose)
        self.screen = raster.project(self.points, camera, self.size)
        self.triangles = model["triangles"]
        self.ids, self.bary, self.depth = raster.rasterise(self.screen, self.triangles, self.size)
        normals = raster.vertex_normals(self.points, self.triangles)
        n = raster.interpolate(normals, self.triangles, self.ids, self.bary)
        self.normals = n / np.maximum(np.linalg.norm(n, axis=2, keepdims=True), 1e-9)
        self.linear = to_linear(pixels)

    def mask(self, name):
        values = self.model[f"mask.{name}"].astype(np.float64)[:, None]
        return np.where(self.ids >= 0, raster.interpolate(values, self.triangles, self.ids, self.bary)[..., 0], 0)

    def skin(self):
        """Pixels that show open facial skin: no lips, lids, brows, hair or silhouette."""
        region = self.model["triangle.region"][self.ids.clip(0)]
        clear = (self.ids >= 0) & (region == 0) & (self.mask("face") > 0.5) & (self.normals[..., 2] > 0.25)
        for name in ("lips", "lids", "brows", "scalp", "ears", "mouth_inner"):
            clear &= self.mask(name) < 0.2
        return clear

    def fit(self, skin_colour, rounds=4, hold=0.003):
        """(γ (27,), δ (80,), rms error of the skin in linear units).

        Dark skin in bright light and light skin in dim light look alike: `skin_colour` (3,), linear, says which it is. δ starts at the
        albedo nearest to it and is held there with strength `hold` while light and albedo take turns.
        """
        basis, mean = self.model["albedo.basis"].astype(np.float64), self.model["albedo.mean"].astype(np.float64)
        where = self.skin()
        where[where] = plausible(self.linear[where])
        design = raster.sh_basis(self.normals[where])
        target = self.linear[where]
        tri, bary = self.triangles[self.ids[where]], self.bary[where]
        at = lambda values: np.einsum("nk,nkc->nc", bary, values[tri])
        paint = np.stack([at(b) for b in basis], 2)  # (N, 3, 80)
        plain, count = at(mean), len(target) * 3
        solve = lambda a, b, w, strength, start: start + np.linalg.solve(
            a.T @ (a * w[:, None]) / count + strength * np.eye(a.shape[1]), a.T @ (w * (b - a @ start)) / count)
        flat = paint.reshape(-1, len(basis))
        delta = solve(flat, (np.asarray(skin_colour) - plain).ravel(), np.ones(count), 1e-5, np.zeros(len(basis)))
        start = delta
        for _ in range(rounds):
            albedo = np.clip(plain + paint @ delta, 0.01, 1)
            gamma = robust(albedo[:, :, None] * design[:, None, :], target, RIDGE)
            shade = np.maximum(design @ gamma, 0.02)
            a = (paint * shade[..., None]).reshape(-1, len(basis))
            b, weight = (target - plain * shade).ravel(), np.ones(count)
            for _ in range(4):
                delta = solve(a, b, weight, hold * target.mean() ** 2, start)
                residual = abs(a @ delta - b)
                weight = 1 / np.maximum(1, residual / (2 * np.median(residual) + 1e-6)) ** 1.5
            delta = np.clip(delta, -5, 5)
        error = np.sqrt(((np.clip(plain + paint @ delta, 0, 1) * shade - target) ** 2).mean())
        return gamma.reshape(-1), delta, float(error)

    def relit(self, gamma, delta):
        """The model drawn with fitted light and albedo, linear (S, S, 3); background black."""
        albedo = raster.interpolate(self.model.albedo(delta), self.triangles, self.ids, self.bary)
        shade = np.maximum(raster.sh_basis(self.normals) @ np.asarray(gamma).reshape(9, 3), 0)
        return np.where((self.ids >= 0)[..., None], albedo * shade, 0)
