"""The configuration, readable without PyTorch."""

import tomllib
from pathlib import Path

CONFIG = Path(__file__).with_name("config.toml")


def load_config(path=CONFIG):
    with open(path, "rb") as file:
        return tomllib.load(file)
