"""Golden mel columns for the Rust tests: `python -m train.goldens.mel`. One second of PCM with everything odd in it."""

import argparse
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from train.speech.mel import RATE, filters, log_mel


def odd_second():
    """16000 samples: silence, an impulse, a chirp, noise at -60 dBFS, a clipped tone, a denormal stretch, DC, full scale."""
    t = np.arange(RATE) / RATE
    x = np.zeros(RATE)
    x[1000] = 1.0
    x[2000:5000] = 0.5 * np.sin(2 * np.pi * (60 * t[:3000] + 0.5 * 40000 * t[:3000] ** 2))
    x[5000:7500] = 1e-3 * np.random.default_rng(5).standard_normal(2500)
    x[7500:9500] = np.clip(3.0 * np.sin(2 * np.pi * 220 * t[:2000]), -1, 1)
    x[9500:10500] = 1e-40
    x[10500:12000] = 0.25
    x[12000:13500] = np.where(np.arange(1500) % 2 == 0, 1.0, -1.0)
    x[13500:] = 0.1 * np.random.default_rng(6).standard_normal(2500)
    return x.astype(np.float32)


def build():
    pcm = odd_second()
    return {"pcm": pcm, "columns": log_mel(pcm, 100), "filters": filters().astype(np.float32)}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("engine/native/tests/golden/mel.safetensors"))
    args = parser.parse_args()
    args.out.parent.mkdir(parents=True, exist_ok=True)
    save_file(build(), args.out)
    args.out.chmod(0o644)
    print(args.out, args.out.stat().st_size, "bytes")


if __name__ == "__main__":
    main()
