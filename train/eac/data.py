"""Windows for training: T frames of mel with everything that a microphone may add, the face that belongs to them, and what was spoken."""

import json

import numpy as np
import torch

from ..speech.mel import MELS, RATE, SILENT, log_mel
from ..speech.phones import expand
from ..speech.visemes import PHONES, TRACKS
from .compose import compose
from .model import tokens_from_columns

REST, SEAL = TRACKS.index("rest"), TRACKS.index("seal")
UNKNOWN = -100  # cross entropy leaves out what has this label


def labels(segments, columns):
    """(columns,) index into PHONES of what is spoken in each mel column of a clip, or UNKNOWN."""
    out = np.full(columns, UNKNOWN, np.int8)
    for start, end, phone in expand([tuple(s) for s in segments]):
        out[round(100 * start) : round(100 * end)] = PHONES.index(phone) if phone in PHONES else UNKNOWN
    return out


class Corpus:
    def __init__(self, part):
        """`part`: path of a corpus without its ending."""
        with np.load(part.with_suffix(".npz")) as data:
            self.columns = torch.from_numpy(data["columns"])  # (V, 4·F, 80) f16
            self.tracks = torch.from_numpy(data["tracks"])  # (F, 11) f16
            self.clip_start = data["clip_start"]
            self.pcm = data["pcm"] if "pcm" in data else None
        about = json.loads(part.with_suffix(".json").read_text())
        if about["tracks"] != TRACKS or "engines" not in about:
            raise ValueError(f"{part}: made by another version of the tracks; build the corpus again")
        self.segments, self.voices, self.engines = about["segments"], about["voices"], about["engines"]
        self.frames = len(self.tracks)
        clips = list(zip(self.clip_start.tolist(), self.clip_start[1:].tolist()))
        self.phones = torch.from_numpy(np.concatenate([labels(s, 4 * (b - a)) for s, (a, b) in zip(self.segments, clips)]))  # (4·F,) i8
        self.quiet = [clip for clip, e in zip(clips, self.engines) if e == "quiet" and clip[1] - clip[0] >= 40]
        # Where a window begins is drawn by weight: the sum of the weights of all frames before.
        self.mass = np.cumsum(np.repeat(np.array(about["weights"]), np.diff(self.clip_start)))

    def draw(self, rng, first, frames):
        """A frame at which a window of so many frames can begin."""
        start = int(np.searchsorted(self.mass, rng.uniform(0, self.mass[-1]), side="right"))
        return min(max(start - frames // 2, first), self.frames - frames - 1)


class Windows:
    """Random windows; everything random comes from the generator that a batch is asked for with."""

    def __init__(self, corpus, config, gap_row, plain=False, people=None):
        """`people`: a corpus of recordings, of which `data.people` of the windows are."""
        self.corpus, self.people, self.rng, self.plain = corpus, people, None, plain
        self.frames, self.context = config["model"]["frames"], config["model"]["columns"]
        self.share = config["data"]["people"] if people else 0.0
        self.gap_row = torch.as_tensor(gap_row)
        # White noise as loud as speech, of which any colour is made.
        self.hiss = torch.from_numpy(log_mel(0.07 * np.random.default_rng(1).standard_normal(20 * RATE)))

    def batch(self, rng, size):
        """tokens (B, T, 960), emotion table weights (B, 8), mu (B,), target (B, T, 64), labels (B, T, 4)"""
        self.rng = rng
        spoken = [self._window(self.people if rng.uniform() < self.share else self.corpus) for _ in range(size)]
        columns, tracks, phones = (torch.stack(x) for x in zip(*spoken))
        if not self.plain:
            columns = self._as_heard(columns)
            self._cut_starts(columns, tracks, phones)
            self._mask(columns)
        mix, mu = self._emotions(size)
        target = compose(tracks, mix, mu, self.gap_row)
        phones = phones[:, self.context - 4 :].long().view(size, self.frames, 4)
        return tokens_from_columns(columns, self.frames, self.context), mix, mu, target, phones

    def _window(self, corpus):
        rng, lead = self.rng, self.context - 4
        count = 4 * self.frames + lead
        start = corpus.draw(rng, lead // 4, self.frames)
        # A third of all frames are pauses, which are easily learnt: most windows that end in one are drawn again.
        if rng.uniform() < 0.6 and corpus.tracks[start + self.frames - 8 : start + self.frames, REST].min() > 0.9:
            start = corpus.draw(rng, lead // 4, self.frames)
        variant = 0 if rng.uniform() < 0.4 else int(rng.integers(len(corpus.columns)))
        if self.plain:
            columns = slice(4 * start - lead, 4 * start - lead + count)
            return corpus.columns[variant, columns].float(), corpus.tracks[start : start + self.frames].float(), corpus.phones[columns]
        return self._at_a_tempo(corpus, variant, start, count, lead)

    def _at_a_tempo(self, corpus, variant, start, count, lead):
        """A window spoken up to a quarter faster or slower: people do not keep a synthesiser's time. (count, 80), (T, 11), (count,)"""
        rng = self.rng
        tempo = float(rng.uniform(0.8, 1.28)) if rng.uniform() < 0.7 else 1.0
        tempo = min(tempo, (4 * (corpus.frames - start) + lead - 2) / count)
        first = 4 * start - lead
        place = tempo * torch.arange(count)
        low = place.long()
        heard = corpus.columns[variant, first : first + int(low[-1]) + 2].float()
        columns = torch.lerp(heard[low], heard[low + 1], (place - low)[:, None])
        phones = corpus.phones[first : first + int(low[-1]) + 2][(place + 0.5).long()]
        frame = (tempo * (lead + 4 * torch.arange(self.frames) + 1.5) - 1.5 - lead) / 4  # centres, from `start`
        low = frame.floor().long().clamp(min=0)
        seen = corpus.tracks[start : start + int(low[-1]) + 2].float()
        tracks = torch.lerp(seen[low], seen[low + 1], (frame - low).clamp(min=0)[:, None])
        # Seals are decided, not averaged: a frame is shut if one of those that it covers is.
        half = 0.5 * max(tempo, 1.0) - 1e-4
        covered = [(frame + side).round().long().clamp(0, len(seen) - 1) for side in (-half, half)]
        tracks[:, SEAL] = torch.maximum(*(seen[k, SEAL] for k in covered))
        return columns, tracks, phones

    def _emotions(self, size):
        rng = self.rng
        mix = np.zeros((size, 8), np.float32)
        mix[np.arange(size), rng.integers(0, 8, size)] = 1.0
        blend = (rng.uniform(size=size) < 0.15)[:, None]  # blends teach the space between the eight
        other = np.zeros_like(mix)
        other[np.arange(size), rng.integers(0, 8, size)] = 1.0
        share = rng.uniform(size=(size, 1)).astype(np.float32)
        mix = np.where(blend, share * mix + (1 - share) * other, mix)
        return torch.from_numpy(mix), torch.from_numpy(rng.uniform(1, 3, size).astype(np.float32))

    def _as_heard(self, columns):
        """Vocal tract, level, tilt, noise: on the logarithmic columns, whose unit is 4 nepers of power."""
        rng = self.rng
        size, count, _ = columns.shape
        mel = torch.arange(MELS, dtype=torch.float32)
        warp = np.where(rng.uniform(size=size) < 0.7, rng.uniform(0.88, 1.13, size), 1.0)
        place = mel * torch.from_numpy(warp.astype(np.float32))[:, None]
        place = (place + torch.from_numpy(rng.uniform(-1, 1, (size, 1)).astype(np.float32))).clamp(0, MELS - 1.001)
        low = place.long()
        part = (place - low)[:, None]
        index = low[:, None].expand(-1, count, -1)
        columns = columns.gather(2, index) * (1 - part) + columns.gather(2, index + 1) * part
        gain = rng.uniform(-5.0, 2.5, (size, 1, 1))
        tilt = rng.uniform(-2.5, 2.5, (size, 1, 1)) * (np.arange(MELS) / MELS - 0.5)
        columns += torch.from_numpy(((gain + tilt) / 4).astype(np.float32))
        # A voice of flesh: its spectrum is not a synthesiser's (a smooth curve of a few dB), nor as steady (roughness).
        waves = np.cos(np.pi * np.arange(1, 6)[:, None] * (np.arange(MELS) + 0.5) / MELS)  # (5, 80)
        curve = (rng.normal(size=(size, 5)) * rng.uniform(0, 0.9, (size, 1))) @ waves
        rough = rng.normal(size=(size, count, MELS)) * rng.uniform(0, 0.6, (size, 1, 1))
        rough[:, 1:] = 0.8 * rough[:, 1:] + 0.6 * rough[:, :-1]  # windows of 80 ms every 10 ms are alike
        columns += torch.from_numpy(((curve[:, None] + rough) / 4).astype(np.float32))
        for i in range(size):
            if rng.uniform() < 0.1:  # a notch or a lost band
                first, width = int(rng.integers(0, MELS - 12)), int(rng.integers(3, 12))
                columns[i, :, first : first + width] -= float(rng.uniform(0.2, 1.5))
            if self.corpus.quiet and rng.uniform() < 0.55:
                a, b = self.corpus.quiet[rng.integers(len(self.corpus.quiet))]
                start = 4 * int(rng.integers(a, b - self.frames - 2))
                noise = self.corpus.columns[rng.integers(len(self.corpus.columns)), start : start + count].float()
                below = rng.uniform(2, 50) / 4.343 - gain[i, 0, 0]  # signal to noise ratio 2 … 50 dB
                columns[i] = torch.logaddexp(columns[i] * 4, noise * 4 - below) / 4
            if rng.uniform() < 0.3:
                # A steady hiss hides closures more than anything else: 0 … 25 dB below the speech, from white to dull.
                start = int(rng.integers(len(self.hiss) - count))
                dull = float(rng.uniform(0, 4) * (rng.uniform() < 0.6)) * (mel / MELS - 0.3)
                hiss = 4 * self.hiss[start : start + count] - dull - (rng.uniform(0, 25) / 4.343 - gain[i, 0, 0])
                columns[i] = torch.logaddexp(columns[i] * 4, hiss) / 4
            if self.people and rng.uniform() < 0.2:
                # Others in the room: one, or a babble of several; 6 … 30 dB below.
                crowd = torch.full((count, MELS), 4 * SILENT)
                for _ in range(int(rng.choice([1, 3, 6]))):
                    start = 4 * self.people.draw(rng, self.context, self.frames + 2)
                    crowd = torch.logaddexp(crowd, 4 * self.people.columns[rng.integers(len(self.people.columns)), start : start + count].float())
                columns[i] = torch.logaddexp(columns[i] * 4, crowd - (rng.uniform(6, 30) / 4.343 - gain[i, 0, 0])) / 4
        return columns.clamp(min=SILENT)

    def _mask(self, columns):
        """Now and then some bands or a few columns are lost, so that nothing hangs on one cue."""
        for column in columns:
            if self.rng.uniform() < 0.4:
                first, width = int(self.rng.integers(0, MELS - 8)), int(self.rng.integers(2, 14))
                column[:, first : first + width] = column.mean()
            if self.rng.uniform() < 0.3:
                first, width = int(self.rng.integers(0, len(column) - 8)), int(self.rng.integers(1, 7))
                column[first : first + width] = column[first : first + width].mean()

    def _cut_starts(self, columns, tracks, phones):
        """Some windows begin before the stream did: digital silence up to a frame, the mouth shut."""
        for i in range(len(columns)):
            chance = self.rng.uniform()
            if chance < 0.05:
                frame = self.frames if chance < 0.012 else int(self.rng.integers(1, self.frames))
                columns[i, : self.context - 4 + 4 * frame] = SILENT
                phones[i, : self.context - 4 + 4 * frame] = PHONES.index("SIL")
                tracks[i, :frame] = 0.0
                tracks[i, :frame, REST] = 1.0
