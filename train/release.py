"""What an export leaves beside its weights file: the loss curve, the manifest entry, and a line on the terminal."""

from .loop import draw_curve
from .manifest import update

PICTURES = "path-traced pictures of random people made by train/crowd and train/blender from CC0 shape data"


def release(weights, file, state, room, data, *before):
    """`weights` is the folder, `file` the weights file in it, `state` the checkpoint's (curve, step, seconds); `room` of train/ trained it on `data`, after the commands `before`."""
    (weights / "cards").mkdir(exist_ok=True)
    draw_curve(state["curve"], weights / "cards" / f"{file.stem}_curve.png")
    update(
        weights, file.name, licence="MIT OR Apache-2.0", source=f"trained by train/{room} on {data}",
        how="; ".join([*before, f"python -m train.{room}.train", f"python -m train.{room}.export"]),
    )
    print(f"exported {file.name}: step {state['step']}, {state['seconds'] / 60:.0f} minutes of training")
