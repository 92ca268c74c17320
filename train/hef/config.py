"""The configuration, readable without PyTorch: sizes, ablations, and what a configuration costs.

A resolved configuration is a plain dictionary (also the JSON under `network` in a weights file's metadata):

crop        C: side of the square crop, pixels
patch       P: the finest level has C / P pixels a side; colours leave it through P × P sub-pixels
code        D: width of the style code z_sty
levels      sides of the levels 0 … N, each twice the one before (N blocks)
encoder     E_src's channels at each level
source      channels of F^s that E_src hands out (through a 1 × 1 convolution where `encoder` differs)
style       channels that StyleConv makes
render      channels of F^rd
mix         channels of a second StyleConv, without upsampling, over the three parts joined; 0: none
up          "before": upsampling, then 3 × 3, as the paper says it · "after": 3 × 3 at the coarser size, then upsampling, a quarter of the cost
residual    eq. 9 adds the upsampled flow of the level before
flow_limit  the finest level that still changes the flow; 0: all do
prior       the geometric generator's flow is part of φ at every level, and its composite is what the network corrects
"""

import tomllib
from pathlib import Path

from ..wgsl import constants

CONFIG = Path(__file__).with_name("config.toml")
DRIVEN, SOURCE = constants("hef_channels")["DRIVEN_CHANNELS"], 8  # channels
# α 80, β 64, δ 80, γ 27, p 6, σ̂ 1
STYLE_PARTS = (80, 64, 80, 27, 6, 1)
STYLE = sum(STYLE_PARTS)
LISTS = ("encoder", "source", "style", "render", "mix")
# Small enough for tests and golden files, with every feature of the shipped sizes: as nano is made, and as the paper's are.
TINY = {
    "after": {
        "crop": 32, "patch": 2, "code": 8, "levels": [4, 8, 16], "encoder": [9, 6, 5], "source": [8, 6, 4], "style": [7, 6, 5],
        "render": [6, 5, 4], "mix": [0, 0, 6], "up": "after", "residual": True, "flow_limit": 0, "prior": True,
    },
    "before": {
        "crop": 32, "patch": 1, "code": 8, "levels": [8, 16, 32], "encoder": [8, 6, 4], "source": [8, 6, 4], "style": [7, 6, 5],
        "render": [6, 5, 4], "mix": [0, 0, 0], "up": "before", "residual": True, "flow_limit": 0, "prior": True,
    },
}


def load_config(name="nano", path=CONFIG):
    """`SIZE` or `SIZE/ABLATION` -> resolved configuration."""
    with open(path, "rb") as file:
        all_of_it = tomllib.load(file)
    size, _, ablation = name.partition("/")
    for kind, key in (("size", size), ("ablation", ablation)):
        if key and key not in all_of_it[kind]:
            raise ValueError(f"unknown {kind} {key!r}: use one of {', '.join(all_of_it[kind])}")
    config = {"residual": True, "flow_limit": 0, "prior": True} | all_of_it["size"][size]
    if ablation:
        config |= all_of_it["ablation"][ablation]
    check(config)
    return config


def names(path=CONFIG):
    """Every size, and the ablations' names."""
    with open(path, "rb") as file:
        all_of_it = tomllib.load(file)
    return list(all_of_it["size"]), list(all_of_it["ablation"])


def check(config):
    """Raises ValueError where the parts do not fit together."""
    levels = config["levels"]
    if config["up"] not in ("before", "after"):
        raise ValueError(f"up: {config['up']!r}; use before or after")
    if len(levels) < 2 or levels[0] < 2 or any(b != 2 * a for a, b in zip(levels, levels[1:])):
        raise ValueError(f"levels: {levels}; at least two from 2 on, each twice the one before")
    if config["patch"] not in (1, 2) or levels[-1] * config["patch"] != config["crop"]:
        raise ValueError(
            f"the finest level {levels[-1]} times patch {config['patch']} must be the crop {config['crop']}; patch is 1 or 2"
        )
    if config["crop"] < 8 or config["crop"] % 4:
        raise ValueError(f"crop: {config['crop']}; a multiple of 4 from 8 on")
    if config["patch"] > 1 and len(levels) < 3:
        raise ValueError("levels: patch 2 needs three at least")
    for key in LISTS:
        if len(config[key]) != len(levels):
            raise ValueError(f"{key}: {len(config[key])} widths for {len(levels)} levels")
        if any(v < (0 if key == "mix" else 1) for v in config[key]):
            raise ValueError(f"{key}: a width below {0 if key == 'mix' else 1}")
    if config["flow_limit"] and config["flow_limit"] not in levels[1:]:
        raise ValueError(f"flow_limit: {config['flow_limit']} is no level")
    if config["code"] % 4:
        raise ValueError("code: a multiple of 4")


def joined(config, level):
    """Channels of [T(φ, F^s), StyleConv(F), F^rd] at a level."""
    return config["source"][level] + config["style"][level] + config["render"][level]


def width(config, level):
    """Channels of F as the heads and the next level see it."""
    return config["mix"][level] or joined(config, level)


def has_flow(config, level):
    """Whether the level has a flow head."""
    return level > 0 and (not config["flow_limit"] or config["levels"][level] <= config["flow_limit"])


def heads(config, level):
    """Channels of the level's heads, by name, in the order in which they lie in one tensor."""
    if level == 0:
        return {}
    last = level == len(config["levels"]) - 1
    out = {}
    if not last or config["patch"] == 1:
        out["rgb"] = 3
    if has_flow(config, level):
        out["flow"] = 2
    if last:
        out["matte"] = 1
        if config["patch"] > 1:
            out["detail"] = 3 * config["patch"] ** 2
    return out


def frame_layers(config):
    """What runs a frame: (name, input channels, output channels, kernel side, output side); a side of 0 is a linear layer."""
    out = [("style", STYLE, config["code"], 1, 0)]
    out += encoder_layers("render", DRIVEN, config["render"], config)
    for level, side in enumerate(config["levels"]):
        before = config["style"][0] if level == 0 else width(config, level - 1)
        at = side if level == 0 or config["up"] == "before" else side // 2
        made = config["style"][level]
        out += [(f"levels.{level}.style.affine", config["code"], before, 1, 0), (f"levels.{level}.style", before, made, 3, at)]
        if config["mix"][level]:
            whole = joined(config, level)
            out += [(f"levels.{level}.mix.affine", config["code"], whole, 1, 0)]
            out += [(f"levels.{level}.mix", whole, config["mix"][level], 3, side)]
        out += [(f"levels.{level}.{name}", width(config, level), c, 3, side) for name, c in heads(config, level).items()]
    return out


def encoder_layers(name, inputs, widths, config):
    """A pyramid's convolutions, finest first: the stem (a patch, or 3 × 3), then 3 × 3 of stride 2."""
    sides = config["levels"]
    out = [(f"{name}.stem", inputs, widths[-1], config["patch"] if config["patch"] > 1 else 3, sides[-1])]
    for level in range(len(sides) - 2, -1, -1):
        out.append((f"{name}.down.{level}", widths[level + 1], widths[level], 3, sides[level]))
    return out


def source_layers(config):
    """What runs once a portrait."""
    out = encoder_layers("source", SOURCE, config["encoder"], config)
    for level, side in enumerate(config["levels"]):
        if config["source"][level] != config["encoder"][level]:
            out.append((f"source.lateral.{level}", config["encoder"][level], config["source"][level], 1, side))
    return out


def flop(layers):
    """Two for each multiplication that is added."""
    return sum(2 * i * o * k * k * max(side, 1) ** 2 for _, i, o, k, side in layers)


def parameters(config):
    """Weights, biases and the start."""
    count = sum(i * o * k * k + o for _, i, o, k, _ in frame_layers(config) + source_layers(config))
    return count + config["style"][0] * config["levels"][0] ** 2


def main():
    for size in names()[0]:
        config = load_config(size)
        frame, once = frame_layers(config), source_layers(config)
        print(
            f"{size}: {parameters(config) / 1e6:.3f} M parameters, {flop(frame) / 1e9:.3f} GFLOP a frame, "
            f"{flop(once) / 1e9:.3f} once a portrait"
        )
        for name, i, o, k, side in frame:
            if side:
                print(f"  {name:20} {i:5} -> {o:4}  {k} x {k}  at {side:3}²  {flop([(name, i, o, k, side)]) / 1e6:10.1f} MFLOP")


if __name__ == "__main__":
    main()
