"""The bundled sample speech, and what `vultus eval speech` measures: three held-out voices, sounds in which nobody speaks, and recordings of people.

    python -m train.speech.clips --sample weights/sample.wav --bench benches/data/speech [--people FOLDER]

A clip's JSON: engine (a synthesiser, a collection, a noise), voice, licence, text, seconds, closures and bites [[start, end, phone]], pauses [[start, end]] (at least
0.12 s long), and openness, one value per 25 Hz frame (0 shut … 1), from the synthesiser's own times or the recording's alignment. --people takes a collection as
`train/speech/recordings.py` does, and copies recordings of speakers of its `people_test` whose licence asks for nothing.
"""

import argparse
import json
import shutil
from pathlib import Path

import numpy as np
import soundfile

from ..eac.config import load_config
from .engines import RATE, Espeak, festival, flite
from .phones import BITES, CLOSURES, join_silences
from .recordings import SOURCES, catalogue, clips, splits
from .sounds import quiet_clip
from .visemes import FPS, TRACKS, render

SAMPLE_VOICE = "slt"
SAMPLE_TEXT = (
    "Hello! My name is Vultus. Give me a voice, and I become a living face. "
    "Maybe happy, maybe sad, perhaps a little surprised. Pick a portrait, and bring it to life."
)
BENCH = [
    ("espeak", "en-us+f4", "Bob and Pam moved the big lamp from the bedroom, but nobody believed them. "
     "Five farmers waved. My mother bought some purple plums, and a map of Bombay."),
    ("flite", "awb", "Maybe the plumber can mend the bathroom pump by Monday. "
     "He promised to bring five new pipes, and a very big box of tools."),
    ("festival", "ked_diphone", "The members of the company met above the shop. "
     "They stopped for lunch at half past five, then opened a bottle of pepper jam."),
]
STILL = {"music": 41, "knocks": 42, "breath": 43}  # noise: seed
PEOPLE = {"cv": 40, "emodb": 16}  # clips of each collection, both CC0


def speak(engine, voice, text, stretch=1.0):
    if engine == "espeak":
        return Espeak().speak(text, voice, 165)
    if engine == "flite":
        return flite(text, voice, stretch)
    return festival([(text, stretch)], voice)[0]


def levelled(pcm, peak=0.6):
    return (pcm / (np.abs(pcm).max() + 1e-9) * peak).astype(np.float32)


def truth(segments, frames, pcm):
    """What an evaluation needs to know of a clip; `pcm` is the clean sound, which times the bursts."""
    segments = join_silences(segments)
    tracks = render(segments, frames, pcm)
    jaw, seal, rest = (tracks[:, TRACKS.index(t)] for t in ("jaw", "seal", "rest"))
    return {
        "closures": [(round(s, 4), round(e, 4), p) for s, e, p in segments if p in CLOSURES],
        "bites": [(round(s, 4), round(e, 4), p) for s, e, p in segments if p in BITES],
        "pauses": [(round(s, 4), round(e, 4)) for s, e, p in segments if p == "SIL" and e - s >= 0.12],
        "openness": [round(float(x), 3) for x in jaw * (1 - seal) * (1 - rest)],
    }


def write(path, about):
    path.with_suffix(".json").write_text(json.dumps(about, ensure_ascii=False) + "\n")
    sound = next(path.with_suffix(e) for e in (".flac", ".opus") if path.with_suffix(e).exists())
    print(sound, f"{about['seconds']:.1f} s, {sound.stat().st_size} bytes, {len(about['closures'])} closures")


def write_still(folder, seconds=6, level_db=-30.0):
    """Sounds in which nobody speaks."""
    for name, seed in STILL.items():
        pcm = quiet_clip(np.random.default_rng(seed), seconds, name) / 0.07 * 10 ** (level_db / 20)
        soundfile.write(folder / f"{name}.opus", pcm, RATE, format="OGG", subtype="OPUS")
        about = {"engine": f"{name} at {level_db:.0f} dBFS".replace("-", "−"), "voice": "nobody", "licence": "MIT OR Apache-2.0", "text": "", "seconds": float(seconds)}
        write(folder / name, about | truth([(0.0, float(seconds), "SIL")], seconds * FPS, None))


def write_people(collection, folder):
    """Recordings of speakers who are kept for the test, as they are."""
    rows = catalogue(collection)
    aside = splits(rows)
    for source, count in PEOPLE.items():
        mine = [r for r in rows if r["source_folder"] == source and aside.get(r["speaker"]) == "test"]
        for row, pcm, segments in clips(collection, mine[:: max(1, len(mine) // count)][:count]):
            path = folder / Path(row["file"]).name
            shutil.copyfile(collection / row["file"], path)
            text = json.loads((collection / row["file"]).with_suffix(".json").read_text())["text"]
            frames = -(-len(pcm) // 640)
            about = {"engine": source, "voice": row["speaker"], "licence": SOURCES[source][1], "text": text, "seconds": frames / FPS}
            write(path, about | truth([*segments[:-1], (segments[-1][0], frames / FPS, segments[-1][2])], frames, None))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sample", type=Path, default=Path("weights/sample.wav"))
    parser.add_argument("--bench", type=Path, default=Path("benches/data/speech"))
    parser.add_argument("--people", type=Path, metavar="FOLDER", help="a collection of recordings; without it those that are there stay")
    args = parser.parse_args()
    pcm, _ = flite(SAMPLE_TEXT, SAMPLE_VOICE, 1.05)
    silence = np.zeros(int(0.3 * RATE), np.float32)
    sample = np.concatenate([silence, levelled(pcm), silence])
    args.sample.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(args.sample, sample, RATE, "PCM_16")
    print(args.sample, f"{len(sample) / RATE:.1f} s, {args.sample.stat().st_size} bytes")
    args.bench.mkdir(parents=True, exist_ok=True)
    held = load_config()["data"]
    for engine, voice, text in BENCH:
        if voice not in held[f"{engine}_held"]:
            raise ValueError(f"{voice} is a training voice")
        pcm, segments = speak(engine, voice, text)
        lead = int(0.4 * RATE)
        frames = int(np.ceil((2 * lead + len(pcm)) / 640))
        clip = np.zeros(frames * 640, np.float32)
        clip[lead : lead + len(pcm)] = levelled(pcm)
        moved = [(s + 0.4, e + 0.4, p) for s, e, p in segments]
        moved = [(0.0, 0.4, "SIL"), *moved, (moved[-1][1], frames / FPS, "SIL")]
        path = args.bench / f"{engine}.flac"
        soundfile.write(path, clip, RATE, "PCM_16")
        write(path, {"engine": engine, "voice": voice, "text": text, "seconds": frames / FPS, **truth(moved, frames, clip)})
    write_still(args.bench)
    if args.people:
        write_people(args.people, args.bench)


if __name__ == "__main__":
    main()
