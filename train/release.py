"""What an export of an image network leaves beside its weights file: the loss curve, the manifest entry, and a line on the terminal."""

from .hef.sheet import draw_curve
from .manifest import update


def release(weights, file, state, room, steps):
    """`weights` is the folder, `file` the weights file in it, `state` the checkpoint's (curve, step, seconds); `room` of train/ trained it by `steps`."""
    (weights / "cards").mkdir(exist_ok=True)
    draw_curve(state["curve"], weights / "cards" / f"{file.stem}_curve.png")
    update(
        weights, file.name, licence="MIT OR Apache-2.0",
        source=f"trained by train/{room} on path-traced pictures of random people made by train/crowd and train/blender from CC0 shape data",
        how="; ".join(["python -m train.blender.crowd", *steps, f"python -m train.{room}.train", f"python -m train.{room}.export"]),
    )
    print(f"exported {file.name}: step {state['step']}, {state['seconds'] / 60:.0f} minutes of training")
