"""`python -m train.portrait.fit PICTURE LANDMARKS.json OUT.avatar`: an avatar from any portrait and a few landmarks placed by hand.

LANDMARKS.json: {"name": …, "title": …, "licence": …, "points": {"36": [x, y], …}}: pixels of PICTURE, keys in the iBUG-68 order (the subject's right is
the picture's left). About 20 points will do: eye corners and lids (36–47), nose (30, 31, 33, 35), mouth (48, 51, 54, 57, 62, 66), chin (8).
Pose, identity and a little expression are fitted by least squares; light and albedo as for rendered portraits (train.portrait.light). The matte is
the projected head, grown upwards for hair: enough to keep a background still, not a cut-out.

What to expect of paintings: with landmarks within 3 px of 512 and a head within 15° of the viewer, talk, smiles and brows hold. Closed lids stay plain
patches where sockets are painted dark; from 5° of yaw the guessed matte tears hair, veils and hats; whiter teeth than the painter's palette knows show.
Eyes should be at least 25 px wide, and nothing may hang over them or over the mouth. If an identity coefficient sits at its limit (the command prints the
largest), look for a misplaced landmark first.
"""

import argparse
import json
from pathlib import Path

import numpy as np
from PIL import Image
from safetensors.numpy import save_file
from scipy.ndimage import binary_dilation, gaussian_filter
from scipy.optimize import least_squares

from train.face import raster
from train.face.model import FaceModel
from train.portrait import light
from train.portrait.pack import overlay, png

IDENTITY = 30  # components that a few landmarks can tell apart
DISTANCE = 1.3  # metres to the sitter, as portraits are taken; nearer, noses and chins grow and identity bends to make up for it
FOCAL = 3.1  # in picture heights, where the eyes' outer corners are not among the landmarks
LIMIT = 3.0  # of identity coefficients, in standard deviations: beyond, pixels of error have bought a face that no expression fits
EXPRESSION = ("mouthSmileLeft", "mouthSmileRight", "jawOpen", "eyeSquintLeft", "eyeSquintRight", "eyeWideLeft", "eyeWideRight", "mouthPucker")


class Fit:
    """Least squares of projected landmarks over (pose 6, α 30, expression 8)."""

    def __init__(self, model, size, points):
        self.model, self.size = model, size
        index = np.array([int(k) for k in points])
        self.target = np.array([points[k] for k in points], np.float64)
        corners = model["triangles"][model["landmarks.triangle"][index]]
        weights = model["landmarks.barycentric"][index]
        at = lambda values: np.einsum("nk,nkc->nc", weights, values[corners])
        self.mean = at(model["mean.position"])
        self.camera = np.array([self.focal(points), 0.5, 0.5])
        self.identity = np.stack([at(b) for b in model["identity.basis"][:IDENTITY].astype(np.float64)])
        expression = model["expression.basis"].astype(np.float64)
        self.slots = [int(np.argmax(model.beta({name: 1.0}))) for name in EXPRESSION]
        self.expression = np.stack([at(expression[s]) for s in self.slots])

    def focal(self, points):
        """Focal length at which the eyes' outer corners are as far apart as given, seen from DISTANCE."""
        apart = np.hypot(*np.subtract(points.get("45", 0), points.get("36", 0))) / self.size if {"36", "45"} <= set(points) else 0
        if apart < 0.02:
            return FOCAL
        index = list(points)
        real = np.linalg.norm(self.mean[index.index("45")] - self.mean[index.index("36")])
        return DISTANCE * apart / real

    def project(self, x):
        points = self.mean + np.tensordot(x[6 : 6 + IDENTITY], self.identity, 1) + np.tensordot(x[6 + IDENTITY :], self.expression, 1)
        seen = points @ raster.rotation(x[:3]).T + x[3:6]
        f, cx, cy = self.camera
        return np.stack([cx + f * seen[:, 0] / -seen[:, 2], cy - f * seen[:, 1] / -seen[:, 2]], 1) * self.size

    def residual(self, x):
        beta = x[6 + IDENTITY :]
        # One pixel of 512 weighs as much as a standard deviation of identity or a tenth of an expression; negative expression costs more.
        pixels = (self.project(x) - self.target).ravel() * 512 / self.size
        return np.concatenate([pixels, 0.9 * x[6 : 6 + IDENTITY], 4 * np.maximum(beta, 0), 30 * np.minimum(beta, 0)])

    def solve(self):
        best, limit = None, np.full(6 + IDENTITY + len(EXPRESSION), np.inf)
        limit[6 : 6 + IDENTITY] = LIMIT
        for yaw in (-0.35, 0.0, 0.35):
            start = np.zeros(6 + IDENTITY + len(EXPRESSION))
            start[1], start[5] = yaw, -DISTANCE
            found = least_squares(self.residual, start, x_scale="jac", bounds=(-limit, limit))
            if best is None or found.cost < best.cost:
                best = found
        error = np.sqrt(((self.project(best.x) - self.target) ** 2).sum(1).mean())
        return best.x, error


def head_matte(picture):
    """0 … 255: the projected head and shoulders, grown by a tenth of their width, more upwards, with a soft edge."""
    solid = picture.ids >= 0
    width = int(np.ptp(np.nonzero(solid.any(0))[0]))
    grown = binary_dilation(solid, iterations=max(1, width // 14))
    hair = np.zeros_like(grown)
    for shift in range(0, width // 6, 2):
        hair[: -shift or None] |= grown[shift:]
    rows = np.nonzero(solid.any(1))[0]
    hair[rows[-1] :] |= hair[rows[-1] - 1]
    return np.uint8(255 * gaussian_filter(hair.astype(float), width / 40).clip(0, 1))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("picture", type=Path)
    parser.add_argument("landmarks", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--face", type=Path, default=Path("weights/face.safetensors"))
    parser.add_argument("--check", type=Path, help="write the fitted model drawn over the picture")
    arguments = parser.parse_args()
    image = Image.open(arguments.picture).convert("RGB")
    if image.width != image.height:
        parser.error(f"{arguments.picture} is {image.width} × {image.height}: crop it to a square with the head in the middle")
    given = json.loads(arguments.landmarks.read_text())
    model, pixels = FaceModel(arguments.face), np.asarray(image)
    fit = Fit(model, image.width, given["points"])
    x, error = fit.solve()
    alpha, beta = np.zeros(80), np.zeros(64)
    alpha[:IDENTITY] = x[6 : 6 + IDENTITY]
    beta[fit.slots] = np.clip(x[6 + IDENTITY :], 0, 1)
    picture = light.Picture(model, pixels, alpha, beta, x[:6], fit.camera)
    skin = picture.skin()
    gamma, delta, shade_error = picture.fit(np.median(picture.linear[skin], axis=0))
    print(f"landmarks {error:.2f} px rms, yaw {np.degrees(x[1]):+.0f}°, pitch {np.degrees(x[0]):+.0f}°, |alpha| max {abs(alpha).max():.1f}, skin {shade_error:.3f}")
    matte = Image.fromarray(head_matte(picture))
    floats = {"alpha": alpha, "beta": beta, "delta": delta, "gamma": gamma, "pose": x[:6], "camera": fit.camera}
    tensors = {"portrait.png": png(image), "matte.png": png(matte), **{k: np.asarray(v, np.float32) for k, v in floats.items()}}
    meta = {"version": "1", "name": given["name"], "title": given["title"], "licence": given["licence"]}
    save_file(tensors, arguments.out, meta)
    if arguments.check:
        overlay(picture, pixels).save(arguments.check)


if __name__ == "__main__":
    main()
