"""`python -m train.crowd.speech CORPUS OUT.npz`: a pool of faces that speak, for targets. Needs PyTorch; what reads the pool does not.

CORPUS is a part made by train.speech (path without ending). Articulation tracks are joined with an emotion, or two, at a random
intensity as the speech network's own targets are (train.eac.compose). OUT holds, for N moments, `now` and `next` (N, 64) f16: the
coefficients of two frames 40 ms apart, and (N,) f16: `jaw`, how open the jaw is; `teeth`, how far the lips bare them; `seal`, whether the lips
are shut in the middle of speech; `rest`, whether nothing is said; `move`, how much changes in the 40 ms. With the motion network's weights also (N,) f32 `sigma` and
`sigma_next`: its σ̂ of the two frames, with the moment's voice, emotion and intensity, as it is in use (`Eac.strength`).
"""

import argparse
from pathlib import Path

import numpy as np

from train.eac.face import EMOTIONS, INDEX, load_face
from train.speech.visemes import TRACKS

AHEAD = 2  # frames that are heard before one is decided, as in use
TEETH = [f"mouth{move}{side}" for move in ("UpperUp", "LowerDown", "Smile", "Stretch") for side in ("Left", "Right")]


def window(columns, end, count, silent):
    """The `count` mel columns (count, 80) up to frame `end`, the silent ones before the first and after the last included."""
    out = np.full((count, columns.shape[1]), silent, np.float32)
    first = 4 * (end + 1) - count
    there = slice(max(first, 0), min(first + count, len(columns)))
    out[there.start - first : there.stop - first] = columns[there]
    return out


def sigmas(net, columns, frames, z, mu, ahead=AHEAD, batch=64):
    """(N,) σ̂ where frame `frames[i]` is shown, heard with `ahead` frames more, z (N, E), mu (N,); columns (4·F, 80)."""
    import torch

    from train.eac.model import tokens_from_columns
    from train.speech.mel import SILENT

    size, context = net.config["frames"], net.config["columns"]
    out = []
    with torch.no_grad():
        for i in range(0, len(frames), batch):
            heard = np.stack([window(columns, k + ahead, 4 * size + context - 4, SILENT) for k in frames[i : i + batch]])
            _, sigma = net(tokens_from_columns(torch.from_numpy(heard), size, context), z[i : i + batch], mu[i : i + batch])
            out.append(net.strength(sigma).numpy())
    return np.concatenate(out).astype(np.float32)


def pool(corpus, count, face, seed=5, net=None):
    import torch

    from train.eac.compose import compose

    rng = np.random.default_rng(seed)
    heard = np.load(corpus.with_suffix(".npz"))
    tracks = heard["tracks"]
    at = rng.integers(0, len(tracks) - 1, count * 3)
    # pauses are a third of all frames and look alike
    keep = (tracks[at, TRACKS.index("rest")] < 0.5) | (rng.random(len(at)) < 0.10)
    at = at[keep][:count]
    mix = np.zeros((len(at), len(EMOTIONS)), np.float32)
    mix[np.arange(len(at)), rng.integers(0, len(EMOTIONS), len(at))] = 1
    other = np.zeros_like(mix)
    other[np.arange(len(at)), rng.integers(0, len(EMOTIONS), len(at))] = 1
    share = np.where(rng.random(len(at)) < 0.25, rng.random(len(at)), 1.0)[:, None].astype(np.float32)
    mix, mu = share * mix + (1 - share) * other, rng.uniform(1, 3, len(at)).astype(np.float32)
    moment = torch.from_numpy(np.stack([tracks[at], tracks[at + 1]], 1).astype(np.float32))
    beta = compose(moment, torch.from_numpy(mix), torch.from_numpy(mu), torch.as_tensor(load_face(face).gap)).numpy()
    jaw = beta[:, 0, INDEX["jawOpen"]]
    teeth = beta[:, 0][:, [INDEX[k] for k in TEETH]].sum(1)
    strong = {}
    if net is not None:
        columns, z = heard["columns"][0], torch.from_numpy(mix) @ net.emotion.table.detach()
        strong = {name: sigmas(net, columns, at + later, z, torch.from_numpy(mu)) for name, later in (("sigma", 0), ("sigma_next", 1))}
    return {"now": beta[:, 0].astype(np.float16), "next": beta[:, 1].astype(np.float16), "jaw": jaw.astype(np.float16),
            "teeth": (teeth * (jaw > 0.04)).astype(np.float16), "move": abs(beta[:, 1] - beta[:, 0]).sum(1).astype(np.float16),
            **{k: tracks[at, TRACKS.index(k)].astype(np.float16) for k in ("seal", "rest")}, **strong}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("corpus", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--count", type=int, default=40000)
    parser.add_argument("--face", default="weights/face.safetensors")
    parser.add_argument("--eac", default="weights/eac.safetensors", help="the motion network, for σ̂")
    args = parser.parse_args()
    args.out.parent.mkdir(parents=True, exist_ok=True)
    from train.eac.stream import load_net

    made = pool(args.corpus, args.count, args.face, net=load_net(args.eac))
    np.savez_compressed(args.out, **made)
    print(f"{args.out}: {len(made['jaw'])} moments; jaw {np.quantile(made['jaw'], [0.5, 0.9, 0.99])}")


if __name__ == "__main__":
    main()
