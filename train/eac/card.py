"""Writes the model card weights/eac.md and its plots from the figures of `train.eac.evaluate`.

    python -m train.eac.card --figures train/.cache/eac/figures.json
"""

import argparse
import json
from pathlib import Path

import numpy as np

from ..speech.clips import BENCH
from .face import load_face
from .metrics import FPS, SHUT

HEAD = """# EAC: speech and emotion to expression coefficients

`weights/eac.safetensors`, f16, 4.7 M parameters. Licence: MIT OR Apache-2.0. Made by `train/eac` (configuration:
`train/eac/config.toml`); manifest entry and checksum in `weights/manifest.toml`.

**What it does.** 16 kHz log-mel columns of 32 video frames (25 a second), one of eight emotions (or a blend of them) and
an intensity μ ∈ [1, 3] become 64 expression coefficients a frame, in [0, 1] after clamping: ARKit's 52 and 12 of the face
model's own (tongue, lip seal, lip-to-teeth). Live, the window slides a frame at a time and the frame L before its end is
shown; L = 0 … 5 all work, L = 2 is the default. Blinks, gaze and head pose are not predicted.

**Trained on** {hours} of speech synthesised with espeak-ng (hundreds of voice and language variants), flite (slt, rms,
kal16) and festival (kal, slt-hts), whose phoneme times are exact, and 27 minutes of noise, breath and music with the mouth
shut; through simulated rooms, microphones, noise, levels and vocal tracts. Text: WordNet glosses and a sentence grammar
of our own. No recording of a person was used. The targets are visemes blended by dominance, with explicit closures, and
the action units of the emotion; the losses are on coefficients, velocity, the face model's landmarks and its inner-lip gap.

**Training:** {steps} steps of 16 windows, {minutes:.0f} minutes on a share of one CPU core. Loss curve: `cards/eac_curve.png`.

## Held-out figures
Never trained on: every voice below, the dictionary sentences, and all real recordings; sentences of our own grammar share
their phrases with training. The loss's closure weight was set after a look at these voices at an early checkpoint, so they
are not wholly untouched. The definitions are those of `train/eac/metrics.py`;
shut means an inner-lip gap under 8 % of the range that jawOpen = 1 opens. Command: `python -m train.eac.evaluate`.
"""

LIMITS = """
## Limits
* The teacher is a rule system: what it does not know (smiles in the voice, loud speech, chewing, laughter, singing) the
  network cannot know either. Emotion is chosen by the caller, not heard.
* English phonemes only. Other languages move the lips plausibly, but nobody has measured them.
* Most misses are m taken for n; most false closures fall on v, t and k. Wide-band noise costs closures first
  (see the row at + 10 dB). Training was cut short by time, not by overfitting: training voices score only 0.85.
* The real-speech test is tiny: differences under 0.1 in its F1 mean nothing.
"""


def speech_rows(name, figures, lookaheads):
    for k in lookaheads:
        r = figures["by_lookahead"][k]
        yield (
            f"| {name} | {figures['closures']} | {r['L']} | {r['precision']:.2f} / {r['recall']:.2f} / **{r['f1']:.2f}** | "
            f"{r['offset_ms']:+.0f} | {r['r']:.2f} |"
        )


def write(figures, curve, hours, path):
    last = curve[-1]
    out = [HEAD.format(hours=hours, steps=last["step"], minutes=last["minutes"])]
    out += ["| speech | m, b, p | L | closure P / R / **F1** | A/V offset, ms | r of openness |", "|---|---|---|---|---|---|"]
    for engine, f in figures["speech"].items():
        out += speech_rows(f"{engine}, held-out voices", f, [0, 1, 2, 3, 5])
    if "noisy" in figures:
        out += speech_rows("the same in white noise, + 10 dB", figures["noisy"], [2])
    if "real" in figures:
        out += speech_rows(f"real recordings, {figures['real']['seconds']:.0f} s", figures["real"], [0, 1, 2, 3, 5])
    means = figures["mean_f1"]
    out += ["", "Mean closure F1 over the three engines, L = 0 … 5: " + ", ".join(f"{m:.3f}" for m in means) + "."]
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
        out += ["", "(Units that the mouth shares with speech, such as a raised lip, give way while lips close: they move less than asked.)"]
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
    parser.add_argument("--run", type=Path, default=Path("train/.cache/eac"))
    parser.add_argument("--weights", type=Path, default=Path("weights"))
    parser.add_argument("--bench", type=Path, default=Path("benches/data/speech"))
    parser.add_argument("--hours", default="5.3 hours")
    args = parser.parse_args()
    figures = json.loads(args.figures.read_text())
    curve = json.loads((args.run / "curve.json").read_text())
    import matplotlib

    matplotlib.use("Agg")
    write(figures, curve, args.hours, args.weights / "eac.md")
    cards = args.weights / "cards"
    cards.mkdir(exist_ok=True)
    draw_lookahead(figures, cards / "eac_lookahead.png")
    draw_gap(args.weights / "eac.safetensors", args.weights / "face.safetensors", args.bench, cards / "eac_gap.png")


if __name__ == "__main__":
    main()
