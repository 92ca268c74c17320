"""Real recordings with transcripts, from the Debian package pocketsphinx-testdata, aligned by pocketsphinx.

About 27 s of one LibriVox reader (public domain) and 14 s of short commands by others: a small test, never trained on.
"""

import re
import wave
from pathlib import Path

import numpy as np

from .phones import from_cmu, join_silences

FOLDER = Path("/usr/share/pocketsphinx/test/data")
_RAW = {"goforward.raw": "go forward ten meters"}
_FRAME = 0.01  # seconds


def recordings(folder=FOLDER):
    """[(name, pcm float32 at 16 kHz, text)]; empty where the package is missing."""
    out = []
    for transcript in (folder / "librivox/transcription", folder / "cards/cards.transcription"):
        if not transcript.exists():
            continue
        for text, name in re.findall(r"<s>\s*(.*?)\s*</s>\s*\((\S+)\)", transcript.read_text()):
            path = transcript.parent / f"{name}.wav"
            with wave.open(str(path)) as file:
                pcm = np.frombuffer(file.readframes(file.getnframes()), np.int16)
                if file.getframerate() == 16000 and file.getnchannels() == 1:
                    out.append((name, pcm.astype(np.float32) / 32768, text))
    for name, text in _RAW.items():
        if (folder / name).exists():
            out.append((name, np.fromfile(folder / name, "<i2").astype(np.float32) / 32768, text))
    return out


def align(pcm, text):
    """Segments of a known text, or None where the aligner cannot fit it. Good to about 10 ms."""
    from pocketsphinx import Decoder

    raw = (np.clip(pcm, -1, 1) * 32767).astype("<i2").tobytes()
    decoder = Decoder(bestpath=False, loglevel="FATAL")
    words = [w for w in text.lower().split() if decoder.lookup_word(w)]
    if len(words) != len(text.split()):
        return None
    decoder.set_align_text(" ".join(words))
    for stage in ("words", "phones"):
        decoder.start_utt()
        decoder.process_raw(raw, full_utt=True)
        decoder.end_utt()
        if stage == "words":
            if decoder.hyp() is None:  # only here: the phone search has no hypothesis, and asking for one crashes
                return None
            decoder.set_alignment()  # the next pass fits phones into these words
    out = []
    for word in decoder.get_alignment():
        for phone in word:
            name = "SIL" if phone.name in ("SIL", "+SPN+", "+NSN+") else from_cmu(phone.name)
            out.append((phone.start * _FRAME, (phone.start + phone.duration) * _FRAME, name))
    end = len(pcm) / 16000
    if out[-1][1] < end:
        out.append((out[-1][1], end, "SIL"))
    if out[0][0] > 0:
        out.insert(0, (0.0, out[0][0], "SIL"))
    return join_silences(out)
