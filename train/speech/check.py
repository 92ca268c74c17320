"""Sanity of the phoneme times: sound level inside and around each class of phones, per engine.

Stops should be quiet in their first half, then burst; vowels loud throughout; silences quiet.
"""

import argparse
import json
from pathlib import Path

import numpy as np

from .synth import FPS


def level_db(pcm, start, end):
    part = pcm[max(0, int(start * 16000)) : max(0, int(end * 16000))]
    return 10 * np.log10((part**2).mean() + 1e-9) if len(part) else np.nan


def table(part):
    """{engine: {phone: (count, mean seconds, dB 40 ms before, first half, second half, 40 ms after)}}"""
    data = np.load(part.with_suffix(".npz"))
    about = json.loads(part.with_suffix(".json").read_text())
    pcm = data["pcm"].astype(np.float64) / 32767
    rows = {}
    for clip, engine, start in zip(about["segments"], about["engines"], data["clip_start"]):
        offset = start / FPS
        for s, e, phone in clip:
            if s < 0.05 or phone not in "SIL P T K B D G M N F S AE IY AA".split():
                continue
            s, e = s + offset, e + offset
            middle = (s + e) / 2
            spans = [(s - 0.04, s), (s, middle), (middle, e), (e, e + 0.04)]
            row = (e - s, *(level_db(pcm, *span) for span in spans))
            rows.setdefault(engine, {}).setdefault(phone, []).append(row)
    return {
        engine: {p: (len(r), np.mean([x[0] for x in r]), *np.nanmedian([x[1:] for x in r], 0)) for p, r in phones.items()}
        for engine, phones in rows.items()
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("part", type=Path, help="for instance train/.cache/speech/held")
    for engine, phones in table(parser.parse_args().part).items():
        print(f"{engine}: phone, count, ms | before | first half | second half | after (dB)")
        for phone, (count, seconds, *levels) in sorted(phones.items()):
            print(f"  {phone:4}{count:5}{1000 * seconds:6.0f} |" + "".join(f"{x:7.1f}" for x in levels))


if __name__ == "__main__":
    main()
