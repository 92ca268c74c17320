"""Recordings of people with phone times -> corpora of the form that `synth.py` writes.

    python -m train.speech.recordings FOLDER --out train/.cache/speech

FOLDER holds `catalogue.tsv` (file, speaker, score, licence; tabs) and for each of its recordings SOURCE/NAME.opus with SOURCE/NAME.json: `{"text", "align": {"phones": [{"p", "start", "end"}]}}`
in seconds and ARPAbet, or `"hand"` in place of `"align"` for narrow German labels made by hand. What has neither is left out.

Writes `people_train`, `people_dev` (looked at while training) and `people_test` (looked at once, for the card). Speakers of one are in none of the others. What the collections
are and under which licence stands in `SOURCES`; weights that were trained on them name them in their card.
"""

import argparse
import csv
import hashlib
import json
import subprocess
import time
from pathlib import Path

import numpy as np
import soundfile

from .engines import RATE, to_16k
from .phones import from_cmu, join_silences
from .sounds import through_room_and_microphone
from .synth import Corpus
from .visemes import FPS

# source: (what it is, licence, weight in training, speakers kept for dev, and as many for test)
SOURCES = {
    "ls": ("LibriSpeech, readers of audio books", "CC BY 4.0", 1.5, 7),
    "lj": ("LJ Speech, one reader", "public domain", 0.6, 0),
    "lv": ("LibriVox, one reader", "public domain", 1.0, 0),
    "cv": ("Common Voice, telephones and rooms as they are", "CC0", 1.5, 14),
    "vctk": ("VCTK, read sentences", "CC BY 4.0", 1.0, 1),
    "arctic": ("CMU ARCTIC, read sentences", "free", 1.0, 0),
    "so": ("speechocean762, first language Mandarin, half of them children", "CC BY 4.0", 0.4, 10),
    "emodb": ("EmoDB, German actors, seven emotions, labelled by hand", "CC0", 0.5, 1),
}
NATIVE = ("ls", "cv", "vctk")  # native English with speakers kept aside
DOUBTED, DOUBT = -28.0, 0.4  # an alignment below this score counts only so much
ASPIRATION = 0.0275  # seconds: an aligner's p ends with its breath, the lips part so long before its end
VARIANTS = 4  # clean, two rooms and microphones, one codec

# Narrow labels of German -> the one alphabet. "!p" is p's release, "pasp" its breath, "_p" a closure that begins in silence. What is not named moves the mouth little.
_HAND = {
    "I": "IH", "i": "IY", "i6": "IY", "e": "IH", "E": "EH", "E6": "EH", "a": "AA", "a6": "AA", "A": "AA", "O": "AO", "o": "AO", "U": "UH", "u": "UW", "Y": "UH", "y": "UW", "9": "ER",
    "2": "ER", "@": "AX", "6": "AH", "@6": "AX", "aI": "AY", "aU": "AW", "aO": "AW", "AU": "AW", "AO": "AW", "OY": "OY", "m": "M", "mm": "M", "n": "N", "nn": "N", "N": "NG", "NN": "NG",
    "p": "P", "b": "B", "t": "T", "d": "D", "k": "K", "g": "G", "f": "F", "v": "V", "vv": "V", "V": "V", "s": "S", "ss": "S", "z": "Z", "S": "SH", "C": "Y", "x": "K", "X": "K",
    "j": "Y", "J": "Y", "l": "L", "L": "L", "h": "HH", "H": "HH", "D": "DH", ".": "SIL",
}


def from_hand(name):
    if name[:1] == "_" and name[1:] in _HAND:
        name = name[1:]
    if name[:1] == "!" or "asp" in name:
        # Tongue stops keep their place in the release; lips have parted.
        return _HAND.get(name.strip("!")[:1], "HH") if name.strip("!")[:1] in "tdkg" else "HH"
    return _HAND.get(name, "GLOT")


def segments_of(about, seconds):
    """[(start, end, phone)] of a whole clip from its JSON, closures as long as the lips are shut; None where it has no phone times."""
    out = []
    if "hand" in about:
        # A row's end is where its label begins: sound and labels agree so, and no other way (p is 29 dB below the clip, s crosses zero ten times as often as m).
        for row, after in zip(about["hand"]["phones"], about["hand"]["phones"][1:]):
            start, end, phone = row["end"], after["end"], from_hand(row["p"])
            if row["p"] in ("_p", "_b") and end - start > 0.08:  # when the lips met in the silence before, nobody can tell
                out.append((start, end - 0.08, "SIL"))
                start = end - 0.08
            out.append((start, end, phone))
    elif "align" in about:
        for row in about["align"]["phones"]:
            start, end, name = row["start"], row["end"], row["p"]
            phone = "SIL" if name in ("sil", "spn", "nsn") else from_cmu(name)
            if phone == "P" and end - start > 0.02 + ASPIRATION:
                out += [(start, end - ASPIRATION, "P"), (end - ASPIRATION, end, "HH")]
            else:
                out.append((start, end, phone))
    else:
        return None
    out = [(max(0.0, s), min(e, seconds), p) for s, e, p in out if min(e, seconds) > s]
    if not out:
        return None
    if out[0][0] > 0.0:
        out.insert(0, (0.0, out[0][0], "SIL"))
    if out[-1][1] < seconds:
        out.append((out[-1][1], seconds, "SIL"))
    return join_silences(out)


def splits(rows):
    """{speaker: "dev" or "test"} for those who are kept aside; the choice depends on their names alone."""
    out = {}
    for source, (*_, count) in SOURCES.items():
        speakers = sorted({r["speaker"] for r in rows if r["source_folder"] == source}, key=lambda s: hashlib.sha256(s.encode()).hexdigest())
        out |= dict.fromkeys(speakers[:count], "dev") | dict.fromkeys(speakers[count : 2 * count], "test")
    return out


def catalogue(folder):
    with open(folder / "catalogue.tsv", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    for row in rows:
        row["source_folder"] = row["file"].split("/")[0]
    return [r for r in rows if r["source_folder"] in SOURCES]


def read(path):
    pcm, rate = soundfile.read(path, dtype="float32", always_2d=True)
    return to_16k(pcm.mean(1), rate)


def through_codec(pcm, kilobits):
    """What is left of a sound after Opus at a low rate, as long and at the same times. Needs ffmpeg."""
    raw = (np.clip(pcm, -1, 1) * 32767).astype("<i2").tobytes()
    quiet = ["ffmpeg", "-v", "error", "-nostdin"]
    sound = ["-f", "s16le", "-ar", str(RATE), "-ac", "1"]
    packed = subprocess.run([*quiet, *sound, "-i", "pipe:0", "-c:a", "libopus", "-b:a", f"{kilobits}k", "-f", "ogg", "pipe:1"], input=raw, capture_output=True, check=True).stdout
    back = subprocess.run([*quiet, "-f", "ogg", "-i", "pipe:0", *sound, "pipe:1"], input=packed, capture_output=True, check=True).stdout
    out = np.frombuffer(back, "<i2").astype(np.float32) / 32768
    return np.pad(out, (0, max(0, len(pcm) - len(out))))[: len(pcm)]


def placed(pcm, segments, rng):
    """Sets the level and puts the clip between short silences of a faint hiss, in a whole number of frames."""
    pcm = pcm / (np.sqrt((pcm**2).mean()) + 1e-6) * 0.07
    before, after = (round(float(rng.uniform(0.1, 0.5)), 3) for _ in range(2))
    frames = int((before + len(pcm) / RATE + after) * FPS) + 1
    floor = np.sqrt(np.quantile((pcm[: len(pcm) // 400 * 400].reshape(-1, 400) ** 2).mean(1), 0.05))
    out = (floor * rng.uniform(0, 1) * rng.standard_normal(frames * 640)).astype(np.float32)
    at = round(before * RATE)
    out[at : at + len(pcm)] = pcm
    moved = [(s + before, e + before, p) for s, e, p in segments]
    return out, join_silences([(0.0, before, "SIL"), *moved, (moved[-1][1], frames / FPS, "SIL")])


def weight_of(row):
    doubted = row["score"] not in ("", "nan") and float(row["score"]) < DOUBTED
    return SOURCES[row["source_folder"]][2] * (DOUBT if doubted else 1.0)


def clips(folder, rows):
    """(row, pcm, segments) of all that have phone times and can be read."""
    for row in rows:
        path = folder / row["file"]
        about = json.loads(path.with_suffix(".json").read_text())
        if "hand" not in about and "align" not in about:
            continue
        pcm = read(path)
        segments = segments_of(about, len(pcm) / RATE)
        if segments and len(pcm) >= RATE // 2:
            yield row, pcm, segments


def build(folder, out, seed=11):
    rows, began = catalogue(folder), time.time()
    aside = splits(rows)
    out.mkdir(parents=True, exist_ok=True)
    for part in ("dev", "test"):
        corpus = Corpus(1, seed, keep_pcm=True)
        for row, pcm, segments in clips(folder, [r for r in rows if aside.get(r["speaker"]) == part]):
            whole = np.pad(pcm, (0, -len(pcm) % 640))
            corpus.add(whole, [*segments[:-1], (segments[-1][0], len(whole) / RATE, segments[-1][2])], row["source_folder"], row["speaker"], bursts=False)
        corpus.save(out / f"people_{part}")
        print(f"{part}: {len(corpus.voice)} clips, {corpus.start[-1] / FPS / 60:.1f} minutes, {time.time() - began:.0f} s taken", flush=True)
    corpus, rng = Corpus(VARIANTS, seed, keep_pcm=False), np.random.default_rng(seed)
    waiting = []

    def flush():
        # Many clips go through the codec as one: starting it takes longer than its work.
        heard = [through_room_and_microphone(rng, pcm) if rng.uniform() < 0.5 else pcm for pcm, *_ in waiting]
        coded = through_codec(np.concatenate(heard), int(rng.choice([10, 12, 16, 24])))
        for (pcm, segments, row), end in zip(waiting, np.cumsum([len(h) for h in heard])):
            corpus.add(pcm, segments, row["source_folder"], row["speaker"], weight_of(row), False, [coded[end - len(pcm) : end]])
        waiting.clear()

    for row, pcm, segments in clips(folder, [r for r in rows if r["speaker"] not in aside]):
        waiting.append((*placed(pcm, segments, rng), row))
        if len(waiting) == 32:
            flush()
            print(f"train: {corpus.start[-1] / FPS / 60:.0f} minutes, {time.time() - began:.0f} s taken", end="\r", flush=True)
    if waiting:
        flush()
    corpus.save(out / "people_train")
    print(f"train: {len(corpus.voice)} clips, {corpus.start[-1] / FPS / 60:.1f} minutes, {time.time() - began:.0f} s taken")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--out", type=Path, default=Path("train/.cache/speech"))
    args = parser.parse_args()
    build(args.folder, args.out)


if __name__ == "__main__":
    main()
