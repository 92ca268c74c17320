"""The three speech engines. Each returns (pcm float32 at 16 kHz, segments in seconds).

Nothing but Debian packages: espeak-ng with libespeak-ng1, flite, festival with festvox-*.
"""

import ctypes
import re
import subprocess
import tempfile
import wave
from math import gcd
from pathlib import Path

import numpy as np
import scipy.signal as signal

from .phones import STOPS, envelope, from_cmu, from_espeak

RATE = 16000

# How much later than its phoneme times a voice sounds, in seconds: the shift at which its loudness agrees best with
# what its phonemes would have (statistical voices smear their labels).
LAG = {"slt": 0.010, "rms": 0.005, "kal_diphone": 0.005, "cmu_us_slt_arctic_hts": 0.012}


def _delay(segments, voice):
    lag = LAG.get(voice, 0.0)
    if not lag or not segments:
        return segments
    moved = [(s + lag, e + lag, p) for s, e, p in segments]
    return [(0.0, moved[0][1], moved[0][2]), *moved[1:]]


def to_16k(pcm, rate):
    if rate == RATE:
        return np.asarray(pcm, np.float32)
    g = gcd(rate, RATE)
    return signal.resample_poly(pcm, RATE // g, rate // g).astype(np.float32)


def read_wav(path):
    with wave.open(str(path)) as file:
        pcm = np.frombuffer(file.readframes(file.getnframes()), np.int16).astype(np.float32) / 32768
        return pcm, file.getframerate()


# --- espeak-ng -----------------------------------------------------------------------------------------------------


class _Id(ctypes.Union):
    _fields_ = [("number", ctypes.c_int), ("name", ctypes.c_char_p), ("string", ctypes.c_char * 8)]


class _Event(ctypes.Structure):
    _fields_ = [
        ("type", ctypes.c_int), ("identifier", ctypes.c_uint), ("text_position", ctypes.c_int),
        ("length", ctypes.c_int), ("audio_position", ctypes.c_int), ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p), ("id", _Id),
    ]


_LIST_END, _WORD, _PHONEME = 0, 1, 7
_Callback = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event)
)


class Espeak:
    """One per process: the library has global state."""

    def __init__(self):
        self.lib = ctypes.CDLL("libespeak-ng.so.1")
        # 2: synchronous retrieval. 1: phoneme events. `espeak-ng --pho` would need an MBROLA voice.
        self.rate = self.lib.espeak_Initialize(2, 0, None, 1)
        self.pcm, self.events, self.unknown = [], [], set()
        self.callback = _Callback(self._receive)  # held, or it would be freed under the library
        self.lib.espeak_SetSynthCallback(self.callback)

    def _receive(self, samples, count, events):
        if count > 0 and samples:
            self.pcm.append(np.ctypeslib.as_array(samples, (count,)).copy())
        i = 0
        while events[i].type != _LIST_END:
            event = events[i]
            if event.type == _PHONEME:
                name = bytes(event.id.string).split(b"\0")[0].decode("utf8", "replace")
                self.events.append((event.sample / self.rate, name))
            elif event.type == _WORD:
                self.events.append((event.sample / self.rate, None))
            i += 1
        return 0

    def speak(self, text, voice, words_per_minute=175, pitch=50, pitch_range=50, word_gap=0):
        self.pcm.clear()
        self.events.clear()
        if self.lib.espeak_SetVoiceByName(voice.encode()) != 0:
            raise ValueError(f"espeak-ng has no voice {voice!r}")
        for parameter, value in ((1, words_per_minute), (3, pitch), (4, pitch_range), (7, word_gap)):
            self.lib.espeak_SetParameter(parameter, int(value), 0)
        raw = text.encode()
        self.lib.espeak_Synth(raw, len(raw) + 1, 0, 0, 0, 1, None, None)
        self.lib.espeak_Synchronize()
        pcm = (np.concatenate(self.pcm) if self.pcm else np.zeros(0, np.int16)).astype(np.float32) / 32768
        return to_16k(pcm, self.rate), self._segments(pcm)

    def _segments(self, pcm):
        events = sorted(self.events, key=lambda e: e[0])
        ends = [e[0] for e in events[1:]] + [len(pcm) / self.rate]
        out = []
        for (start, name), end in zip(events, ends):
            phone = "SIL" if name is None else from_espeak(name)  # after a word event: the gap before its first phone
            if phone is None:
                self.unknown.add(name)
                phone = "AX"
            out.append([start, end, phone])
        for here, after in zip(out, out[1:]):
            # Merged phones come with no length: they get the first half of their neighbour.
            if here[1] - here[0] < 0.002 and "SIL" not in (here[2], after[2]):
                here[1] = after[0] = (after[0] + after[1]) / 2
        out = [s for s in out if s[1] > s[0]]
        self._start_stops_at_closure(out, pcm)
        return [tuple(s) for s in out if s[1] - s[0] > 1e-4]

    def _start_stops_at_closure(self, segments, pcm):
        """espeak's event for a stop is its release. Its closure is the silence that ends the segments before it."""
        step = 0.0025
        level = envelope(pcm, self.rate, step=step)
        quiet = max(level.max(initial=0.0) * 0.006, 1e-4)
        for i in range(1, len(segments)):
            start, _, phone = segments[i]
            if phone not in STOPS:
                continue
            k = min(int(start / step) - 1, len(level) - 1)
            lowest = max(0, int((start - 0.13) / step))
            release = k
            while k > lowest and level[k] >= quiet and release - k < 5:  # the burst may already have begun
                k -= 1
            edge = k
            while edge > lowest and level[edge] < quiet:
                edge -= 1
            if level[k] >= quiet or k - edge < 3:
                continue  # voiced through, or no closure that one could hear
            begin = edge * step
            segments[i][0] = begin
            for before in reversed(segments[:i]):
                if before[1] <= begin:
                    break
                before[1] = max(begin, before[0])
                if before[0] >= begin:
                    before[0] = before[1] = begin


# --- flite ---------------------------------------------------------------------------------------------------------


def flite(text, voice, stretch=1.0, pitch_hz=None):
    with tempfile.TemporaryDirectory() as folder:
        wav = Path(folder) / "speech.wav"
        command = ["flite", "-voice", voice, "--setf", f"duration_stretch={stretch:.3f}"]
        if pitch_hz:
            command += ["--setf", f"int_f0_target_mean={pitch_hz:.1f}"]
        done = subprocess.run(
            [*command, "-psdur", "-t", text, "-o", wav], capture_output=True, text=True, check=True
        )
        pcm, rate = read_wav(wav)
    out, start = [], 0.0
    for name, end in re.findall(r"([a-z#]+):([0-9.]+)", done.stdout):
        out.append((start, float(end), from_cmu(name)))
        start = float(end)
    return to_16k(pcm, rate), _delay(out, voice)


# --- festival ------------------------------------------------------------------------------------------------------


def festival(jobs, voice):
    """[(text, stretch)] -> [(pcm, segments)], in one process because the voice takes long to load."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        lines = [f"(voice_{voice})"]
        for i, (text, stretch) in enumerate(jobs):
            safe = re.sub(r'["\\]', "", text)
            lines += [
                f"(Parameter.set 'Duration_Stretch {stretch:.3f})",
                f'(set! u (utt.synth (Utterance Text "{safe}")))',
                f"(utt.save.wave u \"{folder}/{i}.wav\" 'riff)",
                f'(format t "@{i}\\n")',
                '(mapcar (lambda (s) (format t "%s %f\\n" (item.name s) (item.feat s "end")))'
                " (utt.relation.items u 'Segment))",
            ]
        script = folder / "speak.scm"
        script.write_text("\n".join(lines))
        done = subprocess.run(["festival", "-b", str(script)], capture_output=True, text=True, errors="replace")
        results = []
        for block in done.stdout.split("@")[1:]:
            rows = block.strip().splitlines()
            wav = folder / f"{rows[0].strip()}.wav"
            if not wav.exists():
                continue
            out, start = [], 0.0
            for row in rows[1:]:
                phone, end = row.split()
                out.append((start, float(end), from_cmu(phone)))
                start = float(end)
            pcm, rate = read_wav(wav)
            results.append((to_16k(pcm, rate), _delay(out, voice)))
        return results
