"""Phoneme times, tracks, text and the mel front-end. Needs NumPy and SciPy, no PyTorch."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from train.eac.metrics import closure_counts, deep_silence, merged, offset_ms, precision_recall, runs_of
from train.speech.mel import MELS, SILENT, filters, log_mel
from train.speech.phones import expand, find_bursts, from_cmu, from_espeak, join_silences
from train.speech.recordings import ASPIRATION, segments_of, splits, weight_of
from train.speech.sentences import Sentences
from train.speech.sounds import KINDS, quiet_clip, through_room_and_microphone
from train.speech.visemes import FPS, TRACKS, render

ROOT = Path(__file__).parents[3]
SEAL, REST, BITE, JAW = (TRACKS.index(t) for t in ("seal", "rest", "bite", "jaw"))


def needs(program):
    """Fails where the voice is missing, unless `VULTUS_TEST_SKIP=voices` asks for the skip by name."""
    asked = "voices" in os.environ.get("VULTUS_TEST_SKIP", "").split(",")
    return pytest.mark.skipif(asked and shutil.which(program) is None, reason=f"{program} is not installed, and VULTUS_TEST_SKIP=voices")


def test_filters_sum_to_one_and_cover_every_row():
    rows = filters()
    assert rows.shape == (MELS, 641)
    np.testing.assert_allclose(rows.sum(1), 1.0, atol=1e-12)


def test_columns_do_not_depend_on_what_comes_later():
    rng = np.random.default_rng(0)
    pcm = rng.standard_normal(6400).astype(np.float32)
    whole, part = log_mel(pcm), log_mel(pcm[:4000], 20)
    # Column m hears samples up to 160 m + 80 + 640.
    np.testing.assert_array_equal(whole[:20], part[:20])


def test_silence_is_the_floor():
    assert np.allclose(log_mel(np.zeros(6400)), SILENT)


def test_names_of_every_engine():
    assert [from_cmu(n) for n in ("pau", "axr", "ey", "dx")] == ["SIL", "ER", "EY", "D"]
    assert [from_espeak(n) for n in ("t2", "a#", "_:", "tS", "aI@")] == ["T", "AX", "SIL", "CH", "AY+AX"]
    assert from_espeak("%%") is None


def test_expansion_keeps_time():
    out = expand([(0.0, 0.1, "OY"), (0.1, 0.4, "AY+ER"), (0.4, 0.45, "SIL"), (0.45, 0.45, "M")])
    assert out[0][0] == 0.0 and out[-1][1] == 0.45 and out[-1][2] == "GLOT"
    assert all(abs(a[1] - b[0]) < 1e-9 for a, b in zip(out, out[1:]))
    assert join_silences([(0, 1, "SIL"), (1, 2, "SIL"), (2, 3, "M")]) == [(0, 2, "SIL"), (2, 3, "M")]


def test_lips_part_at_the_burst():
    pcm = np.full(3200, 1e-4)
    pcm[1600:] = 0.3 * np.sin(np.arange(1600))
    found = find_bursts([(0.02, 0.14, "P")], pcm, 16000)
    assert abs(found[0] - 0.1) < 0.012


@pytest.mark.parametrize("start", np.arange(0.5, 0.54, 0.005))
def test_fifty_milliseconds_of_closure_shut_a_whole_frame(start):
    tracks = render([(0, 0.3, "SIL"), (0.3, start, "AA"), (start, start + 0.05, "B"), (start + 0.05, 1, "AA"), (1, 1.4, "SIL")], 35)
    assert tracks[:, SEAL].max() == 1.0
    assert (tracks[:, SEAL] > 0.5).sum() <= 3
    shut = int(tracks[:, SEAL].argmax())
    assert abs((shut + 0.5) / FPS - (start + 0.025)) < 0.04


def test_pauses_rest_and_speech_does_not():
    tracks = render([(0, 0.6, "SIL"), (0.6, 0.9, "AE"), (0.9, 0.95, "SIL"), (0.95, 1.2, "IY"), (1.2, 2.0, "SIL")], 50)
    assert tracks[:12, REST].min() == 1.0 and tracks[16:29, REST].max() == 0.0 and tracks[36:, REST].min() > 0.95
    assert tracks[17:21, JAW].max() > 0.6


def test_recordings_shut_the_lips_as_long_as_they_are_shut():
    row = lambda p, s, e: {"p": p, "start": s, "end": e}  # noqa: E731
    said = segments_of({"align": {"phones": [row("sil", 0.1, 0.3), row("p", 0.3, 0.4), row("iy", 0.4, 0.6), row("m", 0.6, 0.7), row("spn", 0.7, 0.9)]}}, 1.0)
    assert [p for *_, p in said] == ["SIL", "P", "HH", "IY", "M", "SIL"]
    assert abs(said[1][1] - (0.4 - ASPIRATION)) < 1e-9 and said[4][:2] == (0.6, 0.7) and said[-1][1] == 1.0
    # A hand label begins at its row's end; labels past the end of the sound are left out.
    hand = segments_of({"hand": {"phones": [row("_d", 0.0, 0.1), row("a", 0.1, 0.2), row("p", 0.2, 0.3), row("!p", 0.3, 0.36), row("a", 0.36, 0.4), row(".", 0.4, 0.9)]}}, 0.8)
    assert [(round(s, 2), round(e, 2), p) for s, e, p in hand] == [
        (0.0, 0.1, "SIL"), (0.1, 0.2, "D"), (0.2, 0.3, "AA"), (0.3, 0.36, "P"), (0.36, 0.4, "HH"), (0.4, 0.8, "AA")
    ]
    assert segments_of({"text": "no times"}, 1.0) is None


def test_speakers_are_in_one_part_only_and_stay_there():
    rows = [{"speaker": f"s{k}", "source_folder": "ls", "score": "-12"} for k in range(40)]
    aside = splits(rows)
    assert sorted(aside.values()) == ["dev"] * 7 + ["test"] * 7 and splits(rows[::-1]) == aside
    assert weight_of(rows[0]) > weight_of(rows[0] | {"score": "-35"})


def test_text_is_seeded_and_held_out_text_differs():
    a, b, held = Sentences(3), Sentences(3), Sentences(3, held=True)
    assert [a.next() for _ in range(5)] == [b.next() for _ in range(5)]
    assert not set(a.glosses) & set(held.glosses)


@pytest.mark.parametrize("kind", KINDS)
def test_noises_are_finite_and_level(kind):
    pcm = quiet_clip(np.random.default_rng(1), 2, kind)
    assert np.isfinite(pcm).all() and abs(np.sqrt((pcm**2).mean()) - 0.07) < 1e-3


def test_rooms_keep_time():
    rng = np.random.default_rng(2)
    pcm = np.zeros(16000, np.float32)
    pcm[8000] = 1.0
    for _ in range(8):
        assert abs(int(np.abs(through_room_and_microphone(rng, pcm)).argmax()) - 8000) <= 40


def _quiet_in_stops(pcm, segments):
    """Share of T, K and P whose first half is at least 6 dB quieter than the clip."""
    level = (pcm**2).mean()
    stops = [(s, e) for s, e, p in segments if p in ("P", "T", "K") and e - s > 0.03 and s > 0.05]
    quiet = [(pcm[int(16000 * s) : int(8000 * (s + e))] ** 2).mean() < level / 4 for s, e in stops]
    return np.mean(quiet), len(stops)


TEXT = "A cup of tea, a pot of coffee, and two cakes. Pat took the top paper to Peter. Keep it up."


@needs("espeak-ng")
def test_espeak_times():
    from train.speech.engines import Espeak

    engine = Espeak()
    pcm, segments = engine.speak(TEXT, "en-us")
    share, count = _quiet_in_stops(pcm, segments)
    assert count > 12 and share > 0.75 and abs(segments[-1][1] - len(pcm) / 16000) < 0.02 and not engine.unknown


@needs("flite")
def test_flite_times():
    from train.speech.engines import flite

    pcm, segments = flite(TEXT, "slt")
    share, count = _quiet_in_stops(pcm, segments)
    assert count > 12 and share > 0.75 and all(a[1] <= b[0] + 1e-6 for a, b in zip(segments, segments[1:]))


@needs("festival")
def test_festival_times():
    from train.speech.engines import festival

    results = festival([(TEXT, 1.0), ('He said "hop".', 1.1)], "kal_diphone")
    assert len(results) == 2, "is festvox-kallpc16k installed?"
    share, count = _quiet_in_stops(*results[0])
    assert count > 12 and share > 0.7


def test_metrics_on_a_made_up_clip():
    gap = np.full(50, 0.3)
    gap[10:12] = 0.01  # found
    gap[20] = 0.02  # a false closure
    gap[38:] = 0.0  # two frames before the pause are nobody's
    closures, pauses = [(0.41, 0.46, "M"), (1.2, 1.25, "B")], [(1.6, 2.0)]
    counts = closure_counts(gap, closures, pauses)
    assert counts.tolist() == [1, 2, 1, 3]
    assert precision_recall(counts) == pytest.approx((1 / 3, 0.5, 0.4))
    assert runs_of(gap < 0.08) == [(10, 12), (20, 21), (38, 50)]
    # A run that touches a pause ends there: what lies outside belongs to a closure where there is one, and is no longer than it is outside.
    assert closure_counts(gap, [(1.5, 1.6, "M")], pauses).tolist() == [1, 1, 1, 3]
    gap[29:] = 0.0
    assert closure_counts(gap, [(1.2, 1.25, "M")], pauses).tolist() == [1, 1, 0, 3]


def test_closures_less_than_thirty_milliseconds_apart_are_one():
    assert merged([(0.45, 0.5, "B"), (0.38, 0.421, "M")]) == [[0.38, 0.5]]
    assert merged([(0.38, 0.419, "M"), (0.45, 0.5, "B")]) == [[0.38, 0.419], [0.45, 0.5]]


def test_deep_silence_is_the_middle_of_long_pauses():
    assert np.flatnonzero(deep_silence([(0.8, 1.6), (0.1, 0.5)], 50)).tolist() == list(range(25, 35))


def test_offset_finds_a_known_delay():
    x = np.convolve(np.random.default_rng(3).standard_normal(400), np.ones(5) / 5, "same")
    for frames in (-9, -1, 0, 2, 8):
        assert abs(offset_ms(np.roll(x, frames), x) - 40 * frames) < 8
    assert np.isnan(offset_ms(np.full(400, 0.2), x))
