"""Pictures in which the tracker saw a face and whose geometry is known exactly."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors import safe_open

from train.face import raster


@dataclass
class Known:
    """One picture; lengths in units of the distance between the eyeballs, x right, y down."""

    name: str
    person: str
    drawn: bool  # warped from a portrait, not rendered
    points: np.ndarray  # (478, 2) where the tracker sees its points
    mirrored: np.ndarray  # (478, 2) the same of the mirror image, turned back; numbered as it saw them there
    screen: np.ndarray  # (V, 2) where the vertices are
    facing: np.ndarray  # (F) how squarely a triangle faces the camera, −1 to 1
    turn: np.ndarray  # pitch, yaw, roll of the head, radians
    eyes: float  # distance between the eyeballs in units of the picture's height


def tensors(path):
    with safe_open(str(path), "numpy") as file:
        return {k: file.get_tensor(k) for k in ("alpha", "beta", "pose", "camera")}


def avatar_of(folder, name, weights):
    own = folder / f"{name}.avatar"
    return tensors(own if own.exists() else weights / "avatars" / f"{name}.avatar")


def truth(path, model, weights):
    """(person, drawn, α, β, motion, pose, camera) of a picture by its path."""
    if path.suffix == ".avatar":
        a = tensors(path)
        return path.stem, False, a["alpha"], a["beta"], np.zeros(6), a["pose"], a["camera"]
    about = json.loads((path.parent / "truth.json").read_text())
    case = next(c for c in about["cases"] if c["image"] == path.name)
    a = avatar_of(path.parent, about["avatar"], weights)
    alpha = np.array(case.get("alpha", a["alpha"]))
    return about["avatar"], "alpha" in case, alpha, model.beta(case["beta"]), np.array(case["dpose"]), a["pose"], a["camera"]


def eyeballs(model):
    """Vertices of the left and the right eyeball."""
    return [np.unique(model["triangles"][model["triangle.region"] == region]) for region in (2, 3)]


def read(files, model, weights, without=()):
    """Every picture of the point files that `track_points` wrote, but those of the people `without`."""
    balls, out = eyeballs(model), []
    for file in files:
        for name, seen in json.loads(Path(file).read_text()).items():
            person, drawn, alpha, beta, motion, pose, camera = truth(Path(name), model, weights)
            if person in without or seen["presence"] < 0.9:
                continue
            camera_space = model.pose(model.shape(alpha.astype(float), beta.astype(float)), motion, pose)
            screen = raster.project(camera_space, camera.astype(float), 1)[:, :2]
            eyes = np.linalg.norm(np.subtract(*(screen[b].mean(0) for b in balls)))
            a, b, c = (camera_space[model["triangles"][:, k]] for k in range(3))
            normal = np.cross(b - a, c - a)
            to_camera = -(a + b + c)
            facing = (normal * to_camera).sum(1) / np.maximum(np.linalg.norm(normal, axis=1) * np.linalg.norm(to_camera, axis=1), 1e-20)
            scale = seen["size"][1] * eyes
            out.append(
                Known(
                    name,
                    person,
                    drawn,
                    np.array(seen["points"]) / scale,
                    np.array(seen["mirrored"]) / scale,
                    (screen / eyes).astype(np.float32),
                    facing.astype(np.float32),
                    (pose[:3] + motion[:3]).astype(float),
                    float(eyes),
                )
            )
    return out
