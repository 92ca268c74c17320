"""One phoneme alphabet (ARPAbet and SIL) for every engine, and the clean-up that their timings need.

A segment is (start, end, phone) in seconds. Segments of a clip are in order and do not overlap.
"""

import numpy as np

VOWELS = set("AA AE AH AO AX EH ER IH IY UH UW".split())
DIPHTHONGS = {  # first vowel, second vowel, share of the first
    "AW": ("AA", "UW", 0.55), "AY": ("AA", "IH", 0.6), "EY": ("EH", "IY", 0.5),
    "OW": ("AO", "UW", 0.5), "OY": ("AO", "IY", 0.55),
}
STOPS = set("P B T D K G CH JH".split())
CLOSURES = set("M B P".split())
BITES = set("F V".split())

# flite and festival share CMU's names, apart from these.
_CMU = {"AXR": "ER", "DX": "D", "EL": "L", "EM": "M", "EN": "N", "NX": "N", "PAU": "SIL", "SSIL": "SIL", "H#": "SIL",
        "BRTH": "SIL", "HV": "HH", "IX": "IH", "UX": "UW"}

# espeak-ng mnemonics, longest match first. "A+B" splits evenly. "" means: hold what was there (glottal stop).
_ESPEAK = {
    "p": "P", "b": "B", "t": "T", "d": "D", "k": "K", "g": "G", "f": "F", "v": "V", "T": "TH", "D": "DH", "s": "S",
    "z": "Z", "S": "SH", "Z": "ZH", "tS": "CH", "dZ": "JH", "h": "HH", "m": "M", "n": "N", "N": "NG", "l": "L",
    "r": "R", "w": "W", "j": "Y", ";": "GLOT", "?": "GLOT", "x": "K", "c": "K", "C": "SH", "L": "L",
    "0": "AA", "Q": "AA", "A": "AA", "A:": "AA", "A@": "AA+R", "a": "AE", "aa": "AE", "&": "AE", "a#": "AX", "V": "AH",
    "V@": "AH", "VR": "AH+R", "@": "AX", "@L": "AX+L", "@l": "AX+L", "e": "EH", "E": "EH", "e@": "EH+R", "E@": "EH+R",
    "e:": "EY", "eI": "EY", "I": "IH", "IR": "IH+R", "i": "IY", "i:": "IY", "i@": "IY+AX", "i@3": "IY+ER", "3": "ER",
    "3:": "ER", "o": "AO", "O": "AO", "O:": "AO", "O@": "AO+R", "o@": "AO+R", "o:": "OW", "oU": "OW", "OI": "OY",
    "u": "UW", "u:": "UW", "y": "UW", "y:": "UW", "U": "UH", "U@": "UH+AX", "aI": "AY", "aI@": "AY+AX", "aI3": "AY+ER",
    "aU": "AW", "aU@": "AW+AX", "ju:": "Y+UW",
}


def from_cmu(name):
    name = name.upper()
    return _CMU.get(name, name)


def from_espeak(name):
    """None where the mnemonic is unknown."""
    if not name or name[0] in "_|":
        return "SIL"
    while name:
        if name in _ESPEAK:
            return _ESPEAK[name]
        name = name[:-1]
    return None


def expand(segments):
    """Splits compounds and diphthongs, drops empty segments, and calls short gaps GLOT (the mouth does not react)."""
    out = []
    for start, end, phone in segments:
        if end - start < 1e-6:
            continue
        parts = phone.split("+")
        step = (end - start) / len(parts)
        for i, part in enumerate(parts):
            a, b = start + i * step, start + (i + 1) * step
            if part in DIPHTHONGS:
                first, second, share = DIPHTHONGS[part]
                middle = a + share * (b - a)
                out += [(a, middle, first), (middle, b, second)]
            elif part == "SIL" and b - a < 0.12:
                out.append((a, b, "GLOT"))
            else:
                out.append((a, b, part))
    return out


def join_silences(segments):
    """Neighbouring silences become one, so that a long pause is seen as long."""
    out = []
    for start, end, phone in segments:
        if phone == "SIL" and out and out[-1][2] == "SIL":
            out[-1] = (out[-1][0], end, "SIL")
        elif end > start:
            out.append((start, end, phone))
    return out


def envelope(pcm, rate, window=0.005, step=0.0025):
    """Root mean square every `step` seconds, over `window` centred on it."""
    power = np.concatenate([[0.0], np.cumsum(np.asarray(pcm, np.float64) ** 2)])
    centre = np.arange(0, len(pcm) / rate, step)
    lo = np.clip(((centre - window / 2) * rate).astype(int), 0, len(pcm))
    hi = np.clip(((centre + window / 2) * rate).astype(int), 0, len(pcm))
    return np.sqrt((power[hi] - power[lo]) / np.maximum(hi - lo, 1))


def find_bursts(segments, pcm, rate):
    """{index of a P or B segment: time of its burst}. The lips part there, not at the segment's end."""
    step = 0.0025
    level = np.log(envelope(pcm, rate, step=step) + 1e-4)
    out = {}
    for i, (start, end, phone) in enumerate(segments):
        if phone not in ("P", "B"):
            continue
        lo, hi = int((start + 0.25 * (end - start)) / step), min(int((end + 0.01) / step), len(level) - 3)
        default = start + (0.65 if phone == "P" else 0.85) * (end - start)
        if hi - lo < 4:
            out[i] = end
            continue
        rise = level[lo + 2 : hi + 2] - level[lo - 1 : hi - 1]
        k = int(np.argmax(rise))
        out[i] = (lo + k) * step if rise[k] > 0.7 else default
    return out
