"""Writes the model card weights/eac.md and its plots from the figures of `train.eac.evaluate`.

    python -m train.eac.card --figures train/.cache/eac/figures.json --minutes 262 --remark remark.md

Every number and finding is computed from the figures, the configuration or the weights file; what a certain run's history was, `--remark` says.
"""

import argparse
import json
from collections import Counter
from pathlib import Path

import numpy as np
from safetensors import safe_open

from ..speech.clips import BENCH
from ..speech.recordings import NATIVE, SOURCES
from ..speech.synth import LANGUAGES, VARIANTS
from .config import load_config
from .face import load_face
from .metrics import FPS, SHUT

HEAD = """# EAC: speech and emotion to expression coefficients

`weights/eac.safetensors`, f16, {parameters:.1f} M parameters. Licence: MIT OR Apache-2.0. Made by `train/eac` (configuration:
`train/eac/config.toml`); manifest entry and checksum in `weights/manifest.toml`.

**What it does.** 16 kHz log-mel columns of {frames} video frames (25 a second), an emotion ({emotions}; training mixed two of them now and then) and
an intensity μ from 1 to 3 become {outputs} expression coefficients a frame, which the engine clamps to 0 … 1: ARKit's 52 and 12 of the face
model's own (tongue, lips, brows, breath). Live, the window slides a frame at a time and the frame L before its end is
shown, L from 0 to 5; L = 2 is the default. Its targets hold no blinks, no gaze and no head pose: the engine's idle motion makes those.

**Trained on** {hours:.1f} hours of speech synthesised with espeak-ng ({languages} kinds of English, {variants} voice variants), flite ({flite}) and festival
({festival}), by the synthesisers' own phoneme times, and {quiet:.0f} minutes of noise, breath and music with the mouth
shut; through simulated rooms, microphones, noise, levels and vocal tracts. Text: WordNet glosses and a sentence grammar
of our own. Of the windows, {people:.0f} % are recordings of people ({collections}), by the times of an aligner or of hand labels; `train/speech/recordings.py` weighs and prepares
them. The targets are visemes blended by dominance, with explicit closures, and the action units of the emotion; the losses are on coefficients, velocity, the face model's
landmarks, its inner-lip gap, whether that is shut, and, by a layer that is not shipped, on the phones that are heard.

**Training:** {steps} steps of {batch} windows, {minutes:.0f} minutes. Loss curve: `cards/eac_curve.png`.{remark}

## Held-out figures
Never trained on: every voice and every speaker below, and their share of the dictionary's sentences; sentences of our own grammar share
their phrases with training, and so do readings of the same books. Nothing was chosen by these speakers. The definitions are those of `engine/truth/src/speech.rs`;
shut means an inner-lip gap under {shut:.0f} % of the range that jawOpen = 1 opens. Command: `python -m train.eac.evaluate`.
"""

LIMITS = """
## Limits
* The teacher is a rule system: what it does not know (smiles in the voice, loud speech, chewing, laughter, singing) the
  network cannot know either. Emotion is chosen by the caller, not heard.
* It was trained on English and a little German, and measured on nothing else.
"""


def about(weights):
    """What the configuration and the weights file say of the network and its training."""
    config = load_config()
    data, model = config["data"], config["model"]
    with safe_open(weights / "eac.safetensors", "np") as file:
        parameters = sum(file.get_tensor(k).size for k in file.keys())
        steps, emotions = int(file.metadata()["steps"]), json.loads(file.metadata()["emotions"])
    seconds = data["espeak_seconds"] + data["flite_seconds"] * len(data["flite_train"]) + data["festival_seconds"] * len(data["festival_train"])
    return dict(
        parameters=parameters / 1e6, frames=model["frames"], outputs=model["outputs"], emotions=", ".join(emotions), hours=seconds / 3600,
        languages=len(set(LANGUAGES)), variants=len(VARIANTS), flite=", ".join(data["flite_train"]), festival=", ".join(data["festival_train"]),
        people=100 * data["people"], collections="; ".join(f"{name}, {licence}" for name, licence, *_ in SOURCES.values()),
        quiet=data["quiet_seconds"] / 60, steps=steps, batch=config["train"]["batch"], shut=100 * SHUT,
    )


def most(counts, first=5):
    return ", ".join(f"{phone} {count}" for phone, count in counts.most_common(first))


def findings(figures):
    """Sentences that the figures give, one bullet each."""
    speech, at2 = figures["speech"], lambda f: f["by_lookahead"][2]
    count = lambda key: sum((Counter(f[key]) for f in speech.values()), Counter())  # noqa: E731
    missed, false, wanted = count("missed"), count("false_on"), sum(f["closures"] for f in speech.values())
    late = [at2(f)["offset_ms"] for f in speech.values()]
    out = [
        f"Of {wanted} closures {missed.total()} are missed at L = 2 ({most(missed)}); {false.total()} times lips shut where they should not, most often on {most(false)}.",
        f"By engine, the face is {min(late):+.0f} to {max(late):+.0f} ms late at L = 2.",
    ]
    if "noisy" in figures:
        out.append(f"White noise 10 dB below the speech: F1 {at2(figures['noisy'])['f1']:.2f}, without it {figures['mean_f1'][2]:.2f}.")
    if "emotional" in figures:
        worst = min(figures["emotional"], key=lambda e: at2(figures["emotional"][e])["f1"])
        rows = [e["mu=3"] for e in figures["emotion"].values()]
        shares = [r["moved"] / r["wanted"] for r in rows]
        out.append(
            f"Under the strongest emotions F1 is {at2(figures['emotional'][worst])['f1']:.2f} and more ({worst} is the worst); the units that an emotion names move by {100 * min(shares):.0f} to "
            f"{100 * max(shares):.0f} % of what training asked, at least {100 * min(r['right_sign'] for r in rows):.0f} % of them the right way."
        )
    if "real" in figures:
        real, r = figures["real"], at2(figures["real"])["recall"]
        reach = 1.96 * (r * (1 - r) / real["closures"]) ** 0.5
        out.append(f"The real recordings are {real['closures']} closures in {real['seconds']:.0f} s: their recall is known to ± {reach:.2f} (95 %), F1 hardly better.")
    return out


def speech_rows(name, figures, lookaheads):
    for k in lookaheads:
        r = figures["by_lookahead"][k]
        yield (
            f"| {name} | {figures['closures']} | {r['L']} | {r['precision']:.2f} / {r['recall']:.2f} / **{r['f1']:.2f}** | "
            f"{r['offset_ms']:+.0f} | {r['r']:.2f} |"
        )


def people_rows(figures):
    """By source, with an interval; what native English is, is said once more together."""
    yield "| real speakers | speakers | m, b, p | L | closure P / R / **F1** | 95 % | A/V offset, ms | r of openness |"
    yield "|---|---|---|---|---|---|---|---|"
    for source, f in figures.items():
        name = SOURCES[source][0] if source in SOURCES else f"native English: {', '.join(SOURCES[s][0].split(',')[0] for s in NATIVE)}"
        for k in (0, 2, 5):
            r = f["by_lookahead"][k]
            low, high = r["interval"]
            yield (
                f"| {name} | {f['speakers']} | {f['closures']} | {k} | {r['precision']:.2f} / {r['recall']:.2f} / **{r['f1']:.2f}** | {low:.2f} … {high:.2f} | "
                f"{r['offset_ms']:+.0f} | {r['r']:.2f} |"
            )


def write(figures, weights, minutes, remark, path):
    out = [HEAD.format(minutes=minutes, remark=remark and "\n" + remark.strip(), **about(weights))]
    out += ["| speech | m, b, p | L | closure P / R / **F1** | A/V offset, ms | r of openness |", "|---|---|---|---|---|---|"]
    for engine, f in figures["speech"].items():
        out += speech_rows(f"{engine}, held-out voices", f, [0, 1, 2, 3, 5])
    if "noisy" in figures:
        out += speech_rows("the same in white noise, + 10 dB", figures["noisy"], [2])
    if "real" in figures:
        out += speech_rows(f"real recordings, {figures['real']['seconds']:.0f} s", figures["real"], [0, 1, 2, 3, 5])
    means = figures["mean_f1"]
    out += ["", "Mean closure F1 over the three engines, L = 0 … 5: " + ", ".join(f"{m:.3f}" for m in means) + "."]
    if "people" in figures:
        out += ["", *people_rows(figures["people"]), "", "Intervals are over speakers drawn again and again; where there is one speaker, they say nothing."]
    if "quiet" in figures:
        q = figures["quiet"]
        silence = [f["silence"] for f in figures["speech"].values() if f["silence"] is not None]
        out += ["", "| mouth opening where nobody speaks, L = 2 | share of range |", "|---|---|"]
        out.append(f"| long pauses of held-out speech | {100 * np.mean(silence):.1f} % |")
        out += [f"| {k} | {100 * v:.1f} % |" for k, v in q["silence"].items()]
        worst = max(q["silence_by_emotion"], key=q["silence_by_emotion"].get)
        out.append(f"| silence under the worst emotion ({worst}, μ = 3) | {100 * q['silence_by_emotion'][worst]:.1f} % |")
        out += [f"| {k} at -30 dBFS | {100 * v:.1f} % |" for k, v in q["noise"].items()]
        out.append(f"| **mean over the noises** | **{100 * q['noise_mean']:.1f} %** |")
    if "emotional" in figures:
        out += ["", "| emotion, μ = 3 | closure F1, L = 2 | its units moved / asked, μ = 1 | μ = 3 | right sign |", "|---|---|---|---|---|"]
        for emotion, f in figures["emotional"].items():
            e = figures["emotion"].get(emotion)
            moved = " – | – | – |" if e is None else (
                f" {e['mu=1']['moved']:.2f} / {e['mu=1']['wanted']:.2f} | {e['mu=3']['moved']:.2f} / {e['mu=3']['wanted']:.2f} | "
                f"{100 * e['mu=3']['right_sign']:.0f} % |"
            )
            out.append(f"| {emotion} | {f['by_lookahead'][2]['f1']:.2f} |{moved}")
    out += ["", *(f"* {line}" for line in findings(figures))]
    out += ["", "![lip gap over time](cards/eac_gap.png)", "", "![closures by look-ahead](cards/eac_lookahead.png)", LIMITS.rstrip()]
    path.write_text("\n".join(out) + "\n")


def draw_lookahead(figures, path):
    import matplotlib.pyplot as plt

    figure, axis = plt.subplots(figsize=(5.5, 3.2), dpi=100)
    rows = dict(figures["speech"]) | ({"real": figures["real"]} if "real" in figures else {})
    for name, f in rows.items():
        axis.plot(range(6), [r["f1"] for r in f["by_lookahead"]], "o-", label=name)
    axis.plot(range(6), figures["mean_f1"], "k--", label="mean of engines")
    axis.set(xlabel="look-ahead L (frames of 40 ms)", ylabel="closure F1", ylim=(0, 1))
    axis.grid(alpha=0.3)
    axis.legend(fontsize=8)
    figure.tight_layout()
    figure.savefig(path)
    plt.close(figure)


def draw_gap(weights, face, bench, path):
    import matplotlib.pyplot as plt
    import soundfile

    from .stream import load_net, stream

    net, row = load_net(weights), load_face(face).gap
    figure, axes = plt.subplots(3, 1, figsize=(11, 6.5), dpi=90)
    for axis, (engine, voice, _) in zip(axes, BENCH):
        pcm, _ = soundfile.read(bench / f"{engine}.flac", dtype="float32")
        about = json.loads((bench / f"{engine}.json").read_text())
        gap = np.maximum(stream(net, pcm)[2] @ row, 0)
        times = (np.arange(len(gap)) + 0.5) / FPS
        axis.plot(np.arange(0, len(pcm), 8) / 16000, 0.53 + 0.15 * pcm[::8], color="0.75", lw=0.4)
        for s, e, _ in about["closures"]:
            axis.axvspan(s, e, color="tab:red", alpha=0.25, lw=0)
        for s, e in about["pauses"]:
            axis.axvspan(s, e, color="tab:blue", alpha=0.12, lw=0)
        axis.plot(times, gap, "k-", lw=1.1, label="inner-lip gap, L = 2")
        axis.axhline(SHUT, color="tab:green", lw=0.8, ls="--")
        axis.set(xlim=(0, len(pcm) / 16000), ylim=(0, 0.65), ylabel=f"{engine}: {voice}")
    axes[0].set_title("lip gap (share of range); red: m, b, p; blue: pauses; dashed: the threshold for shut", fontsize=9)
    axes[-1].set_xlabel("seconds")
    figure.tight_layout()
    figure.savefig(path)
    plt.close(figure)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--figures", type=Path, default=Path("train/.cache/eac/figures.json"))
    parser.add_argument("--weights", type=Path, default=Path("weights"))
    parser.add_argument("--bench", type=Path, default=Path("benches/data/speech"))
    parser.add_argument("--minutes", type=float, required=True, help="of training, as the export said")
    parser.add_argument("--remark", type=Path, help="Markdown: how this run went")
    args = parser.parse_args()
    figures = json.loads(args.figures.read_text())
    import matplotlib

    matplotlib.use("Agg")
    write(figures, args.weights, args.minutes, args.remark.read_text() if args.remark else "", args.weights / "eac.md")
    cards = args.weights / "cards"
    cards.mkdir(exist_ok=True)
    draw_lookahead(figures, cards / "eac_lookahead.png")
    draw_gap(args.weights / "eac.safetensors", args.weights / "face.safetensors", args.bench, cards / "eac_gap.png")


if __name__ == "__main__":
    main()
