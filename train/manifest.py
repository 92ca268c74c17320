"""Keeps weights/manifest.toml: one [[file]] entry a shipped file, with its checksum.

    python -m train.manifest eac.safetensors --licence "MIT OR Apache-2.0" --source "…" --how "python -m …"
"""

import argparse
import hashlib
import json
import tomllib
from pathlib import Path

KEYS = ["name", "sha256", "bytes", "licence", "source", "how"]


def update(folder, name, **about):
    """Adds or replaces one entry, keeping the order of the others. Unnamed keys keep their old values."""
    path = folder / "manifest.toml"
    files = tomllib.loads(path.read_text())["file"] if path.exists() else []
    old = next((f for f in files if f["name"] == name), None)
    raw = (folder / name).read_bytes()
    entry = (old or {}) | {k: v for k, v in about.items() if v is not None}
    entry |= {"name": name, "sha256": hashlib.sha256(raw).hexdigest(), "bytes": len(raw)}
    if old:
        files[files.index(old)] = entry
    else:
        files.append(entry)
    lines = ["# What is shipped, where it comes from and how to make it again. Written by train/manifest.py.", ""]
    for file in files:
        lines.append("[[file]]")
        lines += [f"{key} = {json.dumps(file[key], ensure_ascii=False)}" for key in [*KEYS, *sorted(file.keys() - KEYS)] if key in file]
        lines.append("")
    path.write_text("\n".join(lines))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name")
    parser.add_argument("--weights", type=Path, default=Path("weights"))
    for key in ("licence", "source", "how"):
        parser.add_argument(f"--{key}")
    args = parser.parse_args()
    update(args.weights, args.name, licence=args.licence, source=args.source, how=args.how)


if __name__ == "__main__":
    main()
