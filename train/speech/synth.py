"""Builds the speech corpus: clips with mel columns and articulation tracks, for training, and a held-out set.

    python -m train.speech.synth train --out train/.cache/speech
    python -m train.speech.synth held  --out train/.cache/speech

Writes `<part>.npz`: columns (variants, 4·frames, 80) f16, tracks (frames, 11) f16, clip_start; and `<part>.json` with what every clip is: engine, voice, segments, and
the weight with which training draws it. The held-out part also keeps its PCM.
"""

import argparse
import json
import random
import time
from pathlib import Path

import numpy as np
import scipy.signal as signal

from ..eac.config import load_config
from .engines import Espeak, festival, flite
from .mel import log_mel
from .phones import join_silences
from .sentences import Sentences
from .sounds import quiet_clip, through_room_and_microphone
from .visemes import FPS, TRACKS, render

RATE = 16000
LANGUAGES = ["en-us"] * 4 + ["gmw/en"] * 2 + [
    "en-gb-scotland", "en-gb-x-rp", "en-gb-x-gbcwmd", "en-029", "en-us-nyc", "en-gb-x-gbclan",
]
VARIANTS = """m1 m2 m3 m4 m5 m6 m8 f1 f2 f3 f5 klatt klatt2 klatt3 klatt5 klatt6 Alicia Andrea Andy Denis Diogo Gene Hugo
Jacky Lee Marco Mario Michael Mike adam anika antonio aunty belinda benjamin boris caleb david ed edward grandma grandpa
gustave iven john linda max michel miguel norbert pablo paul pedro quincy rob robert sandro shelby steph travis victor
zac whisper""".split()
ENGINES = ["espeak", "flite", "festival", "quiet"]
PITCH = {"slt": (140, 230)}


def speed(pcm, segments, factor):
    """Tape speed: pitch and formants rise with the factor, durations shrink."""
    up, down = 160, round(160 * factor)
    ratio = up / down
    out = signal.resample_poly(pcm, up, down).astype(np.float32)
    return out, [(s * ratio, e * ratio, p) for s, e, p in segments]


def place(pcm, segments, rng):
    """Sets the level and puts the clip between silences, in a whole number of frames."""
    pcm = pcm / (np.sqrt((pcm**2).mean()) + 1e-6) * 0.07
    before = rng.uniform(0.9, 2.5) if rng.random() < 0.2 else rng.uniform(0.1, 0.9)
    after = rng.uniform(0.9, 2.0) if rng.random() < 0.1 else rng.uniform(0.1, 0.8)
    frames = int((before + len(pcm) / RATE + after) * FPS) + 1
    out = np.zeros(frames * 640, np.float32)
    at = int(before * RATE)
    out[at : at + len(pcm)] = pcm
    moved = [(s + before, e + before, p) for s, e, p in segments]
    return out, join_silences([(0.0, before, "SIL"), *moved, (moved[-1][1], frames / FPS, "SIL")])


class Corpus:
    def __init__(self, variants, seed, keep_pcm):
        self.noise = np.random.default_rng(seed)
        self.rng = random.Random(seed)
        self.variants, self.keep_pcm = variants, keep_pcm
        self.columns = [[] for _ in range(variants)]
        self.tracks, self.start, self.engine, self.voice, self.segments, self.weight, self.pcm = [], [0], [], [], [], [], []

    def add(self, pcm, segments, engine, voice, weight=1.0, bursts=True, more=()):
        """`engine` is where the clip comes from. `bursts`: segments hold the aspiration of p, and its burst is looked for in the sound. `more`: further variants that the caller made."""
        frames = len(pcm) // 640
        self.tracks.append(render(segments, frames, pcm if bursts else None).astype(np.float16))
        made = [pcm] + [through_room_and_microphone(self.noise, pcm) for _ in range(self.variants - 1 - len(more))] + list(more)
        for kept, heard in zip(self.columns, made):
            kept.append(log_mel(heard, 4 * frames).astype(np.float16))
        self.start.append(self.start[-1] + frames)
        self.engine.append(engine)
        self.voice.append(voice)
        self.weight.append(weight)
        self.segments.append([(round(s, 4), round(e, 4), p) for s, e, p in segments])
        if self.keep_pcm:
            self.pcm.append((np.clip(pcm, -1, 1) * 32767).astype(np.int16))
        return frames / FPS

    def save(self, path):
        extra = {"pcm": np.concatenate(self.pcm)} if self.keep_pcm else {}
        np.savez(
            path.with_suffix(".npz"),
            columns=np.stack([np.concatenate(c) for c in self.columns]),
            tracks=np.concatenate(self.tracks),
            clip_start=np.array(self.start), **extra,
        )
        about = {"tracks": TRACKS, "engines": self.engine, "voices": self.voice, "weights": self.weight, "segments": self.segments}
        path.with_suffix(".json").write_text(json.dumps(about))


def festival_batch(corpus, text, voice, count=24):
    jobs = [(text.next(), corpus.rng.uniform(0.8, 1.3)) for _ in range(count)]
    return festival(jobs, voice)


def fill(corpus, text, engine, voice, seconds, espeak, held):
    """Adds clips of one voice (or, for espeak with voice None, of random voices) until there are `seconds` of them."""
    got, ready, rng = 0.0, [], corpus.rng
    while got < seconds:
        name = voice
        if engine == "espeak":
            if name is None:
                name = rng.choice(LANGUAGES) + ("+" + rng.choice(VARIANTS) if rng.random() < 0.88 else "")
            pcm, segments = espeak.speak(
                text.next(), name, rng.uniform(120, 230), rng.uniform(15, 85), rng.uniform(20, 80),
                0 if rng.random() < 0.8 else rng.randint(1, 3),
            )
            change = 1.0 if held else rng.uniform(0.9, 1.12)
        elif engine == "flite":
            pitch = rng.uniform(*PITCH.get(voice, (80, 150))) if rng.random() < 0.6 else None
            pcm, segments = flite(text.next(), voice, rng.uniform(0.8, 1.3), pitch)
            change = 1.0 if held else rng.uniform(0.85, 1.18)
        else:
            ready = ready or festival_batch(corpus, text, voice)
            pcm, segments = ready.pop()
            change = 1.0 if held else rng.uniform(0.85, 1.18)
        if len(pcm) < RATE // 2 or not segments:
            continue
        got += corpus.add(*place(*speed(pcm, segments, change), rng), engine, name)


def build(part, config, out, scale=1.0):
    data, began = config["data"], time.time()
    held = part == "held"
    corpus = Corpus(1 if held else data["variants"], data["seed"] + 1000 * held, held)
    text = Sentences(data["seed"] + 500 * held, held)
    espeak = Espeak()
    if held:
        plan = [("espeak", v, data["held_seconds"] / len(data["espeak_held"])) for v in data["espeak_held"]]
        plan += [("flite", v, data["held_seconds"] / len(data["flite_held"])) for v in data["flite_held"]]
        plan += [("festival", v, data["held_seconds"] / len(data["festival_held"])) for v in data["festival_held"]]
    else:
        plan = [("espeak", None, data["espeak_seconds"])]
        plan += [("flite", v, data["flite_seconds"]) for v in data["flite_train"]]
        plan += [("festival", v, data["festival_seconds"]) for v in data["festival_train"]]
    for engine, voice, seconds in plan:
        fill(corpus, text, engine, voice, seconds * scale, espeak, held)
        print(f"{engine} {voice or 'many'}: {corpus.start[-1] / FPS:.0f} s so far, {time.time() - began:.0f} s taken", flush=True)
    quiet = 0.0
    while quiet < (60 if held else data["quiet_seconds"] * scale):
        seconds = corpus.rng.choice([4, 6, 8])
        pcm = quiet_clip(corpus.noise, seconds)
        quiet += corpus.add(pcm[: len(pcm) // 640 * 640], [(0.0, float(seconds), "SIL")], "quiet", "noise")
    if espeak.unknown:
        print("unknown espeak phonemes:", sorted(espeak.unknown))
    out.mkdir(parents=True, exist_ok=True)
    corpus.save(out / part)
    print(f"{part}: {corpus.start[-1] / FPS / 3600:.2f} h in {time.time() - began:.0f} s")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=["train", "held"])
    parser.add_argument("--out", type=Path, default=Path("train/.cache/speech"))
    parser.add_argument("--scale", type=float, default=1.0, help="share of the configured length")
    args = parser.parse_args()
    build(args.part, load_config(), args.out, args.scale)


if __name__ == "__main__":
    main()
