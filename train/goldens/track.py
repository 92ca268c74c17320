"""Golden file of the face tracker's networks: pictures, sixteen values of every layer, all outputs, and two avatars from picture to points.

    python -m train.goldens.track FOLDER

FOLDER holds what a reference in numpy wrote, checked against MediaPipe's own runner: NAME.json (layers), NAME.outputs.npz, NAME.input.png for each
network, NAME.plan.json in its `weights/`, and pipeline.json. No package is needed.

NAME.input: the picture as PNG bytes. NAME.at, NAME.value (layers, 16): flat places (height, width, channels) and what is there; NAME.moments (layers, 2): the
layer's mean and root mean square. NAME.OUTPUT: an output, whole. The metadata NAME lists the layers: path, kind, sources, shape, and what a padding adds or a
product has for a constant. AVATAR.detection: score, box (4), six keypoints (2); AVATAR.roi (2, 4): first and second region: middle, side, angle;
AVATAR.points (478, 3).
"""

import argparse
import ast
import json
import struct
import zipfile
from pathlib import Path

NETWORKS = {"face_detector_short": "short", "face_detector_full": "full", "face_mesh": "mesh", "segmenter": "segmenter"}


def arrays(path):
    """(shape, bytes) of every array in a file of f32 arrays."""
    with zipfile.ZipFile(path) as z:
        for name in z.namelist():
            raw = z.read(name)
            end = 10 + struct.unpack("<H", raw[8:10])[0]
            header = ast.literal_eval(raw[10:end].decode())
            assert header["descr"] == "<f4" and not header["fortran_order"], header
            yield name.removesuffix(".npy"), list(header["shape"]), raw[end:]


def floats(values):
    return struct.pack(f"<{len(values)}f", *values)


def build(folder):
    out, about = {}, {}
    for name, short in NETWORKS.items():
        golden = json.loads((folder / f"goldens/{name}.json").read_text())["layers"]
        plan = {step["name"]: step for step in json.loads((folder / f"weights/{name}.plan.json").read_text())["plan"]}
        layers = []
        for layer in golden:
            step = plan[layer["name"]]
            # The last axes only: some paddings count the pictures too.
            pad = step["pad"][-3:] if step["op"] == "pad" else []
            constant = [v for row in step.get("constant", []) for r in (row if isinstance(row, list) else [row]) for v in (r if isinstance(r, list) else [r])]
            layers.append([layer["name"], step["op"], step["in"], layer["shape"], pad, constant])
        about[short] = json.dumps(layers, separators=(",", ":"))
        count = len(golden)
        # Small layers have fewer than sixteen values: the last one again.
        fill = lambda v: (v + 16 * v[-1:])[:16]
        out[f"{short}.at"] = ("I32", [count, 16], b"".join(struct.pack("<16i", *fill(layer["at"])) for layer in golden))
        out[f"{short}.value"] = ("F32", [count, 16], b"".join(floats(fill(layer["value"])) for layer in golden))
        out[f"{short}.moments"] = ("F32", [count, 2], b"".join(floats([layer["mean"], layer["rms"]]) for layer in golden))
        for output, shape, raw in arrays(folder / f"goldens/{name}.outputs.npz"):
            out[f"{short}.{output}"] = ("F32", shape, raw)
        raw = (folder / f"goldens/{name}.input.png").read_bytes()
        out[f"{short}.input"] = ("U8", [len(raw)], raw)
    for avatar, way in json.loads((folder / "goldens/pipeline.json").read_text()).items():
        found = way["detection"]
        out[f"{avatar}.detection"] = ("F32", [17], floats([found["score"], *found["box"], *(v for key in found["keys"] for v in key)]))
        out[f"{avatar}.roi"] = ("F32", [2, 4], floats(way["roi1"] + way["roi2"]))
        out[f"{avatar}.points"] = ("F32", [478, 3], floats([v for point in way["points_pass2_px"] for v in point]))
    return out, about


def save(path, tensors, metadata):
    header, at = {"__metadata__": metadata}, 0
    # By falling size of their words, so that each is aligned.
    order = sorted(tensors, key=lambda name: (tensors[name][0] == "U8", name))
    for name in order:
        dtype, shape, raw = tensors[name]
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [at, at + len(raw)]}
        at += len(raw)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + b"".join(tensors[name][2] for name in order))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--out", type=Path, default=Path("engine/native/tests/golden/track.safetensors"))
    args = parser.parse_args()
    save(args.out, *build(args.folder))


if __name__ == "__main__":
    main()
