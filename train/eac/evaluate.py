"""Held-out figures of EAC: closures, silence, offset, emotion, by look-ahead; `engine/truth/src/speech.rs` defines them, and `metrics.py` is its twin.

    python -m train.eac.evaluate --weights weights/eac.safetensors --face weights/face.safetensors
    python -m train.eac.evaluate --people people_dev     # recordings only, by source

Voices of the held-out set were never trained on, nor were the speakers of `people_dev` and `people_test` (`train/speech/recordings.py`); the latter is for the card alone. Prints a
table and writes it as JSON. Intervals are those of 2,000 draws of as many speakers, with replacement.
"""

import argparse
import json
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from ..speech.clips import truth
from ..speech.recordings import NATIVE, SOURCES
from ..speech.sounds import KINDS, quiet_clip
from ..speech.synth import ENGINES
from .compose import action_table, strength
from .data import Corpus
from .face import EMOTIONS, NAMES, load_face
from .metrics import FPS, closure_counts, deep_silence, judge, merged, offset_ms, precision_recall
from .stream import load_net, stream

LOOKAHEADS = range(6)


def gaps(beta, row):
    return np.maximum(beta @ row, 0.0)


def held_clips(corpus, engine, seconds):
    """[(pcm, truth)] of one engine, taken evenly over its voices until there are `seconds`."""
    mine = [i for i, e in enumerate(corpus.engines) if e == engine]
    voices = sorted({corpus.voices[i] for i in mine})
    queues = {v: [i for i in mine if corpus.voices[i] == v] for v in voices}
    out, got = [], 0.0
    while got < seconds and any(queues.values()):
        for voice in voices:
            if queues[voice] and got < seconds:
                i = queues[voice].pop(0)
                a, b = corpus.clip_start[i], corpus.clip_start[i + 1]
                pcm = corpus.pcm[640 * a : 640 * b].astype(np.float32) / 32767
                out.append((pcm, truth(corpus.segments[i], b - a, pcm) | {"segments": corpus.segments[i]}))
                got += (b - a) / FPS
    return out


class Clip(NamedTuple):
    """A recording: what is heard, what the lips are asked for, and who speaks."""

    pcm: np.ndarray
    about: dict
    source: str
    speaker: str


def people_clips(corpus, sources):
    """The recordings of these sources, in the order of their sources."""
    out = []
    for source in sources:
        for i in (i for i, e in enumerate(corpus.engines) if e == source):
            a, b = corpus.clip_start[i], corpus.clip_start[i + 1]
            pcm = corpus.pcm[640 * a : 640 * b].astype(np.float32) / 32767
            about = truth(corpus.segments[i], b - a, None) | {"segments": corpus.segments[i]}
            out.append(Clip(pcm, about, source, corpus.voices[i]))
    return out


def spread(clips, seconds):
    """Clips of all speakers in turn, until there are so many seconds."""
    queues, out, got = {}, [], 0.0
    for clip in clips:
        queues.setdefault(clip.speaker, []).append(clip)
    while got < seconds and any(queues.values()):
        for queue in queues.values():
            if queue and got < seconds:
                out.append(queue.pop(0))
                got += len(out[-1].pcm) / 16000
    return out


def interval(by_speaker, draws=2000, seed=5):
    """The 95 % interval of F1 over (speakers, 4) counts."""
    rng, counts = np.random.default_rng(seed), np.array(by_speaker)
    drawn = counts[rng.integers(len(counts), size=(draws, len(counts)))].sum(1)
    return [float(x) for x in np.quantile([precision_recall(c)[2] for c in drawn], [0.025, 0.975])]


def people_figures(net, row, clips):
    """Of one source: what `speech_figures` says, and an interval of F1 at each look-ahead."""
    out = speech_figures(net, row, [(c.pcm, c.about) for c in clips], keep=True)
    counts, speakers = out.pop("counts"), [c.speaker for c in clips]
    for ahead in LOOKAHEADS:
        by_speaker = {}
        for speaker, mine in zip(speakers, counts):
            by_speaker[speaker] = by_speaker.get(speaker, 0) + mine[ahead]
        out["by_lookahead"][ahead]["interval"] = interval(list(by_speaker.values()))
    return out | {"speakers": len(set(speakers)), "seconds": sum(len(c.pcm) for c in clips) / 16000}


def people_report(net, row, corpus, sources=SOURCES):
    """{source: figures}, and "native" for native English together; printed as a table."""
    clips = people_clips(corpus, sources)
    groups = {s: [c for c in clips if c.source == s] for s in sources}
    groups["native"] = [c for c in clips if c.source in NATIVE]
    out = {}
    print("source      m, b, p  speakers | L  P     R     F1    95 %        | offset, r")
    for name, mine in groups.items():
        if not mine:
            continue
        out[name] = people_figures(net, row, mine)
        for k in (0, 2, 5):
            r = out[name]["by_lookahead"][k]
            low, high = r["interval"]
            head = f"{name:11} {out[name]['closures']:7}  {out[name]['speakers']:8}" if k == 0 else " " * 29
            print(f"{head} | {k}  {r['precision']:.3f} {r['recall']:.3f} {r['f1']:.3f} {low:.2f} … {high:.2f} | {r['offset_ms']:+.0f} ms {r['r']:.3f}", flush=True)
        print(f"  missed {dict(list(out[name]['missed'].items())[:5])} false on {dict(list(out[name]['false_on'].items())[:12])}")
    return out


def mistakes(gap, about):
    """(missed closures, false ones), each counted by the phone that was spoken there."""
    found, runs, right = judge(gap, about["closures"], about["pauses"])
    missed = Counter("+".join(p for s, e, p in about["closures"] if start <= s and e <= end) for (start, end), hit in zip(merged(about["closures"]), found) if not hit)
    at = lambda t: next((p for s, e, p in about["segments"] if s <= t < e), "SIL")  # noqa: E731
    return missed, Counter(at((a + b) / 2 / FPS) for (a, b), good in zip(runs, right) if not good)


def speech_figures(net, row, clips, emotion=0, mu=1.0, change=None, keep=False):
    """Per look-ahead: precision, recall, F1, offset in ms, correlation with openness; at L = 2 the gap in the pauses, and which phones were missed or shut for nothing. `keep`: the counts of
    every clip too."""
    counts, missed, false = [], Counter(), Counter()
    shown, wanted, quiet = [[] for _ in LOOKAHEADS], [], []
    for pcm, about in clips:
        heard = pcm if change is None else change(pcm)
        gap = gaps(stream(net, heard, emotion, mu), row)
        wanted.append(np.array(about["openness"])[: gap.shape[1]])
        still = deep_silence(about["pauses"], gap.shape[1])
        counts.append([closure_counts(gap[ahead], about["closures"], about["pauses"]) for ahead in LOOKAHEADS])
        for ahead in LOOKAHEADS:
            shown[ahead].append(gap[ahead])
        quiet.append(gap[2][still])
        for counter, more in zip((missed, false), mistakes(gap[2], about)):
            counter.update(more)
    wanted = np.concatenate(wanted)
    quiet = np.concatenate(quiet)
    by_clip, counts = np.array(counts), np.sum(counts, 0)
    out = {"counts": by_clip} if keep else {}
    out |= {"closures": int(counts[0, 1]), "silence": float(quiet.mean()) if len(quiet) else None, "by_lookahead": []}
    out |= {"missed": dict(missed.most_common()), "false_on": dict(false.most_common())}
    for ahead in LOOKAHEADS:
        gap = np.concatenate(shown[ahead])
        p, r, f1 = precision_recall(counts[ahead])
        out["by_lookahead"].append(
            dict(L=ahead, precision=p, recall=r, f1=f1, offset_ms=offset_ms(gap, wanted), r=float(np.corrcoef(gap, wanted)[0, 1]))
        )
    return out


def quiet_figures(net, row, seconds=8, level_db=-30.0, seed=4242):
    """Mean gap by kind of noise at a level, over all emotions' neutral; and in digital and near silence."""
    out = {}
    for name in KINDS:
        rng = np.random.default_rng(seed)
        values = []
        for _ in range(3):
            pcm = quiet_clip(rng, seconds, name) / 0.07 * 10 ** (level_db / 20)
            values.append(gaps(stream(net, pcm)[2], row)[5:])
        out[name] = float(np.mean(values))
    rng = np.random.default_rng(seed)
    silence = {
        "digital": np.zeros(6 * 16000, np.float32),
        "-70 dBFS hiss": (10 ** (-70 / 20) * rng.standard_normal(6 * 16000)).astype(np.float32),
        "-55 dBFS hiss": (10 ** (-55 / 20) * rng.standard_normal(6 * 16000)).astype(np.float32),
    }
    still = {k: float(gaps(stream(net, v)[2], row)[5:].mean()) for k, v in silence.items()}
    by_emotion = {
        EMOTIONS[e]: float(gaps(stream(net, silence["-70 dBFS hiss"], e, 3.0)[2], row)[5:].mean()) for e in range(8)
    }
    return {"noise": out, "noise_mean": float(np.mean(list(out.values()))), "silence": still, "silence_by_emotion": by_emotion}


def emotion_figures(net, clips):
    """How far the action units that an emotion names move from neutral: share of what training asked, and sign."""
    table = action_table().numpy()
    pcm = np.concatenate([p for p, _ in clips])[: 16000 * 12]
    neutral = stream(net, pcm, 0, 2.0)[2].mean(0)
    out = {}
    for e in range(1, 8):
        named = np.flatnonzero(table[e] >= 0.2)
        rows = {}
        for mu in (1.0, 2.0, 3.0):
            moved = stream(net, pcm, e, mu)[2].mean(0) - neutral
            rows[f"mu={mu:.0f}"] = dict(
                moved=float(moved[named].mean()), wanted=float(table[e][named].mean() * strength(mu)),
                right_sign=float((moved[named] > 0.01).mean()),
            )
        out[EMOTIONS[e]] = rows | {"units": [NAMES[i] for i in named]}
    return out


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", type=Path, default=Path("weights/eac.safetensors"))
    parser.add_argument("--face", type=Path, default=Path("weights/face.safetensors"))
    parser.add_argument("--data", type=Path, default=Path("train/.cache/speech"))
    parser.add_argument("--seconds", type=float, default=200, help="of speech for each engine")
    parser.add_argument("--people", metavar="PART", help="the recordings of this part, and nothing else")
    parser.add_argument("--sources", nargs="*", default=list(SOURCES), help="of --people")
    parser.add_argument("--quick", action="store_true", help="speech on neutral only")
    parser.add_argument("--out", type=Path, default=Path("train/.cache/eac/figures.json"))
    args = parser.parse_args()
    torch.set_num_threads(1)
    net, row = load_net(args.weights), load_face(args.face).gap
    if args.people:
        figures = people_report(net, row, Corpus(args.data / args.people), args.sources)
        args.out.parent.mkdir(parents=True, exist_ok=True)
        args.out.write_text(json.dumps(figures, indent=1))
        return
    corpus = Corpus(args.data / "held")
    clips = {e: held_clips(corpus, e, args.seconds) for e in ENGINES if e != "quiet"}
    figures = {"speech": {}}
    for engine, mine in clips.items():
        figures["speech"][engine] = speech_figures(net, row, mine)
        report_speech(engine, figures["speech"][engine])
    means = [np.mean([figures["speech"][e]["by_lookahead"][k]["f1"] for e in clips]) for k in LOOKAHEADS]
    figures["mean_f1"] = [float(m) for m in means]
    print("mean closure F1 over engines, L = 0 … 5:", " ".join(f"{m:.3f}" for m in means), flush=True)
    if not args.quick:
        figures |= the_rest(net, row, clips)
        if (args.data / "people_test.npz").exists():
            figures["people"] = people_report(net, row, Corpus(args.data / "people_test"))
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_text(json.dumps(figures, indent=1))


def the_rest(net, row, clips):
    from ..speech.real import align, recordings

    figures = {"quiet": quiet_figures(net, row)}
    print("noise at -30 dBFS:", {k: round(v, 4) for k, v in figures["quiet"]["noise"].items()})
    print("silence:", figures["quiet"]["silence"], figures["quiet"]["silence_by_emotion"], flush=True)
    some = [c for mine in clips.values() for c in mine[:6]]
    rng = np.random.default_rng(9)
    noisy = lambda pcm: pcm + 0.07 * 10 ** (-10 / 20) * rng.standard_normal(len(pcm)).astype(np.float32)  # noqa: E731
    figures["noisy"] = speech_figures(net, row, some, change=noisy)
    report_speech("white noise, +10 dB SNR", figures["noisy"])
    figures["emotional"], emotional = {}, some[::2]
    for e in range(8):
        figures["emotional"][EMOTIONS[e]] = speech_figures(net, row, emotional, e, 3.0)
        report_speech(f"{EMOTIONS[e]}, mu = 3", figures["emotional"][EMOTIONS[e]], [2])
    figures["emotion"] = emotion_figures(net, some)
    for name, rows in figures["emotion"].items():
        print(f"{name:10}", {k: v for k, v in rows.items() if k != "units"}, flush=True)
    real = [(pcm, align(pcm, text)) for _, pcm, text in recordings()]
    real = [(pcm, truth(s, len(pcm) // 640, pcm) | {"segments": s}) for pcm, s in real if s]
    if real:
        figures["real"] = speech_figures(net, row, real) | {"seconds": float(sum(len(p) for p, _ in real) / 16000)}
        report_speech(f"real speech, {figures['real']['seconds']:.0f} s", figures["real"])
    return figures


def report_speech(name, figures, lookaheads=LOOKAHEADS):
    silence = figures["silence"]
    print(f"{name}: {figures['closures']} closures, silence {silence if silence is None else round(silence, 4)}")
    for k in lookaheads:
        row = figures["by_lookahead"][k]
        print(
            f"  L={k} P {row['precision']:.3f} R {row['recall']:.3f} F1 {row['f1']:.3f} "
            f"offset {row['offset_ms']:+.1f} ms r {row['r']:.3f}", flush=True
        )


if __name__ == "__main__":
    main()
