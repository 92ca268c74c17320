"""Golden activations of the network, for the Rust tests: `python -m train.goldens.eac`. Needs PyTorch.

`small.*` is a seeded network of the same shape but narrow, with every layer's activation; its weights are rounded to f16 first, as in a shipped file. `shipped.*` is what the shipped
network, whose weights stay in their own file, makes of two windows: one of made-up columns, and one out of the sample speech. Of every layer's activation some values are kept
(`sampled`), of the outputs all.
"""

import argparse
import json
from pathlib import Path

import soundfile
import torch
from safetensors.torch import load_file, save_file

from train.eac.config import load_config
from train.eac.model import Eac, tokens_from_columns
from train.goldens import sampled
from train.speech.mel import RATE, log_mel

SMALL = dict(
    frames=8, columns=12, mels=80, width=32, blocks=2, heads=4, feed_forward=64, kernel=7,
    emotions=8, emotion_width=64, outputs=64,
)


def half_precision(net):
    with torch.no_grad():
        for p in net.parameters():
            p.copy_(p.half().float())
    return net.eval()


def randomise(net, seed):
    """Seeded values for every parameter, so that no bias or norm keeps its trivial start."""
    g = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, p in net.named_parameters():
            noise = torch.randn(p.shape, generator=g)
            if "norm" in name:
                p.copy_((1.0 if name.endswith("weight") else 0.0) + 0.2 * noise)
            elif name.endswith("bias"):
                p.copy_(0.1 * noise)
            elif p.ndim == 2 and "position" not in name and "table" not in name:
                p.copy_(noise / p.shape[1] ** 0.5)
            else:
                p.copy_(0.5 * noise)
    return half_precision(net)


def speechlike_columns(count, seed):
    """Normalised mel columns with the range and smoothness of speech. (count, 80)"""
    g = torch.Generator().manual_seed(seed)
    x = torch.randn(count + 8, 88, generator=g).cumsum(0)
    x = x - x.mean(0)
    x = torch.nn.functional.avg_pool2d(x[None, None], 9, 1)[0, 0]
    return (0.5 * x / x.std()).contiguous()


@torch.no_grad()
def small_golden():
    net = randomise(Eac(SMALL), 20)
    columns = speechlike_columns(4 * 8 + 8, 21)
    out = {f"small.weight.{k}": v.half() for k, v in net.state_dict().items()}
    mu = torch.tensor([2.25])

    def trace(name, value):
        out[f"small.{name}"] = value[0].clone()

    tokens = tokens_from_columns(columns[None], 8)
    beta, sigma = net(tokens, torch.tensor([5]), mu, trace)
    out |= {"small.columns": columns, "small.beta": beta[0], "small.sigma": sigma[0]}
    out |= {"small.emotion_index": torch.tensor([5], dtype=torch.int32), "small.mu": mu}
    return out


def speech_columns(wav, first):
    """Mel columns of the window that begins with motion frame `first` of a sound. (136, 80)"""
    pcm, rate = soundfile.read(wav, dtype="float32")
    assert rate == RATE, f"{wav}: {rate} Hz, expected {RATE}"
    return torch.from_numpy(log_mel(pcm)[4 * first - 8 : 4 * (first + 32)])


@torch.no_grad()
def shipped_golden(weights):
    net = Eac(load_config()["model"])
    net.load_state_dict({k: v.float() for k, v in load_file(weights / "eac.safetensors").items()})
    net.eval()
    columns = torch.stack([speechlike_columns(4 * 32 + 8, 22), speech_columns(weights / "sample.wav", 60)])
    emotion, mu = torch.tensor([3, 5]), torch.tensor([1.5, 3.0])
    out = {}

    def trace(name, value):
        out[f"shipped.{name}"] = sampled(value)

    beta, sigma = net(tokens_from_columns(columns, 32), emotion, mu, trace)
    out |= {"shipped.columns": columns, "shipped.beta": beta, "shipped.sigma": sigma}
    return out | {"shipped.emotion_index": emotion.to(torch.int32), "shipped.mu": mu}


def build(weights):
    """`weights` is the folder."""
    return {k: v.contiguous() for k, v in (small_golden() | shipped_golden(weights)).items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", type=Path, default=Path("weights"), help="the folder of the shipped files")
    parser.add_argument("--out", type=Path, default=Path("engine/native/tests/golden/eac.safetensors"))
    args = parser.parse_args()
    torch.set_num_threads(1)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    save_file(build(args.weights), args.out, metadata={"small": json.dumps(SMALL)})
    args.out.chmod(0o644)
    print(args.out, args.out.stat().st_size, "bytes")


if __name__ == "__main__":
    main()
