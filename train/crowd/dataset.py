"""The folder of a random person: what is in it, and in which order people are made.

OUT/NAME/NAME.avatar    the portrait as every avatar file (engine/core/src/avatar/format.rs); its light and albedo are fitted to the pixels
OUT/NAME/truth.json     as benches/data/truth, and more: {"avatar", "size", "cases": [{"name", "image", "beta", "dpose", "matte", "kind"[, "after"][, "sigma"]}],
                        "look", "phenotype", "shot"}
OUT/NAME/CASE.png       the picture of a case, its matte in CASE.matte.png (grey)

A folder appears whole or not at all: it is filled under another name and then renamed.
"""

import io
import json
import os
import shutil

import numpy as np
from PIL import Image
from safetensors.numpy import save_file

from train.crowd.sample import name_of
from train.portrait import light

HELD_EVERY = 10  # a held-out person after this many for training


def order(train_count, held_count):
    """(part, index) of everybody, in the order they are made; any number of processes may walk it."""
    held = 0
    for index in range(train_count):
        yield "train", index
        if index % HELD_EVERY == HELD_EVERY - 1 and held < held_count:
            yield "held", held
            held += 1
    for index in range(held, held_count):
        yield "held", index


def folder_of(out, part, index):
    """OUT/people/NAME for training, OUT/held/NAME for the others."""
    return out / ("people" if part == "train" else "held") / name_of(part, index)


def png(pixels):
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def avatar(model, person, alpha, shot, pixels, matte):
    """(tensors, metadata, rms error of the lit model over the skin in linear units) of the avatar file."""
    beta = model.beta(person.smile)
    picture = light.Picture(model, pixels, alpha, beta, shot["pose"], shot["camera"])
    gamma, delta, error = picture.fit(light.to_linear(person.look["skin"]))
    floats = {"alpha": alpha, "beta": beta, "delta": delta, "gamma": gamma, "pose": shot["pose"], "camera": shot["camera"]}
    tensors = {k: np.asarray(v, np.float32) for k, v in floats.items()}
    for key, image in (("portrait.png", pixels), ("matte.png", matte)):
        tensors[key] = np.frombuffer(png(image), np.uint8).copy()
    return tensors, {"version": "1", "name": person.name, "title": person.title, "licence": "CC0-1.0"}, error


def truth(person, shot, size, cases):
    """The content of truth.json. Who it is and how it was lit stays with the pictures."""
    keep = ("name", "beta", "dpose", "kind", "after", "sigma")
    rows = [{**{k: c[k] for k in keep if k in c}, "image": f"{c['name']}.png", "matte": f"{c['name']}.matte.png"} for c in cases]
    return {"avatar": person.name, "size": size, "cases": rows, "look": person.look, "phenotype": person.phenotype, "shot": shot}


def sweep(out):
    """Removes the drafts of processes that are no more."""
    for draft in out.glob("*/.*.*"):
        try:
            os.kill(int(draft.name.rpartition(".")[2]), 0)
        except (ValueError, ProcessLookupError):
            shutil.rmtree(draft, ignore_errors=True)
        except PermissionError:
            pass


class Folder:
    """Fills a person's folder; `finish` makes it appear. Left as a context without that, it leaves nothing behind."""

    def __init__(self, place):
        self.place, self.draft = place, place.with_name(f".{place.name}.{os.getpid()}")
        shutil.rmtree(self.draft, ignore_errors=True)
        self.draft.mkdir(parents=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.draft, ignore_errors=True)

    def picture(self, name, pixels, matte):
        (self.draft / f"{name}.png").write_bytes(png(pixels))
        (self.draft / f"{name}.matte.png").write_bytes(png(matte))

    def finish(self, name, tensors, metadata, record):
        save_file(tensors, str(self.draft / f"{name}.avatar"), metadata)
        (self.draft / "truth.json").write_text(json.dumps(record, indent=1) + "\n")
        if not self.place.exists():  # else somebody was faster
            self.draft.rename(self.place)
